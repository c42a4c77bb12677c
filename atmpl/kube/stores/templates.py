"""The templates that are refreshed (OnChange), as the stream of one format showed them."""

from collections.abc import Callable

import msgspec

from atmpl.controller.objects import ObjectKey
from atmpl.kube.stores import ObjectVersion, Store


class _TemplateMetadata(msgspec.Struct):
    name: str
    namespace: str
    resourceVersion: str  # noqa: N815 - the API's name


class _Template(msgspec.Struct):
    metadata: _TemplateMetadata


class TemplateStore(Store):
    """The refreshed templates of one format, by their version."""

    def __init__(self, changed: Callable[[ObjectKey], None], on_synced: Callable[[], None] = lambda: None) -> None:
        """Create an empty store. `changed` is called with each template that has another version."""
        super().__init__(on_synced)
        self.api_version = ""  # that the cluster serves, if it is not the format's own
        self._changed = changed
        self._versions: dict[ObjectKey, str] = {}
        self._decode = msgspec.json.Decoder(_Template).decode

    def __len__(self) -> int:
        return len(self._versions)

    def version(self, key: ObjectKey) -> str | None:
        """Return the resourceVersion that the stream last showed."""
        return self._versions.get(key)

    def upsert(self, data: msgspec.Raw) -> ObjectVersion:
        """Add or update a template; call `changed` if its version is another one."""
        meta = self._decode(data).metadata
        key = ObjectKey(meta.namespace, meta.name)
        if self._versions.get(key) != meta.resourceVersion:
            self._versions[key] = meta.resourceVersion
            self._changed(key)
        return ObjectVersion(key, meta.resourceVersion)

    def delete(self, data: msgspec.Raw) -> ObjectVersion:
        """Remove a template: it was deleted, or it is no longer refreshed."""
        meta = self._decode(data).metadata
        key = ObjectKey(meta.namespace, meta.name)
        if self._versions.pop(key, None):
            self._changed(key)
        return ObjectVersion(key, meta.resourceVersion)

    def retain_only(self, keys: set[ObjectKey]) -> None:
        """Remove every other template."""
        for key in self._versions.keys() - keys:
            del self._versions[key]
            self._changed(key)
