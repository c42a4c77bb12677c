"""Failures are logged when they begin and end, and once a minute in between."""

import logging

import pytest

from atmpl.kube.failure_log import REPEAT_SECONDS, FailureLog


class Clock:
    """A clock that a test sets."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_failure_log_limits_repeated_failures(caplog: pytest.LogCaptureFixture) -> None:
    clock = Clock()
    caplog.set_level(logging.INFO)
    failures = FailureLog(logging.getLogger("test"), "watch", now=clock)
    for _ in range(100):  # two texts alternate every 2.9 s
        failures.failed({"why": "Unauthorized" if clock.now % 5.8 else "token expired"})
        clock.now += 2.9
    failures.recovered({})
    failures.recovered({})
    failures.failed({"why": "again"})
    messages = [record.getMessage() for record in caplog.records]
    assert messages == ["watch failed"] * 5 + ["watch recovered", "watch failed"]
    assert [vars(record).get("suppressed", 0) for record in caplog.records] == [0, 20, 20, 20, 20, 0, 0]
    assert REPEAT_SECONDS == 60
