"""Decisions about requests, over a `Cluster` protocol (cluster.py). This layer is async and contains no HTTP.

`reconcile.reconcile` is the entry point. It authorizes the request (authorization.py, admission_policy.py), renders the
VM, publishes the template (publish.py, ownership.py, template_patch.py) and updates the status (status.py). Its result
is one of the outcomes in outcome.py, whose type declares what the work queue, the metrics and the events do with it.
"""
