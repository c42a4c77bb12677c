"""Two replicas and one lease: in any order of events and with any edits by users, one leads at a time."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from atmpl.kube.leader_election import LEASE_DURATION_SECONDS, RELEASED_ACQUIRE_TIME, RETRY_PERIOD_SECONDS
from tests.support import virtual_clock
from tests.support.lease_api import FAULTS, Fault, LeaseApi, lost, slow, status_response, unsent, well
from tests.support.lease_replica import EDITS, Replica, until, watched
from tests.support.virtual_clock import virtual

YEARS = 3 * 365 * 86400.0  # seconds


@pytest.mark.parametrize("edit", EDITS.values(), ids=EDITS)
def test_user_edits_never_cause_two_leaders(
    edit: Callable[[LeaseApi], None],
) -> None:
    async def test() -> None:
        api = LeaseApi()
        one, two = replicas = watched(Replica(api, "one"), Replica(api, "two"))
        one.start()
        await until(lambda: one.leads, 1)
        two.start()
        await asyncio.sleep(5.5)
        edit(api)
        await asyncio.sleep(45)
        assert one.leads != two.leads
        for replica in replicas:
            assert replica.overlaps == []
            await replica.stop()

    virtual_clock.run(test())


@virtual
async def test_constant_edits_do_not_stop_renewals() -> None:
    api = LeaseApi()
    one = Replica(api, "one").start()
    await until(lambda: one.leads, 1)
    for _ in range(600):
        await asyncio.sleep(0.1)
        api.edit()
    assert one.lost == []
    await one.stop()


# A process that has just started takes a lease that is not there for one that never was: who deletes it while its holder's
# calls hang takes that holder's word away for up to ten seconds. A wrong 404 does so too, of an emptied lease.
KINDS = st.sampled_from([well, well, *(fault for name, fault in FAULTS.items() if name != "404")])
LATENCY = st.builds(slow, st.floats(0, 4), st.floats(0, 4))
WAYS = st.lists(KINDS | LATENCY, max_size=40)
MOVES = st.one_of(
    st.tuples(st.just("edit"), st.sampled_from([name for name in EDITS if name != "deleted"])),
    st.tuples(st.just("stop"), st.sampled_from([0, 1]), st.floats(1, 40)),
    st.tuples(st.just("restart"), st.sampled_from([0, 1])),
    st.tuples(st.just("leave"), st.sampled_from([0, 1])),
)
SCHEDULES = st.lists(st.tuples(st.floats(0.01, 12), MOVES), max_size=12)


@settings(max_examples=30, deadline=None)
@given(ways=st.tuples(WAYS, WAYS), schedule=SCHEDULES, rates=st.tuples(st.floats(0.98, 1.02), st.floats(0.98, 1.02)))
@example(  # an apply would overwrite another manager's fields
    ways=([], [FAULTS["404"], slow(1.5, 0.0)]), schedule=[(1.0, ("stop", 0, 1.0))], rates=(1.0, 1.0)
)
@example(  # a user's edit that looks like a released lease, except for its acquireTime
    ways=([], []), schedule=[(1.0, ("edit", "a short duration")), (0.5, ("edit", "no holder"))], rates=(1.0, 1.0)
)
def test_no_schedule_has_two_leaders(
    ways: tuple[list[Fault], list[Fault]], schedule: list[tuple[float, tuple[Any, ...]]], rates: tuple[float, float]
) -> None:
    async def test() -> None:
        api = LeaseApi()
        api.write({"holderIdentity": "", "acquireTime": RELEASED_ACQUIRE_TIME})
        replicas = watched(
            Replica(api, "one", *ways[0], rate=rates[0]), Replica(api, "two", *ways[1], started_at=YEARS, rate=rates[1])
        )
        for replica in replicas:
            replica.start()
        for pause, (move, *args) in schedule:
            await asyncio.sleep(pause)
            await _moved(api, replicas, move, args)
        await asyncio.sleep(max(0.0, *(replica.stopped_until - virtual_clock.now() for replica in replicas)))
        for replica in replicas:
            replica.way.faults.clear()
        await until(
            lambda: any(replica.leads for replica in replicas),
            40 + LEASE_DURATION_SECONDS + 2 * RETRY_PERIOD_SECONDS,
            step=1,
        )
        for replica in replicas:
            assert replica.overlaps == []
            assert not replica._task.done()
            await replica.stop()

    async def _moved(api: LeaseApi, replicas: tuple[Replica, ...], move: str, args: list[Any]) -> None:
        match move, args:
            case "edit", [name]:
                EDITS[name](api)
            case "stop", [place, seconds]:
                replicas[place].stopped_until = virtual_clock.now() + seconds
            case "restart", [place]:
                await replicas[place].kill()
                replicas[place].start()
            case "leave", [place]:
                await replicas[place].stop()
                replicas[place].start()

    virtual_clock.run(test())


def test_two_leaders_would_be_detected(monkeypatch: pytest.MonkeyPatch) -> None:
    async def test() -> None:
        api = LeaseApi()
        one, two = watched(Replica(api, "one"), Replica(api, "two"))
        one.start()
        await until(lambda: one.leads, 1)
        two.start()
        one.way.faults = [unsent] * 10
        await until(lambda: bool(one.overlaps), 10)
        await one.kill()
        await two.kill()

    monkeypatch.setattr("atmpl.kube.leader_election.LEASE_DURATION_SECONDS", 1)
    virtual_clock.run(test())


@virtual
async def test_lost_response_to_the_first_write_is_recovered() -> None:
    api = LeaseApi()
    one = Replica(api, "one", well, lost).start()
    await until(lambda: one.leads, RETRY_PERIOD_SECONDS + 1)
    assert set(api.history) == {"one"}
    await one.stop()


@virtual
async def test_two_starting_replicas_have_one_leader() -> None:
    for begins in (0.0, 0.005, 0.01, 0.015):
        api = LeaseApi()
        one, two = Replica(api, "one").start(), Replica(api, "two")
        await asyncio.sleep(begins)
        two.start()
        await asyncio.sleep(30)
        assert (one.leads, two.leads) == (True, False)
        await one.stop()
        await two.stop()


def test_plain_404_is_not_a_missing_lease() -> None:
    assert status_response(404).body == b"404 page not found\n"
