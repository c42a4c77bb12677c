"""How often one request may be judged."""

from atmpl.controller.key import Key
from atmpl.manager.pace import Pace

A, B = Key("team-a", "a"), Key("team-a", "b")


class Clock:
    """A clock that a test sets."""

    time = 100.0

    def __call__(self) -> float:
        return self.time


def test_a_request_is_left_alone_for_a_second_after_it_was_judged() -> None:
    clock = Clock()
    pace = Pace(clock, interval=1.0)
    assert pace.left(A) == 0.0
    pace.judged(A)
    clock.time = 100.25
    assert (pace.left(A), pace.left(B)) == (0.75, 0.0)
    clock.time = 101.0
    assert pace.left(A) == 0.0


def test_a_request_that_is_judged_again_is_left_alone_anew() -> None:
    clock = Clock()
    pace = Pace(clock, interval=1.0)
    pace.judged(A)
    pace.judged(B)
    clock.time = 100.5
    pace.judged(A)
    clock.time = 101.25
    assert (pace.left(A), pace.left(B)) == (0.25, 0.0)


def test_a_server_that_says_when_to_come_again_is_not_asked_before() -> None:
    clock = Clock()
    pace = Pace(clock, interval=1.0)
    pace.judged(A, after=7.0)
    pace.judged(B, after=0.5)
    assert (pace.left(A), pace.left(B)) == (7.0, 1.0)


def test_few_requests_are_remembered_beside_those_of_the_last_second() -> None:
    clock = Clock()
    pace = Pace(clock, interval=1.0)
    for number in range(10_000):
        pace.judged(Key("team-a", str(number)))
        clock.time += 0.125
        assert len(pace) <= 64
