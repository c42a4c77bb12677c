"""The event loop's wait, where much is in hand."""

import asyncio
import os
import selectors
import signal
import socket
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from atmpl.manager import gathering
from atmpl.manager.gathering import AWAKE, CROWD, MANY, NAP, Gathering
from e2e.controller import Controller
from e2e.controlplane import Client, ControlPlane
from e2e.objects import is_ready
from tests.support.cluster_objects import request, request_path, vm


@pytest.fixture(scope="module")
def server(own_server: ControlPlane) -> ControlPlane:
    return own_server


class Pairs:
    """Sockets that a selector looks at; during a nap `then` come to have something to read."""

    def __init__(self, selector: Gathering, count: int) -> None:
        self.pairs = [socket.socketpair() for _ in range(count)]
        self.then: list[int] = []
        self.naps: list[float] = []
        self.now = 100.0
        self.overrun = 0.0  # how much longer a nap takes than it should
        for number, (ours, _) in enumerate(self.pairs):
            selector.register(ours, selectors.EVENT_READ, number)

    def answer(self, *numbers: int) -> None:
        for number in numbers:
            self.pairs[number][1].send(b"x")

    def sleep(self, seconds: float) -> None:
        self.naps.append(seconds)
        self.now += seconds + self.overrun
        self.answer(*self.then)

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def selector() -> Iterator[Gathering]:
    with Gathering() as selector:
        yield selector


@pytest.fixture
def pairs(selector: Gathering, monkeypatch: pytest.MonkeyPatch) -> Iterator[Pairs]:
    pairs = Pairs(selector, MANY)
    monkeypatch.setattr(gathering, "time", pairs)
    yield pairs
    for both in pairs.pairs:
        for end in both:
            end.close()


def found(selector: Gathering, timeout: float | None = None) -> set[int]:
    return {key.data for key, _ in selector.select(timeout)}


def test_a_crowds_answers_gather(selector: Gathering, pairs: Pairs) -> None:
    selector.in_hand = lambda: CROWD
    pairs.answer(0)
    pairs.then = [1, 2]
    assert found(selector) == {0, 1, 2}
    assert pairs.naps == [NAP]


@pytest.mark.parametrize("in_hand", [0, CROWD - 1])
def test_a_few_have_each_answer_at_once(selector: Gathering, pairs: Pairs, in_hand: int) -> None:
    selector.in_hand = lambda: in_hand
    pairs.answer(0)
    pairs.then = [1]
    assert found(selector) == {0}
    assert pairs.naps == []


def test_before_anything_is_known_of_a_crowd_it_waits_as_any(selector: Gathering, pairs: Pairs) -> None:
    pairs.answer(0)
    assert found(selector) == {0}
    assert pairs.naps == []


@pytest.mark.parametrize(
    ("in_hand", "answers", "naps"),
    [(100, MANY, 0), (100, MANY - 1, 1), (CROWD, CROWD // 2, 0), (CROWD, CROWD // 2 - 1, 1)],
)
def test_many_answers_wait_for_no_more_nor_does_half_a_crowd(
    selector: Gathering, pairs: Pairs, in_hand: int, answers: int, naps: int
) -> None:
    selector.in_hand = lambda: in_hand
    pairs.answer(*range(answers))
    assert len(found(selector)) == answers
    assert len(pairs.naps) == naps


@pytest.mark.parametrize("timeout", [-1, 0])
def test_work_that_is_ready_waits_for_no_crowd(selector: Gathering, pairs: Pairs, timeout: float) -> None:
    selector.in_hand = lambda: CROWD
    pairs.answer(0)
    pairs.then = [1]
    assert found(selector, timeout) == {0}
    assert pairs.naps == []


def test_a_nap_ends_with_the_first_timer(selector: Gathering, pairs: Pairs) -> None:
    """Streams' own timers are as short as a nap: they are to shorten it, not to prevent it."""
    selector.in_hand = lambda: CROWD
    pairs.answer(0)
    pairs.then = [1]
    assert found(selector, NAP / 2) == {0, 1}
    assert pairs.naps == [NAP / 2]


@pytest.mark.parametrize("overrun", [0.0, NAP, 5 * NAP])
def test_the_nap_counts_as_waiting_for_as_long_as_it_took(
    selector: Gathering, pairs: Pairs, monkeypatch: pytest.MonkeyPatch, overrun: float
) -> None:
    waited = []
    monkeypatch.setattr(selectors.DefaultSelector, "select", lambda self, timeout=None: waited.append(timeout) or [])
    pairs.overrun = overrun
    selector.in_hand = lambda: CROWD
    selector.select(3 * NAP)
    selector.select(None)
    assert waited == [0, 0, pytest.approx(max(0, 2 * NAP - overrun)), 0, 0, None]


def test_a_server_that_answers_half_of_a_crowd_within_a_nap_is_waited_for_no_more(
    selector: Gathering, pairs: Pairs
) -> None:
    selector.in_hand = lambda: CROWD
    pairs.answer(0)
    pairs.then = [*range(1, CROWD // 2)]
    assert len(found(selector)) == CROWD // 2
    for pair, _ in pairs.pairs[: CROWD // 2]:
        pair.recv(10)
    pairs.answer(0)
    assert found(selector) == {0}
    assert pairs.naps == [NAP]
    pairs.now += AWAKE
    assert len(found(selector)) == CROWD // 2  # it is tried anew: servers become slow
    assert pairs.naps == [NAP, NAP]


def test_a_thread_and_a_signal_are_heard_through_naps() -> None:
    async def work(selector: Gathering) -> None:
        selector.in_hand = lambda: CROWD
        loop = asyncio.get_running_loop()
        signalled = asyncio.Event()
        loop.add_signal_handler(signal.SIGUSR1, signalled.set)
        await asyncio.to_thread(os.kill, os.getpid(), signal.SIGUSR1)
        await signalled.wait()

    selector = Gathering()
    with asyncio.Runner(loop_factory=lambda: asyncio.SelectorEventLoop(selector)) as runner:
        runner.run(asyncio.wait_for(work(selector), 20))


@pytest.mark.private
@pytest.mark.skipif(find_spec("uvloop") is not None, reason="uvloop's wait is its own")
async def test_the_controllers_loop_does_so(kubeconfig: Path, client: Client, namespace: str) -> None:
    await client.create(vm(namespace))
    with Controller(kubeconfig, module="tests.integration.manager.gathering_at_work") as controller:
        await client.create(request(namespace))
        await client.until(request_path(namespace), is_ready)
        controller.logged(lambda line: line["message"] == "gathering")
