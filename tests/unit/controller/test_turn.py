"""What a call that failed means for a request, and that nothing that one request does harms the others."""

from datetime import UTC, datetime
from typing import Any

import orjson
import pytest

from atmpl.controller.authorization import PolicyCheck
from atmpl.controller.cluster import (
    AlreadyExistsError,
    APINotFoundError,
    ClusterError,
    ConflictError,
    ForbiddenError,
    InvalidError,
    NamespaceTerminatingError,
    PolicyObjects,
    StreamState,
    TooLargeError,
    UnavailableError,
)
from atmpl.controller.outcome import Blocked, Conflict, Outcome, Reason, Rejected, RequestGone, Retry, UpToDate
from atmpl.controller.request import Request, read
from atmpl.controller.turn import meaning, turn
from tests.support import admission
from tests.support.builders import a_request

MEANINGS: dict[str, tuple[ClusterError, Outcome]] = {
    "no answer": (
        UnavailableError("timeout"),
        Retry(Reason.FAILED, "The API server did not answer as it should: timeout"),
    ),
    "an answer that says when to come again": (
        UnavailableError("slow down", 7.0),
        Retry(Reason.FAILED, "The API server did not answer as it should: slow down", 7.0),
    ),
    "no right": (
        ForbiddenError("cannot create"),
        Retry(Reason.FORBIDDEN, "The controller may not do this: cannot create"),
    ),
    "a namespace on its way out": (NamespaceTerminatingError("team-a"), RequestGone(180.0)),
    "another object than was judged": (ConflictError("modified"), Conflict("modified")),
    "a name that was taken meanwhile": (AlreadyExistsError("exists"), Conflict("exists")),
    "an object that is refused": (InvalidError("no"), Retry(Reason.FAILED, "The API server refused: no")),
    "too much, for what is no template": (
        TooLargeError("large"),
        Retry(Reason.FAILED, "The API server refused: large"),
    ),
    "an API not served, which is no template's": (
        APINotFoundError("404"),
        Retry(Reason.FAILED, "The API server refused: 404"),
    ),
    "anything else": (ClusterError("?"), Retry(Reason.FAILED, "The API server refused: ?")),
}

NOW = datetime(2024, 5, 6, tzinfo=UTC)
SINCE = "2024-05-06T07:08:09Z"


@pytest.mark.parametrize("sentence", MEANINGS)
def test_a_failed_call_has_one_meaning(sentence: str) -> None:
    error, outcome = MEANINGS[sentence]
    assert meaning(error) == outcome


def spec(**spec: Any) -> Request:
    posted = a_request(**spec)
    return read(orjson.dumps(posted | {"metadata": posted["metadata"] | {"uid": "1", "resourceVersion": "7"}}))


class Broken:
    """A cluster of which nothing can be said but that it breaks."""

    def __init__(self, *, reads: Exception | None = None, writes: Exception | None = None) -> None:
        self._reads, self._writes = reads, writes
        self.written: list[Any] = []

    async def vm(self, *_: Any, **__: Any) -> None:
        if self._reads:
            raise self._reads

    async def template_meta(self, *_: Any) -> None:
        return None

    def serves_namespace(self, _: str) -> bool:
        return True

    def vm_stream(self, _: str) -> StreamState:
        return StreamState.WATCHING

    async def write_status(self, _: Any, status: Any) -> None:
        self.written.append(status)
        if self._writes:
            raise self._writes


async def test_an_error_of_our_own_is_written_down_by_its_type_alone_and_retried() -> None:
    cluster = Broken(reads=RuntimeError("hunter2"))
    found = await turn(spec(), cluster, NOW)
    message = "Internal error of the controller (RuntimeError); it is tried again"
    assert found.outcome == Retry(Reason.FAILED, message)
    assert cluster.written[0]["conditions"][0]["message"] == message


async def test_an_error_of_our_own_over_the_status_is_retried() -> None:
    found = await turn(spec(), Broken(writes=RuntimeError()), NOW)
    assert found.outcome == Retry(Reason.FAILED, "Internal error of the controller (RuntimeError); it is tried again")


