"""Leader election: the replica that holds the Lease works. coordination.k8s.io/v1.

This is safe with any clocks, because each replica only counts seconds of its own clock. A replica that wants the lease
waits LEASE_DURATION_SECONDS after it saw the last renewal. The holder stops RENEW_DEADLINE_SECONDS after it *began* to
write that renewal. The holder has therefore stopped before another replica can acquire the lease, also if it was
suspended (SIGSTOP). Every write names the resourceVersion that was read, so one of two concurrent writes gets a 409.

Edits by users do not change this. If a user empties, shortens or deletes the lease, other replicas wait as if the
holder had just renewed it. One exception: a replica that has just started creates a missing lease at once. If a user
deletes the lease at that moment, two replicas lead until the holder's next renewal or its deadline.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from random import Random
from typing import Any

import orjson

from atmpl.controller.cluster import ClusterError, ConflictError, UnavailableError
from atmpl.kube.client import FIELD_MANAGER, KubeClient
from atmpl.kube.failure_log import FailureLog
from atmpl.kube.response import Response, error_from

NAME = "atmpl-controller"  # of the lease; config/rbac allows no other
LEASE_DURATION_SECONDS = 15  # without a renewal the lease expires after this
RENEW_DEADLINE_SECONDS = 10.0  # the holder stops so long after the last renewal began
RETRY_PERIOD_SECONDS = 2.0  # between two renewals, or two attempts to acquire
CONFLICT_RETRY_SECONDS = 0.1  # until the next renewal if the lease was edited again
MIN_SLEEP_SECONDS = 0.001  # shorter sleeps would never reach the deadline with a slow clock
CALL_TIMEOUT_SECONDS = 3.0  # of one renewal or attempt, so that one hanging connection does not use up the deadline
RELEASED_DURATION_SECONDS = 1  # leaseDurationSeconds of a released lease; 0 is not valid
RELEASED_ACQUIRE_TIME = "1970-01-01T00:00:00.000000Z"  # marks a released lease: no user writes it by accident
MAX_EXPIRY_SECONDS = 300.0  # a lease expires after this at the latest, also if its duration is longer
MAX_TRANSITIONS = 2**31 - 1
MAX_IDENTITY_CHARACTERS = 100  # it is part of a field manager's name, which can have 128
MANAGER = FIELD_MANAGER  # of our writes


log = logging.getLogger(__name__)


def seconds() -> float:
    """Return monotonic seconds. They include the time of a suspended machine if the system has such a clock."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


@dataclass(frozen=True, slots=True)
class _Record:
    """A lease, as read from the API server."""

    version: str  # resourceVersion
    holder: str  # empty: no holder
    duration: float  # seconds
    transitions: int
    is_released: bool = False

    @property
    def expires_after(self) -> float:
        """After how many seconds without a change the lease has expired."""
        if self.is_released:
            return 0.0
        return min(max(self.duration, LEASE_DURATION_SECONDS), MAX_EXPIRY_SECONDS)


_DELETED = _Record(version="", holder="", duration=LEASE_DURATION_SECONDS, transitions=0)  # a lease that existed before


