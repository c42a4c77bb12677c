"""Fault injection on real processes: `just chaos`, and small forms of it in tests/system.

`random_kills.py` kills controllers, API server and etcd at random. The other scenarios each inject one kind of fault:
they take a ChaosCluster and their size, and return a Report with figures and problems.
"""

from e2e.chaos.scenario import ChaosCluster, Report, chaos_cluster

__all__ = ["ChaosCluster", "Report", "chaos_cluster"]
