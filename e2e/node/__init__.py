"""A real node that runs the controller's Deployment, and tests that need one: `just node`.

requirements.py checks if a node can run on this machine. sandbox.py creates the Linux namespaces that contain it,
sandbox_init.py their network and mounts. settings.py has the configuration files of the programs, node.py starts them,
and deployment.py is the Deployment on the node.
"""
