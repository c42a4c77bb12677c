"""What was in the way of a template: whether it still is."""

import pytest

from atmpl.controller.cluster import APINotFoundError
from atmpl.controller.hindrance import is_still_blocked
from tests.support.builders import a_template
from tests.support.fixtures import READY, Town, asked_of
from tests.support.resources import TEMPLATES, Object


@pytest.fixture
def town() -> Town:
    return Town()


def told(reason: str) -> Object:
    return {"conditions": [READY | {"status": "False", "reason": reason}]}


HINDERED: dict[str, tuple[str, bool, bool, bool, list[str]]] = {  # reason told, served, there: hindered, calls
    "nothing was": ("Failed", True, True, False, []),
    "it is still there": ("TargetConflict", True, True, True, ["GET template"]),
    "it is gone": ("TargetConflict", True, False, False, ["GET template"]),
    "the format is still not served": ("FormatUnavailable", False, False, True, ["GET template"]),
    "the format is served": ("FormatUnavailable", True, False, False, ["GET template"]),
    "it is served, and the name is taken, which is for the next to judge": (
        "FormatUnavailable",
        True,
        True,
        False,
        ["GET template"],
    ),
}


@pytest.mark.parametrize("sentence", HINDERED)
async def test_whether_what_was_in_the_way_still_is_costs_one_read_at_most(town: Town, sentence: str) -> None:
    reason, served, there, hindered, calls = HINDERED[sentence]
    request = town.request(told(reason))
    if there:
        town.server.create(a_template())
    if not served:
        town.server.unserved.add(TEMPLATES)
    assert await is_still_blocked(request, asked_of(request), town.cluster) == hindered
    assert town.connection.calls == calls


async def test_a_name_that_has_become_ours_hinders_no_more(town: Town) -> None:
    request = town.request(told("TargetConflict"))
    town.stands(request)
    assert not await is_still_blocked(request, asked_of(request), town.cluster)


async def test_a_conflict_whose_format_is_served_no_more_is_for_the_story_to_tell(town: Town) -> None:
    request = town.request(told("TargetConflict"))
    town.server.unserved.add(TEMPLATES)
    with pytest.raises(APINotFoundError):
        await is_still_blocked(request, asked_of(request), town.cluster)
