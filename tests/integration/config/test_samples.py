"""Every sample, applied by a user, does what its comment describes."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from e2e.envtest import Client, Server
from e2e.objects import is_ready, reason
from tests.support.builders import NATIVE_TEMPLATES_API, TEMPLATES_API, request_path

SAMPLES = Path(__file__).parents[3] / "config" / "samples"
NAMES = sorted(path.stem for path in SAMPLES.glob("*.yaml") if path.stem not in {"kustomization", "vm"})

WARNED = {"SharedDataVolumes", "InlineSecret"}  # of the samples' VM, where no option settles it
WARNINGS: dict[str, set[str]] = {
    "unique-data-volumes": {"InlineSecret"},
    "require-secrets": {"SharedDataVolumes"},
    "golden-template": set(),
}


def test_every_sample_is_listed_and_has_a_purpose() -> None:
    listed = yaml.safe_load((SAMPLES / "kustomization.yaml").read_text())["resources"]
    assert sorted(listed) == sorted(f"{name}.yaml" for name in [*NAMES, "vm"])
    for name in NAMES:
        assert (SAMPLES / f"{name}.yaml").read_text().startswith("# ")


@pytest.mark.usefixtures("controller")
async def test_every_sample_is_served(server: Server, client: Client, namespace: str, subtests: Any) -> None:
    for name in ["vm", *NAMES]:
        server.kubectl("apply", "--validate=strict", "--namespace", namespace, "--filename", SAMPLES / f"{name}.yaml")
    for name in NAMES:
        with subtests.test(name):
            if name == "other-namespace":
                found = await client.until(request_path(namespace, name), reason)
                assert reason(found) in {"CrossNamespaceDenied", "SourceNotFound"}  # by whether the policy is there
                continue
            found = await client.until(request_path(namespace, name), is_ready)
            assert {warning["reason"] for warning in found["status"].get("warnings", [])} == WARNINGS.get(name, WARNED)
    made = await client.get(f"{TEMPLATES_API}/namespaces/{namespace}/templates")
    native = await client.get(f"{NATIVE_TEMPLATES_API}/namespaces/{namespace}/virtualmachinetemplates")
    assert len(made["items"]) == 10
    assert {item["metadata"]["name"] for item in native["items"]} == {"sample-native", "sample-from-the-short-form"}
