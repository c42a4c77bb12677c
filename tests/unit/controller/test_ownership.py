"""Whose a template is: its label says so, and of what looks like a stray, the cluster as well."""

from typing import Any

import orjson
import pytest

from atmpl.controller.cluster import APINotFoundError, UnavailableError
from atmpl.controller.ownership import Ownership, classify_ownership, is_owned, meta_of
from atmpl.controller.request import Request, read
from tests.support.builders import a_request, a_template

CREATED = "2024-01-02T03:04:05Z"
OWNED, ANOTHERS = "1-1", "2-2"
UID, NAME = "ssp.kubevirt.io/request-uid", "ssp.kubevirt.io/request"


def the_request() -> Request:
    metadata = {"uid": OWNED, "resourceVersion": "7", "creationTimestamp": CREATED}
    return read(orjson.dumps(a_request(metadata=metadata)))


def there(labels: Any = None, annotations: Any = None, created: str = CREATED) -> dict[str, Any]:
    server = {"uid": "t", "resourceVersion": "9", "creationTimestamp": created}
    return a_template(labels=labels, annotations=annotations, **server)


class RequestSpec:
    """A cluster that says of every request whether it is current, and counts how often it is asked."""

    def __init__(self, answer: bool | Exception) -> None:
        self._answer = answer
        self.spec = 0

    async def is_current(self, _: Request) -> bool:
        self.spec += 1
        if isinstance(self._answer, Exception):
            raise self._answer
        return self._answer


NAMED = {NAME: "team-a/request"}
CASES: dict[str, tuple[dict[str, Any], bool, Ownership]] = {  # template, whether the request is current: whose
    "it bears our uid": (there({UID: OWNED}), False, Ownership.OWNED),
    "it bears our uid, whatever its provenance says": (there({UID: OWNED}, {NAME: "team-b/x"}), False, Ownership.OWNED),
    "it bears our uid, and is older": (there({UID: OWNED}, created="2024-01-02T03:04:04Z"), False, Ownership.OWNED),
    "it bears nothing": (there(), True, Ownership.UNOWNED),
    "it bears our name alone, which anybody may write": (there(annotations=NAMED), True, Ownership.UNOWNED),
    "it bears another's uid and name": (there({UID: ANOTHERS}, {NAME: "team-a/other"}), True, Ownership.UNOWNED),
    "it bears another's uid and no name": (there({UID: ANOTHERS}), True, Ownership.UNOWNED),
    "it bears our name and the uid of one that was, and is as old as we are": (
        there({UID: ANOTHERS}, NAMED),
        True,
        Ownership.ORPHANED,
    ),
    "the same, but younger": (there({UID: ANOTHERS}, NAMED, "2024-01-02T03:05:00Z"), True, Ownership.ORPHANED),
    "the same, but older: its request had it before": (
        there({UID: ANOTHERS}, NAMED, "2024-01-02T03:04:04Z"),
        True,
        Ownership.PREVIOUS_REQUEST,
    ),
    "the same, but it is we who are no more": (there({UID: ANOTHERS}, NAMED), False, Ownership.UNOWNED),
}

ASKED = {  # a call is made only before anything of another's would be taken
    "it bears our name and the uid of one that was, and is as old as we are",
    "the same, but younger",
    "the same, but it is we who are no more",
}


@pytest.mark.parametrize("sentence", CASES)
async def test_whose_a_template_is(sentence: str) -> None:
    template, current, expected = CASES[sentence]
    cluster = RequestSpec(current)
    assert await classify_ownership(meta_of(template), the_request(), cluster) is expected
    assert cluster.spec == (1 if sentence in ASKED else 0)


async def test_a_cluster_that_serves_no_requests_tells_nothing_of_a_template() -> None:
    with pytest.raises(UnavailableError, match="requests are not served"):
        await classify_ownership(
            meta_of(there({UID: ANOTHERS}, NAMED)), the_request(), RequestSpec(APINotFoundError("404"))
        )


def test_a_template_without_labels_and_annotations_is_nobodys() -> None:
    meta = meta_of(there())
    assert (meta.uid, meta.version, meta.created, meta.labels, meta.annotations) == ("t", "9", CREATED, {}, {})
    assert not is_owned(meta, the_request())
