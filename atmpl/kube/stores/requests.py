"""Every request as the stream showed it, and who is to be woken by a change."""

from collections.abc import Callable, Iterable
from typing import Any, Protocol

import msgspec
import orjson

from atmpl.controller.objects import ObjectKey
from atmpl.controller.request import Request, read
from atmpl.controller.version import is_older_version
from atmpl.kube.stores import ObjectVersion, Store
from atmpl.template import Format


class Wake(Protocol):
    """Have a request looked at; `backlog` puts it behind everything fresh."""

    def __call__(self, key: ObjectKey, /, *, backlog: bool = False) -> None:
        """Wake."""


class RequestStore(Store):
    """Every request of the cluster, and which VM and which template each of them looks at. A Sink."""

    def __init__(
        self,
        wake: Wake,
        gone: Callable[[ObjectKey], None] = lambda _: None,
        add_unless_backing_off: Callable[[ObjectKey], None] | None = None,
    ) -> None:
        super().__init__()
        self._wake = wake
        self._nudge = (
            add_unless_backing_off or wake
        )  # for one that asks for what it did before, and says something else of it
        self._gone = gone  # told of a request that is deleted: nobody need look at it any more
        self._requests: dict[ObjectKey, Request] = {}
        self._by_source: dict[
            ObjectKey, set[ObjectKey]
        ] = {}  # the requests that a change of this VM concerns; no finished one
        self._by_template: dict[
            tuple[str, ObjectKey], set[ObjectKey]
        ] = {}  # (format, template): those that keep it in step
        self._writing: dict[ObjectKey, dict[str, Any]] = {}  # the status that is being written; its event is no news
        self._awaited: dict[ObjectKey, str] = {}  # resourceVersion of our last write, until the stream shows it
        self._deferred: set[ObjectKey] = set()  # woken meanwhile; a subset of _awaited

    def __len__(self) -> int:
        return len(self._requests)

    def get(self, key: ObjectKey) -> Request | None:
        """Return the request as the stream last showed it."""
        return self._requests.get(key)

    def by_source(self, source: ObjectKey) -> Iterable[ObjectKey]:
        """Return the requests that a change of this VM concerns."""
        return self._by_source.get(source, ())

    def by_template(self, format: Format, template: ObjectKey) -> Iterable[ObjectKey]:
        """Return the requests that keep this template in step."""
        return self._by_template.get((format.name, template), ())

    def by_format(self, format: Format) -> list[ObjectKey]:
        """Return the requests that may wait for this format to be served: all of it that are not finished.

        Their status does not tell: that the format is unavailable may be about to be written.
        """
        return [
            key
            for key, request in self._requests.items()
            if request.spec and request.spec.format is format and not request.finished
        ]

    def upsert(self, data: msgspec.Raw) -> ObjectVersion:
        """Take a request; wake it where it says something new."""
        request = read(data)
        key = request.key
        before = self._requests.get(key)
        if before is None or before.version != request.version:
            if before is not None:
                self._forget(before)
            self._requests[key] = request
            self._index(request)
            news = not self._is_own_write(request, before)
            if self._has_come(request):
                self._wake(key)
            elif _needs_look(request, news=news):
                if before is not None and _asks_the_same(before, request):
                    self._nudge(key)
                else:
                    self._wake(key, backlog=not self.is_served)
        return ObjectVersion(key, request.version)

    def delete(self, data: msgspec.Raw) -> ObjectVersion:
        """Forget a request: it is deleted."""
        request = read(data)
        self._remove(request.key)
        return ObjectVersion(request.key, request.version)

    def retain_only(self, keys: set[ObjectKey]) -> None:
        """Forget every other request. Whatever we wrote before is in this list, also where it counts versions anew."""
        for key in self._requests.keys() - keys:
            self._remove(key)
        for key in self._deferred:
            self._wake(key, backlog=False)
        self._awaited.clear()
        self._deferred.clear()

    def expect_write(self, request: Request, status: dict[str, Any]) -> None:
        """Take note that a status is about to be written."""
        self._writing[request.key] = status

    def record_write(self, request: Request, version: str | None) -> None:
        """Take note that it was, and of the request's version now; None: it was not, or nobody knows."""
        self._writing.pop(request.key, None)
        now = self._requests.get(request.key)
        if (
            version is not None
            and now is not None
            and now.uid == request.uid
            and is_older_version(now.version, version)
        ):
            self._awaited[request.key] = version

    def awaits_own_write(self, key: ObjectKey) -> bool:
        """Whether the stream has yet to show our last write; the key is woken when it does."""
        if key not in self._awaited:
            return False
        self._deferred.add(key)
        return True

    def _is_own_write(self, request: Request, before: Request | None) -> bool:
        """Whether an event shows nothing but what we wrote ourselves."""
        if before is None or (before.uid, before.generation) != (request.uid, request.generation) or request.deleting:
            return False
        written = self._writing.get(request.key)
        if written is not None:
            return bool(orjson.loads(request.raw_status) == written)
        return self._awaited.get(request.key) == request.version

    def _has_come(self, request: Request) -> bool:
        """Take note that the stream has caught up with our last write; whether somebody woke the key meanwhile."""
        awaited = self._awaited.get(request.key)
        if awaited is None or is_older_version(request.version, awaited):
            return False
        del self._awaited[request.key]
        deferred = request.key in self._deferred
        self._deferred.discard(request.key)
        return deferred

    def _remove(self, key: ObjectKey) -> None:
        request = self._requests.pop(key, None)
        if request is not None:
            self._forget(request)
            self._awaited.pop(key, None)
            self._deferred.discard(key)
            self._gone(key)

    def _index(self, request: Request) -> None:
        spec = request.spec
        if spec is None or request.finished:
            return
        self._by_source.setdefault(spec.source, set()).add(request.key)
        if spec.refresh_on_change:
            there = (spec.format.name, request.template_key(spec))
            self._by_template.setdefault(there, set()).add(request.key)

    def _forget(self, request: Request) -> None:
        spec = request.spec
        if spec is None:
            return
        _discard(self._by_source, spec.source, request.key)
        _discard(self._by_template, (spec.format.name, request.template_key(spec)), request.key)


def _needs_look(request: Request, *, news: bool) -> bool:
    """Whether a reconcile may have something to do; `news` says that the event shows more than our own last write."""
    if request.finished and request.spec:
        return request.spec.ttl is not None or request.status.generation != request.generation
    return news


def _asks_the_same(before: Request, request: Request) -> bool:
    """Whether no more has changed than labels or a status, another replica's say: no reason for an early try."""
    return (before.uid, before.generation, before.deleting) == (request.uid, request.generation, request.deleting)


def _discard(index: dict[Any, set[ObjectKey]], place: Any, key: ObjectKey) -> None:
    keys = index.get(place)
    if keys is not None:
        keys.discard(key)
        if not keys:
            del index[place]
