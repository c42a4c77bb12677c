"""`atmpl create`: each response of the cluster, and the request."""

import pytest
import yaml
from aiohttp import web

from atmpl.cli import wait
from atmpl.cli.wait import ADVICE, RequestState
from atmpl.controller.outcome import Reason
from tests.support.cli_runner import scripted_cluster, typed
from tests.support.scripted_server import status

CREATED = {"metadata": {"name": "web-template", "namespace": "team-a", "uid": "1", "resourceVersion": "5"}}


def answered(monkeypatch, *acts):
    """Let a scripted server be the cluster, whose first answer is that it does not report the user."""
    return scripted_cluster(monkeypatch, status(403, "Forbidden"), *acts)


UNREADABLE = status(403, "Forbidden")


def followed(monkeypatch, *states, template=UNREADABLE):
    """Let the request go through these states after it was created; `template` is the response for its template."""

    async def created(_):
        return web.json_response(CREATED, status=201)

    async def follow(*_):
        yield RequestState(CREATED)
        for each in states:
            yield each

    answered(monkeypatch, created, template)
    monkeypatch.setattr(wait, "watch_request", follow)


NO_ATMPL = (
    "cannot create the request web-template: the cluster does not serve atmpl's requests; ask its administrator to "
    "install the manifest of atmpl's release"
)
UNAUTHORIZED = "the cluster rejects your credentials (401 Unauthorized); log in, or choose another --context"
DENIED = (
    'virtualmachinetemplaterequests.ssp.kubevirt.io "web-template" is forbidden: ValidatingAdmissionPolicy '
    "'atmpl-request-access-v1' with binding 'atmpl-request-access-v1' denied request: you may not get the virtual machine web"
)
AWAY = (
    "cannot create the request web-template: no response from https://cluster:6443 (try later); "
    "see kubectl cluster-info"
)


async def nonsense(_):
    return web.json_response({"hello": "world"})


