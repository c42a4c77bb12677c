"""`atmpl controller` as a process of its own, acting under its own role: for tests, demo and bench."""

import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Self

from e2e.controlplane import Server
from e2e.program import Program

RBAC = Path(__file__).parents[1] / "config" / "rbac"
NAMESPACE = "atmpl-system"
ACCOUNT = "atmpl-controller"


def service_account(server: Server) -> Path:
    """Give the controller its role, as config/rbac has it, and return a kubeconfig of its ServiceAccount. Blocks."""
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}
    server.kubectl("apply", "--server-side", "--force-conflicts", "--filename=-", input=namespace)
    server.kubectl("apply", "--server-side", "--force-conflicts", "--kustomize", RBAC)
    return server.service_account(NAMESPACE, ACCOUNT)


class Controller(Program):
    """A controller that runs; a context manager: entered once its first lists are in, stopped at the end.

    Without a kubeconfig it takes itself to be in a pod. Its methods block.
    """

    def __init__(
        self,
        kubeconfig: Path | None,
        *options: str,
        python: tuple[str, ...] = (),
        env: dict[str, str] | None = None,
    ) -> None:
        where = [f"--kubeconfig={kubeconfig}"] if kubeconfig else []
        super().__init__(
            [sys.executable, *python, "-m", "atmpl", "controller", *where, "--bind=127.0.0.1:0", *options], env
        )
        self.url = ""  # of its probes

    def __enter__(self) -> Self:
        self.start()
        self.logged(lambda line: line["message"] == "ready", timeout=60)
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start the process; return when its probes can be asked."""
        before = len(self.lines)
        super().start()
        listening = self.logged(lambda line: line["message"] == "listening", after=before)
        self.url = f"http://127.0.0.1:{listening['port']}"

    def ask(self, path: str) -> tuple[int, str]:
        """Ask a probe; return status and text."""
        try:
            with urllib.request.urlopen(self.url + path, timeout=10) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
