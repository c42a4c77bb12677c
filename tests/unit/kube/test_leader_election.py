"""Leader election under the virtual clock: with any fault of a call, a clock or the lease, one leads at a time."""

import asyncio
import logging
from typing import Any

import pytest

from atmpl.kube.leader_election import LEASE_DURATION_SECONDS, RENEW_DEADLINE_SECONDS, RETRY_PERIOD_SECONDS
from tests.support import virtual_clock
from tests.support.lease_api import FAULTS, Fault, LeaseApi, hangs, slow, unsent, well
from tests.support.lease_replica import Replica, until
from tests.support.virtual_clock import virtual

MICROTIME = "%Y-%m-%dT%H:%M:%S.%fZ"


# --- the usual


@virtual
async def test_first_replica_leads_and_renews() -> None:
    api = LeaseApi()
    one = Replica(api, "one").start()
    await until(lambda: one.leads, 0.1)
    assert api.spec is not None
    assert api.spec == {
        "holderIdentity": "one",
        "leaseDurationSeconds": 15,
        "acquireTime": api.spec["acquireTime"],
        "renewTime": api.spec["acquireTime"],
        "leaseTransitions": 0,
    }
    await asyncio.sleep(60)
    assert 28 <= len(api.history) <= 31
    assert api.spec["renewTime"] > api.spec["acquireTime"]
    await one.stop()


@virtual
async def test_takeover_after_release_within_3_seconds() -> None:
    api = LeaseApi()
    one, two = Replica(api, "one").start(), Replica(api, "two")
    await until(lambda: one.leads, 1)
    two.start()
    await asyncio.sleep(100)
    assert not two.leads
    await one.stop()
    assert not one.leads
    assert await until(lambda: two.leads, 3) > 0
    assert api.spec is not None
    assert (api.spec["holderIdentity"], api.spec["leaseTransitions"]) == ("two", 1)
    await two.stop()


@virtual
async def test_takeover_after_kill_waits_for_expiry() -> None:
    api = LeaseApi()
    one, two = Replica(api, "one").start(), Replica(api, "two")
    await until(lambda: one.leads, 1)
    two.start()
    await asyncio.sleep(100)
    await one.kill()
    assert await until(lambda: two.leads, 20) > RENEW_DEADLINE_SECONDS
    await two.stop()


@virtual
async def test_restarted_container_keeps_its_lease() -> None:
    api = LeaseApi()
    before = Replica(api, "pod").start()
    await asyncio.sleep(10)
    await before.kill()
    acquired = (api.spec or {})["acquireTime"]
    again = Replica(api, "pod").start()
    await until(lambda: again.leads, 0.1)
    assert ((api.spec or {})["acquireTime"], (api.spec or {})["leaseTransitions"]) == (acquired, 0)
    await again.stop()


def test_long_identities_stay_distinct() -> None:
    async def identity(name: str) -> str:
        return Replica(LeaseApi(), name).lease._identity

    long = ["x" * 200 + end for end in "ab"]
    first, second = (virtual_clock.run(identity(name)) for name in long)
    assert first != second
    assert (len(first), len(second)) == (100, 100)
    assert virtual_clock.run(identity("x" * 100)) == "x" * 100


@virtual
async def test_release_during_own_renewal_succeeds() -> None:
    api = LeaseApi()
    one, two = Replica(api, "one").start(), Replica(api, "two")
    await until(lambda: one.leads, 1)
    two.start()
    one.way.faults = [slow(0.0, 1.0)]  # the next renewal is written, but its response is lost
    await until(lambda: len(api.history) == 2, 5)
    await one.stop()
    await until(lambda: two.leads, 3)
    await two.stop()


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_release_is_bounded_and_never_raises(fault: Fault) -> None:
    async def test() -> None:
        api = LeaseApi()
        one = Replica(api, "one").start()
        await until(lambda: one.leads, 1)
        await one.kill()
        one.way.faults = [fault]
        began = virtual_clock.now()
        await one.lease.release()
        assert virtual_clock.now() - began <= 1
        assert not one.leads

    virtual_clock.run(test())


