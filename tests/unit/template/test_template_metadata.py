"""Labels and annotations of the template itself: provenance, and copies from the VM."""

import pytest

import atmpl
from atmpl.template import FORMATS, TemplateOwner, render
from atmpl.template.template_metadata import label_value
from tests.support.template_vms import a_vm

VM = a_vm(
    {},
    namespace="team-a",
    uid="0b2a66a1",
    generation=7,
    labels={
        "app": "db",
        "os.template.kubevirt.io/fedora40": "true",
        "workload.template.kubevirt.io/server": "true",
        "flavor.template.kubevirt.io/small": "true",
        "vm.kubevirt.io/template": "old",
        "vm.kubevirt.io/template.namespace": "openshift",
    },
    annotations={
        "vm.kubevirt.io/validations": "[]",
        "note": "kept",
        "kubectl.kubernetes.io/last-applied-configuration": "{}",
        "kubevirt.io/latest-observed-api-version": "v1",
        "kubevirt.io/storage-observed-api-version": "v1",
        "kubemacpool.io/transaction-timestamp": "now",
        "restore.kubevirt.io/lastRestoreUID": "x",
    },
    finalizers=["x"],
    resourceVersion="9",
    managedFields=[],
)


@pytest.fixture(params=list(FORMATS))
def format(request):
    return FORMATS[request.param]


def test_template_has_its_provenance(format):
    owner = TemplateOwner(namespace="team-b", name="ask", uid="u-1", refresh_on_change=True)
    template = render(VM, format=format, name="t", namespace="team-b", owner=owner).template
    assert template["metadata"] == {
        "name": "t",
        "namespace": "team-b",
        "labels": {
            "template.kubevirt.io/type": "vm",
            "ssp.kubevirt.io/request-uid": "u-1",
            "ssp.kubevirt.io/refresh": "OnChange",
            "os.template.kubevirt.io/fedora40": "true",
            "workload.template.kubevirt.io/server": "true",
            "flavor.template.kubevirt.io/small": "true",
        },
        "annotations": {
            "openshift.io/display-name": "t",
            "description": "Made from the virtual machine vm in namespace team-a.",
            "tags": "kubevirt,virtualmachine",
            "vm.kubevirt.io/validations": "[]",
            "ssp.kubevirt.io/source": "team-a/vm",
            "ssp.kubevirt.io/source-uid": "0b2a66a1",
            "ssp.kubevirt.io/source-generation": "7",
            "ssp.kubevirt.io/request": "team-b/ask",
            "ssp.kubevirt.io/generator": f"atmpl {atmpl.__version__}",
        },
    }


def test_template_rendered_once_has_no_refresh_label(format):
    owner = TemplateOwner(namespace="team-b", name="ask", uid="u-1", refresh_on_change=False)
    labels = render(VM, format=format, name="t", owner=owner).template["metadata"]["labels"]
    assert labels["ssp.kubevirt.io/request-uid"] == "u-1"
    assert "ssp.kubevirt.io/refresh" not in labels


def test_provenance_without_a_request_is_shorter(format):
    metadata = render(a_vm({}), format=format, name="t").template["metadata"]
    assert metadata == {
        "name": "t",
        "labels": {"template.kubevirt.io/type": "vm"},
        "annotations": {
            "openshift.io/display-name": "t",
            "description": "Made from the virtual machine vm.",
            "tags": "kubevirt,virtualmachine",
            "ssp.kubevirt.io/generator": f"atmpl {atmpl.__version__}",
        },
    }


def test_only_labels_and_annotations_of_the_vm_stay(format):
    (made,) = format.process(render(VM, format=format, name="t").template)
    assert made["metadata"].keys() == {"generateName", "labels", "annotations"}
    assert made["metadata"]["annotations"] == {"vm.kubevirt.io/validations": "[]", "note": "kept"}
    made["metadata"]["labels"].pop("vm.kubevirt.io/template", None)
    assert made["metadata"]["labels"] == {
        "app": "db",
        "os.template.kubevirt.io/fedora40": "true",
        "workload.template.kubevirt.io/server": "true",
        "flavor.template.kubevirt.io/small": "true",
    }


def test_vm_without_kept_annotations_has_none(format):
    vm = a_vm({}, annotations={"kubemacpool.io/x": "y"})
    (made,) = format.process(render(vm, format=format, name="t").template)
    assert "annotations" not in made["metadata"]


ALIKE = {
    "kubectl.kubernetes.io/last-applied-configurations": "a",
    "kubemacpool.iot/x": "b",
    "restore.kubevirt.iot": "c",
}


def test_name_similar_to_a_dropped_one_stays(format):
    vm = a_vm({}, annotations=ALIKE, labels={"vm.kubevirt.io/templates": "gone", "vm.kubevirt.io/templat": "d"})
    (made,) = format.process(render(vm, format=format, name="t").template)
    assert made["metadata"]["annotations"] == ALIKE
    made["metadata"]["labels"].pop("vm.kubevirt.io/template", None)
    assert made["metadata"]["labels"] == {"vm.kubevirt.io/templat": "d"}


LABEL_VALUES = {  # the template's name: the label's value
    "a label's value stays": ("fedora-40.small_1", "fedora-40.small_1"),
    "63 characters stay": ("a" * 63, "a" * 63),
    "64 characters are shortened": ("a" * 64, "a" * 54 + "-ffe054fe"),
    "dots at the cut go": ("a" * 53 + "." * 11, "a" * 53 + "-0528a1d1"),
    "what no label has is replaced": ("a b/c", "a-b-c-539138d5"),
    "a name of nothing else is its digits": ("...", "ab5df625"),
}


@pytest.mark.parametrize("phrase", LABEL_VALUES)
def test_template_name_as_a_label_value(phrase):
    name, value = LABEL_VALUES[phrase]
    assert label_value(name) == value


def test_template_name_is_a_label_of_the_vm():
    template = atmpl.render(VM, name="n" * 64).template
    (made,) = atmpl.process(template)
    assert made["metadata"]["labels"]["vm.kubevirt.io/template"] == label_value("n" * 64)
