"""What a template is patched with: the content whole, of the metadata our own keys, and nothing where nothing drifted."""

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import orjson
import pytest

from atmpl.controller.cluster import TemplateMeta
from atmpl.controller.template_patch import build_patch, detach_patch, provenance_patch
from atmpl.template import FORMATS, Format, TemplateOwner, render
from tests.support.jsonpatch import applied

Object = dict[str, Any]

BOTH = pytest.mark.parametrize("format", FORMATS.values(), ids=list(FORMATS))
OS_LABELS = {"os.template.kubevirt.io/fedora40": "true", "flavor.template.kubevirt.io/small": "true"}


def a_template(
    format: Format,
    *,
    labels: dict[str, str] | None = None,
    annotations: dict[str, str] | None = None,
    memory: Any = "128Mi",
    generation: int = 1,
    uid: str = "request-1",
    refresh_on_change: bool = True,
    spec: Object | None = None,
) -> Object:
    """The template of a VM, as it is before it goes to a cluster."""
    vm = {
        "apiVersion": "kubevirt.io/v1",
        "kind": "VirtualMachine",
        "metadata": {
            "name": "vm",
            "namespace": "team-a",
            "uid": "vm-1",
            "generation": generation,
            "labels": {"app": "db", **(labels or {})},
            "annotations": {"note": "mine", **(annotations or {})},
        },
        "spec": {**(spec or {}), "template": {"spec": {"domain": {"resources": {"requests": {"memory": memory}}}}}},
    }
    owner = TemplateOwner("team-a", "request", uid, refresh_on_change)
    return render(vm, format=format, name="golden", namespace="team-a", owner=owner).template


def stored(template: Object, **metadata: Any) -> Object:
    """The template as a cluster has it."""
    return template | {"metadata": template["metadata"] | {"uid": "t1", "resourceVersion": "66"} | metadata}


GUARD = [
    {"op": "test", "path": "/metadata/uid", "value": "t1"},
    {"op": "test", "path": "/metadata/resourceVersion", "value": "66"},
]


@BOTH
def test_equal_template_needs_no_patch(format: Format) -> None:
    assert build_patch(stored(a_template(format)), a_template(format), format) == []


@BOTH
def test_provenance_alone_is_no_drift(format: Format) -> None:
    later = a_template(format, generation=7)
    assert later["metadata"]["annotations"]["ssp.kubevirt.io/source-generation"] == "7"
    assert build_patch(stored(a_template(format)), later, format) == []


@BOTH
def test_change_includes_provenance(format: Format) -> None:
    patch = build_patch(stored(a_template(format)), a_template(format, memory="256Mi", generation=2), format)
    assert patch[:2] == GUARD
    assert {"op": "add", "path": "/metadata/annotations/ssp.kubevirt.io~1source-generation", "value": "2"} in patch
    assert {step["path"] for step in patch[2:]} == {
        *(f"/{field}" for field in format.content if field in {"parameters", "spec"}),
        "/metadata/annotations/ssp.kubevirt.io~1source-generation",
    }


@BOTH
def test_patched_template_needs_no_patch(format: Format) -> None:
    there, wanted = stored(a_template(format, labels=OS_LABELS)), a_template(format, memory="256Mi", generation=2)
    patched = applied(build_patch(there, wanted, format), there)
    assert build_patch(patched, wanted, format) == []
    assert patched == stored(wanted)


DRIFT: dict[str, Callable[[Object], Any]] = {  # what users do to a template that is kept in step
    "a parameter's value": lambda it: parameters(it)[0].update(value="1Gi"),
    "a parameter's order": lambda it: parameters(it).reverse(),
    "a parameter more": lambda it: parameters(it).append({"name": "MORE"}),
    "a parameter required": lambda it: parameters(it)[0].update(required=True),
    "a field of the VM": lambda it: the_vm(it)["spec"].update(running=True),
    "a reference": lambda it: the_vm(it)["metadata"].update(labels={}),
    "its type": lambda it: it["metadata"]["labels"].pop("template.kubevirt.io/type"),
    "its owner's uid": lambda it: it["metadata"]["labels"].update({"ssp.kubevirt.io/request-uid": "other"}),
    "that it is kept in step": lambda it: it["metadata"]["labels"].pop("ssp.kubevirt.io/refresh"),
    "its tags": lambda it: it["metadata"]["annotations"].update(tags="hidden"),
    "all its annotations": lambda it: it["metadata"].pop("annotations"),
    "all its labels": lambda it: it["metadata"].pop("labels"),
    "a message": lambda it: (it if "objects" in it else it["spec"]).update(message="Use it well."),
}


