"""A template that is up to date does not differ from its virtual machine, with any option."""

import itertools
import json
import random

import pytest

import atmpl
from atmpl.cli.diff import Pair, compare, diff_lines
from atmpl.cli.errors import CommandError
from atmpl.template import FORMATS
from tests.support.shared_data import needs_shared
from tests.support.template_vms import a_vm, real_vms

OPTIONS = [
    dict(zip(("identity", "data_volumes", "secrets"), words, strict=True))
    for words in itertools.product(("Fresh", "Preserve"), ("Preserve", "Unique"), ("Preserve", "Require"))
]
OPTIONS += [
    {"secrets": "Extract", "naming": "Parameter"},
    {"profile": "Common", "data_volumes": "Unique"},
    {"profile": "None", "include": ["template.spec.domain.cpu.cores", "dataVolumeTemplates[*].**"]},
    {"exclude": ["template.spec.**"]},
]

VM = a_vm(
    {
        "domain": {
            "cpu": {"cores": 2},
            "firmware": {"uuid": "5d307ca9-b3ef-428c-8861-06e72d69f223"},
            "devices": {"interfaces": [{"name": "default", "macAddress": "02:00:00:00:00:01", "masquerade": {}}]},
        },
        "volumes": [
            {"name": "root", "dataVolume": {"name": "disk"}},
            {"name": "seed", "cloudInitNoCloud": {"userData": "#cloud-config\npassword: a\n"}},
        ],
    },
    spec={"dataVolumeTemplates": [{"metadata": {"name": "disk"}, "spec": {"storage": {}}}]},
    labels={"team": "db"},
)


def texts(vm, template):
    return compare(Pair(template, vm, ("t", "vm")))


def changed(vm, path, value):
    """A copy of the VM with another value at a path below spec.template.spec."""
    copy = json.loads(json.dumps(vm))
    *way, last = ("spec", "template", "spec", *path)
    place = copy
    for key in way:
        place = place[key]
    place[last] = value
    return copy


def difference(vm, template):
    """The lines that differ."""
    return [line for line in diff_lines(*texts(vm, template), ("a", "b")) if line[0] in "+-"][2:]


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_a_fresh_template_does_not_differ(options, format):
    assert difference(VM, atmpl.render(VM, format=format, **options).template) == []


def test_template_for_the_console_does_not_differ():
    assert difference(VM, atmpl.render(VM, console="Complete").template) == []


@needs_shared
@pytest.mark.parametrize("format", FORMATS)
def test_corpus_vm_does_not_differ_from_its_template(format):
    rendered = {file: atmpl.render(vm, format=format).template for file, vm in real_vms().items()}
    assert {file: found for file, vm in real_vms().items() if (found := difference(vm, rendered[file]))} == {}


CHANGES = {
    "another number": (("domain", "cpu", "cores"), 4, ["- cores: 2", "+ cores: 4"]),
    "a field more": (
        ("domain", "cpu"),
        {"cores": 2, "sockets": 1},
        ["+ sockets: 1"],
    ),
    "an item less": (
        ("domain", "devices", "interfaces"),
        [],
        [
            "- interfaces:",
            '- - macAddress: ""',
            "- masquerade: {}",
            "- name: default",
            "+ interfaces: []",
        ],
    ),
    "a line of a text": (
        ("volumes", 1, "cloudInitNoCloud", "userData"),
        "#cloud-config\npassword: b\n",
        ["- password: a", "+ password: b"],
    ),
    "another identity, which a fresh one never has": (("domain", "firmware", "uuid"), "another", []),
}


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("case", CHANGES)
def test_change_of_the_vm_is_shown(case, format):
    path, value, expected = CHANGES[case]
    found = difference(changed(VM, path, value), atmpl.render(VM, format=format).template)
    assert [f"{line[0]} {line[1:].lstrip()}" for line in found] == expected


SUFFIXES = {
    "generated": ("q7x2m", []),
    "of another form": ("v2", ["disk-${SUFFIX}", "disk-v2-${SUFFIX}"] * 2),
}


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("case", SUFFIXES)
def test_generated_suffix_of_a_disk_is_no_difference(case, format):
    suffix, expected = SUFFIXES[case]
    template = atmpl.render(VM, format=format, data_volumes="Unique").template
    [made] = atmpl.process(template, {"SUFFIX": suffix})
    made["metadata"] = {"name": "vm-2", "labels": made["metadata"]["labels"]}
    assert sorted(line.split()[-1] for line in difference(made, template)) == sorted(expected)


