"""Replicas that take turns by a lease in memory, under the virtual clock."""

import asyncio
from collections.abc import Callable
from random import Random

from atmpl.kube.leader_election import LeaderElector
from atmpl.kube.response import Response
from tests.support import virtual_clock
from tests.support.lease_api import Fault, FaultyClient, LeaseApi


class Replica:
    """A process that works while it leads, as manager.py has it."""

    def __init__(self, api: LeaseApi, name: str, *faults: Fault, started_at: float = 0.0, rate: float = 1.0) -> None:
        self.way = FaultyClient(api, *faults)
        self.lease = LeaderElector(
            self.way,  # type: ignore[arg-type] # as much of a connection as a lease uses
            "ns",
            name,
            random=Random(1),
            now=lambda: started_at + virtual_clock.now() * rate,  # its own clock, which can be fast or slow
            sleep=self._sleep,
            utc=virtual_clock.utcnow,
        )
        self.stopped_until = 0.0  # SIGSTOP: it does nothing before that
        self.led: list[float] = []  # when it began to lead
        self.lost: list[float] = []  # when it knew that it no longer does
        self.overlaps: list[float] = []  # when another led as well; see `watched`
        self._task: asyncio.Task[None]

    async def _sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
        await asyncio.sleep(max(0.0, self.stopped_until - virtual_clock.now()))

    async def _run(self) -> None:
        while True:
            await self.lease.acquire()
            self.led.append(virtual_clock.now())
            await self.lease.renew_until_lost()
            self.lost.append(virtual_clock.now())

    def start(self) -> "Replica":
        self._task = asyncio.create_task(self._run())
        return self

    async def kill(self) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def stop(self) -> None:
        await self.kill()
        await self.lease.release()

    @property
    def leads(self) -> bool:
        return self.lease.is_held


async def until(condition: Callable[[], bool], within: float, step: float = 0.05) -> float:
    """Wait; return for how long."""
    began = virtual_clock.now()
    while not condition():
        assert virtual_clock.now() - began < within, f"not within {within} s"
        await asyncio.sleep(min(step, within / 10))
    return virtual_clock.now() - began


EDITS: dict[str, Callable[[LeaseApi], None]] = {
    "an annotation": lambda api: api.edit(),
    "another holder": lambda api: api.edit(holderIdentity="another"),
    "no holder": lambda api: api.edit(holderIdentity=""),
    "no holder at all": lambda api: api.edit(holderIdentity=None),
    "a short duration": lambda api: api.edit(leaseDurationSeconds=1),
    "a time long past": lambda api: api.edit(renewTime="1970-01-01T00:00:00.000000Z"),
    "a time to come": lambda api: api.edit(renewTime="2999-01-01T00:00:00.000000Z"),
    "no spec": lambda api: api.write({}),
    "deleted": lambda api: api.write(None),
}


class Watched(LeaderElector):
    """Reports when the lease is acquired or renewed."""

    met: Callable[[], None]

    def _written(self, answer: Response, began: float) -> None:
        super()._written(answer, began)
        self.met()


def watched(*replicas: Replica) -> tuple[Replica, ...]:
    """See to it that no two of them ever lead at one moment: who leads does so from a write of its own on."""
    overlaps: list[float] = []

    def met() -> None:
        if sum(replica.leads for replica in replicas) > 1:
            overlaps.append(virtual_clock.now())

    for replica in replicas:
        replica.overlaps = overlaps
        replica.lease.__class__ = Watched
        replica.lease.met = met  # type: ignore[attr-defined]
    return replicas
