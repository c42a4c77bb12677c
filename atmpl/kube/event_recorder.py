"""Events (core/v1, Warning) on requests that turned bad: once per change of outcome, and never in a reconcile's way.

Told to a bounded list that a task of its own writes from. Where that is full, or the server away, an event is lost: the
request's status says the same.
"""

import asyncio
import logging
from collections import OrderedDict, deque
from collections.abc import Callable
from datetime import UTC, datetime
from hashlib import blake2b
from typing import Any, NamedTuple

import orjson

from atmpl.controller.cluster import ClusterError, ConflictError
from atmpl.controller.request import Request
from atmpl.kube.client import KubeClient
from atmpl.kube.resources import REQUESTS
from atmpl.kube.response import error_from

log = logging.getLogger(__name__)

WAITING = 1_000  # events that may wait to be written
REMEMBERED = 4_096  # requests whose last event is remembered
MESSAGE_LIMIT = 1_024  # characters; the API's own limit
REPORTER = "atmpl-controller"


class _Told(NamedTuple):
    """The last event of a reason about a request."""

    name: str  # of the event
    times: int
    first: str  # when it was first told, RFC 3339


class _Event(NamedTuple):
    request: Request
    reason: str
    message: str


class EventRecorder:
    """Tells requests' owners what turned out badly. `run` writes what `bad` was told."""

    def __init__(
        self, connection: KubeClient, instance: str, *, utc: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._connection = connection
        self._instance = instance  # which replica: the pod's name
        self._utc = utc
        self._waiting: deque[_Event] = deque(maxlen=WAITING)  # if it is full, the oldest is lost
        self.lost = 0  # events that were not written
        self._news = asyncio.Event()
        self._bad: OrderedDict[str, str] = OrderedDict()  # by uid: the reason last told
        self._written: OrderedDict[tuple[str, str], _Told] = OrderedDict()  # (uid, reason): the event that told of it

    def record_failure(self, request: Request, reason: str, message: str) -> None:
        """Tell that a request's outcome is bad, unless that is what was told last, or what its status says already."""
        before = self._bad.pop(request.uid, request.status.reason)
        self._bad[request.uid] = reason
        if len(self._bad) > REMEMBERED:
            self._bad.popitem(last=False)
        if before != reason:
            self.lost += len(self._waiting) == WAITING
            self._waiting.append(_Event(request, reason, message))
            self._news.set()

    def record_success(self, request: Request) -> None:
        """Take note that a request's outcome is good: the next bad one is a change."""
        if request.uid in self._bad:
            self._bad[request.uid] = ""

    async def run(self) -> None:
        """Write events until cancelled."""
        while True:
            await self._news.wait()
            self._news.clear()
            while self._waiting:
                event = self._waiting.popleft()
                try:
                    await self._write(event)
                except ClusterError as error:
                    self.lost += 1
                    log.debug("event lost", extra={"request": str(event.request.key), "why": str(error)})
                except Exception:  # a bug of ours in one event's way is not to end the controller
                    self.lost += 1
                    log.exception("event lost", extra={"request": str(event.request.key)})

    async def _write(self, event: _Event) -> None:
        place = (event.request.uid, event.reason)
        told = self._written.pop(place, None)
        now = self._utc().strftime("%Y-%m-%dT%H:%M:%SZ")
        path = f"/api/v1/namespaces/{event.request.key.namespace}/events"
        if told is not None:
            told = told._replace(times=told.times + 1)
            body = {"count": told.times, "lastTimestamp": now, "message": event.message[:MESSAGE_LIMIT]}
            try:
                await self._call("PATCH", f"{path}/{told.name}", body, "application/merge-patch+json")
            except ConflictError:  # events live for an hour
                told = None
        if told is None:
            digest = blake2b("/".join([*place, now, self._instance]).encode(), digest_size=8).hexdigest()
            told = _Told(f"{event.request.key.name[:200].rstrip('-.')}.{digest}", 1, now)
            await self._call("POST", path, self._body(event, told), "application/json")
        self._written[place] = told
        if len(self._written) > REMEMBERED:
            self._written.popitem(last=False)

    async def _call(self, method: str, path: str, body: dict[str, Any], content_type: str) -> None:
        headers = {"Content-Type": content_type}
        answer = await self._connection.call(method, path, body=orjson.dumps(body), headers=headers)
        if not answer.ok:
            raise error_from(answer)

    def _body(self, event: _Event, told: _Told) -> dict[str, Any]:
        request = event.request
        return {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"name": told.name, "namespace": request.key.namespace},
            "involvedObject": {
                "apiVersion": REQUESTS.api_version,
                "kind": "VirtualMachineTemplateRequest",
                "namespace": request.key.namespace,
                "name": request.key.name,
                "uid": request.uid,
                "resourceVersion": request.resource_version,
            },
            "type": "Warning",
            "reason": event.reason,
            "message": event.message[:MESSAGE_LIMIT],
            "count": told.times,
            "firstTimestamp": told.first,
            "lastTimestamp": told.first,
            "source": {"component": REPORTER},
            "reportingComponent": REPORTER,
            "reportingInstance": self._instance[:128],
        }
