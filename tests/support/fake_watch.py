"""What a watch of one kind shows of the API server in memory: in order, and as late as a test likes."""

from typing import Any

import msgspec
import orjson

from tests.support.fake_apiserver import ApiServer, Event
from tests.support.resources import Object, Resource


class Feed:
    """One stream into one sink. It reports each change in its order, since a version or the last `list`.

    A selector makes of a change what a real watch makes of it: an object that comes to match is added, and one that
    does so no more is deleted.
    """

    def __init__(
        self,
        server: ApiServer,
        resource: Resource,
        sink: Any,
        *,
        metadata_only: bool = False,
        label: str = "",
        since: int = 0,
    ) -> None:
        self._server = server
        self._resource = resource
        self._sink = sink
        self._metadata_only = metadata_only
        self._label = label  # what selects: a label that must be there
        self._next = since  # index of the first event that was not shown: one less than its version
        self.lost: frozenset[int] = frozenset()  # versions of events that are never shown; a list shows their objects

    def list(self) -> None:
        """Report all current objects, as a list does; what it does not name is gone."""
        self._next = len(self._server.events)
        self._sink.begin_list()
        if self._resource in self._server.unserved:
            self._sink.retain_only(set())
            self._sink.mark_synced(served=False)
            return
        there = [obj for place, obj in self._server.objects.items() if place.resource is self._resource]
        keys = {self._sink.upsert(self._raw(obj)).key for obj in there if self._selects(obj)} - {None}
        self._sink.retain_only(keys)
        self._sink.mark_synced(served=True)
        self._sink.is_watched = True

    def catch_up(self, lag: int = 0) -> None:
        """Report every change except the last `lag` of any kind."""
        for event in self._server.events[self._next : max(self._next, len(self._server.events) - lag)]:
            self._next += 1
            if event.version not in self.lost:
                self._tell(event)

    def _tell(self, event: Event) -> None:
        if event.place.resource is not self._resource or self._resource in self._server.unserved:
            return
        before, after = self._selects(event.before), self._selects(event.after)
        if after:
            self._sink.upsert(self._raw(event.last))
        elif before:
            # A real one shows what it was when it last matched, with the version of the change.
            version = {"resourceVersion": str(event.version)}
            shown = event.before or {}
            self._sink.delete(self._raw(shown | {"metadata": shown["metadata"] | version}))

    def _selects(self, obj: Object | None) -> bool:
        return obj is not None and (not self._label or self._label in (obj["metadata"].get("labels") or {}))

    def _raw(self, obj: Object) -> msgspec.Raw:
        return msgspec.Raw(orjson.dumps({"metadata": obj["metadata"]} if self._metadata_only else obj))
