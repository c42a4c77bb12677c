"""A control plane of our own: etcd, kube-apiserver and kube-controller-manager, on loopback, in a temporary folder."""

import http.client
import json
import secrets
import signal
import socket
import ssl
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Self

import yaml

from e2e.envtest import programs
from e2e.envtest.kubeconfig import kubeconfig
from e2e.envtest.processes import Processes
from e2e.envtest.server import Server

Part = Literal["etcd", "kube-apiserver", "kube-controller-manager"]

# kube-controller-manager's loops that the API's own promises rest on
CONTROLLERS = (
    "namespace-controller",  # a deleted namespace goes, with all that is in it
    "garbage-collector-controller",  # so do an owner's dependents
    "serviceaccount-controller",  # every namespace has the account `default`
    "clusterrole-aggregation-controller",  # admin, edit and view are made of the roles labelled for them
    "validatingadmissionpolicy-status-controller",  # type-checks the expressions of admission policies
)

AUDIT_EVERY_CALL = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "omitStages": ["RequestReceived"],
    "rules": [{"level": "Metadata"}],
}

_PATIENCE = 60.0  # seconds for a start on a machine that is busy with something else; 3 is usual


class ControlPlane(Server):
    """A control plane that runs from construction to `close`, or to the end of this process. A context manager.

    `fsync=False` spares the disk: the state lives no longer than we do. `address` is where the API server listens,
    loopback unless pods are to reach it. `apiserver_flags` are added to kube-apiserver's own; `audit` is an audit
    policy, the log is then read by `audit_events`. With no `controllers` kube-controller-manager is not started.
    Everything blocks: from a coroutine, call it by `asyncio.to_thread`.

    Raises BuildError where a program is missing, ProcessError where one does not come up.
    """

    def __init__(
        self,
        *,
        fsync: bool = False,
        address: str = "127.0.0.1",
        apiserver_flags: Sequence[str] = (),
        audit: Mapping[str, Any] | None = None,
        controllers: Sequence[str] = CONTROLLERS,
    ) -> None:
        self._programs = programs.find()
        self.processes = Processes()
        super().__init__(folder=self.processes.folder, kubectl=self._programs["kubectl"])
        self._token = secrets.token_urlsafe(24)
        self._address = address
        self._port = _hold_a_port(address)
        self._audit = self.folder / "audit.log"
        self.port: int = self._port.getsockname()[1]
        self.url = f"https://{address}:{self.port}"
        self.authorization = (("Authorization", f"Bearer {self._token}"),)
        flags = [*apiserver_flags, *(self._audit_flags(audit) if audit is not None else [])]
        self._argv: dict[Part, list[str]] = {
            "etcd": self._etcd_flags(fsync=fsync),
            "kube-apiserver": [*self._apiserver_flags(), *flags],
        }
        if controllers:
            self._argv["kube-controller-manager"] = self._controller_manager_flags(controllers)
        try:
            self._start_all()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Kill all of it and remove the folder; a second call does nothing."""
        self.processes.close()
        self._port.close()

    # Faults

    def start(self, part: Part) -> int:
        """Start a part that has ended, on the same address with the same state; return its process id."""
        pid = self.processes.start(part, [self._programs[part], *self._argv[part]])
        match part:
            case "etcd":
                self._await(part, (self.folder / "etcd.sock").exists)
            case "kube-apiserver":
                self._await(part, self._serves)
            case "kube-controller-manager":
                pass  # callers wait for its effects
        return pid

    def kill(self, part: Part) -> None:
        """End a part by SIGKILL, and wait for its end."""
        self.processes.signal(part, signal.SIGKILL)
        self.processes.wait(part, _PATIENCE)
        if part == "etcd":
            (self.folder / "etcd.sock").unlink(missing_ok=True)  # so that `start` sees the new one

    def restart(self, part: Part) -> None:
        """Kill a part and start it again."""
        self.kill(part)
        self.start(part)

    def audit_events(self) -> list[dict[str, Any]]:
        """Return the events of the audit log so far: one per call, of audit.k8s.io/v1."""
        return [json.loads(line) for line in self._audit.read_text().splitlines()] if self._audit.exists() else []

    # How it comes up

    def _start_all(self) -> None:
        tokens = self.folder / "tokens.csv"
        tokens.touch(mode=0o600)
        tokens.write_text(f'{self._token},admin,admin,"system:masters"\n')
        self.start("etcd")
        self.start("kube-apiserver")
        self.kubeconfig.touch(mode=0o600)
        ca = self._certificate.read_bytes()
        self.kubeconfig.write_text(kubeconfig(self.url, ca, name="admin", token=self._token))
        if "kube-controller-manager" in self._argv:
            self.start("kube-controller-manager")

    @property
    def _certificate(self) -> Path:
        """Return the file that kube-apiserver creates at its first start: its certificate and its CA's."""
        return self.folder / "certificates" / "apiserver.crt"

    def _etcd_flags(self, *, fsync: bool) -> list[str]:
        """Return etcd's flags. Unix sockets keep other processes out and need no free port.

        etcd requires a host and a port in the advertised URLs; a cluster of one member does not use them.
        """
        return [
            "--name=atmpl",
            f"--data-dir={self.folder / 'etcd'}",
            f"--listen-client-urls=unix://{self.folder / 'etcd.sock'}",
            f"--listen-peer-urls=unix://{self.folder / 'peer.sock'}",
            "--advertise-client-urls=http://127.0.0.1:2379",
            "--initial-advertise-peer-urls=http://127.0.0.1:2380",
            "--initial-cluster=atmpl=http://127.0.0.1:2380",
            "--quota-backend-bytes=8589934592",
            "--watch-progress-notify-interval=5s",  # as kubeadm; else a quiet watch hears nothing for 2 minutes
            "--log-level=warn",
            *([] if fsync else ["--unsafe-no-fsync"]),
        ]

    def _apiserver_flags(self) -> list[str]:
        key = self._certificate.with_suffix(".key")  # signs service accounts' tokens as well
        return [
            f"--etcd-servers=unix://{self.folder / 'etcd.sock'}",
            f"--bind-address={self._address}",
            f"--advertise-address={self._address}",  # else it wants a default route
            f"--secure-port={self.port}",
            "--permit-port-sharing",  # with the socket that holds the port for us
            "--endpoint-reconciler-type=none",
            "--service-cluster-ip-range=10.0.0.0/24",
            f"--cert-dir={self._certificate.parent}",
            f"--token-auth-file={self.folder / 'tokens.csv'}",
            "--authorization-mode=RBAC",
            "--service-account-issuer=https://kubernetes.default.svc",
            f"--service-account-key-file={key}",
            f"--service-account-signing-key-file={key}",
            "--profiling=false",
        ]

    def _audit_flags(self, policy: Mapping[str, Any]) -> list[str]:
        path = self.folder / "audit-policy.yaml"
        path.write_text(yaml.safe_dump(dict(policy)))
        return [f"--audit-policy-file={path}", f"--audit-log-path={self._audit}"]

    def _controller_manager_flags(self, controllers: Sequence[str]) -> list[str]:
        return [
            f"--kubeconfig={self.kubeconfig}",
            f"--controllers={','.join(controllers)}",
            f"--root-ca-file={self._certificate}",  # what pods trust
            "--leader-elect=false",
            "--secure-port=0",
            "--kube-api-qps=500",  # many small namespaces come and go
            "--kube-api-burst=1000",
        ]

    def _await(self, part: str, true: Any) -> None:
        deadline = time.monotonic() + _PATIENCE
        while not true():
            self.processes.require(part)
            if time.monotonic() > deadline:
                raise TimeoutError(f"{part} is not ready after {_PATIENCE} s:\n{self.processes.tail(part)}")
            time.sleep(0.02)

    def _serves(self) -> bool:
        """Return True if kube-apiserver is ready. Its certificate is verified."""
        try:
            self.tls = ssl.create_default_context(cafile=self._certificate)
        except (FileNotFoundError, ssl.SSLError):  # not there yet, or half written
            return False
        connection = http.client.HTTPSConnection(self.url.removeprefix("https://"), context=self.tls, timeout=5)
        try:
            connection.request("GET", "/readyz", headers=dict(self.authorization))
            status = connection.getresponse().status
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()
        return status == 200


def _hold_a_port(address: str) -> socket.socket:
    """Bind a free port without listening on it, so that only kube-apiserver can use it (SO_REUSEPORT).

    Two control planes have different ports, and a killed API server gets the same port again.
    """
    holder = socket.socket()
    holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    holder.bind((address, 0))
    return holder
