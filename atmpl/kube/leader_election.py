"""The lease: of several replicas, the one that holds it works. coordination.k8s.io/v1.

Safe without trusting anybody's clock. Whoever wants the lease waits `DURATION` from when it saw the last renewal, by
its own clock, which only counts seconds; the holder, whose renewal was written before that, stops `DEADLINE` after it
*began* to write it. So the holder has stopped before the lease can be another's, also where it was stopped (SIGSTOP).
Every write names the version that it was judged by: of two that try at once, one gets a 409.

What a person does to the lease changes none of this: where they empty, shorten or delete it, others wait as long as if
the holder had just renewed it. Only a replica that has just started takes a lease that is not there for one that never
was: whoever deletes it at that moment has two leaders until the holder's next renewal, or its deadline.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from hashlib import sha256
from random import Random
from typing import Any, NamedTuple

import orjson

from atmpl.controller.cluster import ClusterError, ConflictError, UnavailableError
from atmpl.kube.client import KubeClient
from atmpl.kube.failure_log import FailureLog
from atmpl.kube.response import Response, error_from

NAME = "atmpl-controller"  # of the lease; config/rbac allows no other
DURATION = 15  # seconds without a renewal after which the lease is anybody's
DEADLINE = 10.0  # seconds from one renewal within which the next must be written
RETRY = 2.0  # seconds between two renewals, or two tries to get it
SOON = 0.1  # seconds until the next renewal where somebody edits the lease all the time
TICK = 0.001  # seconds of the shortest sleep before the deadline: a slow clock would come ever nearer, and never there
TRY = 3.0  # seconds that one renewal, or one try, may take: a connection that hangs is not to use up the deadline
RELEASED = 1  # leaseDurationSeconds of a lease that its holder let go, by which older versions know it; 0 is not legal
NEVER = "1970-01-01T00:00:00.000000Z"  # its acquireTime, by which it is known: no person's edits come to that by chance
LONGEST = 300.0  # seconds that are waited for a lease, whatever stands in it
MOST_TRANSITIONS = 2**31 - 1
IDENTITY_LIMIT = 100  # characters; it is part of a field manager's name, which may have 128
MANAGER = "atmpl"  # the field manager of our writes


log = logging.getLogger(__name__)


def seconds() -> float:
    """Return the seconds since some moment; where the system counts them, also those of a suspended machine."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


class _Record(NamedTuple):
    """A lease as it was read."""

    version: str  # resourceVersion
    holder: str  # nobody where empty
    duration: float  # seconds
    transitions: int
    is_released: bool = False

    @property
    def expires_after(self) -> float:
        """For how many seconds it must not change before it is anybody's."""
        if self.is_released:
            return 0.0
        return min(max(self.duration, DURATION), LONGEST)


_DELETED = _Record(version="", holder="", duration=DURATION, transitions=0)  # once a lease has been seen


