"""The work queue: client-go's guarantees, in one event loop.

* A key that is added several times before a worker gets it is processed once.
* A key is processed by one worker at a time. If it is added meanwhile, it is ready again when that worker is done.
* A key that is added with a delay becomes ready at its earliest deadline. Each failure doubles the delay of a key,
  until it is forgotten.
* Keys of the first list (`backlog`) come after all other ready keys.
* At most `max_large` large keys are processed at a time, so that their objects do not fill the memory. The others wait
  without a worker for one of these slots, in their order; other keys pass them.

Times are seconds of the event loop's clock, so tests can use a virtual clock.
"""

import asyncio
import heapq
from collections import OrderedDict, deque
from collections.abc import Callable, Hashable
from contextlib import suppress
from random import Random
from typing import Generic, TypeVar

from atmpl.kube.backoff import added_jitter

MIN_BACKOFF_SECONDS, MAX_BACKOFF_SECONDS = 1.0, 300.0  # after a failure: at most 20 tries in the first hour
CONFLICT_WAITS_SECONDS = (0.0, 0.02, 0.1, 0.5)  # after a conflict: at once, then the stream gets time to show it
MAX_OBSOLETE_DEADLINES = 64  # in the heap, in addition to one per valid deadline

Item = TypeVar("Item", bound=Hashable)


class Closed(Exception):  # noqa: N818 - not a failure
    """The queue is closed and gives no more keys."""


