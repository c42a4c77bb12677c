"""The work queue: client-go's guarantees, in one event loop.

* A key added many times before it is taken is taken once.
* A key is never with two workers; added while it is worked on, it comes again when that is done.
* A key added with a delay comes at its earliest deadline. Failures of a key double its delay, until it is forgotten.
* What came with the first list (`backlog`) waits behind everything fresh.

Times are in seconds of the event loop's clock: a test that hands in a loop of its own runs an hour in a millisecond.
"""

import asyncio
import heapq
from collections import OrderedDict, deque
from collections.abc import Callable, Hashable
from contextlib import suppress
from random import Random
from typing import Generic, TypeVar

from atmpl.kube.backoff import added_jitter

FIRST_WAIT, MOST_WAIT = 1.0, 300.0  # of a key that fails: at most 20 tries in its first hour
CONFLICT_WAITS_SECONDS = (0.0, 0.02, 0.1, 0.5)  # after a conflict: at once, then the stream gets time to show it
SLACK = 64  # deadlines that no longer count may stand in the heap; beyond that, at most as many as those that do

Item = TypeVar("Item", bound=Hashable)


class Closed(Exception):  # noqa: N818 - an end, not a failure
    """The queue is closed: there is nothing more to take."""


class WorkQueue(Generic[Item]):
    """Keys that need work. Every method is called from the one event loop that made the queue."""

    def __init__(
        self,
        *,
        random: Random,
        waited: Callable[[float], None] = lambda _: None,
        worked: Callable[[float], None] = lambda _: None,
    ) -> None:
        self._random = random
        self._waited = waited  # called with the seconds that a key was ready, when a worker takes it
        self._worked = worked  # called with the seconds that a worker had a key
        self._loop = asyncio.get_running_loop()
        self._fresh: OrderedDict[Item, float] = OrderedDict()  # ready, since when; never also in _backlog or _busy
        self._backlog: OrderedDict[Item, float] = OrderedDict()  # ready, after everything in _fresh
        self._busy: dict[Item, float] = {}  # with a worker, since when; never also ready
        self._again: set[Item] = set()  # added while busy: ready as soon as that is done; a subset of _busy
        self._due: dict[Item, float] = {}  # the earliest deadline of a delayed key
        self._heap: list[tuple[float, int, Item]] = []  # all deadlines; only those that _due confirms count
        self._pushed = 0  # tells entries of one deadline apart in _heap
        self._timer: asyncio.TimerHandle | None = None  # rings at the first deadline of _heap
        self._failures: dict[Item, int] = {}  # in a row, until the key is forgotten
        self._moved: dict[Item, int] = {}  # likewise
        self._idle: deque[asyncio.Future[None]] = deque()  # workers that wait in `get`
        self._closed = False
        self.adds = 0  # times that a key became ready
        self.retries = 0  # times that a key was put back after a failure

    def __len__(self) -> int:
        return len(self._fresh) + len(self._backlog)

    @property
    def busy(self) -> int:
        """How many keys are with a worker."""
        return len(self._busy)

    @property
    def busy_seconds(self) -> list[float]:
        """For how long each key has been with its worker."""
        now = self._loop.time()
        return [now - since for since in self._busy.values()]

    @property
    def delayed(self) -> int:
        """How many keys wait for a deadline."""
        return len(self._due)

    @property
    def is_idle(self) -> bool:
        """Whether nothing is ready and nothing is with a worker."""
        return not (self._fresh or self._backlog or self._busy)

    def add(self, item: Item, *, backlog: bool = False) -> None:
        """Make `item` ready. A closed queue takes nothing more."""
        if self._closed:
            return
        if item in self._busy:
            self._again.add(item)
        elif item in self._fresh:
            pass
        elif item in self._backlog:
            if not backlog:
                self._fresh[item] = self._backlog.pop(item)
        else:
            (self._backlog if backlog else self._fresh)[item] = self._loop.time()
            self.adds += 1
            self._wake_one()

    def add_unless_backing_off(self, item: Item) -> None:
        """Make `item` ready, unless it has failed and waits for its next try."""
        if not (item in self._failures and item in self._due):
            self.add(item)

    def add_after(self, item: Item, delay: float) -> None:
        """Make `item` ready in `delay` seconds, or at an earlier deadline that it has already."""
        if delay <= 0:
            self.add(item)
            return
        deadline = self._loop.time() + delay
        if self._closed or deadline >= self._due.get(item, float("inf")):
            return
        self._due[item] = deadline
        self._pushed += 1
        heapq.heappush(self._heap, (deadline, self._pushed, item))
        if self._heap[0][1] == self._pushed:
            self._set_timer()
        elif len(self._heap) > 2 * len(self._due) + SLACK:
            self._compact()

    def retry(self, item: Item, after: float | None = None) -> None:
        """Put a key back that failed: later each time, and not before `after` seconds."""
        failures = self._failures[item] = self._failures.get(item, 0) + 1
        self.retries += 1
        self.add_after(item, max(added_jitter(failures, FIRST_WAIT, MOST_WAIT, self._random), after or 0.0))

    def retry_conflict(self, item: Item) -> None:
        """Put a key back whose object moved on meanwhile: at once, a few times; then it counts as failed."""
        times = self._moved.get(item, 0)
        if times < len(CONFLICT_WAITS_SECONDS):
            self._moved[item] = times + 1
            self.add_after(item, CONFLICT_WAITS_SECONDS[times])
        else:
            self.retry(item)

    def forget(self, item: Item) -> None:
        """Forget a key's failures: it went well."""
        self._failures.pop(item, None)
        self._moved.pop(item, None)

    def forget_entirely(self, item: Item) -> None:
        """Forget all about a key whose object is gone: failures and deadlines, which may be a year off."""
        self.forget(item)
        self._due.pop(item, None)

    def remove(self, item: Item) -> None:
        """Take a key back whose object is gone, or nobody may take it for weeks: where another replica leads.

        Whoever works on it now has it once more, and drops it then.
        """
        if item in self._busy:
            self.add(item)
        else:
            self._fresh.pop(item, None)
            self._backlog.pop(item, None)
            self.forget_entirely(item)

    def failures(self, item: Item) -> int:
        """Return how often in a row a key has failed."""
        return self._failures.get(item, 0)

    async def get(self) -> Item:
        """Take a key; the caller says `done` when it has worked on it. Raises Closed."""
        while not (self._fresh or self._backlog):
            if self._closed:
                raise Closed
            waiter: asyncio.Future[None] = self._loop.create_future()
            self._idle.append(waiter)
            try:
                await waiter
            except asyncio.CancelledError:
                if waiter.cancelled():
                    with suppress(ValueError):  # an `add` that came upon it has taken it out
                        self._idle.remove(waiter)
                elif self._fresh or self._backlog:
                    self._wake_one()  # it was woken for a key that it will not take
                raise
        item, since = (self._fresh or self._backlog).popitem(last=False)
        now = self._busy[item] = self._loop.time()
        self._waited(now - since)
        return item

    def done(self, item: Item) -> None:
        """Take `item` back from the worker that has finished with it."""
        self._worked(self._loop.time() - self._busy.pop(item))
        if item in self._again:
            self._again.remove(item)
            self.add(item)

    def close(self) -> None:
        """Take nothing more and give nothing more out; what is with a worker stays with it."""
        self._closed = True
        for pending in (self._fresh, self._backlog, self._due, self._heap, self._again):
            pending.clear()
        if self._timer:
            self._timer.cancel()
        while self._idle:
            self._wake_one()

    def _compact(self) -> None:
        """Throw out the deadlines that no longer count: a key may get an earlier one any number of times."""
        self._heap = [entry for entry in self._heap if self._due.get(entry[2]) == entry[0]]
        heapq.heapify(self._heap)

    def _wake_one(self) -> None:
        while self._idle:
            waiter = self._idle.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return

    def _set_timer(self) -> None:
        if self._timer:
            self._timer.cancel()
        self._timer = self._loop.call_at(self._heap[0][0], self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        now = self._loop.time()
        while self._heap and self._heap[0][0] <= now:
            deadline, _, item = heapq.heappop(self._heap)
            if self._due.get(item) == deadline:
                del self._due[item]
                self.add(item)
        if self._heap:
            self._set_timer()