def parameters(template: Object) -> list[Object]:
    found: list[Object] = template["parameters"] if "objects" in template else template["spec"]["parameters"]
    return found


def the_vm(template: Object) -> Object:
    found: Object = template["objects"][0] if "objects" in template else template["spec"]["virtualMachine"]
    return found


@BOTH
@pytest.mark.parametrize("sentence", DRIFT)
def test_drift_is_repaired_and_user_keys_remain(sentence: str, format: Format) -> None:
    wanted = a_template(format)
    there = stored(deepcopy(wanted))
    DRIFT[sentence](there)
    added = {"labels": {"team": "db", "a~b/c": "1"}, "annotations": {"note/of": "mine", "m~n": "2"}}
    for field, pairs in added.items():
        there["metadata"].setdefault(field, {}).update(pairs)
    patched = applied(build_patch(there, wanted, format), there)
    expected = stored(wanted)
    for field, pairs in added.items():
        expected["metadata"] = expected["metadata"] | {field: {**expected["metadata"][field], **pairs}}
    assert patched == expected


@BOTH
def test_removed_metadata_maps_are_restored(format: Format) -> None:
    there = stored(a_template(format))
    del there["metadata"]["labels"], there["metadata"]["annotations"]
    patch = build_patch(there, a_template(format), format)
    assert {"op": "add", "path": "/metadata/labels", "value": {}} in patch
    assert {"op": "add", "path": "/metadata/annotations", "value": {}} in patch
    assert applied(patch, there) == stored(a_template(format))


@BOTH
def test_user_keys_are_no_drift(format: Format) -> None:
    there = stored(a_template(format, labels=OS_LABELS))
    there["metadata"] = deepcopy(there["metadata"])
    there["metadata"]["labels"] |= {"team": "db"}
    there["metadata"]["annotations"] |= {"ssp.kubevirt.io/note": "theirs"}
    assert build_patch(there, a_template(format, labels=OS_LABELS), format) == []


@BOTH
def test_label_lost_by_the_vm_is_removed(format: Format) -> None:
    there = stored(a_template(format, labels=OS_LABELS))
    there["metadata"]["labels"]["os.template.kubevirt.io/rhel9"] = "true"  # a user's, though of the same family
    there["metadata"]["labels"]["workload.template.kubevirt.io/server"] = "true"
    wanted = a_template(format, labels={"flavor.template.kubevirt.io/small": "true"})
    patch = build_patch(there, wanted, format)
    assert {"op": "remove", "path": "/metadata/labels/os.template.kubevirt.io~1fedora40"} in patch
    assert applied(patch, there)["metadata"]["labels"] == wanted["metadata"]["labels"] | {
        "os.template.kubevirt.io/rhel9": "true",
        "workload.template.kubevirt.io/server": "true",
    }


@BOTH
def test_validations_lost_by_the_vm_are_removed(format: Format) -> None:
    copied = stored(a_template(format, annotations={"vm.kubevirt.io/validations": "[]"}))
    patch = build_patch(copied, a_template(format), format)
    assert {"op": "remove", "path": "/metadata/annotations/vm.kubevirt.io~1validations"} in patch
    own = stored(a_template(format))
    own["metadata"]["annotations"]["vm.kubevirt.io/validations"] = "[]"
    assert build_patch(own, a_template(format), format) == []


@BOTH
def test_missing_label_is_not_removed_again(format: Format) -> None:
    there = stored(a_template(format, labels=OS_LABELS))
    del there["metadata"]["labels"]["os.template.kubevirt.io/fedora40"]
    wanted = a_template(format)
    assert applied(build_patch(there, wanted, format), there) == stored(wanted)


