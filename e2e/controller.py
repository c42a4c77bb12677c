"""`atmpl controller` as a process of its own, acting under its own role: for tests, demo and bench."""

import base64
import json
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

from e2e.envtest import Server
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


def pod(server: Server) -> dict[str, str]:
    """Return the environment of a pod of the controller's, made of its kubeconfig: a pod has none. Blocks."""
    config = json.loads(service_account(server).read_text())
    cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
    mount = server.folder / "service-account"
    mount.mkdir(mode=0o700, exist_ok=True)
    (mount / "token").write_text(user["token"])
    (mount / "ca.crt").write_bytes(base64.b64decode(cluster["certificate-authority-data"]))
    where = urlsplit(cluster["server"])
    return {
        "KUBERNETES_SERVICE_HOST": str(where.hostname),
        "KUBERNETES_SERVICE_PORT": str(where.port),
        "ATMPL_SERVICE_ACCOUNT": str(mount),
        "KUBECONFIG": "",  # a person's own
    }


class Controller(Program):
    """A controller that runs; a context manager: entered once its first lists are in, stopped at the end.

    Without a kubeconfig it takes itself to be in a pod. Its methods block.
    """

    def __init__(
        self,
        kubeconfig: Path | None,
        *options: str,
        python: tuple[str, ...] = (),
        module: str = "atmpl",
        env: dict[str, str] | None = None,
    ) -> None:
        where = [f"--kubeconfig={kubeconfig}"] if kubeconfig else []
        super().__init__(
            [sys.executable, *python, "-m", module, "controller", *where, "--bind=127.0.0.1:0", *options], env
        )
        self.name = (env or {}).get("POD_NAME", "the controller")
        self.url = ""  # of its probes

    def __enter__(self) -> Self:
        before = len(self.lines)  # those of an earlier life
        try:
            self.start()
            self.logged(lambda line: line["message"] == "ready", timeout=60, after=before)
        except BaseException:
            self.kill()  # nobody else will: an `__enter__` that fails has no `__exit__`
            raise
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
