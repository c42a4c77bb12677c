"""The VMs that requests refer to, by metadata alone: a cluster can have 100,000 VMs and few requests."""

import sys
from collections.abc import Callable, Collection

import msgspec

from atmpl.controller import vm_digest
from atmpl.controller.cluster import UNKNOWN, Unknown
from atmpl.controller.objects import ObjectKey, is_older_version
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
    """What is kept of a VM."""

    version: str  # resourceVersion; of an absent VM that of its deletion, empty if a list did not contain it
    digest: str | None  # None: the VM is absent


class VMStore(Store):
    """The VMs that requests refer to. Changes of a VM's status change its version and enqueue no request.

    A VM is present, absent or unknown. It is absent if its deletion was watched, or if a list that began after a
    request referred to it did not contain it. A VM without an entry is unknown: events before the first request for it
    were discarded.
    """

    def __init__(
        self,
        changed: Callable[[ObjectKey], None],
        sources: Collection[ObjectKey],
        on_synced: Callable[[], None] = lambda: None,
        changed_by_read: Callable[[ObjectKey], None] | None = None,
    ) -> None:
        """Create an empty store.

        `changed` is called with each VM whose template would change; if a read shows that first, `changed_by_read`,
        if given, instead: the event that follows shows nothing new. `sources` is a live view of the VMs that unfinished
        requests refer to.
        """
        super().__init__(on_synced)
        self._changed = changed
        self._changed_by_read = changed_by_read or changed
        self._sources = sources
        self._vms: dict[ObjectKey, CachedVM] = {}
        self._large: set[ObjectKey] = set()  # VMs whose last template was large
        self._listing: set[ObjectKey] | None = None  # during a list: the sources when it began
        self._decode = msgspec.json.Decoder(_Vm).decode
        self.lists = 0  # complete lists

    def __len__(self) -> int:
        """Return the number of VMs that are present."""
        return sum(vm.digest is not None for vm in self._vms.values())

    def get(self, key: ObjectKey) -> CachedVM | None:
        """Return a VM that is present."""
        vm = self._vms.get(key)
        return vm if vm is not None and vm.digest is not None else None

    def digest(self, key: ObjectKey) -> str | Unknown | None:
        """Return the digest of a VM, None if it is absent, UNKNOWN if the stream has not shown which."""
        vm = self._vms.get(key)
        return vm.digest if vm is not None else UNKNOWN

    def is_large(self, key: ObjectKey) -> bool:
        """Return True if the last template of a VM was large."""
        return key in self._large

    def record_size(self, key: ObjectKey, *, is_large: bool) -> None:
        """Record whether the last template of a VM was large."""
        if not is_large:
            self._large.discard(key)
        elif key in self._sources:
            self._large.add(key)

    def record_read(self, key: ObjectKey, version: str, digest: str, lists: int) -> None:
        """Record a VM that a GET returned. `lists` is the value of `lists` before the GET.

        A list that ended in the meantime is not overruled: it can be the newer one.
        """
        if lists != self.lists or key not in self._sources:
            return
        vm = self._vms.get(key)
        if vm is None or not vm.version or is_older_version(vm.version, version):
            self._vms[key] = CachedVM(version, digest)
            if vm is None or vm.digest != digest:
                self._changed_by_read(key)

    def forget(self, key: ObjectKey) -> None:
        """Forget a VM to which no request refers any more."""
        self._vms.pop(key, None)
        self._large.discard(key)

    def begin_list(self) -> None:
        """Remember which VMs this list will show as present or absent."""
        self._listing = set(self._sources)

    def upsert(self, data: msgspec.Raw) -> ObjectVersion:
        """Add or update a VM; call `changed` if its template would change."""
        meta = self._decode(data).metadata
        key = ObjectKey(sys.intern(meta.namespace), meta.name)
        if key not in self._sources:
            return ObjectVersion(None, meta.resourceVersion)
        before = self._vms.get(key)
        # A read can be newer than the events that follow. A list is never ignored: etcd can have been restored.
        if before is not None and self._listing is None and is_older_version(meta.resourceVersion, before.version):
            return ObjectVersion(key, meta.resourceVersion)
        digest = vm_digest.digest(meta.uid, meta.generation, meta.labels or {}, meta.annotations or {})
        if before is not None and before.digest == digest:
            self._vms[key] = CachedVM(meta.resourceVersion, before.digest)
        else:
            self._vms[key] = CachedVM(meta.resourceVersion, digest)
            self._changed(key)
        return ObjectVersion(key, meta.resourceVersion)

    def delete(self, data: msgspec.Raw) -> ObjectVersion:
        """Mark a VM as absent."""
        meta = self._decode(data).metadata
        key = ObjectKey(meta.namespace, meta.name)
        before = self._vms.get(key)
        if key in self._sources and not (before and is_older_version(meta.resourceVersion, before.version)):
            self._mark_absent(key, meta.resourceVersion)
        return ObjectVersion(key, meta.resourceVersion)

    def retain_only(self, keys: set[ObjectKey]) -> None:
        """Mark every other VM as absent that was known, or to which a request referred when the list began."""
        for key in (self._vms.keys() | (self._listing or set())) - keys:
            if key in self._sources:
                self._mark_absent(key, "")
        self._listing = None
        self.lists += 1

    def _mark_absent(self, key: ObjectKey, version: str) -> None:
        before = self._vms.get(key)
        self._vms[key] = CachedVM(version, None)
        self._large.discard(key)
        if before is not None and before.digest is not None:
            self._changed(key)
