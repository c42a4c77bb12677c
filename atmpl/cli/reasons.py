"""What a request's reasons mean to the person who waits for it: a sentence, a remedy, what to type. Design section 1.

In all of these, {vm} is the virtual machine's name, {there} says its namespace where that is another one, {vms} is the
option that leads kubectl there, {request} and {template} are names, {kind} is the template's kind and {api} its API,
{other} the other word of `--format`. A command is kubectl's, with the options that were typed; one that begins with
`kubectl` is the administrator's.
"""

from typing import Final, NamedTuple

from atmpl.controller.outcome import Reason


class Advice(NamedTuple):
    """A reason in words."""

    sentence: str
    remedy: str
    commands: tuple[str, ...] = ()
    quotes: bool = False  # the controller's own message says more than the sentence can


ADVICE: Final[dict[Reason, Advice]] = {
    Reason.RENDERED: Advice(
        "the template is there",
        "See its parameters, or make a virtual machine of it:",
        (
            "get {kind} {template} -o yaml | atmpl process - --print-params",
            "get {kind} {template} -o yaml | atmpl process - | kubectl create -f -",
        ),
    ),
    Reason.SOURCE_NOT_FOUND: Advice(
        "there is no virtual machine {vm}{there}",
        "The request waits for it, and goes on by itself. See which there are; one of another namespace needs "
        "--vm-namespace too:",
        ("get vm{vms}",),
    ),
    Reason.TARGET_CONFLICT: Advice(
        "a {kind} {template} is there already, and is not this request's",
        "It is never written over. Delete it, and the request goes on in a minute; or delete the request and choose "
        "another --name:",
        ("delete {kind} {template}", "delete vmtreq {request}"),
        quotes=True,
    ),
    Reason.FORMAT_UNAVAILABLE: Advice(
        "this cluster does not serve {api}",
        "Delete the request and choose --format {other}; or have that API installed, and the request goes on:",
        ("delete vmtreq {request}",),
    ),
    Reason.CROSS_NAMESPACE_DENIED: Advice(
        "a virtual machine of another namespace needs atmpl's admission policy in force",
        "What an administrator types, and then you, before you create it again:",
        ("kubectl apply -k config/policy", "delete vmtreq {request}"),
        quotes=True,
    ),
    Reason.INVALID_SOURCE: Advice(
        "no template can be made of the virtual machine {vm}",
        "Change what the message names, and the request goes on by itself:",
        ("edit vm {vm}{vms}",),
        quotes=True,
    ),
    Reason.TOO_LARGE: Advice(
        "the template would be larger than a cluster can store",
        "Make the virtual machine smaller, and the request goes on by itself; long userData can go into a Secret:",
        ("edit vm {vm}{vms}",),
        quotes=True,
    ),
    Reason.UNSUPPORTED: Advice(
        "the cluster's atmpl cannot do what is asked",
        "Have it upgraded; or delete the request, and ask without what the message names:",
        ("delete vmtreq {request}",),
        quotes=True,
    ),
    Reason.FORBIDDEN: Advice(
        "the cluster's atmpl lacks a right, and tries again",
        "Have an administrator give it its role, and the request goes on by itself:",
        ("kubectl apply -k config/rbac",),
        quotes=True,
    ),
    Reason.FAILED: Advice(
        "something went wrong, and is tried again",
        "Wait a little. An administrator finds more in the controller's log:",
        ("kubectl logs -n atmpl-system deployment/atmpl-controller",),
        quotes=True,
    ),
}

UNANSWERED: Final = Advice(
    "nobody has answered the request yet",
    "It waits for atmpl's controller. An administrator sees whether one is running:",
    ("kubectl get pods -n atmpl-system",),
)


def advice(reason: str) -> Advice:
    """Return what a condition's reason means; one of a newer version speaks for itself."""
    if not reason:
        return UNANSWERED
    try:
        return ADVICE[Reason(reason)]
    except ValueError:
        return Advice(
            "this version of atmpl does not know that reason",
            "See the whole status:",
            ("get vmtreq {request} -o yaml",),
            quotes=True,
        )
