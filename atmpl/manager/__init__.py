"""The controller process: manager, workers, metrics, probes, logs.

`run` starts the process and ends it in time. `manager` connects streams, stores, queue and workers. `debug` shows on a
signal what the process is doing.
"""
