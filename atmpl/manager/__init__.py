"""The wiring: streams -> stores -> queue -> workers -> drain (manager.py, worker.py); probes, metrics, logs.

run.py is the process: it starts all of it, and ends it within five seconds. debug.py shows by signal what it does.
"""
