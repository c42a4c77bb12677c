"""client-go's guarantees, each a test. The clock is virtual."""

import asyncio
from collections.abc import Iterator
from random import Random

import pytest

from atmpl.kube.workqueue import Closed, WorkQueue
from tests.support import virtual_clock
from tests.support.virtual_clock import virtual


class Calm(Random):
    """Draws the least: no jitter."""

    def random(self) -> float:
        return 0.0


def queue() -> WorkQueue[str]:
    return WorkQueue(random=Calm())


async def ready(keys: WorkQueue[str]) -> list[str]:
    """Take everything that is ready, and give it back as done."""
    taken = [await keys.get() for _ in range(len(keys))]
    for key in taken:
        keys.done(key)
    return taken


@virtual
async def test_keys_come_in_the_order_in_which_they_were_added() -> None:
    keys = queue()
    for key in "cab":
        keys.add(key)
    assert await ready(keys) == ["c", "a", "b"]


@virtual
async def test_a_key_added_many_times_is_taken_once() -> None:
    keys = queue()
    for key in "abaab":
        keys.add(key)
    assert await ready(keys) == ["a", "b"]
    assert keys.adds == 2


@virtual
async def test_a_key_is_never_with_two_workers() -> None:
    keys = queue()
    keys.add("a")
    assert await keys.get() == "a"
    keys.add("a")
    assert (len(keys), keys.busy) == (0, 1)


@virtual
async def test_a_key_added_while_it_is_worked_on_comes_again_once() -> None:
    keys = queue()
    keys.add("a")
    await keys.get()
    keys.add("a")
    keys.add("a")
    keys.done("a")
    assert await ready(keys) == ["a"]
    assert keys.is_idle


@virtual
async def test_a_key_that_is_done_does_not_come_again() -> None:
    keys = queue()
    keys.add("a")
    keys.done(await keys.get())
    assert keys.is_idle
    assert not keys.delayed


@virtual
async def test_a_waiting_worker_gets_the_next_key() -> None:
    keys = queue()
    worker = asyncio.create_task(keys.get())
    await asyncio.sleep(0)
    keys.add("a")
    assert await worker == "a"


@virtual
async def test_the_backlog_waits_behind_everything_fresh() -> None:
    keys = queue()
    for key in ("old-1", "old-2", "old-3"):
        keys.add(key, backlog=True)
    assert await keys.get() == "old-1"
    keys.add("new")
    assert await ready(keys) == ["new", "old-2", "old-3"]


@virtual
async def test_a_key_of_the_backlog_that_changes_becomes_fresh() -> None:
    keys = queue()
    for key in ("a", "b"):
        keys.add(key, backlog=True)
    keys.add("b")
    keys.add("b", backlog=True)
    assert await ready(keys) == ["b", "a"]
    assert keys.adds == 2


@virtual
async def test_a_delayed_key_comes_when_its_time_has_come() -> None:
    keys = queue()
    keys.add_after("a", 60)
    await asyncio.sleep(59.9)
    assert (len(keys), keys.delayed) == (0, 1)
    await asyncio.sleep(0.1)
    assert (await ready(keys), keys.delayed) == (["a"], 0)


@pytest.mark.parametrize("delays", [(10, 60), (60, 10), (60, 10, 30), (10, 10)])
def test_a_delayed_key_keeps_its_earliest_deadline(delays: tuple[int, ...]) -> None:
    async def test() -> None:
        keys = queue()
        for delay in delays:
            keys.add_after("a", delay)
        assert keys.delayed == 1
        await asyncio.sleep(10)
        assert await ready(keys) == ["a"]
        await asyncio.sleep(3600)
        assert keys.is_idle

    virtual_clock.run(test())


@virtual
async def test_delayed_keys_come_in_the_order_of_their_deadlines() -> None:
    keys = queue()
    for key, delay in (("c", 3), ("a", 1), ("b", 2)):
        keys.add_after(key, delay)
    taken = [(await keys.get(), virtual_clock.now() - virtual_clock.START) for _ in range(3)]
    assert taken == [("a", 1), ("b", 2), ("c", 3)]


@virtual
async def test_no_delay_is_at_once() -> None:
    keys = queue()
    keys.add_after("a", 0)
    keys.add_after("b", -1)
    assert await ready(keys) == ["a", "b"]


@virtual
async def test_a_deadline_that_passes_while_the_key_is_worked_on_brings_it_again() -> None:
    keys = queue()
    keys.add("a")
    await keys.get()
    keys.add_after("a", 5)
    await asyncio.sleep(10)
    assert len(keys) == 0
    keys.done("a")
    assert await ready(keys) == ["a"]


