"""Where an object is."""

from typing import NamedTuple


class ObjectKey(NamedTuple):
    """Namespace and name: of a request, a VM or a template."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"
