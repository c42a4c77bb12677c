"""Properties of every combination of options, on VMs of the generated and the real kind."""

import json
import re

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

import atmpl
from atmpl.template import RenderError
from atmpl.template.json_path import dotted
from atmpl.template.path_patterns import matches, parse_pattern
from tests.support import strategies
from tests.support.shared_data import needs_shared
from tests.support.template_vms import a_vm, real_vms

PATTERNS = [
    "template.spec.**",
    "template.spec.domain.devices.**",
    "template.spec.domain.devices.disks[0].disk.bus",
    "template.spec.domain.firmware.**",
    "template.spec.volumes[*].*.*",
    "template.spec.volumes.**.name",
    "template.spec.hostname",
    "**.name",
    "instancetype.*",
    "preference.name",
    "runStrategy",
    "running",
    "dataVolumeTemplates.**",
    "dataVolumeTemplates[*].metadata.name",
    "**",
]
options = st.fixed_dictionaries(
    {
        "identity": st.sampled_from(["Fresh", "Preserve"]),
        "data_volumes": st.sampled_from(["Preserve", "Unique"]),
        "secrets": st.sampled_from(["Preserve", "Require", "Extract"]),
        "naming": st.sampled_from(["Generate", "Parameter"]),
        "profile": st.sampled_from(["All", "Common", "None"]),
        "include": st.lists(st.sampled_from(PATTERNS), max_size=2),
        "exclude": st.lists(st.sampled_from(PATTERNS), max_size=2),
    }
)
targets = st.sampled_from([("openshift", "Listed"), ("openshift", "Complete"), ("native", "Listed")])
CLUSTER = {"name": "vm", "labels": {"app": "x", "app.kubernetes.io/instance": "x"}}
vms = st.one_of(
    strategies.vms.map(lambda vm: vm | {"metadata": {**vm["metadata"], "name": "vm"}}),
    st.builds(
        lambda instance, spec, run: a_vm(instance, spec={**run, **spec}, **CLUSTER),
        strategies.instance,
        strategies.spec,
        st.sampled_from([{}, {"running": True}, {"running": False}, {"runStrategy": "Always"}]),
    ),
)


def render(vm, target, chosen):
    """Return the RenderedTemplate, or None if the VM has no template in this format."""
    format, console = target
    try:
        return atmpl.render(vm, format=format, console=console, name="t", **chosen)
    except RenderError as error:
        if "bug" in str(error):
            raise
        return None


def parameters(template):
    return template["parameters"] if "parameters" in template else template["spec"]["parameters"]


def object_of(template):
    return template["objects"][0] if "objects" in template else template["spec"]["virtualMachine"]


def references(value):
    if isinstance(value, str):
        return set(re.findall(r"\$\{([A-Za-z0-9_]+)\}", value)) | set(
            re.findall(r"\A\$\{\{([A-Za-z0-9_]+)\}\}\Z", value)
        )
    if isinstance(value, dict):
        return references(list(value)) | references(list(value.values()))
    return set().union(*map(references, value)) if isinstance(value, list) else set()


@given(vm=vms, target=targets, chosen=options)
def test_each_parameter_is_used_and_names_are_unique(vm, target, chosen):
    rendered = render(vm, target, chosen)
    if rendered is None:
        return
    names = [each["name"] for each in parameters(rendered.template)]
    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"[A-Z0-9_]+", name) for name in names)
    used = references(object_of(rendered.template)) | references(rendered.template.get("labels", {}))
    assert set(names) <= used
    order = [name for name in names if re.fullmatch(r"NAME|LITERAL\d+|SUFFIX|LABELS", name)]
    assert order == sorted(order, key=lambda name: ("NALISULA".index(name[:2]), len(name), name))


@given(vm=vms, target=targets, chosen=options)
def test_selection_changes_no_name(vm, target, chosen):
    some = render(vm, target, chosen | {"secrets": "Preserve"})
    everything = render(vm, target, chosen | {"secrets": "Preserve", "include": ["**", "**.name"], "exclude": []})
    if some is None or everything is None:
        return
    ours = placed(object_of(some.template), ())
    theirs = placed(object_of(everything.template), ())
    for path, name in ours.items():
        has_reference = any("${" in str(key) for key in path)  # whose LITERAL<n> depends on the selection
        if not name.startswith("LITERAL") and path in theirs and not has_reference:
            assert theirs[path] == name


