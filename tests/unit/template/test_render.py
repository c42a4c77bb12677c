"""The worked example of the design, and properties of each rendering."""

import gc
import os
import subprocess
import sys

import orjson
import pytest

from atmpl.template import FORMATS, RenderOptions, render
from tests.support.template_vms import a_vm


def test_worked_example_of_the_design():
    source = {
        "apiVersion": "kubevirt.io/v1",
        "kind": "VirtualMachine",
        "metadata": {"name": "vm-ephemeral"},
        "spec": {
            "template": {
                "spec": {
                    "domain": {
                        "devices": {"disks": [{"disk": {"bus": "virtio"}, "name": "containerdisk"}]},
                        "resources": {"requests": {"memory": "128Mi"}},
                    },
                    "volumes": [
                        {
                            "containerDisk": {"image": "registry:5000/kubevirt/cirros-container-disk-demo:devel"},
                            "name": "containerdisk",
                        }
                    ],
                }
            }
        },
    }
    rendered = render(source, format=FORMATS["openshift"], name="vmi-ephemeral-template", namespace="team-a")
    template, warnings = rendered.template, rendered.warnings
    assert warnings == ()
    assert template["apiVersion"] == "template.openshift.io/v1"
    assert template["kind"] == "Template"
    assert template["metadata"]["name"] == "vmi-ephemeral-template"
    assert template["metadata"]["namespace"] == "team-a"
    assert template["labels"] == {"vm.kubevirt.io/template": "vmi-ephemeral-template"}
    assert template["objects"] == [
        {
            "apiVersion": "kubevirt.io/v1",
            "kind": "VirtualMachine",
            "metadata": {"generateName": "vm-ephemeral-", "labels": "${{LABELS}}"},
            "spec": {
                "template": {
                    "spec": {
                        "domain": {
                            "devices": {"disks": [{"disk": {"bus": "${DISK0_BUS}"}, "name": "containerdisk"}]},
                            "resources": {"requests": {"memory": "${REQUESTS_MEMORY}"}},
                        },
                        "volumes": [{"containerDisk": {"image": "${VOLUME0_IMAGE}"}, "name": "containerdisk"}],
                    }
                }
            },
        }
    ]
    *parameters, labels = template["parameters"]
    assert [(each["description"], each["name"], each["value"]) for each in parameters] == [
        ("disk0-bus", "DISK0_BUS", "virtio"),
        ("requests-memory", "REQUESTS_MEMORY", "128Mi"),
        ("volume0-image", "VOLUME0_IMAGE", "registry:5000/kubevirt/cirros-container-disk-demo:devel"),
    ]
    assert labels["name"] == "LABELS"
    assert labels["value"] == "{}"


def test_name_field_is_not_a_parameter():
    vm = a_vm({"volumes": [{"name": "root", "x": {"name": 5, "names": ["a"]}}]})
    template = render(vm, format=FORMATS["openshift"], name="t").template
    assert template["objects"][0]["spec"]["template"]["spec"] == {
        "volumes": [{"name": "root", "x": {"name": 5, "names": ["${VOLUME0_NAME0}"]}}]
    }


def test_options_have_defaults():
    options = RenderOptions()
    assert (options.identity, options.data_volumes, options.secrets) == ("Fresh", "Preserve", "Preserve")
    assert (options.naming, options.console, options.profile) == ("Generate", "Listed", "All")
    assert (options.include, options.exclude) == ((), ())


@pytest.mark.parametrize("format", FORMATS)
def test_bytes_are_the_same_in_any_process(format):
    vm = a_vm(
        {"x": {"a-b": "1", "a.b": "2", "c": {"name": "${Y}"}}, "volumes": [{"dataVolume": {"name": "d"}}]},
        spec={"dataVolumeTemplates": [{"metadata": {"name": name}} for name in "dcba"]},
        labels={"a": "1", "b": "2"},
        annotations={"a": "${Z}"},
    )
    program = (
        "import sys, orjson, atmpl; vm = orjson.loads(sys.stdin.buffer.read()); "
        f"sys.stdout.buffer.write(orjson.dumps(atmpl.render(vm, format={format!r}, data_volumes='Unique').template))"
    )
    outputs = {
        subprocess.run(
            [sys.executable, "-c", program],
            input=orjson.dumps(vm),
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("1", "2", "3")
    }
    assert len(outputs) == 1


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize(
    "options", [RenderOptions(), RenderOptions("Preserve", "Unique", "Require")], ids=["default", "other"]
)
def test_render_leaves_no_reference_cycles(format, options):
    """In a cycle a template would stay until Python looks for cycles, and by then be out of the core's caches."""
    vm = a_vm(
        {
            "domain": {"devices": {"disks": [{"name": "root", "disk": {"bus": "virtio"}}]}},
            "volumes": [{"name": "root", "dataVolume": {"name": "root-disk"}}, {"name": "c", "serial": "${HOME}"}],
            "accessCredentials": [{"userPassword": "secret"}],
        },
        spec={"dataVolumeTemplates": [{"metadata": {"name": "root-disk"}}], "instancetype": {"name": "u1.small"}},
        labels={"team": "db"},
        annotations={"note": "kept"},
    )
    render(vm, format=FORMATS[format], name="t", options=options)  # what is kept for all VMs is there now
    while gc.collect():  # remains of other tests, whose finalizers can leave more
        pass
    gc.disable()
    try:
        render(vm, format=FORMATS[format], name="t", options=options)
        assert gc.collect() == 0
    finally:
        gc.enable()