@virtual
async def test_a_deadline_stays_when_the_key_comes_before_it() -> None:
    keys = queue()
    keys.add_after("a", 60)
    keys.add("a")
    assert await ready(keys) == ["a"]
    assert keys.delayed == 1
    await asyncio.sleep(60)
    assert await ready(keys) == ["a"]


async def failing(keys: WorkQueue[str], times: int) -> Iterator[float]:
    """Return the waits before each of the next tries of a key that fails."""
    waits = []
    for _ in range(times):
        keys.retry("a")
        began = virtual_clock.now()
        keys.done(await keys.get())
        waits.append(virtual_clock.now() - began)
    return waits


@virtual
async def test_a_key_that_fails_waits_twice_as_long_each_time_up_to_five_minutes() -> None:
    assert await failing(queue(), 11) == [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]


@virtual
async def test_a_key_that_went_well_begins_anew() -> None:
    keys = queue()
    await failing(keys, 5)
    assert keys.failures("a") == 5
    keys.forget("a")
    assert await failing(keys, 2) == [1, 2]
    assert keys.retries == 7


@virtual
async def test_a_failed_key_is_not_tried_before_the_server_allows_it() -> None:
    keys = queue()
    keys.retry("a", after=30)
    await asyncio.sleep(29)
    assert len(keys) == 0
    await asyncio.sleep(1)
    assert await ready(keys) == ["a"]


@virtual
async def test_a_failed_key_waits_longer_than_the_server_asks_where_it_fails_often() -> None:
    keys = queue()
    await failing(keys, 6)
    keys.retry("a", after=1)
    await asyncio.sleep(63)
    assert len(keys) == 0
    await asyncio.sleep(1)
    assert len(keys) == 1


@pytest.mark.parametrize("seed", range(20))
def test_a_key_that_always_fails_is_tried_at_most_20_times_in_its_first_hour(seed: int) -> None:
    async def tries() -> int:
        keys: WorkQueue[str] = WorkQueue(random=Random(seed))
        keys.add("a")
        count = 0
        try:
            async with asyncio.timeout(3600):
                while True:
                    key = await keys.get()
                    count += 1
                    keys.retry(key)
                    keys.done(key)
        except TimeoutError:
            return count

    assert 18 <= virtual_clock.run(tries()) <= 20


@virtual
async def test_a_key_whose_object_moved_on_is_judged_anew_at_once_and_then_as_a_failure() -> None:
    keys = queue()
    waits = []
    for _ in range(7):
        keys.retry_conflict("a")
        began = virtual_clock.now()
        keys.done(await keys.get())
        waits.append(virtual_clock.now() - began)
    assert waits == pytest.approx([0, 0.02, 0.1, 0.5, 1, 2, 4])
    assert keys.retries == 3


@virtual
async def test_a_poison_key_does_not_hold_up_the_others() -> None:
    keys = queue()
    await failing(keys, 8)
    keys.retry("a")
    for number in range(1000):
        keys.add(str(number))
    assert await ready(keys) == [str(number) for number in range(1000)]
    assert virtual_clock.now() - virtual_clock.START == 1 + 2 + 4 + 8 + 16 + 32 + 64 + 128


@virtual
async def test_a_key_whose_object_is_gone_leaves_nothing_behind() -> None:
    keys = queue()
    await failing(keys, 3)
    keys.retry_conflict("a")
    await ready(keys)
    keys.add_after("a", 31_536_000)
    keys.forget_entirely("a")
    keys.forget_entirely("never seen")
    assert (keys.delayed, keys.failures("a")) == (0, 0)
    await asyncio.sleep(31_536_001)
    assert keys.is_idle


@virtual
async def test_where_nobody_takes_keys_those_whose_objects_are_gone_do_not_pile_up() -> None:
    keys = queue()
    for number in range(1000):
        keys.add(f"fresh {number}")
        keys.add(f"late {number}", backlog=True)
        keys.retry(f"failed {number}")
        for kind in ("fresh", "late", "failed"):
            keys.remove(f"{kind} {number}")
    assert (len(keys), keys.delayed, keys.is_idle) == (0, 0, True)
    assert len(keys._heap) < 100
    keys.add("fresh 1")
    assert await ready(keys) == ["fresh 1"]


@virtual
async def test_a_worker_whose_object_goes_has_the_key_once_more_and_drops_it() -> None:
    keys = queue()
    keys.add("a")
    assert await keys.get() == "a"
    keys.remove("a")
    keys.add_after("a", 31_536_000)  # what it found before it knew
    keys.done("a")
    assert await keys.get() == "a"
    keys.forget_entirely("a")
    keys.done("a")
    assert (keys.is_idle, keys.delayed) == (True, 0)


