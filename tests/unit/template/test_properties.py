"""Properties of any VM, in both formats. `just fuzz` tests each with 14,300 examples."""

import json
import re
from copy import deepcopy

import orjson
from hypothesis import given
from hypothesis import strategies as st

import atmpl
from atmpl.template import FORMATS, RenderError
from tests.support import strategies
from tests.support.openshift_console import shown
from tests.support.strategies import VALIDATIONS

OPTIONS = st.fixed_dictionaries(
    {
        "identity": st.sampled_from(["Fresh", "Preserve"]),
        "data_volumes": st.sampled_from(["Preserve", "Unique"]),
        "secrets": st.sampled_from(["Preserve", "Require"]),
    }
)
FORMAT = st.sampled_from(list(FORMATS))
PRESERVED = {"identity": "Preserve", "data_volumes": "Preserve", "secrets": "Preserve"}


def render(vm, format, **options):
    """Return the template, or None for the few VMs that have none: those are refused by a path."""
    try:
        return atmpl.render(vm, format=format, name="t", **options).template
    except RenderError as error:
        if not error.path or "bug" in str(error):
            raise
        return None


def has_no_template(vm, format):
    """Return True if a VM can be rejected: no server has it, or KubeVirt's engine would round its integers."""
    return "${" in str(vm["metadata"]) or (format == "native" and any(map(is_beyond_floats, everything(vm))))


def is_beyond_floats(value):
    return type(value) is int and abs(value) > 2**53


def everything(value):
    yield value
    if isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from everything(item)


def object_of(template):
    return template["objects"][0] if "objects" in template else template["spec"]["virtualMachine"]


def parameters(template):
    return template["parameters"] if "parameters" in template else template["spec"]["parameters"]


