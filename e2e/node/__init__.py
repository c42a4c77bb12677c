"""A real node, with the controller's Deployment on it, and the tests of what only a node shows: `just node`.

conditions.py says whether a node can run here, place.py makes the namespaces that all of it lives in and goes with,
inside.py their network and mounts, settings.py what the programs are told, node.py the node itself, deployed.py what
was deployed on it.
"""
