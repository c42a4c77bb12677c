"""The paths of objects."""

from atmpl.controller.objects import ObjectKey
from atmpl.kube.resources import REQUESTS, VMS, templates
from atmpl.template import FORMATS


def test_resource_paths() -> None:
    assert REQUESTS.path == "/apis/ssp.kubevirt.io/v1alpha1/virtualmachinetemplaterequests"
    assert VMS.within("ns") == "/apis/kubevirt.io/v1/namespaces/ns/virtualmachines"
    assert VMS.of(ObjectKey("ns", "vm")) == "/apis/kubevirt.io/v1/namespaces/ns/virtualmachines/vm"
    assert templates(FORMATS["openshift"]).path == "/apis/template.openshift.io/v1/templates"
    assert templates(FORMATS["native"]).of(ObjectKey("a", "b")) == (
        "/apis/template.kubevirt.io/v1beta1/namespaces/a/virtualmachinetemplates/b"
    )
