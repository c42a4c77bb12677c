"""The VMs as the stream showed them, by metadata alone: there may be 100,000."""

import sys
from collections.abc import Callable

import msgspec

from atmpl.controller import vm_digest
from atmpl.controller.objects import ObjectKey
from atmpl.kube.stores import ObjectVersion, Store


class _VmMetadata(msgspec.Struct):
    name: str
    namespace: str
    uid: str
    resourceVersion: str  # noqa: N815 - the API's name
    generation: int = 0
    labels: dict[str, str] | None = None
    annotations: dict[str, str] | None = None


class _Vm(msgspec.Struct):
    metadata: _VmMetadata


class CachedVM(msgspec.Struct, frozen=True, gc=False):
    """All that is kept of a VM: there may be 100,000."""

    version: str  # resourceVersion
    digest: str


class VMStore(Store):
    """The VMs of the cluster, by metadata alone. A Sink. Status churn changes a version and wakes nobody."""

    def __init__(self, changed: Callable[[ObjectKey], None]) -> None:
        super().__init__()
        self._changed = changed
        self._vms: dict[ObjectKey, CachedVM] = {}
        self._decode = msgspec.json.Decoder(_Vm).decode

    def __len__(self) -> int:
        return len(self._vms)

    def get(self, key: ObjectKey) -> CachedVM | None:
        """Return what the stream last showed of a VM."""
        return self._vms.get(key)

    def upsert(self, data: msgspec.Raw) -> ObjectVersion:
        """Take a VM; tell of it where its template would change."""
        meta = self._decode(data).metadata
        key = ObjectKey(sys.intern(meta.namespace), meta.name)
        before = self._vms.get(key)
        digest = vm_digest.digest(meta.uid, meta.generation, meta.labels or {}, meta.annotations or {})
        if before is not None and before.digest == digest:
            self._vms[key] = CachedVM(meta.resourceVersion, before.digest)
        else:
            self._vms[key] = CachedVM(meta.resourceVersion, digest)
            self._changed(key)
        return ObjectVersion(key, meta.resourceVersion)

    def delete(self, data: msgspec.Raw) -> ObjectVersion:
        """Forget a VM: it is deleted."""
        meta = self._decode(data).metadata
        key = ObjectKey(meta.namespace, meta.name)
        if self._vms.pop(key, None):
            self._changed(key)
        return ObjectVersion(key, meta.resourceVersion)

    def retain_only(self, keys: set[ObjectKey]) -> None:
        """Forget every other VM."""
        for key in self._vms.keys() - keys:
            del self._vms[key]
            self._changed(key)
