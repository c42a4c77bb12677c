"""The API server's client: HTTP, streams and stores, work queue, leader election, events.

- client.py, response.py, redaction.py, resources.py: calls, and what their responses mean. auth/: credentials.
- reflector.py, watch_events.py: list and watch. stores/: what they fill. streams.py: which streams there are.
- workqueue.py, backoff.py, failure_log.py, leader_election.py, event_recorder.py: as in client-go.
- cluster.py: the controller's `Cluster` protocol over HTTP.
"""
