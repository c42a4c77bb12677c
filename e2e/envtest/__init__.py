"""A real control plane on this machine, for tests, demo and bench.

    with ControlPlane() as server:
        print(server.kubectl("get", "namespaces"))
        async with server.client() as client: ...

programs.py says where etcd, kube-apiserver, kube-controller-manager and kubectl come from (build.py makes what is
nowhere), supervisor.py and processes.py that nothing outlives its owner, control_plane.py what runs and how, server.py
what one may do with it, client.py how to be a user of it, env_file.py how a person's shell gets there, and crds/ what
the cluster serves beyond its own.
"""

from e2e.envtest.build import BuildError
from e2e.envtest.client import ApiError, Client
from e2e.envtest.control_plane import AUDIT_EVERY_CALL, ControlPlane
from e2e.envtest.processes import ProcessError
from e2e.envtest.server import KubectlError, Server

__all__ = [
    "AUDIT_EVERY_CALL",
    "ApiError",
    "BuildError",
    "Client",
    "ControlPlane",
    "KubectlError",
    "ProcessError",
    "Server",
]
