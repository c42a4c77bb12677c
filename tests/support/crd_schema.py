"""A structural check of an object against the OpenAPI schema of a CRD: types, required fields, enums and patterns."""

import re
from collections.abc import Iterator
from functools import cache
from typing import Any

import yaml

from tests.support.shared_data import SHARED

_TYPES = {"object": dict, "array": list, "string": str, "boolean": bool, "integer": int, "number": (int, float)}


@cache
def vm_schema() -> dict[str, Any]:
    """Return the schema of KubeVirt's VirtualMachine."""
    assert SHARED
    text = (SHARED / "crd" / "virtualmachines.kubevirt.io.yaml").read_text()
    (crd,) = filter(None, yaml.load_all(text, yaml.CSafeLoader))
    version = next(each for each in crd["spec"]["versions"] if each["name"] == "v1")
    schema: dict[str, Any] = version["schema"]["openAPIV3Schema"]
    return schema


def errors(schema: dict[str, Any], value: Any, path: str = "") -> Iterator[str]:
    """Yield what a structural schema would reject in `value`."""
    if value is None and schema.get("nullable"):
        return
    if schema.get("x-kubernetes-int-or-string"):
        if type(value) not in (int, str):
            yield f"{path}: neither an integer nor a string"
        pattern = schema.get("pattern")
        if type(value) is str and pattern and not re.search(pattern, value):
            yield f"{path}: does not match {pattern}"
        return
    expected = schema.get("type")
    if expected and (not isinstance(value, _TYPES[expected]) or (isinstance(value, bool) and expected != "boolean")):
        yield f"{path}: not of type {expected}"
        return
    if "enum" in schema and value not in schema["enum"]:
        yield f"{path}: not one of {schema['enum']}"
    if isinstance(value, dict):
        yield from (f"{path}.{name}: missing" for name in schema.get("required", ()) if name not in value)
        for name, item in value.items():
            child = schema.get("properties", {}).get(name, schema.get("additionalProperties"))
            if isinstance(child, dict):
                yield from errors(child, item, f"{path}.{name}")
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from errors(schema.get("items", {}), item, f"{path}[{index}]")
