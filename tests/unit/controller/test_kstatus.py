"""The health that kstatus computes from a request after each outcome, as Flux and kpt use it."""

from datetime import UTC, datetime
from typing import Any

import orjson
import pytest

from atmpl.controller.objects import ObjectKey
from atmpl.controller.outcome import (
    Blocked,
    Detached,
    Outcome,
    Published,
    Reason,
    Rejected,
    Rendered,
    Retry,
    Source,
    SourceGone,
)
from atmpl.controller.request import parse_request
from atmpl.controller.status import next_status
from tests.support.builders import a_request
from tests.support.health import by_rules

NOW = datetime(2024, 5, 6, tzinfo=UTC)
CREATED = {"observedGeneration": -1}  # the CRD's default
RENDERED = Rendered(Source("v", 1, "1"), Published("t", "2"), 3, (), digest="", written=True)


def health(outcome: Outcome | None, *, generation: int = 1, status: Any = None) -> str:
    """Return the health of a request after an outcome."""
    metadata = {"uid": "1", "resourceVersion": "7", "generation": generation}
    posted = a_request(metadata=metadata) | {"status": CREATED if status is None else status}
    written = next_status(parse_request(orjson.dumps(posted)), outcome, NOW) if outcome else None
    return by_rules(posted | {"status": written or posted["status"]})


HEALTH: dict[str, tuple[Outcome | None, str]] = {
    "created": (None, "InProgress"),
    "Rendered": (RENDERED, "Current"),
    "SourceGone": (SourceGone(ObjectKey("team-a", "vm")), "Current"),
    "Detached": (Detached(), "Current"),
    "SourceNotFound": (Blocked(Reason.SOURCE_NOT_FOUND, ""), "InProgress"),
    "FormatUnavailable": (Blocked(Reason.FORMAT_UNAVAILABLE, ""), "InProgress"),
    "TargetConflict": (Blocked(Reason.TARGET_CONFLICT, ""), "Failed"),
    "PolicyMissing": (Blocked(Reason.POLICY_MISSING, ""), "Failed"),
    "AccessRevoked": (Blocked(Reason.ACCESS_REVOKED, ""), "Failed"),
    "CrossNamespaceDenied": (Rejected(Reason.CROSS_NAMESPACE_DENIED, ""), "Failed"),
    "InvalidSource": (Rejected(Reason.INVALID_SOURCE, ""), "Failed"),
    "TooLarge": (Rejected(Reason.TOO_LARGE, ""), "Failed"),
    "Unsupported": (Rejected(Reason.UNSUPPORTED, ""), "Failed"),
    "Forbidden": (Retry(Reason.FORBIDDEN, ""), "InProgress"),
    "Failed": (Retry(Reason.FAILED, ""), "InProgress"),
}


@pytest.mark.parametrize("case", HEALTH)
def test_health_of_each_outcome(case: str) -> None:
    outcome, expected = HEALTH[case]
    assert health(outcome) == expected


def test_every_reason_has_a_health() -> None:
    assert {*HEALTH} >= {str(reason) for reason in Reason}


def test_changed_request_is_in_progress() -> None:
    status = next_status(
        parse_request(orjson.dumps(a_request(metadata={"uid": "1", "resourceVersion": "7"}))), RENDERED, NOW
    )
    assert health(None, generation=2, status=status) == "InProgress"


def test_stalled_request_recovers() -> None:
    metadata = {"uid": "1", "resourceVersion": "7", "generation": 1}
    stalled = next_status(
        parse_request(orjson.dumps(a_request(metadata=metadata))), Blocked(Reason.TARGET_CONFLICT, ""), NOW
    )
    assert health(RENDERED, status=stalled) == "Current"
