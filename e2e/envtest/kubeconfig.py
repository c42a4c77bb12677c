"""Kubeconfigs without references to other files."""

import base64
from typing import Any

import yaml


def kubeconfig(url: str, ca: bytes, *, name: str, **user: Any) -> str:
    """Return a kubeconfig of one context, as YAML.

    `name` is the context's and the user's; `user` is what kubeconfig's `user` takes, e.g. `token`, `as`, `as-groups`.
    """
    cluster = {"server": url, "certificate-authority-data": base64.b64encode(ca).decode()}
    return yaml.safe_dump(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "atmpl", "cluster": cluster}],
            "users": [{"name": name, "user": user}],
            "contexts": [{"name": name, "context": {"cluster": "atmpl", "user": name}}],
            "current-context": name,
        },
        sort_keys=False,
    )
