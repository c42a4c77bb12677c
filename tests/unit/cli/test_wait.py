"""A request is followed through whatever the server does: no state is lost, and a break is no end."""

import asyncio

import pytest
from aiohttp import web

from atmpl.cli import wait
from atmpl.cli.client import ClusterClient
from atmpl.controller.cluster import ForbiddenError
from tests.support.scripted_server import Script, connected, event, status, stream, thing


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setattr(wait, "AGAIN", 0.0)


def request(version, reason=None, *, uid="1", ready=False, stalled=False):
    made = thing("web", version)
    made["metadata"]["uid"] = uid
    if reason:
        conditions = [{"type": "Ready", "status": str(ready), "reason": reason, "message": f"{reason}, it says"}]
        conditions += [{"type": "Stalled", "status": "True"}] if stalled else []
        made["status"] = {"conditions": conditions}
    return made


def found(obj):
    async def act(_):
        return web.json_response(obj)

    return act


async def states(script, *, until):
    """The reasons and ends that are seen, up to the state that `until` is true of."""
    seen = []
    async with connected(script) as connection, asyncio.timeout(10):
        async for state in wait.follow(ClusterClient(connection, "ns", "there"), request(5)):
            seen.append(state)
            if until(state):
                return seen
    return seen


async def test_each_state_is_seen_as_it_comes():
    lines = [event("MODIFIED", request(6, "SourceNotFound")), event("MODIFIED", request(7, "Rendered", ready=True))]
    script = Script(stream(*lines))
    seen = await states(script, until=lambda state: state.final)
    assert [(each.reason, each.ready, each.final) for each in seen] == [
        ("", False, False),
        ("SourceNotFound", False, False),
        ("Rendered", True, True),
    ]
    assert script.queries == [{"watch": "true", "fieldSelector": "metadata.name=web", "resourceVersion": "5"}]
    assert seen[1].message == "SourceNotFound, it says"


async def test_what_no_retry_will_help_is_final():
    script = Script(stream(event("MODIFIED", request(6, "InvalidSource", stalled=True))))
    *_, last = await states(script, until=lambda state: state.final)
    assert (last.reason, last.stalled, last.ready) == ("InvalidSource", True, False)


async def test_a_watch_that_ends_is_taken_up_again_and_what_was_missed_is_read():
    script = Script(
        stream(), found(request(8, "SourceNotFound")), stream(event("MODIFIED", request(9, "Rendered", ready=True)))
    )
    seen = await states(script, until=lambda state: state.final)
    assert [each.reason for each in seen] == ["", "SourceNotFound", "Rendered"]
    assert [each.get("resourceVersion") for each in script.queries] == ["5", None, "8"]


BREAKS = {
    "a version that is too old": status(410, "Expired", "too old"),
    "an ERROR event": stream(event("ERROR", {"kind": "Status", "code": 410})),
    "no JSON": stream(b"no JSON\n"),
    "no event": stream(b'["type"]\n'),
    "an event of no object": stream(b'{"type": "ADDED", "object": {"metadata": {}}}\n'),
    "a server that is overwhelmed": status(503, "ServiceUnavailable"),
}


@pytest.mark.parametrize("case", BREAKS)
async def test_a_break_is_no_end(case):
    script = Script(BREAKS[case], status(500, "InternalError"), BREAKS[case], found(request(9, "Rendered", ready=True)))
    *_, last = await states(script, until=lambda state: state.final)
    assert last.ready


async def test_a_deletion_is_the_end_and_shows_the_last_state():
    script = Script(stream(event("DELETED", request(9, "Rendered", ready=True))))
    *_, last = await states(script, until=lambda state: state.final)
    assert (last.gone, last.ready) == (True, True)


async def test_a_deletion_that_nobody_saw_is_the_end():
    *_, last = await states(Script(stream(), status(404, "NotFound")), until=lambda state: state.final)
    assert (last.gone, last.ready) == (True, False)


async def test_another_request_of_its_name_is_not_taken_for_it():
    other = request(9, "Rendered", uid="2", ready=True)
    *_, last = await states(Script(stream(), found(other)), until=lambda state: state.final)
    assert (last.gone, last.ready) == (True, False)


async def test_who_may_not_watch_is_told_so():
    with pytest.raises(ForbiddenError, match="you cannot watch"):
        await states(Script(status(403, "Forbidden", "you cannot watch")), until=lambda _: False)


def test_a_status_that_is_no_status_says_nothing():
    for odd in ({}, {"status": None}, {"status": {"conditions": ["x"]}}, {"status": {"conditions": None}}):
        assert wait.state(odd)[1:] == wait.State({})[1:]
