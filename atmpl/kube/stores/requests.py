"""All requests as the stream showed them, and which requests a change of a VM or a template concerns."""

from collections.abc import Callable, Collection, Iterable
from typing import Any, Protocol

import msgspec
import orjson

from atmpl.controller.objects import ObjectKey, is_older_version
from atmpl.controller.request import Request, parse_request
from atmpl.kube.stores import ObjectVersion, Store
from atmpl.template import Format

_Index = dict[Any, set[ObjectKey]]


class Enqueue(Protocol):
    """Enqueue a request; with `backlog`, after all others."""

    def __call__(self, key: ObjectKey, /, *, backlog: bool = False) -> None:
        """Enqueue."""


class RequestStore(Store):
    """All requests, with indexes by source VM and by template.

    It also keeps expectations, as kube-controller-manager's controllers do: after a status write, a request is not
    reconciled again before the stream shows that write.
    """

    def __init__(
        self,
        enqueue: Enqueue,
        removed: Callable[[ObjectKey], None] = lambda _: None,
        add_unless_backing_off: Callable[[ObjectKey], None] | None = None,
    ) -> None:
        """Create an empty store.

        `enqueue` is called with each request that can need work, `removed` with each that was deleted, and
        `add_unless_backing_off`, if given, instead of `enqueue` if only labels or the status of a request changed.
        """
        super().__init__()
        self._enqueue = enqueue
        self._add_unless_backing_off = add_unless_backing_off or enqueue
        self._removed = removed
        self.source_unused: Callable[[ObjectKey], None] = lambda _: None  # called if no request refers to a VM any more
        self._requests: dict[ObjectKey, Request] = {}
        self._by_source: dict[ObjectKey, set[ObjectKey]] = {}  # by VM: unfinished requests
        self._by_template: dict[tuple[str, ObjectKey], set[ObjectKey]] = {}  # by format and template: OnChange only
        self._writing: dict[ObjectKey, dict[str, Any]] = {}  # the status that is being written
        self._expected_versions: dict[ObjectKey, str] = {}  # of our last write, until the stream shows it
        self._deferred: set[ObjectKey] = set()  # enqueued in the meantime; a subset of _expected_versions

    def __len__(self) -> int:
        return len(self._requests)

    def count(self, namespace: str) -> int:
        """Return the number of requests of a namespace."""
        return sum(key.namespace == namespace for key in self._requests)

    def reasons(self) -> Iterable[str]:
        """Yield the reason of the condition Ready of each request; empty for one without a status."""
        return (request.status.reason for request in self._requests.values())

    def get(self, key: ObjectKey) -> Request | None:
        """Return the request as the stream last showed it."""
        return self._requests.get(key)

    @property
    def sources(self) -> Collection[ObjectKey]:
        """The VMs that unfinished requests refer to; a live view."""
        return self._by_source

    def by_source(self, source: ObjectKey) -> Collection[ObjectKey]:
        """Return the unfinished requests that refer to this VM."""
        return self._by_source.get(source, ())

    def by_template(self, format: Format, template: ObjectKey) -> Iterable[ObjectKey]:
        """Return the OnChange requests that refresh this template."""
        return self._by_template.get((format.name, template), ())

    def by_format(self, format: Format) -> list[ObjectKey]:
        """Return the unfinished requests of a format.

        Their status does not show which of them wait for its API: FormatUnavailable can be about to be written.
        """
        return [
            key
            for key, request in self._requests.items()
            if request.spec and request.spec.format is format and not request.is_finished
        ]

    def refreshed(self) -> list[ObjectKey]:
        """Return the OnChange requests."""
        return [key for key, request in self._requests.items() if request.spec and request.spec.refresh_on_change]

    def upsert(self, data: msgspec.Raw) -> ObjectVersion:
        """Add or update a request; enqueue it if the event shows more than our own write."""
        request = parse_request(data)
        key = request.key
        before = self._requests.get(key)
        if before is None or before.resource_version != request.resource_version:
            self._requests[key] = request
            self._reindex(before, request)
            is_news = not self._is_own_write(request, before)
            if self._was_deferred(request):
                self._enqueue(key)
            elif _needs_reconcile(request, is_news=is_news):
                if before is not None and _is_same_spec(before, request):
                    self._add_unless_backing_off(key)
                else:
                    self._enqueue(key, backlog=not self.is_served)
        return ObjectVersion(key, request.resource_version)

    def delete(self, data: msgspec.Raw) -> ObjectVersion:
        """Remove a deleted request."""
        request = parse_request(data)
        self._remove(request.key)
        return ObjectVersion(request.key, request.resource_version)

    def retain_only(self, keys: set[ObjectKey], namespace: str = "") -> None:
        """Remove every other request, with `namespace` only of that namespace.

        Their expectations end: the list contains all earlier writes of ours.
        """
        for key in self._requests.keys() - keys:
            if not namespace or key.namespace == namespace:
                self._remove(key)
        for key in list(self._expected_versions):
            if not namespace or key.namespace == namespace:
                del self._expected_versions[key]
                if key in self._deferred:
                    self._deferred.discard(key)
                    self._enqueue(key, backlog=False)

    def expect_write(self, request: Request, status: dict[str, Any]) -> None:
        """Record that this status is about to be written."""
        self._writing[request.key] = status

    def record_write(self, request: Request, version: str | None) -> None:
        """Record the request's version after the write; None if it failed, or if its result is unknown."""
        self._writing.pop(request.key, None)
        now = self._requests.get(request.key)
        if (
            version is not None
            and now is not None
            and now.uid == request.uid
            and is_older_version(now.resource_version, version)
        ):
            self._expected_versions[request.key] = version

    def awaits_own_write(self, key: ObjectKey) -> bool:
        """Return True if the stream has not shown our last write yet. The key is enqueued when it does."""
        if key not in self._expected_versions:
            return False
        self._deferred.add(key)
        return True

    def _is_own_write(self, request: Request, before: Request | None) -> bool:
        """Return True if an event shows nothing but our own status write."""
        if (
            before is None
            or (before.uid, before.generation) != (request.uid, request.generation)
            or request.is_deleting
        ):
            return False
        written = self._writing.get(request.key)
        if written is not None:
            return bool(orjson.loads(request.raw_status) == written)
        return self._expected_versions.get(request.key) == request.resource_version

    def _was_deferred(self, request: Request) -> bool:
        """End the expectation if this version fulfils it; return True if the key was enqueued in the meantime."""
        expected = self._expected_versions.get(request.key)
        if expected is None or is_older_version(request.resource_version, expected):
            return False
        del self._expected_versions[request.key]
        deferred = request.key in self._deferred
        self._deferred.discard(request.key)
        return deferred

    def _remove(self, key: ObjectKey) -> None:
        request = self._requests.pop(key, None)
        if request is not None:
            self._reindex(request, None)
            self._expected_versions.pop(key, None)
            self._deferred.discard(key)
            self._removed(key)

    def _reindex(self, before: Request | None, after: Request | None) -> None:
        """Replace the index entries of a request. An entry that does not change is never absent in between."""
        old_source, old_template = _index_keys(before)
        source, template = _index_keys(after)
        if old_source is not None and old_source != source:
            assert before is not None
            _discard(self._by_source, old_source, before.key)
            if old_source not in self._by_source:
                self.source_unused(old_source)
        if old_template is not None and old_template != template:
            assert before is not None
            _discard(self._by_template, old_template, before.key)
        if after is not None:
            if source is not None:
                self._by_source.setdefault(source, set()).add(after.key)
            if template is not None:
                self._by_template.setdefault(template, set()).add(after.key)


