"""The resources that this project uses, and their paths."""

from dataclasses import dataclass

from atmpl.controller.objects import ObjectKey
from atmpl.template import Format


@dataclass(frozen=True, slots=True)
class Resource:
    """A namespaced resource."""

    api_version: str  # group/version
    plural: str

    @property
    def path(self) -> str:
        """The path of all objects, in all namespaces."""
        return f"/apis/{self.api_version}/{self.plural}"

    def within(self, namespace: str) -> str:
        """Return the path of the objects in a namespace."""
        return f"/apis/{self.api_version}/namespaces/{namespace}/{self.plural}"

    def of(self, key: ObjectKey) -> str:
        """Return the path of one object."""
        return f"{self.within(key.namespace)}/{key.name}"


REQUESTS = Resource("ssp.kubevirt.io/v1alpha1", "virtualmachinetemplaterequests")
VMS = Resource("kubevirt.io/v1", "virtualmachines")


def templates(format: Format, api_version: str = "") -> Resource:
    """Return the templates of a format, in another version than the format's own if `api_version` is given."""
    return Resource(api_version or format.api_version, format.plural)
