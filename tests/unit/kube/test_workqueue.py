"""One test per guarantee of client-go's work queue. The clock is virtual."""

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
    """Take all ready keys and mark them as done."""
    taken = [await keys.get() for _ in range(len(keys))]
    for key in taken:
        keys.done(key)
    return taken


@virtual
async def test_keys_are_processed_in_order() -> None:
    keys = queue()
    for key in "cab":
        keys.add(key)
    assert await ready(keys) == ["c", "a", "b"]


@virtual
async def test_key_added_many_times_is_processed_once() -> None:
    keys = queue()
    for key in "abaab":
        keys.add(key)
    assert await ready(keys) == ["a", "b"]
    assert keys.adds == 2


@virtual
async def test_key_has_one_worker_at_a_time() -> None:
    keys = queue()
    keys.add("a")
    assert await keys.get() == "a"
    keys.add("a")
    assert (len(keys), keys.busy) == (0, 1)


@virtual
async def test_key_added_during_work_comes_again_once() -> None:
    keys = queue()
    keys.add("a")
    await keys.get()
    keys.add("a")
    keys.add("a")
    keys.done("a")
    assert await ready(keys) == ["a"]
    assert keys.is_idle


@virtual
async def test_done_key_does_not_come_again() -> None:
    keys = queue()
    keys.add("a")
    keys.done(await keys.get())
    assert keys.is_idle
    assert not keys.delayed


@virtual
async def test_waiting_worker_gets_the_next_key() -> None:
    keys = queue()
    worker = asyncio.create_task(keys.get())
    await asyncio.sleep(0)
    keys.add("a")
    assert await worker == "a"


@virtual
async def test_backlog_comes_after_new_keys() -> None:
    keys = queue()
    for key in ("old-1", "old-2", "old-3"):
        keys.add(key, backlog=True)
    assert not keys.is_idle
    assert await keys.get() == "old-1"
    keys.add("new")
    assert await ready(keys) == ["new", "old-2", "old-3"]


@virtual
async def test_changed_backlog_key_is_promoted() -> None:
    keys = queue()
    for key in ("a", "b"):
        keys.add(key, backlog=True)
    keys.add("b")
    keys.add("b", backlog=True)
    assert await ready(keys) == ["b", "a"]
    assert keys.adds == 2


@virtual
async def test_backlog_key_added_to_the_backlog_again_keeps_its_place() -> None:
    keys = queue()
    for key in ("a", "b", "b"):
        keys.add(key, backlog=True)
    assert await ready(keys) == ["a", "b"]


@virtual
async def test_delayed_key_comes_at_its_deadline() -> None:
    keys = queue()
    keys.add_after("a", 60)
    await asyncio.sleep(59.9)
    assert (len(keys), keys.delayed) == (0, 1)
    await asyncio.sleep(0.1)
    assert (await ready(keys), keys.delayed) == (["a"], 0)


@pytest.mark.parametrize("delays", [(10, 60), (60, 10), (60, 10, 30), (10, 10)])
def test_delayed_key_keeps_its_earliest_deadline(delays: tuple[int, ...]) -> None:
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
async def test_delayed_keys_come_in_order() -> None:
    keys = queue()
    for key, delay in (("c", 3), ("a", 1), ("b", 2)):
        keys.add_after(key, delay)
    taken = [(await keys.get(), virtual_clock.now() - virtual_clock.START) for _ in range(3)]
    assert taken == [("a", 1), ("b", 2), ("c", 3)]


@virtual
async def test_zero_delay_is_immediate() -> None:
    keys = queue()
    keys.add_after("a", 0)
    keys.add_after("b", -1)
    assert await ready(keys) == ["a", "b"]


@virtual
async def test_deadline_during_work_brings_the_key_again() -> None:
    keys = queue()
    keys.add("a")
    await keys.get()
    keys.add_after("a", 5)
    await asyncio.sleep(10)
    assert len(keys) == 0
    keys.done("a")
    assert await ready(keys) == ["a"]


