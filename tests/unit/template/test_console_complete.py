"""`console: Complete`: the operations of the OpenShift console on templates of real VMs, and what is added for it."""

from copy import deepcopy

import pytest

import atmpl
from tests.support.crd_schema import errors, vm_schema
from tests.support.openshift_console import shown
from tests.support.shared_data import needs_shared
from tests.support.template_vms import a_vm, real_vms

OPTIONS = [{}, {"profile": "None"}, {"profile": "Common", "secrets": "Extract"}, {"secrets": "Require"}]


def complete(vm, **options):
    return atmpl.render(vm, console="Complete", **options).template


def domain_of(vm):
    return vm["spec"]["template"]["spec"]["domain"]


def values_for(template):
    return {each["name"]: "x" for each in template["parameters"] if each.get("required")} | {"NAME": "typed"}


@needs_shared
@pytest.mark.parametrize("file", real_vms())
def test_console_operations_give_a_vm_that_kubevirt_accepts(file, subtests):
    for options in OPTIONS:
        with subtests.test(options=options):
            _check_console_operations(complete(real_vms()[file], **options))


def _check_console_operations(template):
    unprocessed = template["objects"][0]
    (vm,) = atmpl.process(template, values_for(template))

    assert vm["metadata"]["name"] == "typed"  # the name field
    assert list(errors(vm_schema(), vm)) == []

    folder = {**unprocessed["metadata"]["labels"], "vm.openshift.io/folder": "f"}  # spread as JavaScript's `...`
    vm["metadata"]["labels"] = folder | vm["metadata"]["labels"]
    assert all(isinstance(value, str) for value in vm["metadata"]["labels"].values())

    for key in ("cpu", "memory"):  # Customize copies them from the unprocessed template
        if key in domain_of(unprocessed):
            customized = deepcopy(vm)
            copied = {"cores", "sockets", "threads", "guest"} & domain_of(unprocessed)[key].keys()
            domain_of(customized)[key] |= {name: domain_of(unprocessed)[key][name] for name in copied}
            assert list(errors(vm_schema(), customized)) == []
    for kind, quantities in domain_of(unprocessed).get("resources", {}).items():
        for name in ("cpu", "memory") if isinstance(quantities, dict) else ():
            assert "${" not in str(quantities.get(name)), (kind, name)

    vm["spec"]["runStrategy"] = "Halted"  # the wizard sets it
    assert "running" not in vm["spec"]
    vm["spec"]["template"]["metadata"].setdefault("labels", {})["kubevirt.io/domain"] = "typed"
    assert list(errors(vm_schema(), vm)) == []


@needs_shared
@pytest.mark.parametrize("file", real_vms())
def test_console_shows_cpu_and_memory_as_they_are(file):
    vm = real_vms()[file]
    found = domain_of(shown(complete(vm))["objects"][0])
    for key in ("guest",):
        assert found.get("memory", {}).get(key) == domain_of(vm).get("memory", {}).get(key)
    for key in ("cores", "sockets", "threads"):
        assert found.get("cpu", {}).get(key) == domain_of(vm).get("cpu", {}).get(key)


SIZES = {
    "cpu": {"cores": 2, "sockets": 3, "threads": 4},
    "memory": {"guest": "2Gi"},
    "resources": {"requests": {"cpu": "1", "memory": "1Gi"}, "limits": {"cpu": "8", "memory": "4Gi"}},
}


@pytest.mark.parametrize("profile", ["All", "Common"])
def test_cpu_and_memory_are_literal(profile):
    vm = a_vm({"domain": SIZES})
    assert domain_of(complete(vm, profile=profile)["objects"][0]) == SIZES
    assert "${" in str(domain_of(atmpl.render(vm, profile=profile).template["objects"][0]))


def test_selected_running_becomes_run_strategy():
    vm = a_vm({}, spec={"running": True, "instancetype": {"kind": "k"}})
    parameters = complete(vm, include=["running", "instancetype.kind"])["parameters"]
    names = {each["name"] for each in parameters}
    assert names >= {"RUN_STRATEGY", "INSTANCETYPE_KIND"}
    assert "RUNNING" not in names


def a_console_vm(os, **metadata):
    vm = a_vm({"architecture": "arm64"}, **metadata)
    vm["spec"]["template"]["metadata"] = {"annotations": {"vm.kubevirt.io/os": os}}
    return vm


ICONS = {
    "fedora41": "icon-fedora",
    "rhel9.4": "icon-rhel",
    "centos-stream9": "icon-centos",
    "ubuntu": "icon-ubuntu",
    "debian12": "icon-debian",
    "opensuse": "icon-opensuse",
    "sles15": "icon-sles",
    "windows2k22": "icon-windows",
    "win11": "icon-windows",
    "freebsd": None,
}


@pytest.mark.parametrize("os", ICONS)
def test_icon_is_that_of_the_family(os):
    metadata = complete(a_console_vm(os))["metadata"]
    assert metadata["annotations"].get("iconClass") == ICONS[os]
    assert metadata["annotations"][f"name.os.template.kubevirt.io/{os}"] == os
    assert metadata["labels"][f"os.template.kubevirt.io/{os}"] == "true"
    assert metadata["labels"]["template.kubevirt.io/architecture"] == "arm64"


@pytest.mark.parametrize("os", ["a b", "", "x" * 64, "-a"])
def test_os_that_is_not_valid_in_a_label_is_left_out(os):
    metadata = complete(a_console_vm(os))["metadata"]
    assert not any("os.template" in key for key in (*metadata["labels"], *metadata["annotations"]))


def test_annotations_of_the_vm_are_the_fallback():
    vm = a_vm({}, annotations={"vm.kubevirt.io/workload": "server", "vm.kubevirt.io/flavor": "small"})
    labels = complete(vm)["metadata"]["labels"]
    assert labels["workload.template.kubevirt.io/server"] == labels["flavor.template.kubevirt.io/small"] == "true"


RUNNING = {
    "running": ({"running": True}, {"runStrategy": "Always"}),
    "stopped": ({"running": False}, {"runStrategy": "Halted"}),
    "a run strategy": ({"runStrategy": "Manual"}, {"runStrategy": "Manual"}),
    "both": ({"running": True, "runStrategy": "Manual"}, {"runStrategy": "Manual"}),
    "neither": ({}, {}),
}


@pytest.mark.parametrize("phrase", RUNNING)
def test_running_becomes_a_run_strategy(phrase):
    spec, expected = RUNNING[phrase]
    found = complete(a_vm({}, spec=spec))["objects"][0]["spec"]
    assert {key: value for key, value in found.items() if key != "template"} == expected
    assert found["template"]["metadata"] == {}


def test_run_strategy_is_a_parameter_if_running_is_selected():
    template = complete(a_vm({}, spec={"running": True}), include=["running"])
    assert template["objects"][0]["spec"]["runStrategy"] == "${RUN_STRATEGY}"
    (parameter,) = (each for each in template["parameters"] if each["name"] == "RUN_STRATEGY")
    assert parameter["value"] == "Always"


def test_labels_are_a_map_and_references_in_them_come_back():
    template = complete(a_vm({}, labels={"a": "b", "c": "${X}"}))
    assert template["labels"] == {"vm.kubevirt.io/template": "vm-template"}
    assert template["objects"][0]["metadata"]["labels"] == {"a": "b", "c": "${{LITERAL0}}"}
    assert [each["name"] for each in template["parameters"]] == ["NAME", "LITERAL0"]


def test_native_format_is_an_error():
    with pytest.raises(atmpl.RenderError, match="OpenShift format"):
        atmpl.render(a_vm({}), format="native", console="Complete")
