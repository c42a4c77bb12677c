"""Selection of credentials: options, then KUBECONFIG, then the pod, then the default kubeconfig."""

from pathlib import Path

import pytest

from atmpl.kube.auth import load_credentials
from atmpl.kube.auth.in_cluster import InCluster
from atmpl.kube.auth.kubeconfig import Kubeconfig

POD = {"KUBERNETES_SERVICE_HOST": "10.0.0.1"}
CHOICES: dict[str, tuple[str | None, str | None, dict[str, str], type]] = {  # kubeconfig, context, environment, class
    "nothing": (None, None, {}, Kubeconfig),
    "a pod": (None, None, POD, InCluster),
    "a pod and an empty variable": (None, None, POD | {"KUBECONFIG": ""}, InCluster),
    "a pod and a variable": (None, None, POD | {"KUBECONFIG": "/a"}, Kubeconfig),
    "a pod and a file": ("/a", None, POD, Kubeconfig),
    "a pod and a context": (None, "there", POD, Kubeconfig),
}


@pytest.mark.parametrize("choice", CHOICES)
def test_credentials_options_precede_pod(choice: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    kubeconfig, context, environment, expected = CHOICES[choice]
    for name in ("KUBERNETES_SERVICE_HOST", "KUBECONFIG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert type(load_credentials(kubeconfig, context)) is expected
