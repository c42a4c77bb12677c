"""The owner of an existing template, and if a conflict with it persists."""

from typing import Any

import orjson
import pytest

from atmpl.controller.cluster import APINotFoundError, UnavailableError
from atmpl.controller.ownership import (
    Ownership,
    classify_ownership,
    is_owned,
    is_still_blocked,
    meta_of,
    other_owner_conflict,
)
from atmpl.controller.request import Request, parse_request
from tests.support.builders import a_request, a_template
from tests.support.fixtures import READY, SmallCluster, spec_of
from tests.support.resources import TEMPLATES, Object

CREATED = "2024-01-02T03:04:05Z"
OWN, OTHER = "1-1", "2-2"
UID, NAME = "ssp.kubevirt.io/request-uid", "ssp.kubevirt.io/request"


def the_request() -> Request:
    metadata = {"uid": OWN, "resourceVersion": "7", "creationTimestamp": CREATED}
    return parse_request(orjson.dumps(a_request(metadata=metadata)))


def template(labels: Any = None, annotations: Any = None, created: str = CREATED, **metadata: Any) -> dict[str, Any]:
    server = {"uid": "t", "resourceVersion": "9", "creationTimestamp": created, **metadata}
    return a_template(labels=labels, annotations=annotations, **server)


class ClusterOfOneAnswer:
    """A cluster with one answer about each request, which counts the calls."""

    def __init__(self, answer: bool | Exception) -> None:
        self._answer = answer
        self.calls = 0

    async def is_current(self, _: Request, *, exact: bool) -> bool:
        assert not exact
        self.calls += 1
        if isinstance(self._answer, Exception):
            raise self._answer
        return self._answer


NAMED = {NAME: "team-a/request"}
BEFORE, AFTER = "2024-01-02T03:04:04Z", "2024-01-02T03:04:06Z"
CASES: dict[str, tuple[dict[str, Any], bool, Ownership, int]] = {  # template, request is current: owner, calls
    "own uid": (template({UID: OWN}), False, Ownership.OWNED, 0),
    "own uid, provenance of another": (template({UID: OWN}, {NAME: "team-b/x"}), False, Ownership.OWNED, 0),
    "own uid, older than the request": (template({UID: OWN}, created=BEFORE), False, Ownership.OWNED, 0),
    "no label": (template(), True, Ownership.OTHER, 0),
    "own name without a uid": (template(annotations=NAMED), True, Ownership.OTHER, 0),
    "uid and name of another": (template({UID: OTHER}, {NAME: "team-a/other"}), True, Ownership.OTHER, 0),
    "uid of another without a name": (template({UID: OTHER}), True, Ownership.OTHER, 0),
    "own name, of the same second": (template({UID: OTHER}, NAMED), True, Ownership.PREVIOUS_REQUEST, 0),
    "own name, older": (template({UID: OTHER}, NAMED, BEFORE), True, Ownership.PREVIOUS_REQUEST, 0),
    "own name, younger": (template({UID: OTHER}, NAMED, AFTER), True, Ownership.ORPHANED, 1),
    "own uid, held": (template({UID: OWN}, finalizers=["a"]), True, Ownership.HELD, 0),
    "own name, held": (template({UID: OTHER}, NAMED, AFTER, finalizers=["a"]), True, Ownership.HELD, 0),
    "no label, held": (template(finalizers=["a"]), True, Ownership.OTHER, 0),
    "own name, younger, request gone": (template({UID: OTHER}, NAMED, AFTER), False, Ownership.OTHER, 1),
}


@pytest.mark.parametrize("case", CASES)
async def test_ownership_of_a_template(case: str) -> None:
    existing, current, expected, calls = CASES[case]
    cluster = ClusterOfOneAnswer(current)
    assert await classify_ownership(meta_of(existing), the_request(), cluster) is expected
    assert cluster.calls == calls


async def test_unserved_requests_say_nothing_about_the_owner() -> None:
    orphaned = meta_of(template({UID: OTHER}, NAMED, AFTER))
    with pytest.raises(UnavailableError, match="requests are not served"):
        await classify_ownership(orphaned, the_request(), ClusterOfOneAnswer(APINotFoundError("404")))


def test_template_without_labels_is_unowned() -> None:
    meta = meta_of(template())
    assert (meta.uid, meta.resource_version, meta.created, meta.labels, meta.annotations) == ("t", "9", CREATED, {}, {})
    assert not is_owned(meta, the_request())


ANNOTATIONS = {  # the annotation with the request's name: if the message quotes it
    "team-a/other": True,
    "": False,
    "team-a": False,
    "team-a/\x1b[31m": False,
    "team-a/\u202e": False,
    "../x": False,
    f"team-a/{'x' * 254}": False,
}


@pytest.mark.parametrize("text", ANNOTATIONS, ids=repr)
def test_conflict_quotes_only_a_valid_name(text: str) -> None:
    request = the_request()
    message = other_owner_conflict(request, spec_of(request), meta_of(template(annotations={NAME: text}))).text
    assert ("was made for the request" in message) is ANNOTATIONS[text]
    assert message.isprintable()


# A conflict in the status


@pytest.fixture
def cluster() -> SmallCluster:
    return SmallCluster()


def status(reason: str) -> Object:
    return {"conditions": [READY | {"status": "False", "reason": reason}]}


BLOCKED: dict[str, tuple[str, bool, bool, bool, list[str]]] = {  # reason, served, exists: blocked, calls
    "no conflict": ("Failed", True, True, False, []),
    "template still exists": ("TargetConflict", True, True, True, ["GET template"]),
    "template was deleted": ("TargetConflict", True, False, False, ["GET template"]),
    "format is still not served": ("FormatUnavailable", False, False, True, ["GET template"]),
    "format is served": ("FormatUnavailable", True, False, False, ["GET template"]),
    "format is served, name is taken": ("FormatUnavailable", True, True, False, ["GET template"]),
}


@pytest.mark.parametrize("case", BLOCKED)
async def test_check_of_a_blocked_request_costs_one_read(cluster: SmallCluster, case: str) -> None:
    reason, served, exists, blocked, calls = BLOCKED[case]
    request = cluster.request(status(reason))
    if exists:
        cluster.server.create(a_template())
    if not served:
        cluster.server.unserved.add(TEMPLATES)
    assert await is_still_blocked(request, spec_of(request), cluster.cluster) == blocked
    assert cluster.connection.calls == calls


async def test_own_template_blocks_no_longer(cluster: SmallCluster) -> None:
    request = cluster.request(status("TargetConflict"))
    cluster.create_template(request)
    assert not await is_still_blocked(request, spec_of(request), cluster.cluster)


async def test_held_template_still_blocks(cluster: SmallCluster) -> None:
    request = cluster.request(status("TargetConflict"))
    cluster.create_template(request, finalizers=["example.com/a"])
    assert await is_still_blocked(request, spec_of(request), cluster.cluster)


async def test_unserved_format_during_the_check_of_a_conflict(cluster: SmallCluster) -> None:
    cluster.server.unserved.add(TEMPLATES)
    request = cluster.request(status("TargetConflict"))
    with pytest.raises(APINotFoundError):
        await is_still_blocked(request, spec_of(request), cluster.cluster)
