"""Where the API server keeps the objects that this project speaks of."""

from typing import NamedTuple

from atmpl.controller.objects import ObjectKey
from atmpl.template import Format


class Resource(NamedTuple):
    """The objects of one kind."""

    api_version: str  # group/version
    plural: str

    @property
    def path(self) -> str:
        """All of them, in all namespaces."""
        return f"/apis/{self.api_version}/{self.plural}"

    def within(self, namespace: str) -> str:
        """Return the path of those in a namespace."""
        return f"/apis/{self.api_version}/namespaces/{namespace}/{self.plural}"

    def of(self, key: ObjectKey) -> str:
        """Return the path of one."""
        return f"{self.within(key.namespace)}/{key.name}"


REQUESTS = Resource("ssp.kubevirt.io/v1alpha1", "virtualmachinetemplaterequests")
VMS = Resource("kubevirt.io/v1", "virtualmachines")


def templates(format: Format) -> Resource:
    """Return the templates of a format."""
    return Resource(format.api_version, format.plural)
