"""One mechanism a file, and cluster.py, which implements the controller's `Cluster` over HTTP.

To the API server: access.py, found out and kept.py by incluster.py or kubeconfig.py (plugin.py, proxy.py); then
connection.py, answer.py. From it: watch.py follows a stream.py, through lines.py and reading.py, into the stores
requests.py, vms.py and templates.py. Between: queue.py, backoff.py. Beside: lease.py, events.py.
"""