@virtual
async def test_deadline_stays_if_the_key_comes_earlier() -> None:
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
async def test_key_backoff_doubles_to_5_minutes() -> None:
    assert await failing(queue(), 11) == [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]


@virtual
async def test_success_resets_the_backoff() -> None:
    keys = queue()
    await failing(keys, 5)
    assert keys.failures("a") == 5
    keys.forget("a")
    assert await failing(keys, 2) == [1, 2]
    assert keys.retries == 7


@virtual
async def test_retry_after_delays_a_failed_key() -> None:
    keys = queue()
    keys.retry("a", after=30)
    await asyncio.sleep(29)
    assert len(keys) == 0
    await asyncio.sleep(1)
    assert await ready(keys) == ["a"]


@virtual
async def test_backoff_can_exceed_retry_after() -> None:
    keys = queue()
    await failing(keys, 6)
    keys.retry("a", after=1)
    await asyncio.sleep(63)
    assert len(keys) == 0
    await asyncio.sleep(1)
    assert len(keys) == 1


@pytest.mark.parametrize("seed", range(20))
def test_failing_key_has_20_tries_in_its_first_hour(seed: int) -> None:
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
async def test_conflict_is_retried_at_once_then_backs_off() -> None:
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
async def test_failing_key_does_not_delay_others() -> None:
    keys = queue()
    await failing(keys, 8)
    keys.retry("a")
    for number in range(1000):
        keys.add(str(number))
    assert await ready(keys) == [str(number) for number in range(1000)]
    assert virtual_clock.now() - virtual_clock.START == 1 + 2 + 4 + 8 + 16 + 32 + 64 + 128


@virtual
async def test_forgotten_key_leaves_nothing_behind() -> None:
    keys = queue()
    await failing(keys, 3)
    keys.retry_conflict("a")
    await ready(keys)
    keys.add_after("a", 31_536_000)
    keys.forget_and_cancel("a")
    keys.forget_and_cancel("never seen")
    assert (keys.delayed, keys.failures("a")) == (0, 0)
    await asyncio.sleep(31_536_001)
    assert keys.is_idle


@virtual
async def test_removed_keys_do_not_accumulate_on_standby() -> None:
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
async def test_key_removed_during_work_comes_once_more() -> None:
    keys = queue()
    keys.add("a")
    assert await keys.get() == "a"
    keys.remove("a")
    keys.add_after("a", 31_536_000)  # requested before the deletion was known
    keys.done("a")
    assert await keys.get() == "a"
    keys.forget_and_cancel("a")
    keys.done("a")
    assert (keys.is_idle, keys.delayed) == (True, 0)


@virtual
async def test_worker_waits_on_if_its_key_was_removed() -> None:
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
async def test_obsolete_deadlines_do_not_accumulate() -> None:
    keys = queue()
    for number in range(10_000):
        keys.add_after("kept", 100_000 - number)
        keys.add_after(str(number), 1_000_000)
        keys.forget_and_cancel(str(number))
    assert keys.delayed == 1
    assert len(keys._heap) < 100
    await asyncio.sleep(90_001)
    assert await ready(keys) == ["kept"]


@virtual
async def test_deadline_survives_the_removal_of_obsolete_ones() -> None:
    keys = queue()
    keys.add_after("kept", 5)
    for number in range(1000):
        keys.add_after(str(number), 100)
        keys.forget_and_cancel(str(number))
    assert len(keys._heap) < 100
    await asyncio.sleep(6)
    assert await ready(keys) == ["kept"]


@virtual
async def test_removal_of_obsolete_deadlines_keeps_the_order() -> None:
    keys, expected = queue(), {}
    for number, deadline in enumerate(Random(1).sample(range(1, 1000), 400)):
        keys.add_after(str(number), deadline)
        if number % 4:
            keys.forget_and_cancel(str(number))
        else:
            expected[deadline] = str(number)
    assert len(keys._heap) < 400
    for deadline in sorted(expected):
        await asyncio.sleep(virtual_clock.START + deadline - virtual_clock.now())
        assert await ready(keys) == [expected[deadline]]


