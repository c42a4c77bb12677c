"""The kinds that a cluster serves to the controller, and where their objects are."""

from typing import Any, NamedTuple

from atmpl.controller.objects import ObjectKey

Object = dict[str, Any]


class Resource(NamedTuple):
    """A kind that is served."""

    api_version: str
    plural: str
    kind: str
    has_status: bool = False  # a status subresource

    @property
    def group(self) -> str:
        return self.api_version.partition("/")[0]


REQUESTS = Resource("ssp.kubevirt.io/v1alpha1", "virtualmachinetemplaterequests", "VirtualMachineTemplateRequest", True)
VMS = Resource("kubevirt.io/v1", "virtualmachines", "VirtualMachine", True)
TEMPLATES = Resource("template.openshift.io/v1", "templates", "Template")
NATIVE = Resource("template.kubevirt.io/v1beta1", "virtualmachinetemplates", "VirtualMachineTemplate", True)
POLICIES = Resource("admissionregistration.k8s.io/v1", "validatingadmissionpolicies", "ValidatingAdmissionPolicy", True)
BINDINGS = Resource(
    "admissionregistration.k8s.io/v1", "validatingadmissionpolicybindings", "ValidatingAdmissionPolicyBinding"
)
SERVED = Resource("v1", "", "APIResourceList")  # what a version of a group serves: read like an object, and is none
ACCESS_REVIEWS = Resource("authorization.k8s.io/v1", "subjectaccessreviews", "SubjectAccessReview")  # never stored
ALL = (REQUESTS, VMS, TEMPLATES, NATIVE, POLICIES, BINDINGS, ACCESS_REVIEWS)


class Place(NamedTuple):
    """Where an object is."""

    resource: Resource
    key: ObjectKey

    @property
    def path(self) -> str:
        if self.resource is SERVED:
            return f"/apis/{self.key.namespace}/{self.key.name}"
        return (
            f"/apis/{self.resource.api_version}/namespaces/{self.key.namespace}/{self.resource.plural}/{self.key.name}"
        )


def parsed(path: str) -> tuple[Resource | None, ObjectKey, str]:
    """Return the parts of a path: `/apis/GROUP/VERSION[[/namespaces/NS]/PLURAL[/NAME[/SUB]]]`."""
    _, _, group, version, *rest = path.split("/")
    if not rest:
        return SERVED, ObjectKey(group, version), ""
    namespace = ""
    if rest[0] == "namespaces":
        namespace, rest = rest[1], rest[2:]
    plural, name, sub = (*rest, "", "")[:3]
    found = [each for each in ALL if (each.api_version, each.plural) == (f"{group}/{version}", plural)]
    return (found[0] if found else None), ObjectKey(namespace, name), sub
