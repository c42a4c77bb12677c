"""One turn of one request: may it, what becomes of it, and what is written down about it."""

import logging
from datetime import datetime
from typing import NamedTuple

from atmpl.controller.authorization import PolicyCheck, judge
from atmpl.controller.cluster import (
    AlreadyExistsError,
    Cluster,
    ClusterError,
    ConflictError,
    ForbiddenError,
    NamespaceTerminatingError,
    UnavailableError,
)
from atmpl.controller.outcome import (
    Conflict,
    Outcome,
    Reason,
    Rejected,
    RequestGone,
    Retry,
    UpToDate,
    should_suppress_status,
)
from atmpl.controller.reconcile import reconcile
from atmpl.controller.request import Request
from atmpl.controller.status import next_status

log = logging.getLogger(__name__)

LOOK_AGAIN = 180.0  # seconds between two looks at a request whose namespace is said to be on its way out


class ReconcileResult(NamedTuple):
    """What a turn found, and how it judged the author's rights where it had to."""

    outcome: Outcome
    verdict: PolicyCheck | None = None


async def turn(request: Request, cluster: Cluster, now: datetime, *, failures: int = 0) -> ReconcileResult:
    """Reconcile `request` and write its status where that says something new. Raises nothing but cancellation.

    `failures`: of this request, in a row, before this turn.
    """
    found = ReconcileResult(UpToDate())
    try:
        found = await _found(request, cluster, now)
        if should_suppress_status(found.outcome, failures):
            return found
        authorized = found.verdict.message if found.verdict and found.verdict.in_force else None
        status = next_status(request, found.outcome, now, authorized=authorized)
        if status is not None:
            await cluster.write_status(request, status)
    except ClusterError as error:
        return found._replace(outcome=meaning(error))
    except Exception as error:  # whatever one request does to us, the others are served
        log.exception("status not written", extra={"request": str(request.key)})
        return found._replace(outcome=_internal(error))
    return found


async def _found(request: Request, cluster: Cluster, now: datetime) -> ReconcileResult:
    verdict = None
    try:
        if request.needs_authorization:
            if request.status.reason == Reason.CROSS_NAMESPACE_DENIED:
                return ReconcileResult(
                    UpToDate()
                )  # for good: a policy put in force since then did not see this request
            verdict = judge(request.created, *await cluster.policy())
            if not verdict.in_force:
                return ReconcileResult(Rejected(Reason.CROSS_NAMESPACE_DENIED, _denied(request, verdict)), verdict)
        return ReconcileResult(await reconcile(request, cluster, now), verdict)
    except ClusterError as error:
        return ReconcileResult(meaning(error), verdict)
    except Exception as error:  # whatever one request does to us, the others are served
        log.exception("reconcile failed", extra={"request": str(request.key)})
        return ReconcileResult(_internal(error), verdict)


def _internal(error: Exception) -> Retry:
    return Retry(Reason.FAILED, f"Internal error of the controller ({type(error).__name__}); it is tried again")


def _denied(request: Request, verdict: PolicyCheck) -> str:
    assert request.spec is not None, "only a request that names a source can be denied it"
    return (
        f"VM {request.spec.source} is in another namespace, and it is not sure that you may read it: {verdict.message}"
    )


def meaning(error: ClusterError) -> Outcome:
    """Return what a failed call means for the request, whichever call it was.

    What it means for a template that cannot be stored, or whose format is not served, has been said already where the
    template is published: here such an answer is no more than one that was not expected.
    """
    match error:
        case NamespaceTerminatingError():
            return RequestGone(again=LOOK_AGAIN)
        case ConflictError() | AlreadyExistsError():
            return Conflict(str(error))
        case ForbiddenError():
            return Retry(Reason.FORBIDDEN, f"The controller may not do this: {error}")
        case UnavailableError():
            return Retry(Reason.FAILED, f"The API server did not answer as it should: {error}", error.after)
        case _:
            return Retry(Reason.FAILED, f"The API server refused: {error}")
