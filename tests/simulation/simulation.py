"""A cluster in memory with controllers in it: all of the real one but its sockets, under a virtual clock.

A controller here is the real wiring (streams' stores, queue, workers, `KubeCluster`); its connection leads to the API
server in memory, and the test decides the result of each of its calls.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping
from random import Random
from types import SimpleNamespace
from typing import Any

from atmpl.controller.objects import ObjectKey
from atmpl.kube.client import ServerClock
from atmpl.kube.response import Response
from atmpl.manager.manager import Manager
from atmpl.template.template_metadata import REFRESH
from tests.simulation.invariants import breach
from tests.support import virtual_clock
from tests.support.builders import NAMESPACE
from tests.support.fake_apiserver import ApiServer
from tests.support.fake_watch import Feed
from tests.support.faults import Call, Fault, call_of
from tests.support.resources import NATIVE, REQUESTS, TEMPLATES, VMS, Object, Place, Resource, parsed

LATENCY = 0.001  # seconds from a call to its effect, and from there to its answer
RESTART = 1.0  # seconds from a controller's death to its next life
PATIENCE = 5.0  # seconds that an event waits at most for later ones
CALM = 1000.0  # seconds in which everything that can be retried was retried
TIMEOUT = 30.0  # seconds that a call may take

Plan = Callable[[Call], Fault | None]  # None: the call is served


def nothing_happens(_: Call) -> Fault | None:
    """Let every call be."""
    return None


async def at_once(_: Call) -> None:
    """Let every call go on."""


class World:
    """An API server, and the controllers that work on it."""

    def __init__(
        self,
        plan: Plan = nothing_happens,
        *,
        workers: int = 4,
        delay: float = 0.0,
        lag: int = 0,
        lost: frozenset[int] = frozenset(),
        unlisted: Iterable[Resource] = (),
        policy_required: bool = False,
    ) -> None:
        self.server = ApiServer(virtual_clock.utcnow)
        self.server.listeners.append(lambda _: self._changed())
        self.plan = plan
        self.before: Callable[[Call], Awaitable[None]] = at_once  # awaited before a call takes effect, ...
        self.after: Callable[[Call], Awaitable[None]] = at_once  # ... and before it is answered
        self.workers = workers
        self.delay = delay  # seconds from a change to its event
        self.lag = lag  # later changes that an event waits for, though never longer than PATIENCE
        self.policy_required = policy_required
        self.lost = lost  # versions of events that no stream reports
        self.unlisted = set(unlisted)  # kinds whose streams show nothing until `list_late`
        self.calls: list[Call] = []
        self.writes: Counter[str] = Counter()  # those that changed something, by their word
        self.breaches: list[str] = []
        self.replicas: list[Replica] = []
        self.started = 0

    def start(self) -> "Replica":
        """Start a controller: it lists everything, and works."""
        replica = self.suspended_replica()
        replica.resume()
        return replica

    def suspended_replica(self) -> "Replica":
        """Return a controller that has listed everything and was suspended then."""
        replica = Replica(self, self.started)
        self.started += 1
        self.replicas.append(replica)
        replica.list()
        return replica

    async def settle(self, seconds: float = CALM) -> None:
        """Let time pass."""
        await asyncio.sleep(seconds)

    async def stop(self) -> None:
        """End every controller."""
        for replica in list(self.replicas):
            await replica.end()

    def serve(self, resource: Resource, *, yes: bool) -> None:
        """Serve a kind, or do so no more."""
        (self.server.unserved.discard if yes else self.server.unserved.add)(resource)
        for replica in self.replicas:
            if resource not in self.unlisted:
                replica.feeds[resource].list()

    def list_late(self) -> None:
        """Complete the lists that were missing."""
        self.unlisted.clear()
        for replica in self.replicas:
            replica.list()

    def relist(self) -> None:
        """Let every controller list everything and reconcile every request."""
        for replica in self.replicas:
            replica.list()
            for place in self.server.objects:
                if place.resource is REQUESTS:
                    replica.manager.queue.add(place.key)

    # What users see

    def request(self, name: str = "request") -> Object:
        """A request as it is."""
        return self._there(REQUESTS, name)

    def template(self, name: str = "golden") -> Object:
        """A template as it is."""
        return self._there(TEMPLATES, name)

    def templates(self) -> list[Object]:
        """All templates."""
        return self.all(TEMPLATES) + self.all(NATIVE)

    def all(self, resource: Resource) -> list[Object]:
        """All objects of a kind."""
        return [obj for place, obj in self.server.objects.items() if place.resource is resource]

    def _there(self, resource: Resource, name: str) -> Object:
        found = self.server.get(resource, ObjectKey(NAMESPACE, name))
        assert found is not None, f"there is no {resource.kind} {name}"
        return found

    # What controllers do

    def _changed(self) -> None:
        loop = asyncio.get_running_loop()
        for replica in self.replicas:
            loop.call_later(self.delay, replica.catch_up, self.lag)
            if self.lag:
                loop.call_later(self.delay + PATIENCE, replica.catch_up)

    def act(self, call: Call, path: str, **what: Any) -> Response:
        """Do what a call requests, and check the invariants."""
        version, before = self.server.version, self.server.objects.get(call.place)
        answer = self.server.answer(call.method, path, **what)
        if self.server.version != version:
            self.writes[call.word] += 1
            if broken := breach(call, before, self.server.objects.get(call.place), self.server):
                self.breaches.append(f"call {call.number}, {call.word} of {call.place.key}: it {broken}")
        return answer


class Replica:
    """A controller, from its start to its end. It is its own connection."""

    def __init__(self, world: World, number: int) -> None:
        self.world = world
        self.number = number
        self.clock = SimpleNamespace(skew=lambda: 0.0, now=virtual_clock.utcnow)
        self.suspended = True  # it hears of nothing, and does nothing
        self.in_flight: set[asyncio.Task[Any]] = set()  # calls, also of tasks that are not the manager's
        self.is_dead = False
        self.clock = ServerClock()  # of the client that it replaces
        self.manager = Manager(
            self,  # type: ignore[arg-type]
            Uncounted(),  # type: ignore[arg-type]
            workers=world.workers,
            random=Random(number),
            identity=f"replica-{number}",
            policy_required=world.policy_required,
            now=virtual_clock.utcnow,
        )
        templates = self.manager.streams.templates
        self.feeds = {
            REQUESTS: Feed(world.server, REQUESTS, self.manager.requests),
            VMS: Feed(world.server, VMS, self.manager.streams.vms[""], metadata_only=True),
            TEMPLATES: Feed(world.server, TEMPLATES, templates["openshift", ""], metadata_only=True, label=REFRESH),
            NATIVE: Feed(world.server, NATIVE, templates["native", ""], metadata_only=True, label=REFRESH),
        }
        for feed in self.feeds.values():
            feed.lost = world.lost

    def resume(self) -> None:
        """Begin to work on what is known; events come with the next change, or with `catch_up`."""
        self.suspended = False
        self.manager._start_workers()

    def list(self) -> None:
        """List everything."""
        for resource, feed in self.feeds.items():
            if resource not in self.world.unlisted:
                feed.list()

    def catch_up(self, lag: int = 0) -> None:
        """Hear of what has changed, but of the last `lag` changes."""
        if self in self.world.replicas and not self.suspended:
            for resource, feed in self.feeds.items():
                if resource not in self.world.unlisted:
                    feed.catch_up(lag)

    async def end(self) -> None:
        """Stop at once, with work in progress."""
        self.world.replicas.remove(self)
        self.manager.queue.close()
        for task in self.manager._tasks:
            task.cancel()
        await asyncio.gather(*self.manager._tasks, return_exceptions=True)
        assert not self.manager.unhealthy()

    async def _die(self) -> None:
        """Die within a call; another life begins."""
        loop = asyncio.get_running_loop()
        self.world.replicas.remove(self)
        self.manager.queue.close()
        for task in self.manager._tasks:
            task.cancel()
        self.is_dead = True
        for task in self.in_flight:
            loop.call_soon(task.cancel)
        loop.call_later(RESTART, self.world.start)
        await loop.create_future()

    async def call(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Response:
        """Make a call, with its fault. A process that has died makes none."""
        if self.is_dead:
            raise asyncio.CancelledError
        task = asyncio.current_task()
        assert task is not None
        self.in_flight.add(task)
        try:
            return await self._call(method, path, query=query, body=body, headers=headers)
        finally:
            self.in_flight.discard(task)

    async def _call(self, method: str, path: str, *, query: Any, body: bytes | None, headers: Any) -> Response:
        world = self.world
        resource, key, sub = parsed(path)
        assert resource is not None, path
        call = call_of(
            len(world.calls),
            self.number,
            method,
            Place(resource, key),
            sub,
            cached="resourceVersion" in (query or {}),
            body=body,
        )
        world.calls.append(call)
        fault = world.plan(call)
        await asyncio.sleep(LATENCY)
        await world.before(call)
        if fault and fault.dies and not fault.acts:
            await self._die()
        answer = None
        if fault is None or fault.acts:
            answer = world.act(call, path, query=query, body=body, headers=headers)
        await world.after(call)
        await asyncio.sleep(LATENCY)
        if fault and fault.dies:
            await self._die()
        if fault is None:
            assert answer is not None
            return answer
        if fault.name in ("timeout", "lost late"):
            await asyncio.sleep(TIMEOUT)
        return fault.answer(call)


class Uncounted:
    """Metrics that are not read."""

    def __getattr__(self, _: str) -> Any:
        return self

    def __call__(self, *_: Any, **__: Any) -> None:
        pass
