"""Which changes of a VM change its digest."""

from typing import Any

import pytest

from atmpl.controller import vm_digest
from atmpl.controller.outcome import Source
from tests.support.builders import a_vm

META: dict[str, Any] = {"uid": "1", "generation": 3, "resourceVersion": "77"}
VM = a_vm(**META)

NO_CHANGE: dict[str, dict[str, Any]] = {
    "another version, as its status churns": {"resourceVersion": "78"},
    "a finalizer": {"finalizers": ["kubevirt.io/virtualMachineControllerFinalize"]},
    "managed fields": {"managedFields": [{"manager": "virt-controller"}]},
    "what kubectl applied": {"annotations": {"kubectl.kubernetes.io/last-applied-configuration": "{}"}},
    "what KubeVirt observed": {"annotations": {"kubevirt.io/latest-observed-api-version": "v1"}},
    "no labels": {"labels": None},
    "the template that it was made from": {"labels": {"vm.kubevirt.io/template": "fedora"}},
}
CHANGE: dict[str, dict[str, Any]] = {
    "another spec": {"generation": 4},
    "another VM of its name": {"uid": "2"},
    "a label": {"labels": {"team": "db"}},
    "a label's value": {"labels": {"team": "web"}},
    "an annotation": {"annotations": {"team": "db"}},
}


def digest(**changed: Any) -> str:
    return vm_digest.digest_of(a_vm(**META | changed))


@pytest.mark.parametrize("sentence", NO_CHANGE)
def test_irrelevant_change_keeps_the_digest(sentence: str) -> None:
    assert digest(**NO_CHANGE[sentence]) == digest()


def test_each_change_of_the_template_changes_the_digest() -> None:
    digests = {digest(), *(digest(**changed) for changed in CHANGE.values())}
    assert len(digests) == 1 + len(CHANGE)


def test_order_of_labels_keeps_the_digest() -> None:
    assert digest(labels={"a": "1", "b": "2"}) == digest(labels={"b": "2", "a": "1"})


def test_version_of_atmpl_is_part_of_the_digest(monkeypatch: pytest.MonkeyPatch) -> None:
    before = digest()
    monkeypatch.setattr(vm_digest, "__version__", "0.0.0-another")
    assert digest() != before


def test_digest_of_metadata_equals_that_of_the_vm() -> None:
    labels = {"team": "db"}
    assert vm_digest.digest("1", 3, labels, {}) == digest(labels=labels)


def test_source_has_uid_generation_and_version() -> None:
    assert vm_digest.source_of(VM) == Source("1", 3, "77")
    assert vm_digest.source_of({"metadata": {"uid": "1", "resourceVersion": "77"}}) == Source("1", 0, "77")