@virtual
async def test_a_worker_that_was_woken_for_a_key_that_is_gone_waits_on() -> None:
    keys = queue()
    worker = asyncio.create_task(keys.get())
    await asyncio.sleep(0)
    keys.add("a")
    keys.remove("a")
    await asyncio.sleep(1)
    assert not worker.done()
    keys.add("b")
    assert await worker == "b"


@virtual
async def test_deadlines_that_no_longer_count_do_not_pile_up() -> None:
    keys = queue()
    for number in range(10_000):
        keys.add_after("kept", 100_000 - number)
        keys.add_after(str(number), 1_000_000)
        keys.forget_entirely(str(number))
    assert keys.delayed == 1
    assert len(keys._heap) < 100
    await asyncio.sleep(90_001)
    assert await ready(keys) == ["kept"]


@virtual
async def test_the_time_that_a_key_was_ready_is_told() -> None:
    waits: list[float] = []
    keys: WorkQueue[str] = WorkQueue(random=Calm(), waited=waits.append)
    keys.add("a")
    keys.add("b", backlog=True)
    await asyncio.sleep(3)
    await ready(keys)
    keys.add_after("c", 5)
    await keys.get()
    assert waits == [3, 3, 0]


@virtual
async def test_a_cancelled_worker_that_waits_loses_no_key() -> None:
    keys = queue()
    first, second = asyncio.create_task(keys.get()), asyncio.create_task(keys.get())
    await asyncio.sleep(0)
    keys.add("a")  # wakes the first
    first.cancel()
    assert await second == "a"
    with pytest.raises(asyncio.CancelledError):
        await first


@virtual
async def test_a_worker_cancelled_before_the_key_comes_loses_no_key() -> None:
    keys = queue()
    first, second = asyncio.create_task(keys.get()), asyncio.create_task(keys.get())
    await asyncio.sleep(0)
    first.cancel()
    keys.add("a")  # comes upon the cancelled one first
    assert await second == "a"
    with pytest.raises(asyncio.CancelledError):
        await first


@virtual
async def test_workers_that_give_up_leave_nothing_behind() -> None:
    keys = queue()
    for _ in range(100):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1):
                await keys.get()
    assert not keys._idle


@virtual
async def test_a_closed_queue_gives_nothing_out_and_takes_nothing_in() -> None:
    keys = queue()
    for key in "abc":
        keys.add(key)
    keys.add("old", backlog=True)
    keys.add_after("later", 5)
    in_hand = await keys.get()
    keys.add(in_hand)
    waiting = [asyncio.create_task(keys.get()) for _ in range(5)]
    await asyncio.sleep(0)
    keys.close()
    keys.add("d")
    keys.add_after("e", 1)
    keys.retry("f")
    keys.retry_conflict("g")
    assert keys.busy == 4  # what was taken stays with its workers
    for taken in (in_hand, "b", "c", "old"):
        keys.done(taken)
    results = await asyncio.gather(*waiting, return_exceptions=True)
    assert [result if isinstance(result, str) else type(result) for result in results] == [
        "b",
        "c",
        "old",
        Closed,
        Closed,
    ]
    await asyncio.sleep(3600)
    assert keys.is_idle
    assert not keys.delayed
    with pytest.raises(Closed):
        await keys.get()


@virtual
async def test_closing_wakes_every_waiting_worker() -> None:
    keys = queue()
    waiting = [asyncio.create_task(keys.get()) for _ in range(64)]
    await asyncio.sleep(0)
    keys.close()
    assert {type(end) for end in await asyncio.gather(*waiting, return_exceptions=True)} == {Closed}


@virtual
async def test_a_nudge_makes_a_key_ready_unless_it_has_failed_and_waits_for_its_next_try() -> None:
    keys = queue()
    keys.add_unless_backing_off("a")
    assert await keys.get() == "a"
    keys.add_unless_backing_off("a")
    keys.retry("a")
    keys.done("a")
    assert await keys.get() == "a"  # nudged while it was worked on
    keys.done("a")
    keys.add_unless_backing_off("a")
    assert len(keys) == 0
    await asyncio.sleep(1)
    assert await keys.get() == "a"  # its next try, and a nudge meanwhile is none too early
    keys.add_unless_backing_off("a")
    keys.done("a")
    assert await ready(keys) == ["a"]
    keys.forget("a")
    keys.add_unless_backing_off("a")
    assert len(keys) == 1


@virtual
async def test_time_with_a_worker_is_reported() -> None:
    worked: list[float] = []
    keys: WorkQueue[str] = WorkQueue(random=Calm(), worked=worked.append)
    keys.add("a")
    keys.add("b")
    first = await keys.get()
    await asyncio.sleep(2)
    await keys.get()
    await asyncio.sleep(1)
    assert keys.busy_seconds == [3, 1]
    keys.done(first)
    assert (worked, keys.busy_seconds) == ([3], [1])
