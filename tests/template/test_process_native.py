"""KubeVirt's engine, held to what the real one answered."""

import json
import re
from decimal import Decimal

from atmpl.template.errors import ProcessError
from atmpl.template.formats.native import processed, unreferenced
from tests.shared import SHARED, needs_shared

TYPED = "failed to convert unstructured object to VirtualMachine"  # what Go's types refused; ours does not know them


def _vectors():
    with (SHARED / "native-vectors-random.jsonl").open("rb") as lines:
        for line in lines:
            case = json.loads(line)
            yield case["template"], case["result"]


def _agrees(template, result):
    if sorted(unreferenced(template)) != sorted(result["warnings"]):
        return False
    undefined = sorted(error for error in result["errors"] if "references undefined parameter" in error)
    refused = undefined or any("error processing template" in error for error in result["errors"])
    try:
        ours = processed(template)
    except ProcessError as error:
        return bool(refused) and sorted(error.errors) == undefined
    if result["vm"] is None:
        return not refused and all(TYPED in error for error in result["errors"])
    vm = {"apiVersion": "kubevirt.io/v1", "kind": "VirtualMachine"} | result["vm"]
    return ours.message == result["message"] and _typed_equal(ours.objects[0], vm)


def _typed_equal(ours, real, field=""):
    """Whether `real` is what Go's types keep of `ours`: zero values come and go, a quantity may be written otherwise."""
    if isinstance(ours, dict) and isinstance(real, dict):
        names = (ours.keys() | real.keys()) - {"unheardOf"}
        return all(_typed_equal(ours.get(name), real.get(name), name) for name in names)
    if isinstance(ours, list) and isinstance(real, list):
        return len(ours) == len(real) and all(map(_typed_equal, ours, real))
    if _zero(ours) and _zero(real):
        return True
    if field == "guest":
        return _bytes(ours) == _bytes(real)
    return type(ours) is type(real) and ours == real


def _zero(value):
    if isinstance(value, dict):
        return all(map(_zero, value.values()))
    return not value


def _bytes(quantity):
    number, unit = re.fullmatch(r"([0-9.]+)(\w*)", str(quantity)).groups()
    return Decimal(number) * {"": 1, "G": 10**9, "M": 10**6, "Gi": 2**30, "Mi": 2**20, "m": Decimal("0.001")}[unit]


@needs_shared
def test_every_answer_is_the_real_engines():
    vectors = list(_vectors())
    wrong = [f"{json.dumps(template)} -> {result}" for template, result in vectors if not _agrees(template, result)]
    assert len(vectors) == 500
    assert not wrong, f"{len(wrong)} of {len(vectors)} differ:\n" + "\n".join(wrong[:3])