@virtual
async def test_time_in_the_queue_is_reported() -> None:
    waits: list[float] = []
    keys: WorkQueue[str] = WorkQueue(random=Calm(), on_queue_latency=waits.append)
    keys.add("a")
    keys.add("b", backlog=True)
    await asyncio.sleep(3)
    await ready(keys)
    keys.add_after("c", 5)
    await keys.get()
    assert waits == [3, 3, 0]


@virtual
async def test_cancelled_waiting_worker_loses_no_key() -> None:
    keys = queue()
    first, second = asyncio.create_task(keys.get()), asyncio.create_task(keys.get())
    await asyncio.sleep(0)
    keys.add("a")  # for the first worker
    first.cancel()
    assert await second == "a"
    with pytest.raises(asyncio.CancelledError):
        await first


@virtual
async def test_worker_cancelled_before_a_key_loses_none() -> None:
    keys = queue()
    first, second = asyncio.create_task(keys.get()), asyncio.create_task(keys.get())
    await asyncio.sleep(0)
    first.cancel()
    keys.add("a")  # its first candidate is the cancelled worker
    assert await second == "a"
    with pytest.raises(asyncio.CancelledError):
        await first


@virtual
async def test_cancelled_workers_leave_nothing_behind() -> None:
    keys = queue()
    for _ in range(100):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1):
                await keys.get()
    assert not keys._idle


@virtual
async def test_closed_queue_gives_and_accepts_nothing() -> None:
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
    assert (keys.busy, keys.delayed) == (4, 0)  # workers keep their keys
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
async def test_close_ends_all_waiting_workers() -> None:
    keys = queue()
    waiting = [asyncio.create_task(keys.get()) for _ in range(64)]
    await asyncio.sleep(0)
    keys.close()
    assert {type(end) for end in await asyncio.gather(*waiting, return_exceptions=True)} == {Closed}


@virtual
async def test_add_unless_backing_off() -> None:
    keys = queue()
    keys.add_unless_backing_off("a")
    assert await keys.get() == "a"
    keys.add_unless_backing_off("a")
    keys.retry("a")
    keys.done("a")
    assert await keys.get() == "a"  # added while it was processed
    keys.done("a")
    keys.add_unless_backing_off("a")
    assert len(keys) == 0
    await asyncio.sleep(1)
    assert await keys.get() == "a"  # its next try is not earlier
    keys.add_unless_backing_off("a")
    keys.done("a")
    assert await ready(keys) == ["a"]
    keys.forget("a")
    keys.add_unless_backing_off("a")
    assert len(keys) == 1


@virtual
async def test_time_with_a_worker_is_reported() -> None:
    worked: list[float] = []
    keys: WorkQueue[str] = WorkQueue(random=Calm(), on_work_duration=worked.append)
    keys.add("a")
    keys.add("b")
    first = await keys.get()
    await asyncio.sleep(2)
    await keys.get()
    await asyncio.sleep(1)
    assert keys.busy_seconds == [3, 1]
    keys.done(first)
    assert (worked, keys.busy_seconds) == ([3], [1])


# Large keys


def with_large(*large: str, at_once: int = 2) -> WorkQueue[str]:
    return WorkQueue(random=Calm(), is_large=large.__contains__, max_large=at_once)


@virtual
async def test_small_keys_pass_the_large_ones_that_wait() -> None:
    keys = with_large("a", "b", "c", "d")
    for key in "abcxdy":
        keys.add(key)
    assert [await keys.get() for _ in range(4)] == ["a", "b", "x", "y"]
    assert (len(keys), keys.busy, keys.is_idle) == (2, 4, False)
    keys.done("b")
    keys.add("z")
    assert [await keys.get() for _ in range(2)] == ["c", "z"]


