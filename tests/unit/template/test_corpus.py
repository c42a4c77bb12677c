"""Each VM of the corpus comes back from its template, in each format."""

import pytest

import atmpl
from atmpl.template import FORMATS
from tests.support.shared_data import needs_shared
from tests.support.template_vms import real_vms

pytestmark = needs_shared


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("file", real_vms())
def test_real_vm_comes_back(file, format):
    """Written out here, apart from the proof that `render` itself makes: rules 5, 6, 8 and 10 by hand."""
    vm = real_vms()[file]
    template = atmpl.render(vm, format=format).template
    (made,) = atmpl.process(template)
    expected = {**vm["spec"]}
    for blank in ("uuid", "serial"):
        firmware = vm["spec"]["template"]["spec"]["domain"].get("firmware", {})
        made_firmware = made["spec"]["template"]["spec"]["domain"].get("firmware", {})
        if blank in firmware:
            assert made_firmware.pop(blank) == ""
            expected = without(expected, ("template", "spec", "domain", "firmware", blank))
    for index, interface in enumerate(vm["spec"]["template"]["spec"]["domain"]["devices"].get("interfaces") or ()):
        if "macAddress" in interface:
            assert made["spec"]["template"]["spec"]["domain"]["devices"]["interfaces"][index].pop("macAddress") == ""
            expected = without(expected, ("template", "spec", "domain", "devices", "interfaces", index, "macAddress"))
    if vm["spec"]["template"]["spec"].get("hostname") == vm["metadata"]["name"]:
        assert made["spec"]["template"]["spec"].pop("hostname") == ""
        expected = without(expected, ("template", "spec", "hostname"))
    for index, template in enumerate(vm["spec"].get("dataVolumeTemplates", ())):
        if "creationTimestamp" in template["metadata"]:
            expected = without(expected, ("dataVolumeTemplates", index, "metadata", "creationTimestamp"))
    assert made["spec"] == expected
    assert made["metadata"]["generateName"] == vm["metadata"]["name"] + "-"
    labels = {k: v for k, v in vm["metadata"].get("labels", {}).items() if not k.startswith("vm.kubevirt.io/template")}
    made["metadata"]["labels"].pop("vm.kubevirt.io/template", None)
    assert made["metadata"]["labels"] == labels


def without(value, path):
    if len(path) == 1:
        return {key: item for key, item in value.items() if key != path[0]}
    key, *rest = path
    if isinstance(value, list):
        return [*value[:key], without(value[key], rest), *value[key + 1 :]]
    return {**value, key: without(value[key], rest)}
