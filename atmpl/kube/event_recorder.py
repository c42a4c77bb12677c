"""Events (core/v1) on requests whose outcome changed: a Warning per failure, a Normal event if it is over.

A task of their own writes them from a bounded queue, so that no reconcile waits. If the queue is full or the server
unavailable, an event is lost; the request's status contains the same.
"""

import asyncio
import logging
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from hashlib import blake2b
from typing import Any, Final

import orjson

from atmpl.controller.cluster import ClusterError, ConflictError
from atmpl.controller.outcome import Reason
from atmpl.controller.request import Request
from atmpl.kube.client import FIELD_MANAGER, KubeClient
from atmpl.kube.resources import REQUESTS
from atmpl.kube.response import error_from

log = logging.getLogger(__name__)

MAX_QUEUED_EVENTS = 1_000
MAX_REMEMBERED_REQUESTS = 4_096  # whose last reason is remembered
MAX_MESSAGE_CHARACTERS: Final = 1_024  # the API's own limit
REPORTER: Final = "atmpl-controller"


@dataclass(frozen=True, slots=True)
class _Event:
    """An event that is to be written."""

    request: Request
    reason: str
    message: str
    type: str = "Warning"


@dataclass(frozen=True, slots=True)
class _WrittenEvent:
    """The last event of a reason on a request; the next one of that reason only increases its count."""

    name: str
    count: int
    first: str  # time of the first one, RFC 3339


class EventRecorder:
    """Records events on requests. `run` writes them."""

    def __init__(
        self, client: KubeClient, instance: str, *, utc: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._client = client
        self._instance = instance  # the pod's name
        self._utc = utc
        self._queue: deque[_Event] = deque(maxlen=MAX_QUEUED_EVENTS)  # if it is full, the oldest is lost
        self.lost = 0  # events that were not written
        self._queued = asyncio.Event()
        self._reasons: OrderedDict[str, str] = OrderedDict()  # by the request's uid: the last recorded reason
        self._written: OrderedDict[tuple[str, str], _WrittenEvent] = OrderedDict()  # by uid and reason

    def record_failure(self, request: Request, reason: str, message: str) -> None:
        """Record a Warning, unless it is the last recorded reason, or the status already has this reason."""
        if self._replace_reason(request, reason) != reason:
            self._enqueue(_Event(request, reason, message))

    def record_success(self, request: Request) -> None:
        """Record a Normal event if the request had a Warning before."""
        if self._replace_reason(request, Reason.RENDERED) not in {"", Reason.RENDERED}:
            self._enqueue(_Event(request, Reason.RENDERED, "The template is published", "Normal"))

    async def run(self) -> None:
        """Write events until cancelled."""
        while True:
            await self._queued.wait()
            self._queued.clear()
            while self._queue:
                event = self._queue.popleft()
                try:
                    await self._write(event)
                except ClusterError as error:
                    self.lost += 1
                    log.debug("event lost", extra={"request": str(event.request.key), "why": str(error)})
                except Exception:  # a bug of ours with one event must not end the controller
                    self.lost += 1
                    log.exception("event lost", extra={"request": str(event.request.key)})

    def _replace_reason(self, request: Request, reason: str) -> str:
        """Remember the request's reason; return the previous one, for an unknown request that of its status."""
        before = self._reasons.pop(request.uid, request.status.reason)
        self._reasons[request.uid] = reason
        if len(self._reasons) > MAX_REMEMBERED_REQUESTS:
            self._reasons.popitem(last=False)
        return before

    def _enqueue(self, event: _Event) -> None:
        self.lost += len(self._queue) == self._queue.maxlen
        self._queue.append(event)
        self._queued.set()

    async def _write(self, event: _Event) -> None:
        place = (event.request.uid, event.reason)
        written = self._written.pop(place, None)
        now = self._utc().strftime("%Y-%m-%dT%H:%M:%SZ")
        path = f"/api/v1/namespaces/{event.request.key.namespace}/events"
        if written is not None:
            written = replace(written, count=written.count + 1)
            body = {"count": written.count, "lastTimestamp": now, "message": event.message[:MAX_MESSAGE_CHARACTERS]}
            try:
                await self._call("PATCH", f"{path}/{written.name}", body, "application/merge-patch+json")
            except ConflictError:  # the API server deletes events after an hour
                written = None
        if written is None:
            digest = blake2b("/".join([*place, now, self._instance]).encode(), digest_size=8).hexdigest()
            written = _WrittenEvent(f"{event.request.key.name[:200].rstrip('-.')}.{digest}", 1, now)
            await self._call("POST", path, self._body(event, written), "application/json")
        self._written[place] = written
        if len(self._written) > MAX_REMEMBERED_REQUESTS:
            self._written.popitem(last=False)

    async def _call(self, method: str, path: str, body: dict[str, Any], content_type: str) -> None:
        response = await self._client.call(
            method,
            path,
            query={"fieldManager": FIELD_MANAGER},
            body=orjson.dumps(body),
            headers={"Content-Type": content_type},
        )
        if not response.ok:
            raise error_from(response)

    def _body(self, event: _Event, written: _WrittenEvent) -> dict[str, Any]:
        request = event.request
        return {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"name": written.name, "namespace": request.key.namespace},
            "involvedObject": {
                "apiVersion": REQUESTS.api_version,
                "kind": "VirtualMachineTemplateRequest",
                "namespace": request.key.namespace,
                "name": request.key.name,
                "uid": request.uid,
                "resourceVersion": request.resource_version,
            },
            "type": event.type,
            "reason": event.reason,
            "message": event.message[:MAX_MESSAGE_CHARACTERS],
            "count": written.count,
            "firstTimestamp": written.first,
            "lastTimestamp": written.first,
            "source": {"component": REPORTER},
            "reportingComponent": REPORTER,
            "reportingInstance": self._instance[:128],
        }