def test_unwanted_content_is_removed() -> None:
    format = FORMATS["openshift"]
    inline = {"dataVolumeTemplates": [{"metadata": {"name": "disk"}}]}
    there = stored(a_template(format, spec=inline))
    assert "message" in there
    patch = build_patch(there, a_template(format), format)
    assert {"op": "remove", "path": "/message"} in patch
    assert applied(patch, there) == stored(a_template(format))


@BOTH
def test_empty_parameter_fields_are_no_drift(format: Format) -> None:
    wanted = a_template(format, memory="")
    there = stored(deepcopy(wanted))
    assert parameters(there)[0].pop("value") == ""
    assert build_patch(there, wanted, format) == []
    parameters(there)[0]["required"] = False
    assert build_patch(there, wanted, format) == []


@BOTH
def test_number_in_another_form_is_no_drift(format: Format) -> None:
    wanted = a_template(format, spec={"x": {"float": 2.0, "one": 1}})
    there = stored(deepcopy(wanted))
    the_vm(there)["spec"]["x"]["float"] = 2
    assert build_patch(there, wanted, format) == []
    the_vm(there)["spec"]["x"]["one"] = True
    assert the_vm(applied(build_patch(there, wanted, format), there))["spec"]["x"]["one"] is not True


@BOTH
def test_take_over_patches_provenance_alone(format: Format) -> None:
    there = stored(a_template(format, uid="request-0"))
    wanted = a_template(format, uid="request-1", generation=2)
    patch = build_patch(there, wanted, format, take_over=True)
    assert patch[:2] == GUARD
    assert applied(patch, there) == stored(wanted)


@BOTH
def test_take_over_of_an_equal_template_is_no_patch(format: Format) -> None:
    there = stored(a_template(format))
    assert build_patch(there, a_template(format), format, take_over=True) == []


@BOTH
def test_take_over_removes_the_refresh_label(format: Format) -> None:
    there = stored(a_template(format, uid="request-0"))
    wanted = a_template(format, uid="request-1", refresh_on_change=False)
    assert applied(build_patch(there, wanted, format, take_over=True), there) == stored(wanted)


@BOTH
@pytest.mark.parametrize("refresh_on_change", [False, True])
def test_provenance_patch_writes_no_other_key(format: Format, refresh_on_change: bool) -> None:
    there = deepcopy(stored(a_template(format, uid="request-0", labels=OS_LABELS, refresh_on_change=True)))
    there["metadata"]["labels"] |= {"template.kubevirt.io/type": "base", "team": "db"}
    there["metadata"]["annotations"] |= {"description": "Use it well.", "ssp.kubevirt.io/note": "theirs"}
    del there["metadata"]["annotations"]["tags"]
    wanted = a_template(format, uid="request-1", generation=2, refresh_on_change=refresh_on_change)
    patch = provenance_patch(there, wanted)
    assert patch[:2] == GUARD
    expected = deepcopy(there)
    expected["metadata"]["labels"]["ssp.kubevirt.io/request-uid"] = "request-1"
    if not refresh_on_change:
        del expected["metadata"]["labels"]["ssp.kubevirt.io/refresh"]
    expected["metadata"]["annotations"]["ssp.kubevirt.io/source-generation"] = "2"
    patched = applied(patch, there)
    assert patched == expected
    assert provenance_patch(patched, wanted) == []


@BOTH
def test_mangled_template_is_repaired(format: Format) -> None:
    wanted = a_template(format, labels=OS_LABELS)
    there = stored(deepcopy(wanted))
    if "objects" in there:
        there |= {"objects": [None, 7], "parameters": None, "labels": {}}
    else:
        there["spec"] = {"virtualMachine": None, "parameters": [None, {"name": "LABELS", "value": "no JSON"}]}
    assert applied(build_patch(there, wanted, format), there) == stored(wanted)


def test_detach_patch_removes_one_label() -> None:
    meta = TemplateMeta("t1", "66", "", {}, {})
    assert detach_patch(meta) == [*GUARD, {"op": "remove", "path": "/metadata/labels/ssp.kubevirt.io~1refresh"}]


@BOTH
def test_patch_is_json(format: Format) -> None:
    there = stored(a_template(format))
    assert orjson.dumps(build_patch(there, a_template(format, memory="1Gi"), format))
