"""A rendered template goes to the cluster, or stays back: whatever stands under its name."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from atmpl.controller import vm_digest
from atmpl.controller.outcome import Blocked, Conflict, Reason, Rejected, Rendered, Source
from atmpl.controller.publish import publish
from atmpl.kube.response import Response
from tests.support.api_under_test import ClusterClient, InMemory, version
from tests.support.builders import NAMESPACE, a_template, with_memory
from tests.support.fixtures import IN_STEP, NAME, REFRESH, UID, Town, asked_of, published
from tests.support.resources import REQUESTS, TEMPLATES, VMS, Object
from tests.support.responses import status


@pytest.fixture
def town() -> Town:
    return Town()


# Nothing in the way


async def test_a_template_of_a_free_name_is_written_by_one_call(town: Town) -> None:
    found = await town.publish(town.request())
    assert found == Rendered(
        source=Source(town.vm["metadata"]["uid"], 1, version(town.vm)),
        published=published(town.template),
        parameters=2,
        warnings=(),
        digest="",
        written=True,
        seconds=0.25,
    )
    assert town.connection.calls == ["POST template"]


async def test_one_kept_in_step_says_of_which_vm_it_was_made(town: Town) -> None:
    found = await town.publish(town.request(refreshPolicy="OnChange"))
    assert isinstance(found, Rendered)
    assert found.digest == vm_digest.vm_digest_of(town.vm)


async def test_a_template_that_would_not_fit_is_refused_without_a_call(town: Town) -> None:
    request = town.request()
    large = town.made(request)._replace(body=b'{"note":"' + b"<" * 174_763 + b'"}')  # each takes six bytes
    found = await town.publish(request, large)
    assert isinstance(found, Rejected)
    assert found.reason is Reason.TOO_LARGE
    assert "and may take 1,048,576: make the VM smaller" in found.message
    assert town.connection.calls == []


@pytest.mark.parametrize("method", ["POST", "PATCH"])
async def test_a_template_that_the_server_cannot_store_is_refused_in_its_words(town: Town, method: str) -> None:
    class Full(InMemory):
        async def call(self, method_: str, path: str, **what: Any) -> Response:
            if method_ == method:
                return status(500, None, "etcdserver: request is too large")
            return await super().call(method_, path, **what)

    request = town.request(refreshPolicy="OnChange")
    if method == "PATCH":
        town.stands(request)
        town.vm = town.server.edit(VMS, town.api.vm, with_memory("256Mi"))
    cluster = ClusterClient(Full(town.server), NAMESPACE).cluster
    found = await publish(request, asked_of(request), town.made(request), cluster)
    said = "The API server cannot store the template: status 500: the object is too large"
    assert found == Rejected(Reason.TOO_LARGE, said)


# Something of that name is there


async def test_once_what_is_ours_already_stays_as_it_is_whatever_the_vm_says_by_now(town: Town) -> None:
    request = town.request()
    before = town.stands(request)
    of = town.vm
    town.vm = town.server.edit(VMS, town.api.vm, with_memory("256Mi"))
    found = await town.publish(request)
    assert isinstance(found, Rendered)
    assert (found.written, found.published) == (False, published(before))
    assert found.source == Source(of["metadata"]["uid"], 1, ""), (
        "its generation, of which the template tells no version"
    )
    assert town.template == before
    assert town.connection.calls == ["POST template", "GET template"]


async def test_once_what_is_ours_and_of_this_very_vm_says_so_in_full(town: Town) -> None:
    request = town.request()
    town.stands(request)
    found = await town.publish(request)
    assert isinstance(found, Rendered)
    assert found.source == vm_digest.source(town.vm)


async def test_once_what_is_ours_from_when_it_was_kept_in_step_is_let_go(town: Town) -> None:
    request = town.request()
    before = town.stands(request, labels={UID: request.uid, REFRESH: "OnChange", "team": "db"})
    found = await town.publish(request)
    assert isinstance(found, Rendered)
    assert found.published == published(town.template)
    assert town.template is not None
    assert town.template["metadata"]["labels"] == {UID: request.uid, "team": "db"}
    assert town.template["objects"] == before["objects"]
    assert town.connection.calls == ["POST template", "GET template", "PATCH template"]


async def test_in_step_what_is_ours_is_made_to_say_what_the_vm_says(town: Town) -> None:
    request = town.request(refreshPolicy="OnChange")
    town.stands(request)
    town.vm = town.server.edit(VMS, town.api.vm, with_memory("256Mi"))
    found = await town.publish(request)
    assert isinstance(found, Rendered)
    assert (found.written, found.published) == (True, published(town.template))
    assert memory(town) == "256Mi"
    assert town.connection.calls == ["POST template", "GET template", "PATCH template"]


async def test_in_step_what_says_that_already_costs_no_write(town: Town) -> None:
    request = town.request(refreshPolicy="OnChange")
    before = town.stands(request)
    found = await town.publish(request)
    assert isinstance(found, Rendered)
    assert (found.written, found.published) == (False, published(before))
    assert town.connection.calls == ["POST template", "GET template"]


async def test_in_step_what_was_published_is_looked_at_first(town: Town) -> None:
    request = town.request(IN_STEP, refreshPolicy="OnChange")
    town.stands(request)
    await town.publish(request)
    assert town.connection.calls == ["GET template"]


async def test_in_step_a_label_that_is_gone_comes_back_if_the_request_still_wants_that(town: Town) -> None:
    request = town.request(refreshPolicy="OnChange")
    town.stands(request, labels={UID: request.uid})
    assert isinstance(await town.publish(request), Rendered)
    assert town.template is not None
    assert town.template["metadata"]["labels"][REFRESH] == "OnChange"
    assert town.connection.calls == ["POST template", "GET template", "GET request", "PATCH template"]


async def test_in_step_a_label_that_is_gone_stays_so_where_the_request_has_become_once(town: Town) -> None:
    request = town.request(refreshPolicy="OnChange")
    before = town.stands(request, labels={UID: request.uid})
    town.server.edit(REQUESTS, town.api.request, {"spec": {"refreshPolicy": "Once"}})
    assert await town.publish(request) == Conflict("request")
    assert town.template == before


async def test_a_stray_is_taken_over_provenance_and_all(town: Town) -> None:
    request = town.request()
    town.stands(request, labels={UID: "one-that-was", REFRESH: "OnChange", "team": "db"})
    found = await town.publish(request)
    assert isinstance(found, Rendered)
    assert found.written
    assert town.template is not None
    labels = town.template["metadata"]["labels"]
    assert (labels[UID], labels["team"], REFRESH in labels) == (request.uid, "db", False)
    assert town.connection.calls == ["POST template", "GET template", "GET request", "PATCH template"]


IN_THE_WAY: dict[str, tuple[Object, str]] = {  # labels and annotations of what is there: what is said of it
    "somebody's own": ({}, "Template team-a/golden exists and was not made for this request; it is left alone."),
    "another request's": (
        {"labels": {UID: "2-2"}, "annotations": {NAME: "team-a/other"}},
        "Template team-a/golden exists and was made for the request team-a/other, not for this one; it is left alone.",
    ),
}
REMEDY = (
    " Delete it, and this request goes on within a minute; or delete this request and create it again with another "
    "target name"
)


@pytest.mark.parametrize("policy", ["Once", "OnChange"])
@pytest.mark.parametrize("sentence", IN_THE_WAY)
async def test_what_is_not_ours_is_left_alone_and_looked_at_once_a_minute(
    town: Town, sentence: str, policy: str
) -> None:
    metadata, said = IN_THE_WAY[sentence]
    before = town.server.create(a_template(**metadata))
    found = await town.publish(town.request(refreshPolicy=policy))
    assert found == Blocked(Reason.TARGET_CONFLICT, said + REMEDY, 60.0)
    assert town.template == before


async def test_what_an_earlier_request_of_this_name_made_is_left_alone_with_a_word_of_when() -> None:
    times = iter([datetime(2024, 1, 2, tzinfo=UTC) + timedelta(seconds=number) for number in range(9)])
    town = Town(lambda: next(times))
    before = town.server.create(a_template(labels={UID: "2-2"}, annotations={NAME: "team-a/request"}))
    found = await town.publish(town.request())
    said = (
        f"Template team-a/golden was made by an earlier request of this name, at {created(before)}; it is left alone."
    )
    assert found == Blocked(Reason.TARGET_CONFLICT, said + REMEDY, 60.0)
    assert town.template == before


def created(obj: Object) -> str:
    return str(obj["metadata"]["creationTimestamp"])


async def test_a_name_that_was_taken_and_is_free_again_is_judged_anew(town: Town) -> None:
    class Fleeting(InMemory):
        async def call(self, method: str, path: str, **what: Any) -> Response:
            answer = await super().call(method, path, **what)
            if method == "POST":
                town.server.delete(TEMPLATES, town.api.template)
            return answer

    town.server.create(a_template())
    cluster = ClusterClient(Fleeting(town.server), NAMESPACE).cluster
    request = town.request()
    assert await publish(request, asked_of(request), town.made(request), cluster) == Conflict("template")


def memory(town: Town) -> str:
    assert town.template is not None
    [value] = [each["value"] for each in town.template["parameters"] if each["name"] == "REQUESTS_MEMORY"]
    return str(value)