def same(one, other):
    """Return whether two JSON values are equal: numbers by value, booleans never numbers."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(other, float) and type(one) is int:
        one = float(one)
    return isinstance(one, bool) == isinstance(other, bool) and one == other


def leaves(value, path=()):
    """Yield (path, value) of each scalar that is not a name: rule 1, implemented again."""
    if isinstance(value, dict):
        for key, item in value.items():
            if key != "name" or isinstance(item, dict | list):
                yield from leaves(item, (*path, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from leaves(item, (*path, index))
    else:
        yield path, value


@given(format=FORMAT, vm=strategies.vms)
def test_vm_comes_back(format, vm):
    template = render(vm, format, **PRESERVED)
    if template is None:
        assert has_no_template(vm, format)
        return
    (made,) = atmpl.process(template)
    expected = dict(vm["spec"])
    for matcher in ("instancetype", "preference"):
        if isinstance(expected.get(matcher), dict):
            expected[matcher] = {key: value for key, value in expected[matcher].items() if key != "revisionName"}
    assert same(made["spec"], expected)
    assert made["metadata"]["generateName"] == vm["metadata"]["name"] + "-"
    assert made["metadata"].get("annotations", {}) == annotations_that_stay(vm)
    added = TEMPLATE_LABEL if format == "openshift" else {}
    assert made["metadata"]["labels"] == labels_that_stay(vm) | added


TEMPLATE_LABEL = {"vm.kubevirt.io/template": "t"}  # rule 6


def annotations_that_stay(vm):
    annotations = vm["metadata"].get("annotations", {})
    return {k: v for k, v in annotations.items() if not k.startswith("vm.kubevirt.io/template")}


def labels_that_stay(vm):
    return {k: v for k, v in vm["metadata"].get("labels", {}).items() if not k.startswith("vm.kubevirt.io/template")}


@given(format=FORMAT, vm=strategies.vms, options=OPTIONS)
def test_any_options_give_a_verified_template(format, vm, options):
    assert render(vm, format, **options) is not None or has_no_template(vm, format) or "${" in str(vm["spec"])


@given(format=FORMAT, vm=strategies.vms, options=OPTIONS)
def test_names_are_valid_and_unique(format, vm, options):
    template = render(vm, format, **options)
    names = [each["name"] for each in parameters(template)] if template else []
    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"[A-Z0-9_]+", name) for name in names)
    assert "NAME" not in names


@given(format=FORMAT, vm=strategies.vms)
def test_leaf_is_exactly_one_reference(format, vm):
    template = render(vm, format, **PRESERVED)
    if template is None:
        return
    names = {each["name"] for each in parameters(template)}
    used = []
    templated = dict(enumerate(value for _, value in leaves(object_of(template)["spec"]["template"]["spec"])))
    for index, (path, value) in enumerate(leaves(vm["spec"]["template"]["spec"])):
        if value is None or (not isinstance(value, str) and same(templated[index], value)):
            assert value is None or abs(value) > 2**53
            continue
        reference = re.fullmatch(r"\$\{([A-Z0-9_]+)\}|\$\{\{([A-Z0-9_]+)\}\}", templated[index])
        assert reference, path
        assert isinstance(value, str) or reference[2], path
        used.append(reference[1] or reference[2])
    assert len(set(used)) == len(used)
    assert set(used) <= names
    assert [each["name"] for each in parameters(template)][: len(used)] == used  # in the VM's key order


@given(format=FORMAT, vm=strategies.vms, value=strategies.texts, data=st.data())
def test_supplied_value_is_not_substituted_again(format, vm, value, data):
    template = render(vm, format, **PRESERVED)
    plain = [path for path, each in leaves(vm["spec"]["template"]["spec"]) if isinstance(each, str)] if template else []
    if not plain:
        return
    path = data.draw(st.sampled_from(plain))
    reference = dict(zip(leaf_paths(vm), templated_leaves(template), strict=True))[path]
    if reference.startswith("${{"):
        value = json.dumps(value)
    (made,) = atmpl.process(template, {reference.strip("${}"): value})
    decoded = json.loads(value) if reference.startswith("${{") else value
    assert dict(leaves(made["spec"]["template"]["spec"]))[path] == decoded


def leaf_paths(vm):
    return [path for path, _ in leaves(vm["spec"]["template"]["spec"])]


def templated_leaves(template):
    return [value for _, value in leaves(object_of(template)["spec"]["template"]["spec"])]


@given(format=FORMAT, vm=strategies.vms, labels=strategies.labels)
def test_supplied_labels_are_merged_and_the_vms_own_win(format, vm, labels):
    template = render(vm, format, **PRESERVED)
    if template is None:
        return
    (plain,) = atmpl.process(template)
    (made,) = atmpl.process(template, {"LABELS": json.dumps(labels)})
    own = labels_that_stay(vm)
    assert made["metadata"]["labels"] == (labels | own | TEMPLATE_LABEL if format == "openshift" else labels)
    assert without_labels(made) == without_labels(plain)


@given(vm=strategies.vms, value=st.one_of(strategies.texts, strategies.anything.map(json.dumps)))
def test_bad_labels_never_reach_the_vm(vm, value):
    template = render(vm, "openshift", **PRESERVED)
    if template is None:
        return
    try:
        (made,) = atmpl.process(template, {"LABELS": value})
    except atmpl.ProcessError:
        return
    labels = made["metadata"]["labels"]
    assert all(isinstance(each, str) for each in labels.values())
    (plain,) = atmpl.process(template)
    assert labels.items() >= plain["metadata"]["labels"].items()
    assert without_labels(made) == without_labels(plain)


def without_labels(made):
    return made | {"metadata": {key: value for key, value in made["metadata"].items() if key != "labels"}}


@given(format=FORMAT, vm=strategies.vms, options=OPTIONS)
def test_same_vm_gives_the_same_bytes(format, vm, options):
    again = orjson.loads(orjson.dumps(vm))
    assert orjson.dumps(render(vm, format, **options)) == orjson.dumps(render(again, format, **options))


@given(format=FORMAT, vm=strategies.vms, options=OPTIONS)
def test_input_is_neither_changed_nor_shared(format, vm, options):
    before = deepcopy(vm)
    template = render(vm, format, **options)
    assert vm == before
    scribble(template)
    assert vm == before


def scribble(value):
    for item in list(value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()):
        scribble(item)
    if isinstance(value, dict | list):
        value.clear()


@given(vm=strategies.vms, options=OPTIONS)
def test_the_console_never_crashes(vm, options):
    template = render(vm, "openshift", **options)
    if template is not None:
        shown(template)
        annotations = template["metadata"]["annotations"]
        assert as_json(annotations.get(VALIDATIONS)) == as_json(vm["metadata"].get("annotations", {}).get(VALIDATIONS))


def as_json(text):
    try:
        return orjson.loads(text or "null")
    except orjson.JSONDecodeError:
        return None


PYTHON = st.recursive(
    st.one_of(
        strategies.scalars,
        st.floats(),
        st.integers(),
        st.binary(max_size=2),
        st.text(st.characters(), max_size=4),
        st.sampled_from(["\ud800", "\udfff"]),
        st.tuples(st.integers()),
        st.sets(st.integers(), max_size=1),
        st.dates(),
        st.decimals(),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.one_of(strategies.keys, st.integers(), st.none(), st.just("\ud800")), inner, max_size=4),
    ),
    max_leaves=15,
)
PLACES = st.sampled_from(
    ["", "apiVersion", "kind", "metadata", "name", "labels", "annotations", "spec", "template", "instance"]
)


@given(format=FORMAT, place=PLACES, value=PYTHON, options=OPTIONS)
def test_any_input_gives_a_template_or_a_render_error(format, place, value, options):
    vm = {
        "apiVersion": "kubevirt.io/v1",
        "kind": "VirtualMachine",
        "metadata": {"name": "vm", "labels": {}, "annotations": {}},
        "spec": {"template": {"spec": {}}},
    }
    targets = {
        "name": vm["metadata"],
        "labels": vm["metadata"],
        "annotations": vm["metadata"],
        "template": vm["spec"],
        "instance": vm["spec"]["template"],
    }
    if place:
        targets.get(place, vm)["spec" if place == "instance" else place] = value
    try:
        atmpl.render(value if not place else vm, format=format, **options)
    except RenderError as error:
        str(error).encode()
