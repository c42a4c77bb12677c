"""What a template is patched with: the content whole, of the metadata our own keys, and nothing where nothing drifted."""

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import orjson
import pytest

from atmpl.controller.cluster import TemplateMeta
from atmpl.controller.template_patch import difference, release_patch
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
def test_a_template_that_says_what_is_wanted_needs_no_patch(format: Format) -> None:
    assert difference(stored(a_template(format)), a_template(format), format) == []


@BOTH
def test_provenance_alone_is_no_drift(format: Format) -> None:
    later = a_template(format, generation=7)
    assert later["metadata"]["annotations"]["ssp.kubevirt.io/source-generation"] == "7"
    assert difference(stored(a_template(format)), later, format) == []


@BOTH
def test_provenance_comes_along_with_a_change(format: Format) -> None:
    patch = difference(stored(a_template(format)), a_template(format, memory="256Mi", generation=2), format)
    assert patch[:2] == GUARD
    assert {"op": "add", "path": "/metadata/annotations/ssp.kubevirt.io~1source-generation", "value": "2"} in patch
    assert {step["path"] for step in patch[2:]} == {
        *(f"/{field}" for field in format.content if field in {"parameters", "spec"}),
        "/metadata/annotations/ssp.kubevirt.io~1source-generation",
    }


@BOTH
def test_what_was_patched_needs_no_other_patch(format: Format) -> None:
    there, wanted = stored(a_template(format, labels=OS_LABELS)), a_template(format, memory="256Mi", generation=2)
    patched = applied(difference(there, wanted, format), there)
    assert difference(patched, wanted, format) == []
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
def test_drift_is_repaired_and_what_users_added_stays(sentence: str, format: Format) -> None:
    wanted = a_template(format)
    there = stored(deepcopy(wanted))
    DRIFT[sentence](there)
    added = {"labels": {"team": "db", "a~b/c": "1"}, "annotations": {"note/of": "mine", "m~n": "2"}}
    for field, pairs in added.items():
        there["metadata"].setdefault(field, {}).update(pairs)
    patched = applied(difference(there, wanted, format), there)
    expected = stored(wanted)
    for field, pairs in added.items():
        expected["metadata"] = expected["metadata"] | {field: {**expected["metadata"][field], **pairs}}
    assert patched == expected


@BOTH
def test_labels_and_annotations_that_are_gone_altogether_come_back(format: Format) -> None:
    there = stored(a_template(format))
    del there["metadata"]["labels"], there["metadata"]["annotations"]
    patch = difference(there, a_template(format), format)
    assert {"op": "add", "path": "/metadata/labels", "value": {}} in patch
    assert {"op": "add", "path": "/metadata/annotations", "value": {}} in patch
    assert applied(patch, there) == stored(a_template(format))


@BOTH
def test_only_what_users_added_is_no_drift(format: Format) -> None:
    there = stored(a_template(format, labels=OS_LABELS))
    there["metadata"] = deepcopy(there["metadata"])
    there["metadata"]["labels"] |= {"team": "db"}
    there["metadata"]["annotations"] |= {"ssp.kubevirt.io/note": "theirs"}
    assert difference(there, a_template(format, labels=OS_LABELS), format) == []


@BOTH
def test_a_label_that_the_vm_has_lost_goes_and_one_that_a_user_added_stays(format: Format) -> None:
    there = stored(a_template(format, labels=OS_LABELS))
    there["metadata"]["labels"]["os.template.kubevirt.io/rhel9"] = "true"  # a user's, though of the same family
    there["metadata"]["labels"]["workload.template.kubevirt.io/server"] = "true"
    wanted = a_template(format, labels={"flavor.template.kubevirt.io/small": "true"})
    patch = difference(there, wanted, format)
    assert {"op": "remove", "path": "/metadata/labels/os.template.kubevirt.io~1fedora40"} in patch
    assert applied(patch, there)["metadata"]["labels"] == wanted["metadata"]["labels"] | {
        "os.template.kubevirt.io/rhel9": "true",
        "workload.template.kubevirt.io/server": "true",
    }


