"""Which users may create which requests by the admission policy, on the real API server, as impersonated users."""

from typing import Any, NamedTuple

import pytest

from e2e.envtest import ApiError, Client, Server
from tests.integration.access.policy import await_latest_admission, put_in_force
from tests.integration.access.rbac_helpers import GET_VMS, MAKE, REQUEST_RIGHTS, await_admission, may

VM = "fedora"
NAMED = GET_VMS | {"resourceNames": [VM]}


class Sight(NamedTuple):
    rule: dict[str, Any]
    namespace: str | None  # where the rule holds; None: in all of them
    enough: set[str]  # the namespaces whose `fedora` it lets a user get


SEEN: dict[str, Sight] = {
    "nothing": Sight(NAMED, "elsewhere", set()),
    "that VM by its name, away": Sight(NAMED, "away", {"away"}),
    "that VM by its name, at home": Sight(NAMED, "home", {"home"}),
    "another VM by its name, away": Sight(GET_VMS | {"resourceNames": ["debian"]}, "away", set()),
    "all VMs away": Sight(GET_VMS, "away", {"away"}),
    "all VMs at home": Sight(GET_VMS, "home", {"home"}),
    "all VMs of the cluster": Sight(GET_VMS, None, {"home", "away"}),
    "the list of VMs everywhere, but not to get one": Sight(GET_VMS | {"verbs": ["list", "watch"]}, None, set()),
}

MADE: dict[str, set[str]] = {  # the formats whose templates a user may create at home
    "no template": set(),
    "OpenShift's": {"openshift"},
    "KubeVirt's own": {"native"},
    "both": {"openshift", "native"},
}


# The policy checks source and target independently: each right with all of the other kind, and neither of both.
PAIRS = [
    *((seen, "both") for seen in SEEN),
    *(("all VMs of the cluster", made) for made in MADE if made != "both"),
    ("nothing", "no template"),
]


class Form(NamedTuple):
    source: str  # namespace
    format: str
    spec: dict[str, Any]


FORMS: dict[str, Form] = {
    "long, home, OpenShift": Form("home", "openshift", {"source": {"vmName": VM}, "target": {"openshiftTemplate": {}}}),
    "long, home by its name, OpenShift": Form(
        "home",
        "openshift",
        {"source": {"vmName": VM, "vmNamespace": "home"}, "target": {"openshiftTemplate": {"name": "mine"}}},
    ),
    "long, home, native": Form("home", "native", {"source": {"vmName": VM}, "target": {"virtualMachineTemplate": {}}}),
    "long, away, OpenShift": Form(
        "away", "openshift", {"source": {"vmName": VM, "vmNamespace": "away"}, "target": {"openshiftTemplate": {}}}
    ),
    "long, away, native": Form(
        "away", "native", {"source": {"vmName": VM, "vmNamespace": "away"}, "target": {"virtualMachineTemplate": {}}}
    ),
    "short, without a format": Form("home", "openshift", {"vmName": VM}),
    "short, OpenShift": Form("home", "openshift", {"vmName": VM, "format": "template.openshift.io/v1"}),
    "short, native": Form("home", "native", {"vmName": VM, "format": "template.kubevirt.io/v1beta1"}),
}

DENIED = (
    '403: virtualmachinetemplaterequests.ssp.kubevirt.io "mine" is forbidden: '
    "ValidatingAdmissionPolicy 'atmpl-request-access-v1' with binding 'atmpl-request-access-v1' denied request: "
)
MAY_NOT_GET = {
    namespace: f"{DENIED}you may not get the virtual machine fedora in namespace {namespace}, and the template "
    "shows its whole spec: ask for a role in that namespace with the verb get on virtualmachines.kubevirt.io, such as "
    "kubevirt.io:view (to check it: kubectl auth can-i get virtualmachines.kubevirt.io/fedora "
    f"-n {namespace})"
    for namespace in ("home", "away")
}
MAY_NOT_CREATE = {
    format: f"{DENIED}you may not create {resource} in namespace home, and this request creates one: ask for a role in "
    f"that namespace with the verb create on it (to check it: kubectl auth can-i create {resource} "
    "-n home)"
    for format, resource in {
        "openshift": "templates.template.openshift.io",
        "native": "virtualmachinetemplates.template.kubevirt.io",
    }.items()
}

COLLECTION = "/apis/ssp.kubevirt.io/v1alpha1/namespaces/home/virtualmachinetemplaterequests"


def user(seen: str, made: str) -> str:
    return f"user-{list(SEEN).index(seen)}-{list(MADE).index(made)}"


def request(spec: dict[str, Any]) -> dict[str, Any]:
    kind = {"apiVersion": "ssp.kubevirt.io/v1alpha1", "kind": "VirtualMachineTemplateRequest"}
    return kind | {"metadata": {"name": "mine"}, "spec": spec}