@virtual
async def test_standby_releases_nothing() -> None:
    api = LeaseApi()
    one, two = Replica(api, "one").start(), Replica(api, "two")
    await until(lambda: one.leads, 1)
    two.start()
    await asyncio.sleep(5)
    await two.stop()
    assert set(api.history) == {"one"}
    await one.stop()


# --- each call, and each fault


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
@pytest.mark.parametrize("call", range(3))
def test_acquire_survives_any_fault(fault: Fault, call: int) -> None:
    async def test() -> None:
        one = Replica(LeaseApi(), "one", *[well] * call, fault).start()
        await until(lambda: one.leads, LEASE_DURATION_SECONDS + 3 * RETRY_PERIOD_SECONDS + 4)
        await asyncio.sleep(30)
        assert one.leads
        await one.stop()

    virtual_clock.run(test())


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_leader_survives_one_failed_renewal(fault: Fault) -> None:
    async def test() -> None:
        one = Replica(LeaseApi(), "one").start()
        await until(lambda: one.leads, 1)
        one.way.faults = [fault]
        await asyncio.sleep(60)
        assert (one.lost, len(one.led)) == ([], 1)
        assert one.lease.problem == ""
        await one.stop()

    virtual_clock.run(test())


NEVER = {name: fault for name, fault in FAULTS.items() if not name.startswith(("slow to", "409"))}


@pytest.mark.parametrize("fault", NEVER.values(), ids=NEVER)
def test_leader_stops_at_the_renew_deadline(fault: Fault, caplog: pytest.LogCaptureFixture) -> None:
    async def test() -> None:
        one = Replica(LeaseApi(), "one").start()
        await until(lambda: one.leads, 1)
        began = virtual_clock.now()
        one.way.faults = [fault] * 1000
        await until(lambda: bool(one.lost), RENEW_DEADLINE_SECONDS + 0.1)
        assert not one.leads
        assert virtual_clock.now() - began <= RENEW_DEADLINE_SECONDS + 0.02
        assert "lease update failed" in caplog.messages  # and why
        await one.kill()

    virtual_clock.run(test())


@virtual
async def test_deadline_counts_from_the_start_of_a_renewal() -> None:
    one = Replica(LeaseApi(), "one").start()
    await until(lambda: one.leads, 1)
    one.way.faults = [slow(0.0, 2.5), *[unsent] * 100]
    await until(lambda: len(one.way.calls) == 3, 3)
    began = virtual_clock.now()
    await until(lambda: not one.leads, RENEW_DEADLINE_SECONDS + 0.1)
    assert virtual_clock.now() - began <= RENEW_DEADLINE_SECONDS + 0.05
    await one.kill()


@virtual
async def test_slow_clock_causes_no_busy_loop() -> None:
    one = Replica(LeaseApi(), "one", rate=0.98).start()
    await until(lambda: one.leads, 1)
    calls = len(one.way.calls)
    one.way.faults = [unsent] * 100
    await until(lambda: bool(one.lost), RENEW_DEADLINE_SECONDS / 0.98 + 1)
    assert len(one.way.calls) - calls <= RENEW_DEADLINE_SECONDS / RETRY_PERIOD_SECONDS + 4
    await one.kill()


@virtual
async def test_hanging_renewal_leaves_time_for_another() -> None:
    one = Replica(LeaseApi(), "one").start()
    await until(lambda: one.leads, 1)
    one.way.faults = [hangs]
    await asyncio.sleep(60)
    assert one.lost == []
    await one.stop()


@virtual
async def test_standby_logs_the_holder_once(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "atmpl.kube.leader_election")
    api = LeaseApi()
    one = Replica(api, "one").start()
    await until(lambda: one.leads, 1)
    two = Replica(api, "two").start()
    await asyncio.sleep(60)
    assert [(record.message, vars(record)["holder"]) for record in caplog.records] == [("waiting for the lease", "one")]
    await one.stop()
    await until(lambda: two.leads, 5)
    await two.stop()


@virtual
async def test_failing_holder_retries_at_a_bounded_rate() -> None:
    one = Replica(LeaseApi(), "one").start()
    await until(lambda: one.leads, 1)
    one.way.faults = [FAULTS["409"], unsent] * 1000
    before = len(one.way.calls)
    await asyncio.sleep(RENEW_DEADLINE_SECONDS)
    assert len(one.way.calls) - before <= 2 * RENEW_DEADLINE_SECONDS / RETRY_PERIOD_SECONDS + 2
    await one.kill()


