"""Keys and versions of objects."""

from typing import NamedTuple


class ObjectKey(NamedTuple):
    """Namespace and name of a request, a VM or a template."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


def is_older_version(version: str, than: str) -> bool:
    """Return True if a resourceVersion is older than another; False if either is not a decimal number.

    Kubernetes 1.35 guarantees that resourceVersions are growing numbers of any length; earlier versions behave so.
    """
    return version.isdecimal() and than.isdecimal() and (len(version), version) < (len(than), than)