@BOTH
def test_validations_that_the_vm_has_lost_go_and_a_users_own_stay(format: Format) -> None:
    copied = stored(a_template(format, annotations={"vm.kubevirt.io/validations": "[]"}))
    patch = difference(copied, a_template(format), format)
    assert {"op": "remove", "path": "/metadata/annotations/vm.kubevirt.io~1validations"} in patch
    own = stored(a_template(format))
    own["metadata"]["annotations"]["vm.kubevirt.io/validations"] = "[]"
    assert difference(own, a_template(format), format) == []


@BOTH
def test_a_label_that_is_gone_from_the_template_already_is_not_removed_again(format: Format) -> None:
    there = stored(a_template(format, labels=OS_LABELS))
    del there["metadata"]["labels"]["os.template.kubevirt.io/fedora40"]
    wanted = a_template(format)
    assert applied(difference(there, wanted, format), there) == stored(wanted)


def test_content_that_is_not_wanted_any_more_is_removed() -> None:
    format = FORMATS["openshift"]
    inline = {"dataVolumeTemplates": [{"metadata": {"name": "disk"}}]}
    there = stored(a_template(format, spec=inline))
    assert "message" in there
    patch = difference(there, a_template(format), format)
    assert {"op": "remove", "path": "/message"} in patch
    assert applied(patch, there) == stored(a_template(format))


@BOTH
def test_empty_fields_that_a_server_left_out_of_a_parameter_are_no_drift(format: Format) -> None:
    wanted = a_template(format, memory="")
    there = stored(deepcopy(wanted))
    assert parameters(there)[0].pop("value") == ""
    assert difference(there, wanted, format) == []
    parameters(there)[0]["required"] = False
    assert difference(there, wanted, format) == []


@BOTH
def test_a_number_that_came_back_in_another_form_is_no_drift_and_a_boolean_is_no_number(format: Format) -> None:
    wanted = a_template(format, spec={"x": {"float": 2.0, "one": 1}})
    there = stored(deepcopy(wanted))
    the_vm(there)["spec"]["x"]["float"] = 2
    assert difference(there, wanted, format) == []
    the_vm(there)["spec"]["x"]["one"] = True
    assert the_vm(applied(difference(there, wanted, format), there))["spec"]["x"]["one"] is not True


@BOTH
def test_a_stray_is_taken_over_with_its_provenance_even_where_nothing_else_differs(format: Format) -> None:
    there = stored(a_template(format, uid="request-0"))
    wanted = a_template(format, uid="request-1", generation=2)
    patch = difference(there, wanted, format, adopt_orphan=True)
    assert patch[:2] == GUARD
    assert applied(patch, there) == stored(wanted)


@BOTH
def test_a_stray_of_a_request_that_was_on_change_is_not_kept_in_step_by_one_that_is_not(format: Format) -> None:
    there = stored(a_template(format, uid="request-0"))
    wanted = a_template(format, uid="request-1", refresh_on_change=False)
    assert applied(difference(there, wanted, format, adopt_orphan=True), there) == stored(wanted)


@BOTH
def test_a_template_that_users_have_mangled_is_put_right(format: Format) -> None:
    wanted = a_template(format, labels=OS_LABELS)
    there = stored(deepcopy(wanted))
    if "objects" in there:
        there |= {"objects": [None, 7], "parameters": None, "labels": {}}
    else:
        there["spec"] = {"virtualMachine": None, "parameters": [None, {"name": "LABELS", "value": "no JSON"}]}
    assert applied(difference(there, wanted, format), there) == stored(wanted)


def test_a_template_is_let_go_by_one_label() -> None:
    meta = TemplateMeta("t1", "66", "", {}, {})
    assert release_patch(meta) == [*GUARD, {"op": "remove", "path": "/metadata/labels/ssp.kubevirt.io~1refresh"}]


@BOTH
def test_a_patch_is_json(format: Format) -> None:
    there = stored(a_template(format))
    assert orjson.dumps(difference(there, a_template(format, memory="1Gi"), format))