@pytest.mark.parametrize("name", [{"name": "${NAME}"}, {"generateName": "small-"}], ids=str)
def test_name_of_the_new_vm_is_no_difference(name):
    template = atmpl.render(VM).template
    [vm] = template["objects"]
    vm["metadata"] = {"labels": vm["metadata"]["labels"], **name}
    template["parameters"].append({"name": "NAME", "generate": "expression", "from": "small-[a-z0-9]{5}"})
    assert difference(VM, template) == []


@pytest.mark.parametrize("metadata", [None, {}, {"name": "${NAME}"}, {"labels": {}}], ids=str)
def test_empty_metadata_of_a_template_is_no_difference(metadata):
    vm = VM | {"metadata": {"name": "vm"}}
    template = atmpl.render(vm).template
    template["parameters"].append({"name": "NAME", "generate": "expression", "from": "small-[a-z0-9]{5}"})
    template["objects"][0]["metadata"] = metadata
    del template["labels"]
    assert difference(vm, template) == []


def test_changed_preserved_identity_is_shown():
    template = atmpl.render(VM, identity="Preserve").template
    found = difference(changed(VM, ("domain", "firmware", "uuid"), "another"), template)
    assert [line.split()[-1] for line in found] == ["5d307ca9-b3ef-428c-8861-06e72d69f223", "another"]


def test_required_secret_is_no_difference():
    template = atmpl.render(VM, secrets="Require").template
    assert difference(changed(VM, ("volumes", 1, "cloudInitNoCloud", "userData"), "other"), template) == []
    assert "userData: ${VOLUME1_USER_DATA}" in texts(VM, template)[0]


def test_changed_default_of_the_template_is_shown():
    template = atmpl.render(VM).template
    cores = next(each for each in template["parameters"] if each["name"] == "CPU_CORES")
    cores["value"] = "8"
    assert [line.split()[-1] for line in difference(VM, template)] == ["8", "2"]


def test_unique_data_volume_shows_its_suffix():
    template = atmpl.render(VM, data_volumes="Unique").template
    assert "name: disk-${SUFFIX}" in texts(VM, template)[0]


def shuffled(value, rng):
    if isinstance(value, dict):
        keys = list(value)
        rng.shuffle(keys)
        return {key: shuffled(value[key], rng) for key in keys}
    return [shuffled(item, rng) for item in value] if isinstance(value, list) else value


def test_the_order_of_keys_is_no_difference():
    rng = random.Random(5)
    template = atmpl.render(VM).template
    later = changed(VM, ("domain", "cpu", "cores"), 4)
    for _ in range(20):
        assert texts(shuffled(later, rng), shuffled(template, rng)) == texts(later, template)


@pytest.mark.parametrize("objects", [[], [{"apiVersion": "v1", "kind": "Secret"}]])
def test_a_template_without_a_machine_is_refused(objects):
    template = {"apiVersion": "template.openshift.io/v1", "kind": "Template", "objects": objects}
    with pytest.raises(CommandError, match="no virtual machines"):
        texts(VM, template)


DISKS = [{"name": "root", "disk": {"bus": "virtio"}}, {"name": "data", "disk": {"bus": "sata"}}]


def test_parameter_of_another_item_is_a_warning(capsys):
    vm = changed(VM, ("domain", "devices", "disks"), DISKS)
    later = changed(VM, ("domain", "devices", "disks"), [DISKS[0], {"name": "new", "disk": {"bus": "sata"}}, DISKS[1]])
    difference(later, atmpl.render(vm).template)
    assert "DISK1_BUS" in capsys.readouterr().err
    difference(vm, atmpl.render(vm).template)
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("text", ["{", '"x"', '{"color": "Red"}', '{"secrets": "No"}', "1"])
def test_invalid_annotation_with_options_is_an_error(text):
    template = atmpl.render(VM).template
    template["metadata"]["annotations"]["ssp.kubevirt.io/options"] = text
    with pytest.raises(CommandError, match="annotation"):
        texts(VM, template)


def test_extracted_password_is_no_difference():
    template = atmpl.render(VM, secrets="Extract").template
    assert (
        difference(
            changed(VM, ("volumes", 1, "cloudInitNoCloud", "userData"), "#cloud-config\npassword: z\n"), template
        )
        == []
    )