@virtual
async def test_lease_failure_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    one = Replica(LeaseApi(), "one", *[FAULTS["403"]] * 20).start()
    await asyncio.sleep(20)
    assert one.lease.problem == "403 Forbidden"
    assert [vars(record)["why"] for record in caplog.records] == ["403 Forbidden"]
    await until(lambda: one.leads, 60)
    assert one.lease.problem == ""
    await one.stop()


# --- clocks


@virtual
async def test_wall_clocks_of_others_are_ignored() -> None:
    for skewed in (virtual_clock.utcnow().strftime(MICROTIME), "1970-01-01T00:00:00.000000Z", "2999-01-01T00:00:00Z"):
        api = LeaseApi()
        api.write({"holderIdentity": "other", "leaseDurationSeconds": 15, "renewTime": skewed})
        one = Replica(api, "one").start()
        waited = await until(lambda: one.leads, 20)  # noqa: B023 - it is awaited here
        assert LEASE_DURATION_SECONDS <= waited <= LEASE_DURATION_SECONDS + RETRY_PERIOD_SECONDS + 0.1
        await one.kill()


MALFORMED: dict[str, dict[str, Any]] = {
    "no times at all": {"holderIdentity": "other", "leaseDurationSeconds": 15},
    "times that are none": {"holderIdentity": "other", "renewTime": "soon", "acquireTime": 5},
    "no duration": {"holderIdentity": "other"},
    "a duration of a second": {"holderIdentity": "other", "leaseDurationSeconds": 1},
    "a duration below nothing": {"holderIdentity": "other", "leaseDurationSeconds": -5},
    "a duration that is a text": {"holderIdentity": "other", "leaseDurationSeconds": "15"},
    "a duration that is true": {"holderIdentity": "other", "leaseDurationSeconds": True},
    "a holder that is a number": {"holderIdentity": 5},
    "no holder": {"leaseDurationSeconds": 15},
    "a holder that was emptied": {"holderIdentity": "", "leaseDurationSeconds": 15},
    "nothing": {},
    "as many transitions as there may be": {"holderIdentity": "other", "leaseTransitions": 2**31 - 1},
    "transitions that are none": {"holderIdentity": "other", "leaseTransitions": "x"},
}


@pytest.mark.parametrize("spec", MALFORMED.values(), ids=MALFORMED)
def test_any_lease_expires_after_15_seconds(spec: dict[str, Any]) -> None:
    async def test() -> None:
        api = LeaseApi()
        api.write(spec)
        one = Replica(api, "one").start()
        waited = await until(lambda: one.leads, 20)
        assert LEASE_DURATION_SECONDS <= waited <= LEASE_DURATION_SECONDS + RETRY_PERIOD_SECONDS + 0.1
        assert 0 <= (api.spec or {})["leaseTransitions"] < 2**31
        await one.stop()

    virtual_clock.run(test())


@virtual
async def test_longer_leases_expire_after_5_minutes_at_most() -> None:
    for written, waits in ((60, 60), (10**9, 300)):
        api = LeaseApi()
        api.write({"holderIdentity": "other", "leaseDurationSeconds": written})
        one = Replica(api, "one").start()
        await asyncio.sleep(waits - 1)
        assert not one.leads
        await until(lambda: one.leads, 2 * RETRY_PERIOD_SECONDS)  # noqa: B023 - it is awaited here
        await one.kill()


@virtual
async def test_suspended_leader_knows_it_lost_the_lease() -> None:
    api = LeaseApi()
    one, two = Replica(api, "one").start(), Replica(api, "two")
    await until(lambda: one.leads, 1)
    two.start()
    await asyncio.sleep(10)
    one.stopped_until = virtual_clock.now() + 30
    await asyncio.sleep(RENEW_DEADLINE_SECONDS + RETRY_PERIOD_SECONDS)
    assert not one.leads  # and its workers do nothing: they check before each step
    await until(lambda: two.leads, 10)
    await asyncio.sleep(60)
    assert (len(one.lost), one.leads, two.leads) == (1, False, True)
    await one.stop()
    await two.stop()