def placed(value, path):
    """Return the name of the reference at each path."""
    if isinstance(value, str):
        found = re.fullmatch(r"\$\{\{?([A-Z0-9_]+)\}?\}", value)
        return {path: found[1]} if found else {}
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return {place: name for key, item in items for place, name in placed(item, (*path, key)).items()}


@given(vm=vms, target=targets, chosen=options)
def test_the_same_input_gives_the_same_bytes(vm, target, chosen):
    once = render(vm, target, chosen)
    twice = render(orjson.loads(orjson.dumps(vm)), target, chosen)
    assert once == twice


@given(vm=vms, target=targets, patterns=st.lists(st.sampled_from(PATTERNS), min_size=1, max_size=3))
def test_warning_names_each_pattern_that_matches_no_scalar(vm, target, patterns):
    rendered = render(vm, target, {"include": patterns})
    if rendered is None:
        return
    scalars = list(scalar_paths(vm["spec"], ()))
    if target[1] == "Complete":
        literal = re.compile(
            r"template\.spec\.domain\.(cpu\.(cores|sockets|threads)|memory\.guest|resources\.\w+\.(cpu|memory))"
        )
        scalars = [path for path in scalars if not literal.fullmatch(dotted(path))]
    expected = {each for each in patterns if not any(matches(parse_pattern(each), path) for path in scalars)}
    assert {each.path for each in rendered.warnings if each.reason == "UnmatchedPattern"} == expected


def scalar_paths(value, path):
    if isinstance(value, dict | list):
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            yield from scalar_paths(item, (*path, key))
    else:
        yield path


SECRET = "02:00:00:5e:c1:e7"


@given(target=targets, chosen=options, vm=vms)
def test_no_blanked_value_is_in_the_template(target, chosen, vm):
    serial = "SERIAL-5ec1e7"
    devices = {"interfaces": [{"name": "a", "macAddress": SECRET}]}
    firmware = {"uuid": "00000000-0000-4000-8000-00005ec1e700", "serial": serial, "bootloader": {"efi": {}}}
    instance = {"domain": {"devices": devices, "firmware": firmware, "chassis": {"asset": serial}}}
    vm = a_vm({**vm["spec"]["template"]["spec"], **instance}, annotations={"ovn.kubernetes.io/mac_address": SECRET})
    rendered = render(vm, target, chosen | {"identity": "Fresh"})
    if rendered is None:
        return
    text = json.dumps(rendered.template)
    assert not any(value in text for value in (SECRET, serial, firmware["uuid"]))
    paths = {each.path for each in rendered.omitted}
    assert "spec.template.spec.domain.devices.interfaces[0].macAddress" in paths
    assert "metadata.annotations[ovn.kubernetes.io/mac_address]" in paths


CHOICES = [
    {"profile": "Common"},
    {"profile": "None"},
    {"profile": "None", "include": ["**", "**.name"]},
    {"exclude": ["template.spec.domain.**"]},
    {"secrets": "Require", "profile": "Common"},
    {"secrets": "Extract", "naming": "Parameter"},
    {"secrets": "Extract", "profile": "None", "identity": "Preserve"},
    {"data_volumes": "Unique", "include": ["**", "**.name"]},
]


@needs_shared
@pytest.mark.parametrize("target", [("openshift", "Listed"), ("openshift", "Complete"), ("native", "Listed")])
@pytest.mark.parametrize("chosen", CHOICES, ids=str)
def test_real_vms_come_back_with_any_options(target, chosen):
    for vm in real_vms().values():
        rendered = atmpl.render(vm, format=target[0], console=target[1], **chosen)  # verifies the round trip
        names = {each["name"] for each in parameters(rendered.template)}
        assert names <= references(object_of(rendered.template)) | references(rendered.template.get("labels", {}))
