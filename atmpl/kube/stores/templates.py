"""The templates that are kept in step, as the stream of one format showed them."""

from collections.abc import Callable

import msgspec

from atmpl.controller.objects import ObjectKey
from atmpl.kube.stores import ObjectVersion, Store


class _TemplateMetadata(msgspec.Struct):
    name: str
    namespace: str
    resourceVersion: str  # noqa: N815


class _Template(msgspec.Struct):
    metadata: _TemplateMetadata


class TemplateStore(Store):
    """The templates of one format that are kept in step. A Sink."""

    def __init__(self, changed: Callable[[ObjectKey], None], appeared: Callable[[], None]) -> None:
        super().__init__()
        self._changed = changed
        self._appeared = appeared
        self._versions: dict[ObjectKey, str] = {}
        self._decode = msgspec.json.Decoder(_Template).decode

    def __len__(self) -> int:
        return len(self._versions)

    def version(self, key: ObjectKey) -> str | None:
        """Return the resourceVersion that the stream last showed."""
        return self._versions.get(key)

    def upsert(self, data: msgspec.Raw) -> ObjectVersion:
        """Take a template; tell of it where it is of another version."""
        meta = self._decode(data).metadata
        key = ObjectKey(meta.namespace, meta.name)
        if self._versions.get(key) != meta.resourceVersion:
            self._versions[key] = meta.resourceVersion
            self._changed(key)
        return ObjectVersion(key, meta.resourceVersion)

    def delete(self, data: msgspec.Raw) -> ObjectVersion:
        """Forget a template: it is deleted, or no longer to be kept in step."""
        meta = self._decode(data).metadata
        key = ObjectKey(meta.namespace, meta.name)
        if self._versions.pop(key, None):
            self._changed(key)
        return ObjectVersion(key, meta.resourceVersion)

    def retain_only(self, keys: set[ObjectKey]) -> None:
        """Forget every other template."""
        for key in self._versions.keys() - keys:
            del self._versions[key]
            self._changed(key)

    def mark_synced(self, *, served: bool) -> None:
        """Take it from the stream: the list is complete, or the format is not served."""
        was = self.is_served
        super().mark_synced(served=served)
        if served and not was:
            self._appeared()