class WorkQueue(Generic[Item]):
    """A work queue. All methods must be called from the event loop that created it."""

    def __init__(
        self,
        *,
        random: Random,
        is_large: Callable[[Item], bool] = lambda _: False,
        max_large: int = 1,
        on_queue_latency: Callable[[float], None] = lambda _: None,
        on_work_duration: Callable[[float], None] = lambda _: None,
    ) -> None:
        self._random = random
        self._is_large = is_large
        self._max_large = max_large
        self._on_queue_latency = on_queue_latency  # called with the seconds that a key was ready before a worker got it
        self._on_work_duration = on_work_duration  # called with the seconds that a worker processed a key
        self._loop = asyncio.get_running_loop()
        # Four disjoint sets of ready keys, since when; no key of _processing. The waiting ones are large keys for
        # which no slot was free when a worker looked at them.
        self._ready, self._waiting_large = OrderedDict[Item, float](), OrderedDict[Item, float]()
        self._backlog, self._waiting_large_backlog = OrderedDict[Item, float](), OrderedDict[Item, float]()
        self._processing: dict[Item, float] = {}  # being processed, since when; no key that is ready
        self._processing_large: set[Item] = set()  # being processed as large keys; a subset of _processing
        self._dirty: set[Item] = set()  # added while busy: ready when the worker is done; a subset of _processing
        self._due: dict[Item, float] = {}  # the earliest deadline of a delayed key
        self._heap: list[tuple[float, int, Item]] = []  # deadlines; those that differ from _due are obsolete
        self._pushed = 0  # orders entries of equal deadlines in _heap
        self._timer: asyncio.TimerHandle | None = None  # for the first deadline of _heap
        self._failures: dict[Item, int] = {}  # consecutive, until the key is forgotten
        self._conflicts: dict[Item, int] = {}  # likewise
        self._idle: deque[asyncio.Future[None]] = deque()  # workers that wait in `get`
        self._closed = False
        self.adds = 0  # how often a key became ready
        self.retries = 0  # how often a key was added after a failure

    def __len__(self) -> int:
        return sum(map(len, self._ready_sets))

    @property
    def busy(self) -> int:
        """The number of keys that are being processed."""
        return len(self._processing)

    @property
    def busy_seconds(self) -> list[float]:
        """The seconds that each busy key has been processed."""
        now = self._loop.time()
        return [now - since for since in self._processing.values()]

    @property
    def delayed(self) -> int:
        """The number of keys that wait for a deadline."""
        return len(self._due)

    @property
    def is_idle(self) -> bool:
        """Return True if no key is ready and no key is being processed."""
        return not (len(self) or self._processing)

    def add(self, item: Item, *, backlog: bool = False) -> None:
        """Make `item` ready. A closed queue ignores it."""
        if self._closed:
            return
        if item in self._processing:
            self._dirty.add(item)
        elif item in self._ready or item in self._waiting_large:
            pass
        elif (keys := self._in_backlog(item)) is not None:
            if not backlog:
                self._ready[item] = keys.pop(item)
                self._notify_one()  # the key can have become smaller
        else:
            (self._backlog if backlog else self._ready)[item] = self._loop.time()
            self.adds += 1
            self._notify_one()

    def add_unless_backing_off(self, item: Item) -> None:
        """Make `item` ready, unless it has failed and waits for its next attempt."""
        if not (item in self._failures and item in self._due):
            self.add(item)

    def add_after(self, item: Item, delay: float) -> None:
        """Make `item` ready in `delay` seconds, or at its present deadline if that is earlier."""
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
        elif len(self._heap) > 2 * len(self._due) + MAX_OBSOLETE_DEADLINES:
            self._compact()

    def retry(self, item: Item, after: float | None = None) -> None:
        """Add a key that failed, with exponential backoff, and not before `after` seconds."""
        failures = self._failures[item] = self._failures.get(item, 0) + 1
        self.retries += 1
        self.add_after(
            item, max(added_jitter(failures, MIN_BACKOFF_SECONDS, MAX_BACKOFF_SECONDS, self._random), after or 0.0)
        )

    def retry_conflict(self, item: Item) -> None:
        """Add a key whose object was changed: after each of CONFLICT_WAITS_SECONDS, then as a key that failed."""
        times = self._conflicts.get(item, 0)
        if times < len(CONFLICT_WAITS_SECONDS):
            self._conflicts[item] = times + 1
            self.add_after(item, CONFLICT_WAITS_SECONDS[times])
        else:
            self.retry(item)

    def forget(self, item: Item) -> None:
        """Forget the failures of a key."""
        self._failures.pop(item, None)
        self._conflicts.pop(item, None)

    def forget_and_cancel(self, item: Item) -> None:
        """Forget the failures and the deadline of a key whose object does not exist any more."""
        self.forget(item)
        self._due.pop(item, None)

    def remove(self, item: Item) -> None:
        """Remove a key whose object does not exist any more.

        While another replica leads, no worker takes keys, so removed objects would stay in the queue. A key that is
        being processed is processed once more, and then forgotten.
        """
        if item in self._processing:
            self.add(item)
        else:
            for keys in self._ready_sets:
                keys.pop(item, None)
            self.forget_and_cancel(item)

    def failures(self, item: Item) -> int:
        """Return the number of consecutive failures of a key."""
        return self._failures.get(item, 0)

    async def get(self) -> Item:
        """Return the next key. The caller calls `done` after processing it. Raises Closed."""
        while (item := self._take()) is None:
            if self._closed:
                raise Closed
            waiter: asyncio.Future[None] = self._loop.create_future()
            self._idle.append(waiter)
            try:
                await waiter
            except asyncio.CancelledError:
                if waiter.cancelled():
                    with suppress(ValueError):  # a concurrent `add` has removed it
                        self._idle.remove(waiter)
                elif len(self):
                    self._notify_one()  # for the key that this worker does not take
                raise
        return item

    def claim_large(self, item: Item) -> bool:
        """Process `item`, which is being processed, as a large key from now on.

        Return False if `max_large` others are being processed. The caller then adds it, and it waits with the others.
        """
        if item not in self._processing_large and not self._has_slot:
            return False
        self._processing_large.add(item)
        return True

    def done(self, item: Item) -> None:
        """Mark `item` as processed."""
        self._on_work_duration(self._loop.time() - self._processing.pop(item))
        if item in self._processing_large:
            self._processing_large.remove(item)
            self._offer_slot()
        if item in self._dirty:
            self._dirty.remove(item)
            self.add(item)

    def close(self) -> None:
        """Accept and return no more keys. Workers finish the keys that they process."""
        self._closed = True
        for keys in self._ready_sets:
            keys.clear()
        for pending in (self._due, self._heap, self._dirty):
            pending.clear()
        if self._timer:
            self._timer.cancel()
        while self._idle:
            self._notify_one()

    @property
    def _ready_sets(self) -> tuple[OrderedDict[Item, float], ...]:
        return self._ready, self._waiting_large, self._backlog, self._waiting_large_backlog

    @property
    def _has_slot(self) -> bool:
        """Return True if one more large key can be processed."""
        return len(self._processing_large) < self._max_large

    def _offer_slot(self) -> None:
        """Let an idle worker look at the keys that wait for a slot."""
        if self._waiting_large or self._waiting_large_backlog:
            self._notify_one()

    def _in_backlog(self, item: Item) -> OrderedDict[Item, float] | None:
        """Return the part of the backlog that has `item`."""
        return next((keys for keys in (self._backlog, self._waiting_large_backlog) if item in keys), None)

    def _take(self) -> Item | None:
        """Move the next key to _processing and return it; None if there is none, or only large keys that must wait."""
        has_slot = self._has_slot
        for keys, waiting in ((self._ready, self._waiting_large), (self._backlog, self._waiting_large_backlog)):
            if waiting and has_slot:
                return self._start(*waiting.popitem(last=False))
            while keys:
                item, since = keys.popitem(last=False)
                if has_slot or not self._is_large(item):
                    return self._start(item, since)
                waiting[item] = since
        return None

    def _start(self, item: Item, since: float) -> Item:
        now = self._processing[item] = self._loop.time()
        if self._is_large(item):
            self._processing_large.add(item)
        else:
            self._offer_slot()  # `item` can be a large key that has become smaller: its slot is still free
        self._on_queue_latency(now - since)
        return item

    def _compact(self) -> None:
        """Remove obsolete deadlines: a key can get an earlier deadline any number of times."""
        self._heap = [entry for entry in self._heap if self._due.get(entry[2]) == entry[0]]
        heapq.heapify(self._heap)

    def _notify_one(self) -> None:
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
