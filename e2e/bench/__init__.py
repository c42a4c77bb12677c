"""How fast atmpl is: `just bench`, and `just bench-template` for rendering alone (template.py).

`just bench` measures atmpl beside a loop that makes the same calls and does nothing else (bare.py; record.py has the
calls out of atmpl's own code), beside the same controller in Go (peer/), and, where asked, beside one made with kopf
(kopf_peer.py). stage.py is the cluster they all meet, contestants.py how each is run; drain.py and latency.py are the
two races, results.py what comes out of them, targets.py what was wanted, table.py and plot.py how it is shown.

A run in which anything failed is not reported: FailedError says what it was.
"""
