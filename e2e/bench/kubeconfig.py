"""A kubeconfig of e2e's own making, read back: one context, a token, everything inside."""

import base64
import json
import os
from pathlib import Path
from typing import NamedTuple


class Access(NamedTuple):
    """Where the API server is, and who we are there."""

    server: str  # https://host:port
    authority: str  # PEM
    token: str


def access(kubeconfig: Path) -> Access:
    """Read it."""
    config = json.loads(kubeconfig.read_text())
    cluster = config["clusters"][0]["cluster"]
    authority = base64.b64decode(cluster["certificate-authority-data"]).decode()
    return Access(cluster["server"], authority, config["users"][0]["user"]["token"])


def current() -> Access:
    """Read the one that KUBECONFIG names."""
    return access(Path(os.environ["KUBECONFIG"]))
