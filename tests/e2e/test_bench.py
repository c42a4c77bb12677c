"""The bench itself, in its smallest form, so that it does not rot."""

import asyncio
from collections import Counter

import pytest

from e2e.bench.__main__ import main, options, run
from e2e.bench.calls import require
from e2e.bench.contestants import ATMPL, BARE, PEER, Follower
from e2e.bench.errors import FailedError
from e2e.bench.peer_build import cached
from e2e.bench.plot import plot
from e2e.bench.table import report
from e2e.program import Program

SMALL = ["--requests=20", "--repetitions=1", "--vms=3", "--singles=3", "--paced=5"]

pytestmark = pytest.mark.private  # each starts a control plane of its own


async def test_a_small_run_has_every_figure() -> None:
    peer = [] if cached().exists() else ["--without-peer"]  # its first build takes minutes
    results = await run(options([*SMALL, *peer]), lambda _: None)
    assert results.contestants() == [BARE, ATMPL, *([] if peer else [PEER])]
    for found in results.drains:
        assert found.calls == 3
        assert found.rate > 0
        assert found.server_cpu > 0  # that of who serves twenty drowns in what its starts differ by
        assert found.peak > 10
    assert {(single.contestant, len(single.created)) for single in results.singles} == {
        (name, 3) for name in results.contestants()
    }
    assert [(paced.load, len(paced.latencies)) for paced in results.paced if paced.contestant == ATMPL] == [
        (0.2, 5),
        (0.5, 5),
        (0.8, 5),
    ]
    assert results.machine.kubernetes.startswith("v1.")
    assert "| calls a request " in report(results)
    assert "20 requests drained by bare loop, atmpl" in plot(results)


async def test_a_contestant_that_complains_spoils_the_run() -> None:
    program = ["sh", "-c", 'echo \'{"message": "ready"}\'; echo \'{"level": "error", "message": "oh"}\'; exec sleep 60']
    complainer = Follower("complainer", Program(program))
    await asyncio.to_thread(complainer.ready)
    with pytest.raises(FailedError, match="complainer ended with status -15 and 1 complaints"):
        await asyncio.to_thread(complainer.finish)


@pytest.mark.parametrize(
    ("calls", "why"),
    {
        "one call too many": ([("GET", "virtualmachines", "200")] * 2, "too many"),
        "a call that failed": ([("GET", "virtualmachines", "504")], "too many"),
        "a call that is missing": ([], "missing"),
    }.values(),
    ids=["one call too many", "a call that failed", "a call that is missing"],
)
def test_calls_other_than_three_a_request_spoil_the_run(calls: list[tuple[str, str, str]], why: str) -> None:
    others = [("POST", "templates", "201"), ("PATCH", "virtualmachinetemplaterequests/status", "200")]
    with pytest.raises(FailedError, match=why):
        require(Counter([*calls, *others]), 1)


def test_a_spoilt_run_reports_nothing(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    async def spoilt(*_: object) -> None:
        raise FailedError("one was not ready")

    monkeypatch.setattr("e2e.bench.__main__.run", spoilt)
    with pytest.raises(SystemExit, match="nothing to report: one was not ready"):
        main([])
    assert capsys.readouterr().out == ""
