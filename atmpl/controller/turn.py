"""One turn of one request: judge it, write down what was found, and say it to the queue."""

import logging
from datetime import datetime

from atmpl.controller.cluster import (
    Cluster,
    ClusterError,
    ForbiddenError,
    MovedError,
    NotServedError,
    OversizeError,
    TakenError,
    TerminatingError,
    UnavailableError,
)
from atmpl.controller.outcome import Gone, Moved, Outcome, Reason, Refused, Retry, Waiting
from atmpl.controller.reconcile import reconcile
from atmpl.controller.request import Request
from atmpl.controller.status import next_status

log = logging.getLogger(__name__)


async def turn(request: Request, cluster: Cluster, now: datetime) -> Outcome:
    """Reconcile `request` and write its status where that says something new. Raises nothing but cancellation."""
    outcome = await _found(request, cluster, now)
    status = next_status(request, outcome, now)
    if status is None:
        return outcome
    try:
        await cluster.write_status(request, status)
    except ClusterError as error:
        return meaning(error)
    return outcome


async def _found(request: Request, cluster: Cluster, now: datetime) -> Outcome:
    try:
        return await reconcile(request, cluster, now)
    except ClusterError as error:
        return meaning(error)
    except Exception as error:  # whatever one request does to us, the others are served
        log.exception("reconcile failed", extra={"request": str(request.key)})
        return Retry(Reason.FAILED, f"Internal error of the controller ({type(error).__name__}); it is tried again")


def meaning(error: ClusterError) -> Outcome:
    """Return what a failed call means for the request."""
    match error:
        case TerminatingError():
            return Gone()
        case MovedError() | TakenError():
            return Moved(str(error))
        case ForbiddenError():
            return Retry(Reason.FORBIDDEN, f"The controller may not do this: {error}")
        case NotServedError():
            return Waiting(Reason.FORMAT_UNAVAILABLE, str(error))
        case OversizeError():
            return Refused(Reason.TOO_LARGE, f"The API server cannot store the template: {error}")
        case UnavailableError():
            return Retry(Reason.FAILED, f"The API server did not answer as it should: {error}", error.after)
        case _:
            return Retry(Reason.FAILED, f"The API server refused: {error}")
