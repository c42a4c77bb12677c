"""What becomes of a request. Async, but it knows no HTTP: it speaks to a `Cluster` (cluster.py).

turn.py is the way in: access.py judges whether the author may (by policy.py), reconcile.py tells the story, status.py
writes down what was found, which is one of the outcomes of outcome.py.

The story reads the request (request.py; told.py has what its status says) and its VM (vm.py), and hands a proved
template to publish.py. Where something of that name stands already, ownership.py says whose it is: ours is taken as it
is, let go (adopt.py), or made to say what the VM says (patch.py); anybody else's is in the way (hindrance.py).
"""
