"""Parsing the status of a request."""

from datetime import UTC, datetime
from typing import Any

import orjson
import pytest

from atmpl.controller.request_status import RequestStatus, parse_status
from atmpl.version import __version__

SINCE = "2024-01-02T03:04:05Z"
READY = {"type": "Ready", "status": "True", "reason": "Rendered", "message": "", "lastTransitionTime": SINCE}

STATUSES: dict[str, tuple[Any, RequestStatus]] = {
    "nothing": ({}, RequestStatus()),
    "null": (None, RequestStatus()),
    "a finished request": (
        {
            "observedGeneration": 2,
            "conditions": [READY],
            "templateRef": {"name": "t", "uid": "7-8"},
            "source": {"uid": "1-1", "generation": 4, "resourceVersion": "55"},
        },
        RequestStatus(
            ready=True,
            reason="Rendered",
            finished_at=datetime(2024, 1, 2, 3, 4, 5, tzinfo=UTC),
            generation=2,
            template_uid="7-8",
            source_uid="1-1",
            source_version="55",
        ),
    ),
    "OnChange, the VM deleted": (
        {
            "conditions": [READY],
            "rendered": {"digest": "ab", "templateResourceVersion": "44"},
            "warnings": [{"reason": "InlineSecret"}, {"reason": "SourceGone"}],
        },
        RequestStatus(
            ready=True,
            reason="Rendered",
            finished_at=datetime(2024, 1, 2, 3, 4, 5, tzinfo=UTC),
            digest="ab",
            template_version="44",
            source_gone=True,
        ),
    ),
    "Failed, and another condition": (
        {
            "conditions": [
                {**READY, "type": "Authorized", "reason": "PolicyInForce"},
                {**READY, "status": "False", "reason": "Failed"},
            ]
        },
        RequestStatus(reason="Failed"),
    ),
    "a refused VM": (
        {"conditions": [READY | {"status": "False", "reason": "TooLarge"}], "refused": {"digest": f"{__version__} ab"}},
        RequestStatus(reason="TooLarge", refused_digest="ab"),
    ),
    "a VM that a later version refused": ({"refused": {"digest": "100.2.3 ab"}}, RequestStatus(refused_digest="ab")),
    "a VM that an older version refused": ({"refused": {"digest": "0.0.9 ab"}}, RequestStatus()),
    "a VM that a version without a number refused": ({"refused": {"digest": "ab"}}, RequestStatus()),
    "a completionTime, later than the condition": (
        {"conditions": [READY], "completionTime": "2024-02-03T04:05:06Z"},
        RequestStatus(ready=True, reason="Rendered", finished_at=datetime(2024, 2, 3, 4, 5, 6, tzinfo=UTC)),
    ),
    "the default of the CRD": ({"observedGeneration": -1}, RequestStatus(generation=-1)),
    "conditions that are numbers": ({"conditions": [1]}, RequestStatus()),
    "an invalid time": ({"conditions": [READY | {"lastTransitionTime": "yesterday"}]}, RequestStatus()),
    "a time without a zone": (
        {"conditions": [READY | {"lastTransitionTime": "2024-01-02T03:04:05"}]},
        RequestStatus(),
    ),
    "a number as uid": ({"conditions": [READY], "templateRef": {"uid": 7}}, RequestStatus()),
}


@pytest.mark.parametrize("case", STATUSES)
def test_status_is_parsed(case: str) -> None:
    status, expected = STATUSES[case]
    assert parse_status(orjson.dumps(status)) == expected


@pytest.mark.parametrize(
    "status",
    [b"", b"{", b"\xff", b'"Ready"', b"[" * 5000 + b"]" * 5000],
    ids=["nothing", "half an object", "no text", "a word", "too deep"],
)
def test_invalid_status_counts_as_missing(status: bytes) -> None:
    assert parse_status(status) == RequestStatus()
