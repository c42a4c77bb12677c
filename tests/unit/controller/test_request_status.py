"""What a status says: as far as it can be read, and nothing else."""

from datetime import UTC, datetime
from typing import Any

import orjson
import pytest

from atmpl.controller.request_status import RequestStatus, parse_status

SINCE = "2024-01-02T03:04:05Z"
READY = {"type": "Ready", "status": "True", "reason": "Rendered", "message": "", "lastTransitionTime": SINCE}

TOLD: dict[str, tuple[Any, RequestStatus]] = {
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
            ready_since=datetime(2024, 1, 2, 3, 4, 5, tzinfo=UTC),
            generation=2,
            template_uid="7-8",
            source_version="55",
        ),
    ),
    "one kept in step, its VM gone": (
        {
            "conditions": [READY],
            "rendered": {"digest": "ab", "templateResourceVersion": "44"},
            "warnings": [{"reason": "InlineSecret"}, {"reason": "SourceGone"}],
        },
        RequestStatus(
            ready=True,
            reason="Rendered",
            ready_since=datetime(2024, 1, 2, 3, 4, 5, tzinfo=UTC),
            digest="ab",
            template_version="44",
            source_gone=True,
        ),
    ),
    "one that failed, authorized": (
        {
            "conditions": [
                {**READY, "type": "Authorized", "reason": "PolicyInForce"},
                {**READY, "status": "False", "reason": "Failed"},
            ]
        },
        RequestStatus(reason="Failed", ready_since=datetime(2024, 1, 2, 3, 4, 5, tzinfo=UTC), authorized=True),
    ),
    "an authorization that is Unknown": (
        {"conditions": [{**READY, "type": "Authorized", "status": "Unknown"}]},
        RequestStatus(),
    ),
    "conditions that are none": ({"conditions": [1]}, RequestStatus()),
    "a time that is none": ({"conditions": [READY | {"lastTransitionTime": "yesterday"}]}, RequestStatus()),
    "a time without its zone": (
        {"conditions": [READY | {"lastTransitionTime": "2024-01-02T03:04:05"}]},
        RequestStatus(),
    ),
    "a number where a word goes": ({"conditions": [READY], "templateRef": {"uid": 7}}, RequestStatus()),
}


@pytest.mark.parametrize("sentence", TOLD)
def test_of_a_status_that_is_believed_what_can_be_read(sentence: str) -> None:
    status, told = TOLD[sentence]
    assert parse_status(orjson.dumps(status)) == told


@pytest.mark.parametrize(
    "status",
    [b"", b"{", b"\xff", b'"Ready"', b"[" * 5000 + b"]" * 5000],
    ids=["nothing", "half an object", "no text", "a word", "too deep"],
)
def test_what_is_no_status_says_nothing(status: bytes) -> None:
    assert parse_status(status) == RequestStatus()