REFUSALS = {
    "no definition of requests": (status(404), NO_ATMPL),
    "unknown credentials": (status(401, "Unauthorized", "Unauthorized"), UNAUTHORIZED),
    "the admission policy": (
        status(403, "Forbidden", DENIED),
        "denied: you may not get the virtual machine web",
    ),
    "a server that is not an API server": (
        nonsense,
        AWAY.replace("try later", "the response is not a Kubernetes object; is this a Kubernetes API server?"),
    ),
    "a server that is overwhelmed": (status(503, "ServiceUnavailable", "try later"), AWAY),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_refusal_has_a_remedy(case, monkeypatch):
    act, sentence = REFUSALS[case]
    answered(monkeypatch, act)
    assert typed("create", "--vm", "web") == (1, "", f"error: {sentence}\n")


def made(kind, name):
    async def act(_):
        return web.json_response(CREATED | {"status": {"templateRef": {"kind": kind, "name": name}}})

    return act


NATIVE = "VirtualMachineTemplate"
EXISTING = {  # the request that exists: what deletes it, and the template that it made
    "made a template": (
        made(NATIVE, "web-template"),
        "it and its template with kubectl delete vmtreq,{kind} web-template",
    ),
    "made one of another name": (
        made(NATIVE, "prod"),
        "it with kubectl delete vmtreq web-template, and its template with kubectl delete {kind} prod",
    ),
    "made none": (made("", ""), "it with kubectl delete vmtreq web-template"),
    "has a damaged status": (made("Pod", 3), "it with kubectl delete vmtreq web-template"),
    "may not be read": (UNREADABLE, "it with kubectl delete vmtreq web-template"),
}


@pytest.mark.parametrize("case", EXISTING)
def test_only_the_template_of_the_existing_request_is_deleted(case, monkeypatch):
    act, deletion = EXISTING[case]
    answered(monkeypatch, status(409, "AlreadyExists"), act)
    came = typed("create", "--vm", "web")
    assert (came.status, came.out) == (1, "")
    assert came.err.endswith(f", or delete {deletion.format(kind=NATIVE.lower())}\n")


@pytest.mark.parametrize("reason", [reason for reason in Reason if reason is not Reason.RENDERED])
def test_every_reason_has_a_sentence_and_a_remedy(reason, monkeypatch):
    now = RequestState(CREATED, reason, "the controller's own words", stalled=True)
    followed(monkeypatch, now)
    came = typed("create", "--vm", "web", "-n", "team-a")
    assert (came.status, came.out) == (1, "")
    first, second, *rest = [line for line in came.err.splitlines() if not line.endswith(" created")]
    assert first.startswith("error: ")
    assert first.endswith(f" ({reason})")
    assert (second == "  the controller's own words") is ADVICE[reason].quotes_message
    assert rest[-1].startswith("    kubectl ")
    assert "{" not in came.err


def test_temporary_reason_is_reported_once(monkeypatch):
    waiting = RequestState(CREATED, Reason.TARGET_CONFLICT, "it was made by hand")
    rendered = RequestState(CREATED | {"status": {"parameterCount": 4}}, Reason.RENDERED, ready=True)
    followed(monkeypatch, waiting, waiting, rendered)
    came = typed("create", "--vm", "web")
    assert came.status == 0
    assert came.err.count("(TargetConflict)") == 1
    assert came.out.endswith("created with 4 parameters\n")


RENDERED = RequestState(CREATED | {"status": {"parameterCount": 4}}, Reason.RENDERED, ready=True)
GENERATED = {"generate": "expression", "from": "[a-z]{5}"}
PASSWORD = {"name": "PASSWORD", "displayName": "Password of a", **GENERATED}


def template_with(*parameters):
    async def act(_):
        return web.json_response({"metadata": CREATED["metadata"], "parameters": parameters})

    return act


def test_next_command_has_the_required_parameters(monkeypatch):
    again = "key1 (one line; or the first key again)"
    keys = [
        {"name": "KEY0", "displayName": "SSH public key of a", "required": True},
        {"name": "KEY1", "displayName": "SSH public key 2 of a", "description": again, "required": True},
    ]
    others = [{"name": "NAME", **GENERATED}, {"name": "CORES", "value": "2"}, {"name": "EMPTY"}]
    followed(monkeypatch, RENDERED, template=template_with(*keys, PASSWORD, *others))
    came = typed("create", "--vm", "web", "-n", "team-a")
    assert came.status == 0
    assert came.err.splitlines()[-10:] == [
        "  Secrets to set, as NAME=VALUE or NAME=@FILE, for each new virtual machine:",
        "    KEY0  SSH public key of a",
        "    KEY1  SSH public key 2 of a (one line; or the first key again)",
        "  Secrets generated for each new virtual machine:",
        "    PASSWORD  Password of a",
        "  Show its parameters, or create a virtual machine from it:",
        "    atmpl instantiate --template web-template --print-params -n team-a",
        "    atmpl instantiate --template web-template \\",
        "        -p KEY0=@FILE \\",
        "        -p KEY1=@FILE -n team-a",
    ]


@pytest.mark.parametrize("typed_namespace", [[], ["-n", "team-a"]])
def test_next_command_names_both_namespaces_if_they_differ(typed_namespace, monkeypatch):
    followed(monkeypatch, RENDERED)
    came = typed("create", "--vm", "web", "--vm-namespace", "team-b", *typed_namespace)
    assert came.err.splitlines()[-2:] == [
        "    atmpl instantiate --template web-template --template-namespace team-a --print-params -n team-b",
        "    atmpl instantiate --template web-template --template-namespace team-a -n team-b",
    ]


def test_next_command_has_one_namespace_if_they_are_equal(monkeypatch):
    followed(monkeypatch, RENDERED)
    came = typed("create", "--vm", "web", "--vm-namespace", "team-a", "-n", "team-a")
    assert came.err.endswith("    atmpl instantiate --template web-template -n team-a\n")


def test_next_command_has_a_file_for_many_parameters(monkeypatch):
    keys = [{"name": f"KEY{index}", "required": True} for index in range(12)]
    followed(monkeypatch, RENDERED, template=template_with(*keys))
    came = typed("create", "--vm", "web")
    assert came.err.endswith("    atmpl instantiate --template web-template --params-file FILE\n")
    assert "KEY9\n    and 2 more\n" in came.err


def test_unreadable_template_is_no_error(monkeypatch):
    followed(monkeypatch, RENDERED)
    came = typed("create", "--vm", "web")
    assert came.status == 0
    assert came.err.endswith("    atmpl instantiate --template web-template\n")


def test_unknown_reason_shows_its_message(monkeypatch):
    followed(monkeypatch, RequestState(CREATED, "TooBlue", "it is too blue", stalled=True))
    came = typed("create", "--vm", "web")
    assert came.status == 1
    assert "(TooBlue)\n  it is too blue\n" in came.err


def test_warnings_name_options_of_the_command_line(monkeypatch):
    message = "So it is. To change that, use the option secrets: Require."
    warnings = [
        {"reason": "InlineSecret", "message": message, "path": "spec.x"},
        {"reason": "SourceGone", "message": "m"},
    ]
    found = CREATED | {"status": {"parameterCount": 4, "warnings": warnings}}
    followed(monkeypatch, RequestState(found, Reason.RENDERED, ready=True))
    came = typed("create", "--vm", "web", "-o", "name")
    assert "warning: spec.x: InlineSecret: So it is. To change that, use --secrets Require.\n" in came.err
    assert "warning: SourceGone: m\n" in came.err


def test_deleted_request_is_an_error(monkeypatch):
    followed(monkeypatch, RequestState(CREATED, deleted=True))
    came = typed("create", "--vm", "web")
    assert (came.status, came.out) == (1, "")
    assert "the request web-template was deleted before its template was made" in came.err


def test_a_request_deleted_by_its_ttl_was_a_success(monkeypatch):
    found = CREATED | {"status": {"parameterCount": 4}}
    followed(monkeypatch, RequestState(found, Reason.RENDERED, ready=True, deleted=True))
    assert typed("create", "--vm", "web").status == 0


def test_client_dry_run_uses_no_cluster(monkeypatch):
    monkeypatch.setenv("KUBECONFIG", "/nonexistent")
    came = typed("create", "--vm", "web", "--ttl", "90s", "--refresh", "Once", "--dry-run=client", "-o", "yaml")
    assert (came.status, came.err) == (0, "")
    assert yaml.safe_load(came.out) == {
        "apiVersion": "ssp.kubevirt.io/v1alpha1",
        "kind": "VirtualMachineTemplateRequest",
        "metadata": {"name": "web-template"},
        "spec": {"source": {"vmName": "web"}, "target": {"openshiftTemplate": {}}, "ttlSecondsAfterFinished": 90},
    }


def test_missing_kubeconfig_is_an_error(monkeypatch):
    monkeypatch.setenv("KUBECONFIG", "/nonexistent")
    came = typed("create", "--vm", "web")
    assert (came.status, came.out) == (1, "")
    assert came.err.startswith("error: kubeconfig /nonexistent: ")
    assert came.err.endswith("; name one with --kubeconfig or the variable KUBECONFIG\n")


WRONG = {
    "no virtual machine": [],
    "a name that no cluster takes": ["--vm", "a_b"],
    "a namespace that no cluster takes": ["--vm", "web", "-n", "a.b"],
    "a name that becomes too long": ["--vm", "v" * 250],
    "a time that is none": ["--vm", "web", "--timeout", "soon"],
    "a TTL that is not whole seconds": ["--vm", "web", "--ttl", "500ms"],
    "a TTL beyond 32 bits": ["--vm", "web", "--ttl", "30000d"],
    "an empty user": ["--vm", "web", "--as", ""],
    "a user with a line break": ["--vm", "web", "--as", "a\nb"],
    "an empty group": ["--vm", "web", "--as", "a", "--as-group", ""],
    "an empty context": ["--vm", "web", "--context", ""],
    "an empty kubeconfig": ["--vm", "web", "--kubeconfig", ""],
    "a TTL for what is never finished": ["--vm", "web", "--refresh", "OnChange", "--ttl", "1h"],
    "a group without a user": ["--vm", "web", "--as-group", "people"],
    "an unknown dry run": ["--vm", "web", "--dry-run=maybe"],
    "a malformed pattern": ["--vm", "web", "--include", "a..b"],
    "a label without a value": ["--vm", "web", "--label", "team"],
    "a reserved label": ["--vm", "web", "--label", "ssp.kubevirt.io/refresh=OnChange"],
    "Complete without its parameter": ["--vm", "web", "--console", "Complete", "--naming", "Generate"],
    "Complete in the native format": ["--vm", "web", "--console", "Complete", "--format", "native"],
}


@pytest.mark.parametrize("words", WRONG.values(), ids=WRONG)
def test_wrong_usage_calls_no_cluster(words):
    came = typed("create", *words)
    assert (came.status, came.out) == (2, "")
    assert came.err.startswith("error: ")


def test_missing_vm_is_reported_with_its_namespace(monkeypatch):
    followed(monkeypatch, RequestState(CREATED, Reason.SOURCE_NOT_FOUND), RequestState(CREATED, deleted=True))
    came = typed("create", "--vm", "web", "--vm-namespace", "team-b")
    assert "the virtual machine web does not exist in namespace team-b (SourceNotFound)\n" in came.err
    assert "    kubectl get vm -n team-b\n" in came.err


USER = {"username": "alice", "groups": ["dev"], "uid": "", "extra": {"a": ["b"]}}


async def who_am_i(_):
    return web.json_response({"status": {"userInfo": USER}}, status=201)


async def created(_):
    return web.json_response(CREATED, status=201)


def test_request_names_its_requester(monkeypatch):
    script = answered(monkeypatch)
    script.acts = [who_am_i, created]
    assert typed("create", "--vm", "web", "--wait=false").status == 0
    requester = script.calls[1].json()["spec"]["requester"]
    assert requester == {"username": "alice", "groups": ["dev"], "extra": {"a": ["b"]}}


@pytest.mark.parametrize(
    "refusal",
    [
        status(400, "BadRequest", 'strict decoding error: unknown field "spec.requester"'),
        status(403, "Forbidden", "denied request: spec.requester is not the user who creates the request"),
    ],
)
def test_requester_is_left_out_if_the_cluster_rejects_it(refusal, monkeypatch):
    script = answered(monkeypatch)
    script.acts = [who_am_i, refusal, created]
    assert typed("create", "--vm", "web", "--wait=false").status == 0
    assert "requester" not in script.calls[2].json()["spec"]


def test_options_and_metadata_become_fields_of_the_request():
    came = typed(
        "create", "--vm", "web", "--dry-run=client", "-o", "json", "--secrets", "Extract", "--naming", "Parameter",
        "--profile", "Common", "--include", "instancetype.name", "--exclude", "template.spec.domain.firmware.**",
        "--label", "team=web", "--annotation", "description=A=B",
    )  # fmt: skip
    spec = yaml.safe_load(came.out)["spec"]
    assert spec["options"] == {
        "secrets": "Extract",
        "naming": "Parameter",
        "parameters": {
            "profile": "Common",
            "include": ["instancetype.name"],
            "exclude": ["template.spec.domain.firmware.**"],
        },
    }
    assert spec["templateMetadata"] == {"labels": {"team": "web"}, "annotations": {"description": "A=B"}}
