"""A real control plane on this machine, for tests, demo and bench.

    with ControlPlane() as server:
        print(server.kubectl("get", "namespaces"))
        async with server.client() as client: ...

programs.py finds etcd, kube-apiserver, kube-controller-manager and kubectl, and build.py builds those that are missing.
processes.py starts them, and supervisor.py ends them with their owner. control_plane.py configures them. server.py
has what both a started and an existing cluster offer, and client.py the client of a user. env_file.py writes the
environment of a shell, and crds/ has the custom resources.
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
