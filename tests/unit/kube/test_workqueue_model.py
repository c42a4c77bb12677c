"""The queue compared with a simple model, and with workers that are cancelled at random."""

import asyncio
from dataclasses import dataclass, field
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from atmpl.kube.workqueue import WorkQueue
from tests.support import virtual_clock

WAITS = [1, 2, 4, 8, 16, 32, 64, 128, 256, 300]  # after so many failures in a row


class Calm(Random):
    """Draws the least: no jitter."""

    def random(self) -> float:
        return 0.0


@dataclass
class Model:
    """client-go's guarantees, with lists."""

    now: float = 0
    fresh: list[str] = field(default_factory=list)
    backlog: list[str] = field(default_factory=list)
    busy: set[str] = field(default_factory=set)
    large: set[str] = field(default_factory=set)  # of `busy`
    again: set[str] = field(default_factory=set)
    due: list[tuple[float, str]] = field(default_factory=list)  # in the order in which they were set
    failures: dict[str, int] = field(default_factory=dict)

    def add(self, key: str, *, backlog: bool = False) -> None:
        if key in self.busy:
            self.again.add(key)
        elif key in self.backlog and not backlog:
            self.backlog.remove(key)
            self.fresh.append(key)
        elif key not in self.fresh + self.backlog:
            (self.backlog if backlog else self.fresh).append(key)

    def add_unless_backing_off(self, key: str) -> None:
        if key not in self.failures or all(other != key for _, other in self.due):
            self.add(key)

    def add_after(self, key: str, delay: float) -> None:
        if any(other == key and deadline <= self.now + delay for deadline, other in self.due):
            return
        self.due = [(deadline, other) for deadline, other in self.due if other != key]
        self.due.append((self.now + delay, key))

    def retry(self, key: str) -> None:
        self.failures[key] = self.failures.get(key, 0) + 1
        self.add_after(key, WAITS[min(self.failures[key], len(WAITS)) - 1])

    def forget(self, key: str) -> None:
        self.failures.pop(key, None)

    def forget_and_cancel(self, key: str) -> None:
        self.forget(key)
        self.due = [(deadline, other) for deadline, other in self.due if other != key]

    def remove(self, key: str) -> None:
        if key in self.busy:
            self.again.add(key)
        else:
            self.forget_and_cancel(key)
            self.fresh = [other for other in self.fresh if other != key]
            self.backlog = [other for other in self.backlog if other != key]

    @property
    def next(self) -> str | None:
        """The key that a worker gets: a large one only if no other is being processed."""
        return next((key for key in self.fresh + self.backlog if not (self.large and key in LARGE)), None)

    def get(self) -> str | None:
        key = self.next
        if key is not None:
            (self.fresh if key in self.fresh else self.backlog).remove(key)
            self.busy.add(key)
            self.large |= {key} & LARGE
        return key

    def claim_large(self, key: str) -> bool:
        if self.large - {key}:
            return False
        self.large.add(key)
        return True

    def done(self, key: str) -> None:
        self.busy.remove(key)
        self.large.discard(key)
        if key in self.again:
            self.again.remove(key)
            self.add(key)

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        over = [entry for entry in self.due if entry[0] <= self.now]
        self.due = [entry for entry in self.due if entry[0] > self.now]
        for _, key in sorted(over, key=lambda entry: entry[0]):
            self.add(key)


LARGE = {"c", "d"}
KEYS = st.sampled_from("abcd")
STEPS = st.one_of(
    st.tuples(
        st.sampled_from(
            ["add", "add to the backlog", "add_unless_backing_off", "retry", "forget", "forget_and_cancel", "remove"]
        ),
        KEYS,
    ),
    st.tuples(st.just("add after"), KEYS, st.integers(1, 20)),
    st.tuples(st.just("sleep"), st.sampled_from([0.5, 1, 2, 7, 300])),
    st.tuples(st.just("get")),
    st.tuples(st.just("claim large")),
    st.tuples(st.just("done")),
)


async def follow(steps: list[tuple]) -> None:
    queue: WorkQueue[str] = WorkQueue(random=Calm(), is_large=LARGE.__contains__)
    model = Model()
    for step in steps:
        match step:
            case ("add", key):
                queue.add(key)
                model.add(key)
            case ("add to the backlog", key):
                queue.add(key, backlog=True)
                model.add(key, backlog=True)
            case ("add after", key, delay):
                queue.add_after(key, delay)
                model.add_after(key, delay)
            case ("add_unless_backing_off" | "retry" | "forget" | "forget_and_cancel" | "remove" as name, key):
                getattr(queue, name)(key)
                getattr(model, name)(key)
            case ("sleep", seconds):
                await asyncio.sleep(seconds)
                await asyncio.sleep(0)
                model.sleep(seconds)
            case ("get",) if model.next:
                assert await queue.get() == model.get()
            case ("claim large",) if model.busy:
                key = min(model.busy)
                assert queue.claim_large(key) is model.claim_large(key)
            case ("done",) if model.busy:
                key = min(model.busy)
                queue.done(key)
                model.done(key)
        assert len(queue) == len(model.fresh) + len(model.backlog)
        assert queue.busy == len(model.busy)
        assert queue.delayed == len(model.due)


@settings(max_examples=300, deadline=None)
@given(st.lists(STEPS, max_size=60))
def test_queue_equals_its_model(steps: list[tuple]) -> None:
    virtual_clock.run(follow(steps))


ACTS = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(["add", "add after", "change the size"]), st.integers(0, 5)),
        st.tuples(st.sampled_from(["cancel", "let run"]), st.integers(0, 2)),
    ),
    max_size=60,
)


async def disturb(acts: list[tuple[str, int]]) -> None:
    large = {3, 4, 5}
    queue: WorkQueue[int] = WorkQueue(random=Calm(), is_large=large.__contains__)
    wanted: dict[int, int] = {}  # key: how often it was added
    seen: dict[int, int] = {}  # key: of how many adds its last worker knew
    in_hand: set[int] = set()

    async def work() -> None:
        while True:
            key = await queue.get()
            assert key not in in_hand, "with two workers"
            in_hand.add(key)
            known = wanted[key]
            try:
                await asyncio.sleep(0)
                seen[key] = known
            except asyncio.CancelledError:
                queue.add(key)  # not done: another worker gets it
                raise
            finally:
                in_hand.remove(key)
                queue.done(key)

    workers = [asyncio.create_task(work()) for _ in range(3)]
    for act, number in acts:
        match act:
            case "add":
                wanted[number] = wanted.get(number, 0) + 1
                queue.add(number)
            case "add after":
                wanted[number] = wanted.get(number, 0) + 1
                queue.add_after(number, 1.5)
            case "change the size":
                large ^= {number}
            case "cancel":
                workers[number].cancel()
                workers.append(workers[number])
                workers[number] = asyncio.create_task(work())
            case _:
                await asyncio.sleep(number)
    await asyncio.sleep(60)
    assert seen == wanted, "an add was lost"
    assert queue.is_idle
    for worker in workers:
        worker.cancel()
    ends = await asyncio.gather(*workers, return_exceptions=True)
    assert {type(end) for end in ends} == {asyncio.CancelledError}


@settings(max_examples=300, deadline=None)
@given(ACTS)
def test_cancelled_workers_lose_no_key(acts: list[tuple[str, int]]) -> None:
    virtual_clock.run(disturb(acts))