class LeaderElector:
    """One replica's view of the lease: `acquire`, then `renew_until_lost`, at the end `release`."""

    def __init__(
        self,
        client: KubeClient,
        namespace: str,
        identity: str,
        *,
        random: Random,
        now: Callable[[], float] = seconds,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        utc: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._client = client
        self._path = f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases/{NAME}"
        self._identity = _short(identity)
        self._random = random
        self._now = now
        self._sleep = sleep
        self._utc = utc
        self._seen: _Record | None = None
        self._seen_at = 0.0  # when `_seen` last changed
        self._until = -1.0  # the end of our lease
        self._failure_log = FailureLog(log, "lease update", now=now)
        self.problem = ""  # why the lease cannot be read or written now

    @property
    def is_held(self) -> bool:
        """Return True if this replica holds the lease, and no other replica can hold it now."""
        return self._now() < self._until

    async def acquire(self) -> None:
        """Wait until this replica holds the lease. Retries without a limit, also while the API server is down."""
        logged = ""
        while not await self._try_to_acquire():
            holder = self._seen.holder if self._seen else ""
            if holder not in {logged, self._identity}:
                log.info("waiting for the lease", extra={"holder": holder})
                logged = holder
            await self._sleep(RETRY_PERIOD_SECONDS * self._random.uniform(0.8, 1.0))

    async def renew_until_lost(self) -> None:
        """Renew the lease until it is lost."""
        pause = RETRY_PERIOD_SECONDS
        while True:
            await self._sleep(min(pause, max(MIN_SLEEP_SECONDS, self._until - self._now())))
            if not self.is_held:
                return
            pause, before = RETRY_PERIOD_SECONDS, pause
            try:
                async with asyncio.timeout(min(CALL_TIMEOUT_SECONDS, self._until - self._now())):
                    await self._renew()
            except ConflictError as error:
                is_ours = await self._is_still_ours()
                if is_ours is False:
                    self._set_problem(f"another replica holds the lease: {error}")
                    self._until = -1.0
                    return
                if is_ours:
                    pause = CONFLICT_RETRY_SECONDS if before == 0 else 0.0
            except (ClusterError, TimeoutError) as error:
                self._set_problem(str(error) or "no response in time")

    async def _is_still_ours(self) -> bool | None:
        """Read the lease after a conflict. It is still ours if only the response to the last renewal was lost.

        None if the lease cannot be read: the deadline decides.
        """
        try:
            async with asyncio.timeout(min(CALL_TIMEOUT_SECONDS, max(0.0, self._until - self._now()))):
                record = await self._read()
        except (ClusterError, TimeoutError):
            return None
        if record is None or record.holder != self._identity:
            return False
        self._seen, self._seen_at = record, self._now()
        return True

    def _set_problem(self, problem: str) -> None:
        """Record why the lease cannot be read or written."""
        self.problem = problem
        self._failure_log.failed({"why": problem})

    def _clear_problem(self) -> None:
        """Record that the lease was read or written."""
        self.problem = ""
        self._failure_log.recovered({})

    async def release(self) -> None:
        """Release the lease, so that another replica does not wait for its end. Raises nothing."""
        if not self.is_held or self._seen is None:
            return
        self._until = -1.0
        try:
            async with asyncio.timeout(1):
                try:
                    await self._write_release(self._seen)
                except ConflictError:  # for example by our own renewal, which was cancelled but written
                    record = await self._read()
                    if record is not None and record.holder == self._identity:
                        await self._write_release(record)
        except (ClusterError, TimeoutError):
            pass  # the lease expires

    async def _write_release(self, record: _Record) -> None:
        spec = {
            "holderIdentity": "",
            "leaseDurationSeconds": RELEASED_DURATION_SECONDS,
            "acquireTime": RELEASED_ACQUIRE_TIME,
            "renewTime": self._time(),
        }
        response = await self._patch(record.version, spec)
        if not response.ok:
            raise error_from(response)

    async def _try_to_acquire(self) -> bool:
        started_at = self._now()
        try:
            async with asyncio.timeout(CALL_TIMEOUT_SECONDS):
                record = await self._read()
                if record is None and self._seen is None:
                    await self._create(started_at)
                elif record is not None and record.holder == self._identity:
                    await self._claim(record, started_at)
                elif self._is_expired(record or _DELETED):
                    await (self._claim(record, started_at) if record else self._create(started_at))
        except ConflictError:
            return False  # another replica was faster
        except (ClusterError, TimeoutError) as error:
            self._set_problem(str(error) or "no response in time")
            return False
        self._clear_problem()
        return self.is_held

    def _is_expired(self, record: _Record) -> bool:
        """Return True if the lease was released, or did not change for its duration while this replica watched."""
        if self._seen is None or self._seen.version != record.version:
            self._seen, self._seen_at = record, self._now()
        return self._now() - self._seen_at >= record.expires_after

    async def _read(self) -> _Record | None:
        response = await self._client.call("GET", self._path)
        if not response.ok:
            error = error_from(response)
            if response.status == 404 and isinstance(error, ConflictError):
                return None
            raise error
        return _record(response)

    async def _create(self, started_at: float) -> None:
        # RBAC cannot limit a POST to a name, but it can limit a server-side apply. Of two applies, the second one
        # conflicts with the fields of the first.
        now = self._time()
        body = {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": {"name": NAME},
            "spec": {**self._ours(now), "acquireTime": now, "leaseTransitions": 0},
        }
        response = await self._client.call(
            "PATCH",
            self._path,
            query={"fieldManager": f"{MANAGER}-{self._identity}", "force": "false"},
            body=orjson.dumps(body),
            headers={"Content-Type": "application/apply-patch+yaml"},
        )
        self._written(response, started_at)

    async def _claim(self, record: _Record, started_at: float) -> None:
        now = self._time()
        spec = self._ours(now)
        if record.holder != self._identity:
            spec |= {"acquireTime": now, "leaseTransitions": min(record.transitions + 1, MAX_TRANSITIONS)}
        self._written(await self._patch(record.version, spec), started_at)

    async def _renew(self) -> None:
        started_at = self._now()
        assert self._seen is not None, "acquire() comes before renewals"
        self._written(await self._patch(self._seen.version, self._ours(self._time())), started_at)
        self._clear_problem()

    async def _patch(self, version: str, spec: dict[str, Any]) -> Response:
        return await self._client.call(
            "PATCH",
            self._path,
            query={"fieldManager": MANAGER},
            body=orjson.dumps({"metadata": {"resourceVersion": version}, "spec": spec}),
            headers={"Content-Type": "application/merge-patch+json"},
        )

    def _written(self, response: Response, started_at: float) -> None:
        if not response.ok:
            raise error_from(response)
        self._seen, self._seen_at = _record(response), self._now()
        self._until = started_at + RENEW_DEADLINE_SECONDS

    def _ours(self, now: str) -> dict[str, Any]:
        return {"holderIdentity": self._identity, "leaseDurationSeconds": LEASE_DURATION_SECONDS, "renewTime": now}

    def _time(self) -> str:
        return self._utc().strftime("%Y-%m-%dT%H:%M:%S.%fZ")  # a MicroTime


def _short(identity: str) -> str:
    """Return an identity of at most MAX_IDENTITY_CHARACTERS characters. Different identities stay different."""
    if len(identity) <= MAX_IDENTITY_CHARACTERS:
        return identity
    return f"{identity[: MAX_IDENTITY_CHARACTERS - 17]}-{sha256(identity.encode()).hexdigest()[:16]}"


def _record(response: Response) -> _Record:
    lease = response.json()
    metadata, spec = lease.get("metadata"), lease.get("spec") or {}
    version = metadata.get("resourceVersion") if isinstance(metadata, dict) else None
    if not isinstance(spec, dict) or not isinstance(version, str):
        raise UnavailableError("the lease in the response has no metadata")
    holder, duration, transitions = (
        spec.get(field) for field in ("holderIdentity", "leaseDurationSeconds", "leaseTransitions")
    )
    return _Record(
        version=version,
        holder=holder if isinstance(holder, str) else "",
        duration=float(duration) if isinstance(duration, int) and duration > 0 else float(LEASE_DURATION_SECONDS),
        transitions=transitions if isinstance(transitions, int) else 0,
        is_released=not holder and spec.get("acquireTime") == RELEASED_ACQUIRE_TIME,
    )
