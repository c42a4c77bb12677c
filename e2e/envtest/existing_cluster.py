"""An existing cluster that ATMPL_E2E_CONTEXT names: tests create namespaces and CRDs in it."""

import os
import re
import shutil
import subprocess
import time
from pathlib import Path
from typing import Self

import yaml

from e2e.envtest import programs
from e2e.envtest.processes import Processes
from e2e.envtest.server import Server

CONTEXT = "ATMPL_E2E_CONTEXT"


class WrongClusterError(Exception):
    """ATMPL_E2E_CONTEXT does not name the current context of KUBECONFIG; nothing was sent to any cluster."""


class ExistingCluster(Server):
    """The cluster of KUBECONFIG's current context, spoken to through `kubectl proxy`, which knows all ways to log in.

    A context manager; blocks. Raises WrongClusterError, ProcessError.
    """

    def __init__(self) -> None:
        _confirm(os.environ[CONTEXT])
        kubectl = shutil.which("kubectl")
        self.processes = Processes()
        try:
            super().__init__(
                folder=self.processes.folder,
                kubectl=Path(kubectl) if kubectl else programs.find("kubectl")["kubectl"],
            )
            self.kubeconfig.touch(mode=0o600)
            self.kubeconfig.write_bytes(_whole_context(self.kubectl_program))
            self.processes.start("proxy", [self.kubectl_program, "proxy", "--port=0"], env=self.env())
            self.url, self.tls, self.authorization = self._proxy_url(), None, ()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection to the cluster; a second call does nothing."""
        self.processes.close()

    def _proxy_url(self) -> str:
        while not (found := re.search(r"Starting to serve on (\S+)", self.processes.tail("proxy"))):
            self.processes.require("proxy")
            time.sleep(0.02)
        return f"http://{found[1]}"


def _whole_context(kubectl: Path) -> bytes:
    """Return the current context alone, with the certificates that KUBECONFIG can name by file."""
    command = [str(kubectl), "config", "view", "--raw", "--minify", "--flatten"]
    done = subprocess.run(command, capture_output=True, check=False)
    if done.returncode:
        raise WrongClusterError(f"KUBECONFIG={os.environ['KUBECONFIG']}: {done.stderr.decode().strip()}")
    return done.stdout


def _confirm(named: str) -> None:
    """Raise WrongClusterError unless the name is that of the current context, as kubectl would read KUBECONFIG."""
    files = [Path(path) for path in os.environ.get("KUBECONFIG", "").split(os.pathsep) if path]
    if not files:
        raise WrongClusterError(f"{CONTEXT}={named}, but KUBECONFIG is not set: set both")
    contexts = (yaml.safe_load(path.read_text()) or {} for path in files if path.is_file())
    current = next((found for config in contexts if (found := config.get("current-context"))), None)
    if current != named:
        raise WrongClusterError(
            f"{CONTEXT}={named}, but the current context of KUBECONFIG={os.environ['KUBECONFIG']} is {current}.\n"
            f"To run against it: kubectl config use-context {named}. To run against a control plane of its own: unset "
            f"{CONTEXT}."
        )