@virtual
async def test_large_keys_of_the_first_list_come_last_too() -> None:
    keys = with_large("a", "b", "c", at_once=1)
    for key in "abx":
        keys.add(key, backlog=True)
    assert [await keys.get() for _ in range(2)] == ["a", "x"]
    keys.add("c")
    keys.done("a")
    keys.done("x")
    assert await keys.get() == "c"
    keys.done("c")
    assert await keys.get() == "b"


@virtual
async def test_worker_that_waits_gets_a_large_key_when_another_is_done() -> None:
    keys = with_large("a", "b", at_once=1)
    keys.add("a")
    keys.add("b")
    await keys.get()
    waiting = asyncio.ensure_future(keys.get())
    await asyncio.sleep(1)
    assert not waiting.done()
    keys.done("a")
    await asyncio.sleep(1)
    assert waiting.result() == "b"


@virtual
async def test_cancelled_worker_leaves_its_large_key_to_another() -> None:
    keys = with_large("a", "b", at_once=1)
    for key in "abx":
        keys.add(key)
    for _ in range(2):
        await keys.get()
    cancelled, waiting = (asyncio.ensure_future(keys.get()) for _ in range(2))
    await asyncio.sleep(1)
    keys.done("a")  # notifies the first one, which does not run any more
    cancelled.cancel()
    await asyncio.sleep(1)
    assert (cancelled.cancelled(), waiting.result()) == (True, "b")


@virtual
async def test_large_key_that_was_passed_is_ready_once() -> None:
    keys = with_large("a", "b", "c", at_once=1)
    keys.add("a")
    await keys.get()
    keys.add("b")
    keys.add("c", backlog=True)
    keys.add("x", backlog=True)
    assert await keys.get() == "x"  # passes both
    keys.add("b")
    keys.add("c")
    assert len(keys) == 2
    keys.remove("b")
    assert len(keys) == 1
    keys.done("a")
    assert await keys.get() == "c"
    assert len(keys) == 0


@virtual
async def test_large_keys_that_become_small_need_no_slot() -> None:
    large = {"a", "b", "c", "d"}
    keys = WorkQueue[str](random=Calm(), is_large=large.__contains__, max_large=1)
    for key in "abc":
        keys.add(key)
    keys.add("d", backlog=True)
    assert await keys.get() == "a"
    idle = [asyncio.ensure_future(keys.get()) for _ in range(3)]
    await asyncio.sleep(1)
    large.clear()
    keys.add("d")
    await asyncio.sleep(1)
    assert [worker.done() for worker in idle] == [True, False, False]
    keys.done("a")
    await asyncio.sleep(1)
    assert {worker.result() for worker in idle} == {"b", "c", "d"}


@virtual
async def test_passed_key_of_the_backlog_is_taken_when_a_slot_is_free() -> None:
    waits: list[float] = []
    keys = WorkQueue[str](random=Calm(), is_large=lambda _: True, on_queue_latency=waits.append)
    keys.add("a")
    keys.add("b", backlog=True)
    await keys.get()
    await asyncio.sleep(3)
    waiting = asyncio.ensure_future(keys.get())
    await asyncio.sleep(5)
    keys.done("a")
    await asyncio.sleep(1)
    assert waiting.result() == "b"
    assert waits == [0.0, 8.0]


@virtual
async def test_key_that_is_large_after_all_is_counted() -> None:
    large = ["a"]
    keys = WorkQueue[str](random=Calm(), is_large=lambda key: key in large, max_large=2)
    for key in "abcd":
        keys.add(key)
    for _ in range(3):
        await keys.get()
    large += "bcd"
    assert [keys.claim_large(key) for key in "abca"] == [True, True, False, True]
    keys.add("c")
    keys.done("c")
    assert len(keys) == 2
    waiting = asyncio.ensure_future(keys.get())
    await asyncio.sleep(1)
    keys.done("a")
    await asyncio.sleep(1)
    assert waiting.result() == "d"
    keys.close()
    assert len(keys) == 0