async def test_what_a_status_could_not_be_written_for_comes_again() -> None:
    found = await turn(spec(), Broken(writes=ConflictError("modified")), NOW)
    assert found.outcome == Conflict("modified")
    found = await turn(spec(), Broken(writes=APINotFoundError("404")), NOW)
    assert found.outcome == Retry(Reason.FAILED, "The API server refused: 404")


@pytest.mark.parametrize(("failures", "said"), [(0, False), (2, False), (3, True), (9, True)])
async def test_a_server_that_asks_to_be_left_alone_is_not_told_so_before_it_has_said_it_four_times(
    failures: int, said: bool
) -> None:
    cluster = Broken(reads=UnavailableError("slow down", 7.0))
    found = await turn(spec(), cluster, NOW, failures=failures)
    assert found.outcome == Retry(Reason.FAILED, "The API server did not answer as it should: slow down", 7.0)
    assert bool(cluster.written) == said


async def test_a_server_that_fails_without_a_word_of_when_to_come_again_is_told_of_at_once() -> None:
    cluster = Broken(reads=UnavailableError("reset"))
    await turn(spec(), cluster, NOW)
    assert cluster.written[0]["conditions"][0]["reason"] == "Failed"


# A source in another namespace


class Elsewhere(Broken):
    """A cluster with a policy, or without one."""

    def __init__(self, policy: Any, *, broken: ClusterError | None = None) -> None:
        super().__init__()
        self._policy, self._broken = policy, broken

    async def policy(self) -> PolicyObjects:
        if self._broken:
            raise self._broken
        return PolicyObjects(self._policy, admission.binding())


def elsewhere(status: Any = None) -> Request:
    posted = a_request()
    posted["spec"]["source"]["vmNamespace"] = "team-b"
    metadata = {"uid": "1", "resourceVersion": "7", "creationTimestamp": admission.CREATED}
    return read(orjson.dumps(posted | {"metadata": posted["metadata"] | metadata, "status": status or {}}))


def said(cluster: Broken, type: str) -> Any:
    [status] = cluster.written
    return next((each["reason"] for each in status["conditions"] if each["type"] == type), None)


async def test_a_source_elsewhere_is_denied_without_the_policy_and_its_vm_is_not_read() -> None:
    cluster = Elsewhere(None)
    found = await turn(elsewhere(), cluster, NOW)
    assert isinstance(found.outcome, Rejected)
    assert found.verdict is PolicyCheck.POLICY_ABSENT
    assert found.outcome.reason is Reason.CROSS_NAMESPACE_DENIED
    assert found.outcome.message.startswith(
        "VM team-b/vm is in another namespace, and it is not sure that you may read it"
    )
    assert (said(cluster, "Ready"), said(cluster, "Authorized")) == ("CrossNamespaceDenied", None)


async def test_a_source_elsewhere_that_the_policy_checked_is_read_and_that_is_written_down() -> None:
    cluster = Elsewhere(admission.policy())
    found = await turn(elsewhere(), cluster, NOW)
    assert isinstance(found.outcome, Blocked)
    assert (said(cluster, "Ready"), said(cluster, "Authorized")) == ("SourceNotFound", "PolicyInForce")


async def test_what_was_authorized_once_is_not_judged_again() -> None:
    authorized = {"type": "Authorized", "status": "True", "reason": "PolicyInForce", "lastTransitionTime": SINCE}
    found = await turn(elsewhere({"conditions": [authorized]}), Elsewhere(None), NOW)
    assert isinstance(found.outcome, Blocked)
    assert found.verdict is None


async def test_what_was_denied_once_stays_denied_whatever_the_policy_is_by_now() -> None:
    denied = {"type": "Ready", "status": "False", "reason": "CrossNamespaceDenied", "lastTransitionTime": SINCE}
    cluster = Elsewhere(admission.policy())
    assert (await turn(elsewhere({"conditions": [denied]}), cluster, NOW)).outcome == UpToDate()
    assert cluster.written == []


async def test_a_policy_that_cannot_be_read_denies_nothing_for_good() -> None:
    cluster = Elsewhere(None, broken=UnavailableError("reset"))
    found = await turn(elsewhere(), cluster, NOW)
    assert isinstance(found.outcome, Retry)
    assert said(cluster, "Ready") == "Failed"
