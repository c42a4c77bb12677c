"""Whose credentials are used: a pod's own, or a kubeconfig's as kubectl would use it."""

import os

from atmpl.kube.auth.endpoint import Credentials
from atmpl.kube.auth.in_cluster import InCluster, in_pod


def credentials(kubeconfig: str | None, context: str | None) -> Credentials:
    """Return what `--kubeconfig` and `--context` name; without either, and in a pod, its service account's."""
    if in_pod() and not (kubeconfig or context or os.environ.get("KUBECONFIG")):
        return InCluster()
    from atmpl.kube.auth.kubeconfig import Kubeconfig  # noqa: PLC0415 - dear, and a pod does without

    return Kubeconfig(kubeconfig, context)