class LeaderElector:
    """One replica's view of the lease. `acquire`, then `hold`, which returns when it is lost; at the end `release`."""

    def __init__(
        self,
        connection: KubeClient,
        namespace: str,
        identity: str,
        *,
        random: Random,
        now: Callable[[], float] = seconds,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        utc: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._connection = connection
        self._path = f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases/{NAME}"
        self._identity = _short(identity)
        self._random = random
        self._now = now
        self._sleep = sleep
        self._utc = utc
        self._seen: _Record | None = None
        self._seen_at = 0.0  # when `_seen` last changed, by our clock
        self._until = -1.0  # until when the lease is ours, by our clock
        self._failure_log = FailureLog(log, "lease update", now=now)
        self.problem = ""  # why the lease cannot be read or written now

    @property
    def is_held(self) -> bool:
        """Whether the lease is ours now: true only while nobody else can have it."""
        return self._now() < self._until

    async def acquire(self) -> None:
        """Wait until the lease is ours. Tries for as long as it takes, also while the server is away."""
        told = ""
        while not await self._try():
            holder = self._seen.holder if self._seen else ""
            if holder not in {told, self._identity}:
                log.info("standing by", extra={"holder": holder})
                told = holder
            await self._sleep(RETRY * self._random.uniform(0.8, 1.0))

    async def renew_until_lost(self) -> None:
        """Renew the lease for as long as that works; return when it is lost."""
        pause = RETRY
        while True:
            await self._sleep(min(pause, max(TICK, self._until - self._now())))
            if not self.is_held:
                return
            pause, before = RETRY, pause
            try:
                async with asyncio.timeout(min(TRY, self._until - self._now())):
                    await self._renew()
            except ConflictError as error:
                ours = await self._is_still_ours()
                if ours is False:
                    self._trouble(f"another replica has it: {error}")
                    self._until = -1.0
                    return
                if ours:
                    pause = SOON if before == 0 else 0.0
            except (ClusterError, TimeoutError) as error:
                self._trouble(str(error) or "no answer in time")

    async def _is_still_ours(self) -> bool | None:
        """Read again what a renewal found changed: it was ours where only the answer to the last one was lost.

        None where that cannot be known: the deadline decides.
        """
        try:
            async with asyncio.timeout(min(TRY, max(0.0, self._until - self._now()))):
                record = await self._read()
        except (ClusterError, TimeoutError):
            return None
        if record is None or record.holder != self._identity:
            return False
        self._seen, self._seen_at = record, self._now()
        return True

    def _trouble(self, problem: str) -> None:
        """Record why the lease cannot be read or written."""
        self.problem = problem
        self._failure_log.failed({"why": problem})

    def _works(self) -> None:
        """Record that the lease was read or written."""
        self.problem = ""
        self._failure_log.recovered({})

    async def release(self) -> None:
        """Let the lease go, so that another replica need not wait for its end. Does what it can, and raises nothing."""
        if not self.is_held or self._seen is None:
            return
        self._until = -1.0
        try:
            async with asyncio.timeout(1):
                try:
                    await self._let_go(self._seen)
                except ConflictError:  # by a renewal of ours that was broken off and yet written, say
                    record = await self._read()
                    if record is not None and record.holder == self._identity:
                        await self._let_go(record)
        except (ClusterError, TimeoutError):
            pass  # it ends by itself

    async def _let_go(self, record: _Record) -> None:
        spec = {
            "holderIdentity": "",
            "leaseDurationSeconds": RELEASED,
            "acquireTime": NEVER,
            "renewTime": self._time(),
        }
        answer = await self._patch(record.version, spec)
        if not answer.ok:
            raise error_from(answer)

    async def _try(self) -> bool:
        began = self._now()
        try:
            async with asyncio.timeout(TRY):
                record = await self._read()
                if record is None and self._seen is None:
                    await self._create(began)
                elif record is not None and record.holder == self._identity:
                    await self._claim(record, began)
                elif self._is_expired(record or _DELETED):
                    await (self._claim(record, began) if record else self._create(began))
        except ConflictError:
            return False  # another replica was quicker
        except (ClusterError, TimeoutError) as error:
            self._trouble(str(error) or "no answer in time")
            return False
        self._works()
        return self.is_held

    def _is_expired(self, record: _Record) -> bool:
        """Whether the lease was let go, or has rested for long enough, as far as we have seen ourselves."""
        if self._seen is None or self._seen.version != record.version:
            self._seen, self._seen_at = record, self._now()
        return self._now() - self._seen_at >= record.expires_after

    async def _read(self) -> _Record | None:
        answer = await self._connection.call("GET", self._path)
        if not answer.ok:
            error = error_from(answer)
            if answer.status == 404 and isinstance(error, ConflictError):
                return None
            raise error
        return _record(answer)

    async def _create(self, began: float) -> None:
        # A POST cannot be limited to a name by RBAC; the first apply can. Of two, the second meets the first one's
        # fields: a conflict.
        now = self._time()
        body = {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": {"name": NAME},
            "spec": {**self._ours(now), "acquireTime": now, "leaseTransitions": 0},
        }
        answer = await self._connection.call(
            "PATCH",
            self._path,
            query={"fieldManager": f"{MANAGER}-{self._identity}", "force": "false"},
            body=orjson.dumps(body),
            headers={"Content-Type": "application/apply-patch+yaml"},
        )
        self._written(answer, began)

    async def _claim(self, record: _Record, began: float) -> None:
        now = self._time()
        spec = self._ours(now)
        if record.holder != self._identity:
            spec |= {"acquireTime": now, "leaseTransitions": min(record.transitions + 1, MOST_TRANSITIONS)}
        self._written(await self._patch(record.version, spec), began)

    async def _renew(self) -> None:
        began = self._now()
        assert self._seen is not None, "only what is held is renewed"
        self._written(await self._patch(self._seen.version, self._ours(self._time())), began)
        self._works()

    async def _patch(self, version: str, spec: dict[str, Any]) -> Response:
        return await self._connection.call(
            "PATCH",
            self._path,
            query={"fieldManager": MANAGER},
            body=orjson.dumps({"metadata": {"resourceVersion": version}, "spec": spec}),
            headers={"Content-Type": "application/merge-patch+json"},
        )

    def _written(self, answer: Response, began: float) -> None:
        if not answer.ok:
            raise error_from(answer)
        self._seen, self._seen_at = _record(answer), self._now()
        self._until = began + DEADLINE

    def _ours(self, now: str) -> dict[str, Any]:
        return {"holderIdentity": self._identity, "leaseDurationSeconds": DURATION, "renewTime": now}

    def _time(self) -> str:
        return self._utc().strftime("%Y-%m-%dT%H:%M:%S.%fZ")  # a MicroTime


def _short(identity: str) -> str:
    """Return an identity that fits: of names that only differ at their end, so do the short ones."""
    if len(identity) <= IDENTITY_LIMIT:
        return identity
    return f"{identity[: IDENTITY_LIMIT - 17]}-{sha256(identity.encode()).hexdigest()[:16]}"


def _record(answer: Response) -> _Record:
    found = answer.json()
    metadata, spec = found.get("metadata"), found.get("spec") or {}
    version = metadata.get("resourceVersion") if isinstance(metadata, dict) else None
    if not isinstance(spec, dict) or not isinstance(version, str):
        raise UnavailableError("a lease without metadata")
    holder, duration, transitions = (
        spec.get(field) for field in ("holderIdentity", "leaseDurationSeconds", "leaseTransitions")
    )
    return _Record(
        version=version,
        holder=holder if isinstance(holder, str) else "",
        duration=float(duration) if isinstance(duration, int) and duration > 0 else float(DURATION),
        transitions=transitions if isinstance(transitions, int) else 0,
        is_released=not holder and spec.get("acquireTime") == NEVER,
    )
