"""An API server for tests, demo and bench: its address, kubectl and kubeconfigs."""

import json
import os
import ssl
import subprocess
from pathlib import Path
from typing import Any

from e2e.envtest.client import Client


class KubectlError(Exception):
    """A kubectl command failed. The message has the command and its output."""


class Server:
    """The common part of a local control plane and an existing cluster. Acts as an administrator."""

    def __init__(self, *, folder: Path, kubectl: Path) -> None:
        self.folder = folder  # temporary; kubeconfigs are made here
        self.kubectl_program = kubectl
        self.kubeconfig = folder / "kubeconfig"

    url: str
    tls: ssl.SSLContext | None
    authorization: tuple[tuple[str, str], ...]  # the administrator's HTTP headers; empty if a proxy adds them

    def client(self, user: str | None = None, *groups: str) -> Client:
        """Return a client of the administrator, or one that impersonates a user."""
        headers = list(self.authorization)
        if user is not None:
            headers.append(("Impersonate-User", user))
        headers.extend(("Impersonate-Group", group) for group in groups)
        return Client(self.url, tls=self.tls, headers=headers)

    def kubectl(self, *args: str | Path, input: Any = None, user: str | None = None) -> str:
        """Run kubectl and return what it printed; `input` goes to its standard input, an object as JSON.

        Blocks. Raises KubectlError.
        """
        command = [self.kubectl_program, *args, *(["--as", user] if user is not None else [])]
        text = input if isinstance(input, str | None) else json.dumps(input)
        done = subprocess.run(command, env=self.env(), input=text, capture_output=True, text=True, check=False)
        if done.returncode:
            output = (done.stderr or done.stdout).strip()
            raise KubectlError(f"kubectl {' '.join(map(str, args))}: {output}")
        return done.stdout

    def env(self) -> dict[str, str]:
        """Return an environment in which `kubectl` uses this server, and writes nothing to the home folder."""
        path = f"{self.kubectl_program.parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
        return os.environ | {
            "KUBECONFIG": str(self.kubeconfig),
            "KUBECACHEDIR": str(self.folder / "kubectl-cache"),
            "PATH": path,
        }

    def service_account(self, namespace: str, name: str) -> Path:
        """Return a kubeconfig of a ServiceAccount that exists, with a token of an hour. Blocks."""
        token = self.kubectl("create", "token", name, "--namespace", namespace, "--duration", "1h").strip()
        return self._kubeconfig_of(f"{namespace}-{name}", {"token": token})

    def impersonating(self, user: str, *groups: str) -> Path:
        """Return a kubeconfig with which the administrator acts as a user. Blocks."""
        return self._kubeconfig_of(user, {"as": user, **({"as-groups": list(groups)} if groups else {})}, keep=True)

    def _kubeconfig_of(self, name: str, user: dict[str, Any], *, keep: bool = False) -> Path:
        """Write the administrator's kubeconfig with another user in it, or with more fields of the same one."""
        config = json.loads(self.kubectl("config", "view", "--raw", "--minify", "--flatten", "--output", "json"))
        config["users"] = [{"name": name, "user": config["users"][0]["user"] | user if keep else user}]
        config["contexts"][0]["context"]["user"] = name
        path = self.folder / f"kubeconfig-{name.replace(os.sep, '-')}"
        path.touch(mode=0o600)
        path.write_text(json.dumps(config))
        return path
