"""The states of the policy when a request is created and when the controller first sees it, and the expected results.

One table: a row for each state, and in it, for each right of a request's author, the answer for a source in the same
namespace and in another.
"""

from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

from atmpl.controller.authorization import PolicyCheck
from e2e.envtest import Client
from tests.integration.access.policy import BINDING, POLICY, outlast_the_grace, put_in_force, remove, settled

RIGHTS = ("nothing", "that-vm", "its-namespace", "the-cluster")  # the VMs that an author may get; also the user's name

REFUSED = "refused"  # by the API server, when the request is created
DENIED = "denied"  # by the controller: CrossNamespaceDenied
MISSING = "missing"  # by the controller: PolicyMissing
MADE = "made"  # Ready, and a template

Row = dict[str, tuple[str, str]]  # right: the answer for the same namespace, and for another
Step = Callable[[Client], Awaitable[Any]]

CHECKED: Row = {
    "nothing": (REFUSED, REFUSED),
    "that-vm": (MADE, MADE),
    "its-namespace": (MADE, MADE),
    "the-cluster": (MADE, MADE),
}
# The API server checked the authors, but the controller cannot know that.
CHECKED_THEN_BROKEN: Row = dict.fromkeys(RIGHTS, (MISSING, DENIED)) | {"nothing": (REFUSED, REFUSED)}
NOT_IN_FORCE: Row = dict.fromkeys(RIGHTS, (MISSING, DENIED))
# A documented limit: a request of a gap is served in its own namespace when the policy is in force again.
IN_FORCE_LATER: Row = dict.fromkeys(RIGHTS, (MADE, DENIED))

NARROW = {"namespaceSelector": {"matchLabels": {"checked": "yes"}}}
SPARING = [{"name": "spares-all", "expression": "false"}]


async def nothing(admin: Client) -> None:
    """Leave all as it is."""


async def long_in_force(admin: Client) -> None:
    await put_in_force(admin)
    await outlast_the_grace(admin)


def without(*paths: str) -> Step:
    async def step(admin: Client) -> None:
        await put_in_force(admin)
        await remove(admin, *paths)

    return step


def but(path: str, **spec: Any) -> Step:
    async def step(admin: Client) -> None:
        await put_in_force(admin)
        await admin.patch(path, {"spec": spec})

    return step


def taken_back(path: str, field: str) -> Step:
    async def step(admin: Client) -> None:
        await admin.patch(path, [{"op": "remove", "path": f"/spec/{field}"}], "json")
        await settled(admin)

    return step


class State(NamedTuple):
    before: Step  # done before the requests are created
    between: Step  # done after that, and before the controller first sees them
    row: Row
    why: PolicyCheck  # of those that the controller denies


STATES: dict[str, State] = {
    "in force": State(long_in_force, nothing, CHECKED, PolicyCheck.IN_FORCE),
    "in force, the binding deleted later": State(
        long_in_force, without(BINDING), CHECKED_THEN_BROKEN, PolicyCheck.BINDING_ABSENT
    ),
    "in force, the policy edited later": State(
        long_in_force,
        but(POLICY, validations=[{"expression": "true"}]),
        CHECKED_THEN_BROKEN,
        PolicyCheck.POLICY_DIFFERS,
    ),
    "policy absent": State(without(POLICY, BINDING), nothing, NOT_IN_FORCE, PolicyCheck.POLICY_ABSENT),
    "policy absent, put in force later": State(
        without(POLICY, BINDING), put_in_force, IN_FORCE_LATER, PolicyCheck.REQUEST_EARLIER
    ),
    "binding absent": State(without(BINDING), nothing, NOT_IN_FORCE, PolicyCheck.BINDING_ABSENT),
    "binding absent, put in force later": State(
        without(BINDING), put_in_force, IN_FORCE_LATER, PolicyCheck.REQUEST_EARLIER
    ),
    "Audit only": State(but(BINDING, validationActions=["Audit"]), nothing, NOT_IN_FORCE, PolicyCheck.BINDING_NOT_DENY),
    "Audit only, Deny later": State(
        but(BINDING, validationActions=["Audit"]),
        lambda admin: admin.patch(BINDING, {"spec": {"validationActions": ["Deny"]}}),
        IN_FORCE_LATER,
        PolicyCheck.BINDING_CHANGED,
    ),
    "binding narrowed by a namespaceSelector": State(
        but(BINDING, matchResources=NARROW), nothing, NOT_IN_FORCE, PolicyCheck.BINDING_NARROWED
    ),
    "binding narrowed, widened later": State(
        but(BINDING, matchResources=NARROW),
        taken_back(BINDING, "matchResources"),
        IN_FORCE_LATER,
        PolicyCheck.BINDING_CHANGED,
    ),
    # A policy without paramKind does not look at it, but the controller does not build on that.
    "binding with a paramRef": State(
        but(BINDING, paramRef={"name": "x", "parameterNotFoundAction": "Allow"}),
        nothing,
        CHECKED_THEN_BROKEN,
        PolicyCheck.BINDING_NARROWED,
    ),
    "policy edited": State(
        but(POLICY, validations=[{"expression": "true"}]), nothing, NOT_IN_FORCE, PolicyCheck.POLICY_DIFFERS
    ),
    "policy edited to spare all": State(
        but(POLICY, matchConditions=SPARING), nothing, NOT_IN_FORCE, PolicyCheck.POLICY_DIFFERS
    ),
    "policy edited to spare all, edited back later": State(
        but(POLICY, matchConditions=SPARING),
        taken_back(POLICY, "matchConditions"),
        IN_FORCE_LATER,
        PolicyCheck.POLICY_CHANGED,
    ),
}
