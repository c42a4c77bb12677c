"""VMs for the tests of the template layer: those of the corpus, and small ones."""

import re
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from tests.support.shared_data import corpus


class _Loader(yaml.CSafeLoader):
    """YAML as Kubernetes reads it, as far as the corpus goes: no dates, no sexagesimals."""


_Loader.yaml_implicit_resolvers = {
    first: [
        (tag, pattern)
        for tag, pattern in resolvers
        if not tag.endswith(("timestamp", "int", "float", "merge", "value"))
    ]
    for first, resolvers in yaml.CSafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver("tag:yaml.org,2002:int", re.compile(r"[-+]?(0|[1-9][0-9]*)\Z"), list("-+0123456789"))
_Loader.add_implicit_resolver("tag:yaml.org,2002:float", re.compile(r"[-+]?[0-9]+\.[0-9]+\Z"), list("-+0123456789"))


@cache
def _loaded(path: Path) -> Any:
    return yaml.load(path.read_text(), _Loader)


def real_vms() -> dict[str, dict[str, Any]]:
    """Return the corpus's VMs by file name; those without a name are given one. Not to be changed."""
    return {path.name: _with_name(_loaded(path), path.stem) for path in corpus()}


def _with_name(vm: dict[str, Any], name: str) -> dict[str, Any]:
    metadata = vm.get("metadata") or {}
    return vm | {"metadata": metadata if metadata.get("name") else {**metadata, "name": name}}


def a_vm(instance: dict[str, Any], *, spec: dict[str, Any] | None = None, **metadata: Any) -> dict[str, Any]:
    """Return a VM with this VirtualMachineInstanceSpec, named `vm` unless `metadata` has another name."""
    return {
        "apiVersion": "kubevirt.io/v1",
        "kind": "VirtualMachine",
        "metadata": {"name": "vm", **metadata},
        "spec": {**(spec or {}), "template": {"spec": instance}},
    }
