"""Watching a request loses no state, and a broken watch is not the end."""

import asyncio

import pytest

from atmpl.cli import wait
from atmpl.cli.client import ClusterClient
from atmpl.controller.cluster import ForbiddenError
from atmpl.kube import reflector
from tests.support.scripted_server import Script, connected, event, status, stream, thing


@pytest.fixture(autouse=True)
def quiet(monkeypatch):
    """`open_cluster` silences the log."""
    monkeypatch.setattr(reflector.log, "disabled", True)


async def no_wait(_):
    await asyncio.sleep(0)


def request(version, reason=None, *, uid="1", ready=False, stalled=False):
    made = thing("web", version)
    made["metadata"]["uid"] = uid
    if reason:
        conditions = [{"type": "Ready", "status": str(ready), "reason": reason, "message": f"{reason}, in words"}]
        conditions += [{"type": "Stalled", "status": "True"}] if stalled else []
        made["status"] = {"conditions": conditions}
    return made


def end_of_list(version):
    annotations = {"k8s.io/initial-events-end": "true"}
    return event("BOOKMARK", {"metadata": {"resourceVersion": str(version), "annotations": annotations}})


async def states(script, *, until):
    """The reasons and ends that are seen, up to the state that `until` is true of."""
    seen = []
    async with connected(script) as connection, asyncio.timeout(10):
        async for state in wait.watch_request(ClusterClient(connection, "ns", "there"), request(5), sleep=no_wait):
            seen.append(state)
            if until(state):
                return seen
    return seen


async def test_each_state_is_yielded():
    lines = [event("MODIFIED", request(6, "SourceNotFound")), event("MODIFIED", request(7, "Rendered", ready=True))]
    script = Script(stream(*lines))
    seen = await states(script, until=lambda state: state.is_final)
    assert [(each.reason, each.ready, each.is_final) for each in seen] == [
        ("", False, False),
        ("SourceNotFound", False, False),
        ("Rendered", True, True),
    ]
    query = script.queries[0]
    assert (query["fieldSelector"], query["resourceVersion"]) == ("metadata.name=web", "5")
    assert seen[1].message == "SourceNotFound, in words"


async def test_stalled_request_is_final():
    script = Script(stream(event("MODIFIED", request(6, "InvalidSource", stalled=True))))
    *_, last = await states(script, until=lambda state: state.is_final)
    assert (last.reason, last.stalled, last.ready) == ("InvalidSource", True, False)


async def test_watch_that_ends_continues_where_it_was():
    script = Script(
        stream(event("MODIFIED", request(8, "SourceNotFound"))),
        stream(event("MODIFIED", request(9, "Rendered", ready=True))),
    )
    seen = await states(script, until=lambda state: state.is_final)
    assert [each.reason for each in seen] == ["", "SourceNotFound", "Rendered"]
    assert [each["resourceVersion"] for each in script.queries[:2]] == ["5", "8"]


BREAKS = {
    "a version that is too old": status(410, "Expired", "too old"),
    "an ERROR event": stream(event("ERROR", {"kind": "Status", "code": 410})),
    "no JSON": stream(b"no JSON\n"),
    "no event": stream(b'["type"]\n'),
    "an event without an object": stream(b'{"type": "ADDED", "object": {"metadata": {}}}\n'),
    "an overloaded server": status(503, "ServiceUnavailable"),
}


@pytest.mark.parametrize("case", BREAKS)
async def test_broken_watch_is_not_the_end(case):
    rendered = stream(event("ADDED", request(9, "Rendered", ready=True)), end_of_list(9))
    script = Script(BREAKS[case], status(500, "InternalError"), BREAKS[case], rendered)
    *_, last = await states(script, until=lambda state: state.is_final)
    assert last.ready


async def test_deletion_yields_the_last_state():
    script = Script(stream(event("DELETED", request(9, "Rendered", ready=True))))
    *_, last = await states(script, until=lambda state: state.is_final)
    assert (last.deleted, last.ready) == (True, True)


async def test_missed_deletion_ends_the_watch():
    script = Script(status(410, "Expired"), stream(end_of_list(9)))
    *_, last = await states(script, until=lambda state: state.is_final)
    assert (last.deleted, last.ready) == (True, False)


async def test_other_request_of_the_name_is_a_deletion():
    other = request(9, "Rendered", uid="2", ready=True)
    *_, last = await states(Script(stream(event("ADDED", other))), until=lambda state: state.is_final)
    assert (last.deleted, last.ready) == (True, False)


async def test_forbidden_watch_raises():
    with pytest.raises(ForbiddenError):
        await states(Script(status(403, "Forbidden", "you cannot watch")), until=lambda _: False)


def test_invalid_status_counts_as_missing():
    for odd in ({}, {"status": None}, {"status": {"conditions": ["x"]}}, {"status": {"conditions": None}}):
        assert wait.parse_state(odd) == wait.RequestState(odd)
