"""Benchmarks of atmpl on a real API server. README.md describes how to run them, and has the results.

`__main__.py` is the command line. `bench_cluster.py` is the cluster that every implementation runs on, and
`implementations.py` starts the implementations: atmpl, the baseline loop (`baseline_loop.py`), a controller-runtime
peer (`peer/`) and a kopf peer (`kopf_peer.py`). `throughput.py`, `scale.py`, `profile.py`,
`render_cost.py` and `text_cost.py` measure.

A run is not reported if anything failed in it, or if the API server received a call too many or too few.
"""
