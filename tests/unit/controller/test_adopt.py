"""A template of ours that stands already: taken for published, or let go, and never changed."""

import pytest

from atmpl.controller.adopt import adopt, find_existing_template, release
from atmpl.controller.outcome import Rendered, Source, SourceGone
from tests.support.api_under_test import seen
from tests.support.builders import a_request, a_template
from tests.support.fixtures import IN_STEP, REFRESH, UID, Town, asked_of, published
from tests.support.resources import Object


@pytest.fixture
def town() -> Town:
    return Town()


# What was made earlier, where the VM gives nothing any more


async def test_where_nothing_of_ours_stands_nothing_was_made(town: Town) -> None:
    request = town.request()
    assert await find_existing_template(request, asked_of(request), town.cluster) is None
    town.server.create(a_template())
    assert await find_existing_template(request, asked_of(request), town.cluster) is None


async def test_once_what_was_made_earlier_is_adopted_without_its_vm(town: Town) -> None:
    request = town.request()
    before = town.stands(request)
    found = await find_existing_template(request, asked_of(request), town.cluster)
    source = Source(town.vm["metadata"]["uid"], 1, "")
    assert found == Rendered(source, published(before), 2, (), digest="", written=False)


async def test_in_step_what_was_made_earlier_and_never_said_is_adopted_with_a_warning(town: Town) -> None:
    request = town.request(refreshPolicy="OnChange")
    before = town.stands(request)
    found = await find_existing_template(request, asked_of(request), town.cluster)
    assert isinstance(found, Rendered)
    assert (found.published, found.digest) == (published(before), "unseen")
    assert [warning.reason for warning in found.warnings] == ["SourceGone"]


async def test_in_step_what_was_said_already_stands_without_its_vm(town: Town) -> None:
    request = town.request(IN_STEP, refreshPolicy="OnChange")
    town.stands(request)
    assert await find_existing_template(request, asked_of(request), town.cluster) == SourceGone(town.api.vm)


LIES: dict[str, tuple[Object, Source]] = {  # annotations of a template of ours: the source that is believed
    "nothing": ({}, Source("", 0, "")),
    "a uid and a generation": ({"source-uid": "v1", "source-generation": "7"}, Source("v1", 7, "")),
    "a uid longer than any": ({"source-uid": "u" * 129, "source-generation": "7"}, Source("", 7, "")),
    "a generation that is none": ({"source-uid": "v1", "source-generation": "seven"}, Source("v1", 0, "")),
    "one below zero": ({"source-uid": "v1", "source-generation": "-7"}, Source("v1", 0, "")),
    "one in other digits": ({"source-uid": "v1", "source-generation": "\u0667"}, Source("v1", 0, "")),
    "one beyond 64 bits": ({"source-uid": "v1", "source-generation": "9" * 19}, Source("v1", 0, "")),
}


@pytest.mark.parametrize("sentence", LIES)
async def test_what_a_template_says_of_its_source_is_believed_in_bounds(town: Town, sentence: str) -> None:
    said, source = LIES[sentence]
    request = town.request()
    annotations = {f"ssp.kubevirt.io/{key}": value for key, value in said.items()}
    town.server.create(a_template(labels={UID: request.uid}, annotations=annotations))
    found = await find_existing_template(request, asked_of(request), town.cluster)
    assert isinstance(found, Rendered)
    assert found.source == source


async def test_what_was_adopted_is_said_to_be_of_the_vm_it_was_made_of_and_not_of_what_that_is_now(town: Town) -> None:
    request = town.request()
    there = town.stands(request)
    uid = town.vm["metadata"]["uid"]
    same, edited = Source(uid, 1, "77"), Source(uid, 2, "78")
    for now, said in ((same, same), (edited, Source(uid, 1, "")), (Source("new", 1, "79"), Source(uid, 1, ""))):
        found = await adopt(request, asked_of(request), there, town.cluster, source=now)
        assert (found.source, found.published) == (said, published(there))


# OnChange that becomes Once


async def test_a_template_is_let_go_by_its_label_and_nothing_else(town: Town) -> None:
    request = town.request(IN_STEP, refreshPolicy="OnChange")
    before = town.stands(request)
    town.connection.calls.clear()
    assert await release(request, asked_of(request), town.cluster)
    assert town.template is not None
    labels = {key: value for key, value in before["metadata"]["labels"].items() if key != REFRESH}
    assert town.template["metadata"]["labels"] == labels
    assert {**town.template, "metadata": 0} == {**before, "metadata": 0}
    assert await release(request, asked_of(request), town.cluster)
    assert town.connection.calls == ["GET template", "PATCH template", "GET template"]


async def test_a_request_is_settled_by_letting_go_what_is_gone_or_anothers_only_if_it_was_served(town: Town) -> None:
    served, other = town.request(IN_STEP), town.server.create(a_request("other"))
    assert await release(served, asked_of(served), town.cluster)
    assert not await release(seen(other), asked_of(served), town.cluster)
    before = town.server.create(a_template(labels={REFRESH: "OnChange"}))
    assert await release(served, asked_of(served), town.cluster)
    assert town.template == before
