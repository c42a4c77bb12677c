"""The event loop's wait, where much is in hand."""

import selectors
import socket
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from atmpl.manager import gathering
from atmpl.manager.gathering import CROWD, MANY, NAP, Gathering
from e2e.controller import Controller
from e2e.controlplane import Client, ControlPlane
from e2e.objects import is_ready
from tests.manager.objects import request, request_path, vm


@pytest.fixture(scope="module")
def server(own_server: ControlPlane) -> ControlPlane:
    return own_server


class Pairs:
    """Sockets that a selector looks at; during a nap `then` come to have something to read."""

    def __init__(self, selector: Gathering, count: int) -> None:
        self.pairs = [socket.socketpair() for _ in range(count)]
        self.then: list[int] = []
        self.naps: list[float] = []
        for number, (ours, _) in enumerate(self.pairs):
            selector.register(ours, selectors.EVENT_READ, number)

    def answer(self, *numbers: int) -> None:
        for number in numbers:
            self.pairs[number][1].send(b"x")

    def sleep(self, seconds: float) -> None:
        self.naps.append(seconds)
        self.answer(*self.then)


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


def test_many_answers_wait_for_no_more(selector: Gathering, pairs: Pairs) -> None:
    selector.in_hand = lambda: CROWD
    pairs.answer(*range(MANY))
    assert len(found(selector)) == MANY
    assert pairs.naps == []


@pytest.mark.parametrize("timeout", [-1, 0, NAP])
def test_no_work_and_no_timer_waits_for_a_crowd(selector: Gathering, pairs: Pairs, timeout: float) -> None:
    selector.in_hand = lambda: CROWD
    pairs.answer(0)
    pairs.then = [1]
    assert found(selector, timeout) == {0}
    assert pairs.naps == []


def test_the_nap_counts_as_waiting(selector: Gathering, pairs: Pairs, monkeypatch: pytest.MonkeyPatch) -> None:
    waited = []
    monkeypatch.setattr(selectors.DefaultSelector, "select", lambda self, timeout=None: waited.append(timeout) or [])
    selector.in_hand = lambda: CROWD
    selector.select(3 * NAP)
    selector.select(None)
    assert waited == [0, pytest.approx(2 * NAP), 0, None]


@pytest.mark.private
@pytest.mark.skipif(find_spec("uvloop") is not None, reason="uvloop's wait is its own")
async def test_the_controllers_loop_does_so(kubeconfig: Path, client: Client, namespace: str) -> None:
    await client.create(vm(namespace))
    with Controller(kubeconfig, module="tests.manager.gathering_at_work") as controller:
        await client.create(request(namespace))
        await client.until(request_path(namespace), is_ready)
        controller.logged(lambda line: line["message"] == "gathering")
