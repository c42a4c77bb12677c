"""The VMs as the stream showed them, by metadata alone: there may be 100,000."""

import sys
from collections.abc import Callable

import msgspec

from atmpl.controller import vm
from atmpl.controller.key import Key
from atmpl.kube.listing import Listing
from atmpl.kube.stream import Seen


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


class VmSeen(msgspec.Struct, frozen=True, gc=False):
    """All that is kept of a VM: there may be 100,000."""

    version: str  # resourceVersion
    digest: str


class Vms(Listing):
    """The VMs of the cluster, by metadata alone. A Sink. Status churn changes a version and wakes nobody."""

    def __init__(self, changed: Callable[[Key], None]) -> None:
        super().__init__()
        self._changed = changed
        self._vms: dict[Key, VmSeen] = {}
        self._decode = msgspec.json.Decoder(_Vm).decode

    def __len__(self) -> int:
        return len(self._vms)

    def get(self, key: Key) -> VmSeen | None:
        """Return what the stream last showed of a VM."""
        return self._vms.get(key)

    def put(self, data: msgspec.Raw) -> Seen:
        """Take a VM; tell of it where its template would change."""
        meta = self._decode(data).metadata
        key = Key(sys.intern(meta.namespace), meta.name)
        before = self._vms.get(key)
        digest = vm.digest(meta.uid, meta.generation, meta.labels or {}, meta.annotations or {})
        if before is not None and before.digest == digest:
            self._vms[key] = VmSeen(meta.resourceVersion, before.digest)
        else:
            self._vms[key] = VmSeen(meta.resourceVersion, digest)
            self._changed(key)
        return Seen(key, meta.resourceVersion)

    def drop(self, data: msgspec.Raw) -> Seen:
        """Forget a VM: it is deleted."""
        meta = self._decode(data).metadata
        key = Key(meta.namespace, meta.name)
        if self._vms.pop(key, None):
            self._changed(key)
        return Seen(key, meta.resourceVersion)

    def keep_only(self, keys: set[Key]) -> None:
        """Forget every other VM."""
        for key in self._vms.keys() - keys:
            del self._vms[key]
            self._changed(key)
