"""What becomes of a request. Async, but it knows no HTTP: it speaks to a `Cluster` (cluster.py).

turn.py is the way in: access.py judges whether the author may, reconcile.py tells the story, status.py writes it down.
"""