@pytest.fixture(scope="session")
def populated(guarded: Server) -> Server:
    """The namespaces, and a user for each of PAIRS. No VM is in any of them."""
    for namespace in ("home", "away", "elsewhere"):
        guarded.kubectl("create", "namespace", namespace)
    items = []
    for seen, made in PAIRS:
        who = user(seen, made)
        items += may(who, f"ask-{who}", [REQUEST_RIGHTS, *(MAKE[format] for format in MADE[made])], "home")
        items += may(who, f"see-{who}", [SEEN[seen].rule], SEEN[seen].namespace)
    guarded.kubectl("create", "--filename", "-", input={"apiVersion": "v1", "kind": "List", "items": items})
    return guarded


@pytest.fixture(autouse=True)
async def enforced(populated: Server, admin: Client) -> None:
    if await put_in_force(admin):
        await await_latest_admission(admin)
    async with populated.client(user("nothing", "both")) as client:
        await await_admission(client, COLLECTION, request({"vmName": VM}), refused=True)


async def answer(client: Client, spec: dict[str, Any]) -> str:
    """Return the server's message to a user who tries to create a request; empty if it is created."""
    try:
        await client.post(COLLECTION, request(spec), dryRun="All")
    except ApiError as error:
        return f"{error.status}: {error.message}"
    return ""


@pytest.mark.parametrize(("seen", "made"), PAIRS)
async def test_request_requires_rights_on_source_and_target(seen: str, made: str, populated: Server) -> None:
    expected = {}
    for name, form in FORMS.items():
        if form.source not in SEEN[seen].enough:
            expected[name] = MAY_NOT_GET[form.source]
        elif form.format not in MADE[made]:
            expected[name] = MAY_NOT_CREATE[form.format]
        else:
            expected[name] = ""
    async with populated.client(user(seen, made)) as client:
        assert {name: await answer(client, form.spec) for name, form in FORMS.items()} == expected


async def test_server_side_apply_is_checked(populated: Server) -> None:
    async with populated.client(user("nothing", "both")) as client:
        with pytest.raises(ApiError) as refused:
            await client.apply(request({"vmName": VM}) | {"metadata": {"name": "mine", "namespace": "home"}})
    assert str(refused.value) == MAY_NOT_GET["home"]


async def test_refusal_does_not_reveal_the_vm(populated: Server, admin: Client) -> None:
    vm = {"apiVersion": "kubevirt.io/v1", "kind": "VirtualMachine", "metadata": {"name": VM, "namespace": "away"}}
    spec = {"runStrategy": "Halted", "template": {"spec": {"domain": {"devices": {}}}}}
    async with populated.client(user("nothing", "both")) as client:
        before = await answer(client, FORMS["long, away, OpenShift"].spec)
        await admin.create(vm | {"spec": spec})
        after = await answer(client, FORMS["long, away, OpenShift"].spec)
    assert before == after == MAY_NOT_GET["away"]


async def test_refresh_requires_the_right_to_patch_the_target(populated: Server, admin: Client) -> None:
    create_only = MAKE["openshift"] | {"verbs": ["create"]}
    for item in may("creator", "ask-creator", [REQUEST_RIGHTS, create_only, NAMED], "home"):
        await admin.create(item)
    async with populated.client("creator") as client:
        await await_admission(client, COLLECTION, request({"vmName": VM}), refused=False)
        refused = await answer(client, {"vmName": VM, "refreshPolicy": "OnChange"})
    assert "you may not patch templates.template.openshift.io in namespace home" in refused


AUTHOR = user("all VMs at home", "both")
REQUESTERS: dict[str, tuple[dict[str, Any], bool]] = {  # spec.requester: accepted
    "the author": ({"username": AUTHOR, "groups": ["system:authenticated"]}, True),
    "the author without groups": ({"username": AUTHOR}, False),
    "the author with another group": ({"username": AUTHOR, "groups": ["system:masters"]}, False),
    "the author with a uid": ({"username": AUTHOR, "uid": "1", "groups": ["system:authenticated"]}, False),
    "the author with extra": (
        {"username": AUTHOR, "groups": ["system:authenticated"], "extra": {"example.com/a": ["b"]}},
        False,
    ),
    "another user": ({"username": "admin", "groups": ["system:authenticated"]}, False),
}


@pytest.mark.parametrize("case", REQUESTERS)
async def test_requester_must_be_exactly_the_author(case: str, populated: Server) -> None:
    requester, accepted = REQUESTERS[case]
    async with populated.client(AUTHOR) as client:
        refused = await answer(client, {"vmName": VM, "requester": requester})
    assert ("spec.requester is not the user who creates the request" in refused, refused == "") == (
        not accepted,
        accepted,
    )
