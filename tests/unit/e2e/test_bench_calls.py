"""What the API server counts, and which runs are not reported."""

import sys
from collections import Counter
from typing import Any

import pytest

from e2e.bench.bench_cluster import FailedError
from e2e.bench.calls import CALLS_PER_REQUEST, APICall, Counted, count_calls, require_calls
from e2e.bench.implementations import Implementation
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

NOTHING = Counted(Counter(), 0.0)


class FakeClient:
    async def get(self, path: str) -> Any:
        assert path == "/metrics"
        return METRICS


async def test_counted_calls_exclude_streams_and_other_groups() -> None:
    found = await count_calls(FakeClient())  # type: ignore[arg-type]
    assert found.cpu == 12.5
    assert found.calls == {
        ("GET", "virtualmachines", "200"): 7,
        ("PATCH", "virtualmachinetemplaterequests/status", "200"): 5,
        ("POST", "events", "201"): 2,
    }


def received(*more: APICall) -> Counted:
    return Counted(Counter(dict.fromkeys(CALLS_PER_REQUEST, 20)) + Counter(more), 0.0)


def test_three_calls_per_request_are_accepted() -> None:
    require_calls(NOTHING, received(), requests=20)
    require_calls(received(), received(), requests=0)


def test_own_calls_are_accepted() -> None:
    own: APICall = ("POST", "virtualmachinetemplaterequests", "201")
    require_calls(NOTHING, received(own), requests=20, own={own: 1})


UNEXPECTED: dict[str, APICall] = {
    "another resource": ("GET", "templates", "200"),
    "a second read": ("GET", "virtualmachines", "200"),
    "a conflict": ("PATCH", "virtualmachinetemplaterequests/status", "409"),
    "an event": ("POST", "events", "201"),
}


@pytest.mark.parametrize("call", UNEXPECTED.values(), ids=UNEXPECTED)
def test_an_unexpected_call_fails_the_run(call: APICall) -> None:
    with pytest.raises(FailedError, match="too many"):
        require_calls(NOTHING, received(call), requests=20)


def test_a_missing_call_fails_the_run() -> None:
    with pytest.raises(FailedError, match="missing"):
        require_calls(NOTHING, received(), requests=21)


ENDS_WELL = "import signal, sys; signal.signal(signal.SIGTERM, lambda *_: sys.exit(0)); "
PROGRAMS = {  # its code, and why the run fails
    "error log": (
        ENDS_WELL + """print('{"level": "error", "message": "x"}\\n{"message": "up"}'); input()""",
        "1 complaints:\\n.*error",
    ),
    "output other than logs": (
        ENDS_WELL + """print('Traceback\\n{"message": "up"}'); input()""",
        "1 complaints:\\nTraceback",
    ),
    "exit status": ("""print('{"message": "up"}'); input()""", "status -15"),
}


def started(code: str) -> Implementation:
    implementation = Implementation("it", Program([sys.executable, "-u", "-c", code]))
    implementation.start()
    implementation.wait_for("up")
    return implementation


@pytest.mark.parametrize(("code", "why"), PROGRAMS.values(), ids=PROGRAMS)
def test_a_faulty_implementation_fails_the_run(code: str, why: str) -> None:
    implementation = started(code)
    with pytest.raises(FailedError, match=why):
        implementation.stop()


def test_a_clean_implementation_stops() -> None:
    started(ENDS_WELL + """print('{"message": "up"}'); input()""").stop()
