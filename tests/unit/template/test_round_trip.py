"""The verification finds each difference between the VM and its template, and names its path."""

from copy import deepcopy

import pytest

from atmpl.template import FORMATS, RenderError, RenderOptions, render
from atmpl.template.round_trip import verify_round_trip
from atmpl.template.source_vm import parse_vm
from tests.support.template_vms import a_vm

VM = a_vm(
    {
        "domain": {
            "cpu": {"cores": 2},
            "firmware": {"uuid": "5d307ca9-b3ef-428c-8861-06e72d69f223"},
            "devices": {"disks": [{"name": "root", "disk": {"bus": "virtio"}}], "rng": {}, "watch": True},
        },
        "volumes": [{"name": "root", "dataVolume": {"name": "disk"}}],
    },
    spec={
        "runStrategy": "Halted",
        "dataVolumeTemplates": [{"metadata": {"name": "disk"}, "spec": {"pvc": {}}}],
        "instancetype": {"name": "u1.small", "revisionName": "vm-u1.small-v1"},
    },
    labels={"team": "db", "vm.kubevirt.io/template": "old"},
    annotations={"note": "kept", "kubemacpool.io/transaction-timestamp": "now"},
)


@pytest.fixture(params=list(FORMATS))
def format(request):
    return FORMATS[request.param]


def object_of(template):
    return template["objects"][0] if "objects" in template else template["spec"]["virtualMachine"]


def instance_of(template):
    return object_of(template)["spec"]["template"]["spec"]


def parameter(template, name):
    parameters = template["parameters"] if "parameters" in template else template["spec"]["parameters"]
    return next(each for each in parameters if each["name"] == name)


def default(name, value):
    return lambda template: parameter(template, name).update(value=value)


def field(change):
    return lambda template: change(object_of(template))


WRONG = {  # what is wrong with the template: (what does it, the path that the proof names)
    "a default is another": (default("DISK0_BUS", "sata"), "spec.template.spec.domain.devices.disks[0].disk.bus"),
    "a number became text": (default("CPU_CORES", '"2"'), "spec.template.spec.domain.cpu.cores"),
    "a number is another": (default("CPU_CORES", "3"), "spec.template.spec.domain.cpu.cores"),
    "a boolean became a number": (default("WATCH", "1"), "spec.template.spec.domain.devices.watch"),
    "a fresh identity is not empty": (default("FIRMWARE_UUID", "x"), "spec.template.spec.domain.firmware.uuid"),
    "a union marker is gone": (
        lambda template: instance_of(template)["domain"]["devices"].pop("rng"),
        "spec.template.spec.domain.devices.rng",
    ),
    "a list item is gone": (
        lambda template: instance_of(template)["volumes"].pop(),
        "spec.template.spec.volumes",
    ),
    "a field is new": (field(lambda vm: vm["spec"].update(new=1)), "spec.new"),
    "a field outside the instance is another": (
        field(lambda vm: vm["spec"].update(runStrategy="Always")),
        "spec.runStrategy",
    ),
    "a data volume is another": (
        field(lambda vm: vm["spec"]["dataVolumeTemplates"][0]["metadata"].update(name="other")),
        "spec.dataVolumeTemplates[0].metadata.name",
    ),
    "the revision stayed": (
        field(lambda vm: vm["spec"]["instancetype"].update(revisionName="vm-u1.small-v1")),
        "spec.instancetype.revisionName",
    ),
    "the name is another": (field(lambda vm: vm["metadata"].update(generateName="x-")), "metadata.generateName"),
    "the VM keeps its name": (field(lambda vm: vm["metadata"].update(name="vm")), "metadata.name"),
    "an annotation is gone": (field(lambda vm: vm["metadata"].pop("annotations")), "metadata.annotations"),
    "an annotation stayed": (
        field(lambda vm: vm["metadata"]["annotations"].update({"kubemacpool.io/x": "y"})),
        "metadata.annotations[kubemacpool.io/x]",
    ),
    "the status stayed": (field(lambda vm: vm.update(status={})), "status"),
}


@pytest.mark.parametrize("phrase", WRONG)
def test_verification_names_the_path_of_a_difference(phrase, format):
    change, path = WRONG[phrase]
    template = deepcopy(render(VM, format=format, name="t").template)
    verify_round_trip(template, format, parse_vm(VM), RenderOptions(), {})
    change(template)
    with pytest.raises(RenderError) as caught:
        verify_round_trip(template, format, parse_vm(VM), RenderOptions(), {})
    assert caught.value.path == path


def test_other_kind_fails_unless_the_processor_sets_it(format):
    template = render(VM, format=format, name="t").template
    field(lambda vm: vm.update(kind="Other"))(template)
    if "kind" in format.forced_fields:
        verify_round_trip(template, format, parse_vm(VM), RenderOptions(), {})
        return
    with pytest.raises(RenderError) as caught:
        verify_round_trip(template, format, parse_vm(VM), RenderOptions(), {})
    assert caught.value.path == "kind"


def test_other_label_fails_the_verification(format):
    template = render(VM, format=format, name="t").template
    if "labels" in template:
        template["labels"]["team"] = "web"
    else:
        parameter(template, "LABELS")["value"] = '{"team": "web"}'
    with pytest.raises(RenderError) as caught:
        verify_round_trip(template, format, parse_vm(VM), RenderOptions(), {})
    assert caught.value.path == "metadata.labels.team"


def test_template_that_cannot_be_processed_is_not_quoted(format):
    template = render(VM, format=format, name="t").template
    parameter(template, "DISK0_BUS").update(value="", required=True)
    with pytest.raises(RenderError) as caught:
        verify_round_trip(template, format, parse_vm(VM), RenderOptions(), {})
    assert str(caught.value) == f"its {format.kind} cannot be processed; this is a bug of atmpl"
    assert "DISK0_BUS" in str(caught.value.__cause__)  # for who debugs


def test_numbers_compare_by_value(format):
    vm = a_vm({"a": 1.0, "b": 1e16, "c": -0.0, "d": 2**53})
    assert render(vm, format=format, name="t").warnings == ()


def test_equal_data_volume_names_are_expected_under_unique(format):
    template = render(VM, format=format, name="t", options=RenderOptions(data_volumes="Unique")).template
    instance_of(template)["volumes"][0]["dataVolume"]["name"] = "disk"
    with pytest.raises(RenderError) as caught:
        verify_round_trip(template, format, parse_vm(VM), RenderOptions(data_volumes="Unique"), {})
    assert caught.value.path == "spec.template.spec.volumes[0].dataVolume.name"
