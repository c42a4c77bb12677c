"""What the API server counts, and which runs are not reported."""

import sys
from collections import Counter
from typing import Any

import pytest

from e2e.bench.calls import FRESH, counted, require
from e2e.bench.contestants import Follower
from e2e.bench.errors import FailedError
from e2e.program import Program

METRICS = """
# TYPE apiserver_request_total counter
apiserver_request_total{code="200",group="kubevirt.io",resource="virtualmachines",subresource="",verb="GET"} 7
apiserver_request_total{code="200",group="kubevirt.io",resource="virtualmachines",subresource="",verb="WATCH"} 3
apiserver_request_total{code="200",group="ssp.kubevirt.io",resource="virtualmachinetemplaterequests",subresource="status",verb="PATCH"} 5
apiserver_request_total{code="201",group="",resource="events",subresource="",verb="POST"} 2
apiserver_request_total{code="200",group="",resource="namespaces",subresource="",verb="GET"} 99
apiserver_request_duration_seconds_count{verb="GET"} 1
process_cpu_seconds_total 12.5
"""


class Metrics:
    async def get(self, path: str) -> Any:
        assert path == "/metrics"
        return METRICS


async def test_only_what_a_contestant_may_have_called_is_counted_and_no_stream() -> None:
    found = await counted(Metrics())  # type: ignore[arg-type]
    assert found.cpu == 12.5
    assert found.calls == {
        ("GET", "virtualmachines", "200"): 7,
        ("PATCH", "virtualmachinetemplaterequests/status", "200"): 5,
        ("POST", "events", "201"): 2,
    }


def test_three_calls_a_request_are_what_a_run_may_cost() -> None:
    require(Counter(dict.fromkeys(FRESH, 20)), 20)
    require(Counter(), 0)


SPOILED: dict[str, Counter[tuple[str, str, str]]] = {
    "a call too many": Counter({**dict.fromkeys(FRESH, 20), ("GET", "templates", "200"): 1}),
    "a read twice": Counter({**dict.fromkeys(FRESH, 20), ("GET", "virtualmachines", "200"): 21}),
    "a conflict": Counter({**dict.fromkeys(FRESH, 20), ("PATCH", "virtualmachinetemplaterequests/status", "409"): 1}),
    "an event, so something turned out badly": Counter({**dict.fromkeys(FRESH, 20), ("POST", "events", "201"): 1}),
    "a write that is missing": Counter({**dict.fromkeys(FRESH, 20), ("POST", "templates", "201"): 19}),
}


@pytest.mark.parametrize("spent", SPOILED.values(), ids=SPOILED)
def test_a_run_with_any_other_call_is_not_reported(spent: Counter[tuple[str, str, str]]) -> None:
    with pytest.raises(FailedError, match="calls other than expected"):
        require(spent, 20)


def test_what_we_called_ourselves_is_not_theirs() -> None:
    ours = Counter({("POST", "virtualmachinetemplaterequests", "201"): 20})
    require(Counter(dict.fromkeys(FRESH, 20)) + ours, 20, ours)


ENDS_WELL = "import signal, sys; signal.signal(signal.SIGTERM, lambda *_: sys.exit(0)); "
PROGRAMS = {  # what it does before it is ended, what it says last, and why it spoils the run
    "one that complains": (
        ENDS_WELL + """print('{"level": "error", "message": "no luck"}\\n{"message": "up"}'); input()""",
        "1 complaints:\\n.*no luck",
    ),
    "one that prints what is no log": (
        ENDS_WELL + """print('Traceback\\n{"message": "up"}'); input()""",
        "1 complaints:\\nTraceback",
    ),
    "one that does not end when it is asked to": (
        """print('{"message": "up"}'); input()""",
        "ended with status -15",
    ),
}


@pytest.mark.parametrize(("code", "why"), PROGRAMS.values(), ids=PROGRAMS)
def test_a_program_that_does_not_end_well_spoils_the_run(code: str, why: str) -> None:
    contestant = Follower("it", Program([sys.executable, "-u", "-c", code]))
    contestant.begin()
    contestant.await_word("up")
    with pytest.raises(FailedError, match=why):
        contestant.finish()


def test_a_program_that_ends_well_spoils_nothing() -> None:
    contestant = Follower(
        "it", Program([sys.executable, "-u", "-c", ENDS_WELL + """print('{"message": "up"}'); input()"""])
    )
    contestant.begin()
    contestant.await_word("up")
    contestant.finish()