class NamespaceRequests(Store):
    """The requests of one namespace. The stream of that namespace writes them into the store of all requests."""

    def __init__(self, requests: RequestStore, namespace: str) -> None:
        super().__init__()
        self._requests = requests
        self._namespace = namespace

    def __len__(self) -> int:
        """Return the number of requests of this namespace."""
        return self._requests.count(self._namespace)

    def upsert(self, data: msgspec.Raw) -> ObjectVersion:
        """Add or update a request."""
        return self._requests.upsert(data)

    def delete(self, data: msgspec.Raw) -> ObjectVersion:
        """Remove a deleted request."""
        return self._requests.delete(data)

    def retain_only(self, keys: set[ObjectKey]) -> None:
        """Remove every other request of this namespace."""
        self._requests.retain_only(keys, self._namespace)

    def mark_synced(self, *, served: bool) -> None:
        """Record that the list is complete. Work starts with the first namespace."""
        super().mark_synced(served=served)
        self._requests.mark_synced(served=served or bool(self._requests.is_served))


def _index_keys(request: Request | None) -> tuple[ObjectKey | None, tuple[str, ObjectKey] | None]:
    """Return the source VM, if the request is unfinished, and the template, if it is refreshed."""
    spec = request.spec if request else None
    if request is None or spec is None or request.is_finished:
        return None, None
    template = (spec.format.name, request.template_key(spec)) if spec.refresh_on_change else None
    return spec.source, template


def _needs_reconcile(request: Request, *, is_news: bool) -> bool:
    """Return True if a reconcile can have work. `is_news`: the event shows more than our own last write."""
    if request.is_finished and request.spec:
        return request.spec.ttl_seconds is not None or request.status.generation != request.generation
    return is_news


def _is_same_spec(before: Request, request: Request) -> bool:
    """Return True if only labels or the status changed, for example by another replica: no reason to end a backoff."""
    return (before.uid, before.generation, before.is_deleting) == (request.uid, request.generation, request.is_deleting)


def _discard(index: _Index, place: Any, key: ObjectKey) -> None:
    keys = index.get(place)
    if keys is not None:
        keys.discard(key)
        if not keys:
            del index[place]
