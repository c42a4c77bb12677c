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
    """Apply config/rbac, and return a kubeconfig of the controller's ServiceAccount. Blocks."""
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}
    server.kubectl("apply", "--server-side", "--force-conflicts", "--filename=-", input=namespace)
    server.kubectl("apply", "--server-side", "--force-conflicts", "--kustomize", RBAC)
    return server.service_account(NAMESPACE, ACCOUNT)


def pod(server: Server) -> dict[str, str]:
    """Return the environment of a controller's pod, with its token and CA in files. Blocks."""
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
        "KUBECONFIG": "",  # not the user's own
    }


class Controller(Program):
    """A controller that runs; a context manager: entered once its first lists are in, stopped at the end.

    Without a kubeconfig, it runs as in a pod. Its methods block. Most API servers here have no admission policy, so
    `--policy=Optional` is the default.
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
        policy = [] if any(option.startswith("--policy") for option in options) else ["--policy=Optional"]
        super().__init__(
            [sys.executable, *python, "-m", module, "controller", *where, *policy, "--bind=127.0.0.1:0", *options], env
        )
        self.name = (env or {}).get("POD_NAME", "the controller")
        self.url = ""  # of its probes

    def __enter__(self) -> Self:
        before = len(self.lines)  # lines of an earlier process
        try:
            self.start()
            self.logged(lambda line: line["message"] == "ready", timeout=60, after=before)
        except BaseException:
            self.kill()  # `__exit__` is not called if `__enter__` fails
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start the process; return when its probe listener is open."""
        before = len(self.lines)
        super().start()
        listening = self.logged(lambda line: line["message"] == "listening", after=before)
        self.url = f"http://127.0.0.1:{listening['port']}"

    def get(self, path: str) -> tuple[int, str]:
        """Call a probe; return status and text."""
        try:
            with urllib.request.urlopen(self.url + path, timeout=10) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()
