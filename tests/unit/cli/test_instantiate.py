"""`atmpl instantiate`, against a server that follows a script."""

import json

import pytest
from aiohttp import web

from tests.support.cli_runner import typed
from tests.support.scripted_server import status
from tests.unit.cli.test_text_values import KEY, RSA

TEMPLATE = {
    "apiVersion": "template.openshift.io/v1",
    "kind": "Template",
    "metadata": {"name": "web", "namespace": "team-a", "uid": "1"},
    "objects": [
        {
            "apiVersion": "kubevirt.io/v1",
            "kind": "VirtualMachine",
            "metadata": {"generateName": "web-"},
            "spec": {"memory": "${MEMORY}", "password": "${PASSWORD}"},
        }
    ],
    "parameters": [
        {"name": "MEMORY", "required": True},
        {"name": "PASSWORD", "generate": "expression", "from": "[a-z]{8}"},
    ],
}
NATIVE = {
    "apiVersion": "template.kubevirt.io/v1beta1",
    "kind": "VirtualMachineTemplate",
    "metadata": TEMPLATE["metadata"],
    "spec": {
        "virtualMachine": {"apiVersion": "kubevirt.io/v1", "kind": "VirtualMachine", "metadata": {"name": "${NAME}"}},
        "parameters": [{"name": "NAME", "generate": "expression", "from": "db-[a-z]{5}"}],
    },
}
ABSENT, NOT_SERVED, FORBIDDEN = status(404, "NotFound"), status(404), status(403, "Forbidden", "no")


def found(template):
    async def act(_):
        return web.json_response(template)

    return act


async def create(request):
    """Complete generateName, as the API server does."""
    vm = await request.json()
    vm["metadata"] = {"name": vm["metadata"].get("name", "web-q7x2m"), "namespace": "team-a", "uid": "2"}
    return web.json_response(vm, status=201)


def test_vm_is_created_and_its_name_is_printed(cluster):
    script = cluster(found(TEMPLATE), ABSENT, create)
    came = typed("instantiate", "--template", "web", "-p", "MEMORY=4Gi")
    assert (came.status, came.out) == (0, "virtualmachine.kubevirt.io/web-q7x2m created\n")
    call = script.calls[-1]
    assert (call.method, call.path) == ("POST", "/apis/kubevirt.io/v1/namespaces/team-a/virtualmachines")
    body = call.json()
    assert body["metadata"] == {"generateName": "web-"}
    assert body["spec"]["memory"] == "4Gi"
    assert f"\nPASSWORD={body['spec']['password']}\n" in came.err
    assert len(body["spec"]["password"]) == 8


def test_vm_name_is_the_name_of_the_vm(cluster):
    script = cluster(NOT_SERVED, found(NATIVE), create)
    came = typed("instantiate", "--template", "web", "--vm-name", "db-9", "-o", "name")
    assert (came.status, came.out) == (0, "virtualmachine.kubevirt.io/db-9\n")
    assert script.calls[-1].json()["metadata"]["name"] == "db-9"


def test_older_version_of_the_native_format_is_read(cluster):
    older = {key: value for key, value in NATIVE.items() if key not in ("apiVersion", "kind")}
    script = cluster(NOT_SERVED, NOT_SERVED, found(older), create)
    assert typed("instantiate", "--template", "web", "--vm-name", "db-9").status == 0
    assert [call.path.split("/")[3] for call in script.calls] == ["v1", "v1beta1", "v1alpha1", "v1"]


def test_dry_run_prints_the_vm(cluster):
    script = cluster(found(TEMPLATE), ABSENT, create)
    came = typed("instantiate", "--template", "web", "-p", "MEMORY=4Gi", "--dry-run", "-o", "json")
    assert came.status == 0
    assert script.queries[-1]["dryRun"] == "All"
    assert json.loads(came.out)["kind"] == "VirtualMachine"


def test_parameters_of_the_template_are_printed(cluster):
    script = cluster(found(TEMPLATE), ABSENT)
    came = typed("instantiate", "--template", "web", "--print-params", "-o", "json")
    assert [each["name"] for each in json.loads(came.out)] == ["MEMORY", "PASSWORD"]
    assert [call.method for call in script.calls] == ["GET", "GET"]


@pytest.mark.parametrize("acts", [(found(TEMPLATE), ABSENT), (NOT_SERVED, found(NATIVE))], ids=["openshift", "native"])
def test_template_of_another_namespace_makes_a_vm_in_this_one(acts, cluster):
    script = cluster(*acts, create)
    came = typed(
        "instantiate", "--template", "web", "--template-namespace", "golden",
        "-p", "MEMORY=1", "--ignore-unknown-parameters",
    )  # fmt: skip
    assert came.status == 0
    *reads, write = [call.path.split("/namespaces/")[1].split("/")[0] for call in script.calls]
    assert (set(reads), write) == ({"golden"}, "team-a")


def test_missing_template_names_the_option_for_its_namespace(cluster):
    cluster(ABSENT, ABSENT, FORBIDDEN)
    came = typed("instantiate", "--template", "web", "--template-namespace", "golden")
    assert "does not exist in namespace golden; " in came.err
    assert came.err.endswith(" --template-namespace\n")


def test_absent_namespace_names_both_options_for_it(cluster):
    cluster(ABSENT, ABSENT, ABSENT)
    came = typed("instantiate", "--template", "web")
    assert came.err.endswith("there is no namespace team-a; choose another one with -n or --template-namespace\n")


def test_parameters_have_no_form_name(cluster):
    script = cluster()
    came = typed("instantiate", "--template", "web", "--print-params", "-o", "name")
    assert (came.status, came.out, script.calls) == (2, "", [])
    assert "-o yaml" in came.err


def test_unreadable_template_needs_the_role_view_only(cluster):
    cluster(FORBIDDEN, FORBIDDEN)
    came = typed("instantiate", "--template", "web", "--template-namespace", "golden")
    assert came.err.endswith(
        "; request a role such as view in golden, or choose another namespace with --template-namespace\n"
    )


@pytest.mark.parametrize(
    "acts", [(found(TEMPLATE), FORBIDDEN), (FORBIDDEN, found(NATIVE))], ids=["openshift", "native"]
)
def test_template_of_the_kind_that_may_be_read_is_used(acts, cluster):
    cluster(*acts, create)
    came = typed("instantiate", "--template", "web", "-p", "MEMORY=1", "--ignore-unknown-parameters")
    assert came.status == 0


def test_absent_template_of_one_kind_and_no_right_to_the_other(cluster):
    script = cluster(ABSENT, FORBIDDEN)
    came = typed("instantiate", "--template", "web")
    assert (came.status, came.out) == (1, "")
    assert "may not get the VirtualMachineTemplate web, and the Template web does not exist" in came.err
    assert "; --format openshift " in came.err
    assert len(script.calls) == 2


def test_absent_namespace_of_a_template_is_named(cluster):
    script = cluster(ABSENT, ABSENT, ABSENT)
    came = typed("instantiate", "--template", "web", "--template-namespace", "golden")
    assert " web does not exist: there is no namespace golden; " in came.err
    assert script.calls[-1].path == "/api/v1/namespaces/golden"


@pytest.mark.parametrize("words", [[], ["--print-params"], ["--dry-run"]], ids=str)
@pytest.mark.parametrize("format", ["openshift", "native"])
def test_message_of_the_template_is_printed(format, words, cluster):
    message = {"message": "Log in as ${NAME}."}
    native = NATIVE | {"spec": NATIVE["spec"] | message}
    answers = (found(TEMPLATE | message), ABSENT) if format == "openshift" else (NOT_SERVED, found(native))
    cluster(*answers, create)
    given = ["-p", "MEMORY=1"] if format == "openshift" else ["--vm-name", "db-9"]
    came = typed("instantiate", "--template", "web", *given, *words)
    name = "${NAME}" if format == "openshift" else "db-9"
    assert came.status == 0
    assert f"# Message of the template:\n#   Log in as {name}.\n" in came.err


def named(reference, **parameter):
    vm = TEMPLATE["objects"][0] | {"metadata": {"name": reference}, "spec": {}}
    return TEMPLATE | {"objects": [vm], "parameters": [{"name": "NAME", **parameter}, {"name": "VM", **parameter}]}


@pytest.mark.parametrize(("reference", "other"), [("${NAME}", "VM"), ("${VM}", "NAME")])
def test_vm_name_is_the_value_of_the_parameter_for_it(reference, other, cluster):
    template = named(reference, required=True)
    template["parameters"] = [each for each in template["parameters"] if each["name"] != other]
    script = cluster(found(template), ABSENT, create)
    came = typed("instantiate", "--template", "web", "--vm-name", "c3", "-o", "name")
    assert (came.status, came.out) == (0, "virtualmachine.kubevirt.io/c3\n")
    assert script.calls[-1].json()["metadata"]["name"] == "c3"


def test_vm_name_is_no_value_of_a_part_of_the_name(cluster):
    cluster(found(named("${VM}-a", required=True)), ABSENT)
    came = typed("instantiate", "--template", "web", "--vm-name", "c3")
    assert came.status == 1
    assert "the parameter VM is required" in came.err


OTHER_NAMES = {
    "a typed parameter": ("${NAME}", ["-p", "NAME=c1"], "-p NAME=NAME"),
    "a typed parameter of another name": ("${VM}", ["-p", "VM=c1"], "-p VM=NAME"),
    "the option": ("${NAME}", ["--vm-name", "c1"], "--vm-name NAME"),
    "a default": ("${NAME}", [], "--vm-name NAME"),
    "both, of another name": ("${VM}", ["-p", "VM=c2", "--vm-name", "c1"], "--vm-name NAME"),
}


@pytest.mark.parametrize("case", OTHER_NAMES)
def test_existing_vm_names_the_option_for_another_name(case, cluster):
    reference, words, option = OTHER_NAMES[case]
    cluster(found(named(reference, value="c1")), ABSENT, status(409, "AlreadyExists", "exists"))
    came = typed("instantiate", "--template", "web", *words)
    assert (came.status, came.out) == (1, "")
    assert came.err.endswith(f" {option}\n")


def with_password(text):
    volumes = [{"name": "i", "cloudInitNoCloud": {"userData": text}}]
    vm = TEMPLATE["objects"][0] | {"spec": {"template": {"spec": {"volumes": volumes}}}}
    return TEMPLATE | {"objects": [vm]}


def instantiate_with_password(cluster, line, value, *answers):
    script = cluster(found(with_password(f"#cloud-config\n{line}\n")), ABSENT, *answers)
    return script, typed("instantiate", "--template", "web", "-p", "MEMORY=1", "-p", f"PASSWORD={value}")


BREAKING = {
    "a colon": ("password: ${PASSWORD}", "a: b"),
    "a quote": ("password: '${PASSWORD}'", "a'b"),
    "an alias": ("password: ${PASSWORD}", "*ab"),
    "an unknown tag": ("password: ${PASSWORD}", "!ab"),
}


@pytest.mark.parametrize("phrase", BREAKING)
def test_value_that_breaks_the_cloud_config_creates_no_vm(phrase, cluster):
    script, came = instantiate_with_password(cluster, *BREAKING[phrase])
    assert (came.status, came.out) == (1, "")
    assert came.err.startswith("error: template/web in team-a: the parameter PASSWORD breaks the cloud-config")
    assert [call.method for call in script.calls] == ["GET", "GET"]


def test_broken_complete_text_creates_no_vm(cluster):
    script = cluster(found(with_password("${PASSWORD}")), ABSENT)
    came = typed("instantiate", "--template", "web", "-p", "MEMORY=1", "-p", "PASSWORD=#cloud-config\na: [x")
    assert (came.status, came.out) == (1, "")
    assert came.err.startswith("error: template/web in team-a: the parameter PASSWORD is not valid YAML")
    assert [call.method for call in script.calls] == ["GET", "GET"]


def test_complete_text_of_an_unknown_kind_creates_a_vm(cluster):
    script = cluster(found(with_password("${PASSWORD}")), ABSENT, create)
    came = typed("instantiate", "--template", "web", "-p", "MEMORY=1", "-p", "PASSWORD=bob")
    assert came.status == 0
    assert "warning: template/web in team-a: the parameter PASSWORD does not begin with" in came.err
    assert script.calls[-1].method == "POST"


def test_private_key_creates_no_vm(cluster):
    line = "ssh_authorized_keys:\n- ${PASSWORD}"
    script, came = instantiate_with_password(cluster, line, "-----BEGIN OPENSSH PRIVATE KEY-----\nc2VjcmV0")
    assert (came.status, came.out) == (1, "")
    assert "c2VjcmV0" not in came.err
    assert [call.method for call in script.calls] == ["GET", "GET"]


def test_value_in_quotes_as_advised_creates_a_vm(cluster):
    _, came = instantiate_with_password(cluster, "password: ${PASSWORD}", "@@foo")
    assert came.status == 1
    assert "\"PASSWORD='VALUE'\"" in came.err
    script, came = instantiate_with_password(cluster, "password: ${PASSWORD}", "'@foo'", create)
    assert (came.status, came.err) == (0, "")
    volume = script.calls[-1].json()["spec"]["template"]["spec"]["volumes"][0]
    assert volume["cloudInitNoCloud"]["userData"] == "#cloud-config\npassword: '@foo'\n"


KEYS = "ssh_authorized_keys:\n- ${PASSWORD}"
REFUSED = {
    "an octal number": ("password: ${PASSWORD}", "0123"),
    "a number in base 60": ("password: ${PASSWORD}", "1:20"),
    "a number with an underscore": ("password: ${PASSWORD}", "1_0"),
    "a number for another user": ("users: [{name: a, plain_text_passwd: ${PASSWORD}}]", "12345"),
    "a list in a list of keys": (KEYS, f"[{KEY}]"),
    "a list with no key": ("ssh_authorized_keys: ${PASSWORD}", f'["{KEY}", hello]'),
    "a hash that is a number": ("users: [{name: a, passwd: ${PASSWORD}}]", "1234567890123"),
    "a boolean": ("password: ${PASSWORD}", "true"),
    "no value": ("password: ${PASSWORD}", ""),
    "an empty text": ("password: '${PASSWORD}'", ""),
    "a comment": ("password: ${PASSWORD}", "a #b"),
    "a token that is a number": ("rh_subscription: {activation_key: ${PASSWORD}}", "1"),
    "a password instead of a hash": ("users: [{name: a, passwd: ${PASSWORD}}]", "hunter2"),
    "no key": (KEYS, "hello"),
    "the name of a key's file": (KEYS, "id.pub"),
    "an incomplete key": (KEYS, "ssh-ed25519"),
    "two keys": (KEYS, f"{KEY},{RSA}"),
    "two lines": (KEYS, f"{KEY}\n{RSA}"),
    "the name of a file for a password": ("password: ${PASSWORD}", "file"),
    "the name of a file for a text in quotes": ("password: '${PASSWORD}'", "file"),
}


@pytest.mark.parametrize("phrase", REFUSED)
def test_secret_that_is_not_taken_as_given_creates_no_vm(phrase, cluster, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("secret\n")
    script, came = instantiate_with_password(cluster, *REFUSED[phrase])
    assert (came.status, came.out, came.err.count("error: ")) == (1, "", 1)
    assert [call.method for call in script.calls] == ["GET", "GET"]


def test_name_of_a_file_for_a_complete_text_creates_no_vm(cluster, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("secret\n")
    script = cluster(found(with_password("${PASSWORD}")), ABSENT)
    came = typed("instantiate", "--template", "web", "-p", "MEMORY=1", "-p", "PASSWORD=file")
    assert (came.status, "-p PASSWORD=@file; if the name itself" in came.err) == (1, True)
    assert [call.method for call in script.calls] == ["GET", "GET"]
    (tmp_path / "name").write_text("file")
    cluster(found(with_password("${PASSWORD}")), ABSENT, create)
    assert typed("instantiate", "--template", "web", "-p", "MEMORY=1", "-p", "PASSWORD=@name").status == 0


INTENDED = {  # (line, default, value)
    "a key that is none by default": (KEYS, "none", "gh:me"),
    "a number by default": ("password: ${PASSWORD}", "1", "2"),
    "the default itself": ("password: ${PASSWORD}", "1", "1"),
    "a key in quotes": (KEYS, "", f"'{KEY} #1'"),
}


@pytest.mark.parametrize("phrase", INTENDED)
def test_value_in_the_form_of_the_default_creates_a_vm(phrase, cluster):
    line, default, value = INTENDED[phrase]
    template = with_password(f"#cloud-config\n{line}\n")
    parameters = [{"name": "MEMORY"}, {"name": "PASSWORD", "value": default}]
    cluster(found(template | {"parameters": parameters}), ABSENT, create)
    assert typed("instantiate", "--template", "web", "-p", f"PASSWORD={value}").status == 0


HASH = "users: [{name: a, passwd: ${PASSWORD}}]"
KEY_LIST = "ssh_authorized_keys: ${PASSWORD}"
GOOD = {
    "a key and a blank": (KEYS, f"{KEY} \n"),
    "a key and an empty line": (KEYS, f"{KEY}\n\n"),
    "a hash and blanks": ("users:\n- name: a\n  passwd: ${PASSWORD}", "$6$salt$abc  \n"),
    "a key in quotes": (KEYS, f"'{KEY}'"),
    "a hash in quotes": (HASH, "'$6$salt$abc'"),
    "a hash of DES": (HASH, "ab./efGHIJ012"),
    "a hash of BSDi": (HASH, "_J9..CCCCXBrJUJV154M"),
    "a list of keys": (KEY_LIST, f'["{KEY}", "{RSA}"]'),
    "a list of one key": (KEY_LIST, f'["{KEY}"]'),
    "a list of keys in lines": (KEY_LIST, f"\n- {KEY}\n- {RSA}\n"),
    "a part of a list": ("ssh-authorized-keys: [${PASSWORD}]", f'"{KEY}", "{RSA}"'),
    "the rest of a list": (f"ssh_authorized_keys:\n- {RSA}\n- ${{PASSWORD}}", f"{KEY}\n- {RSA}"),
}


@pytest.mark.parametrize("phrase", GOOD)
def test_secret_that_cloud_init_can_use_creates_a_vm(phrase, cluster):
    _, came = instantiate_with_password(cluster, *GOOD[phrase], create)
    assert (came.status, came.err) == (0, "")


NAMED_KEYS = {
    "a setting": ("disable_root: ${SSH_PUBLIC_KEY}", "true"),
    "no key in a file": ("write_files: [{path: /a, content: '${SSH_PUBLIC_KEY}'}]", "none"),
    "the data of a key": ("ssh_authorized_keys:\n- ssh-ed25519 ${SSH_PUBLIC_KEY}", KEY.split()[1]),
}


@pytest.mark.parametrize("phrase", NAMED_KEYS)
def test_name_of_a_parameter_alone_refuses_no_value(phrase, cluster):
    line, value = NAMED_KEYS[phrase]
    template = with_password(f"#cloud-config\n{line}\n") | {"parameters": [{"name": "SSH_PUBLIC_KEY"}]}
    cluster(found(template), ABSENT, create)
    assert typed("instantiate", "--template", "web", "-p", f"SSH_PUBLIC_KEY={value}").status == 0


@pytest.mark.parametrize("expression", ["0[0-7]{5}", "[1-9]{6}", "'[a-z]{3}"])
def test_generated_value_that_does_not_arrive_is_a_warning(expression, cluster):
    fields = {"name": "PASSWORD", "generate": "expression", "from": expression}
    template = with_password("#cloud-config\npassword: ${PASSWORD}\n") | {"parameters": [fields]}
    cluster(found(template), ABSENT, create)
    came = typed("instantiate", "--template", "web")
    assert (came.status, came.err.count("warning: ")) == (0, 1)
    assert f"the expression {expression} of the template" in came.err
    assert "quotes" not in came.err


def test_empty_value_that_kubevirt_replaces_creates_a_vm(cluster):
    vm = with_password("#cloud-config\npassword: ${PASSWORD}\n")["objects"][0]
    native = NATIVE | {"spec": {"virtualMachine": vm, "parameters": TEMPLATE["parameters"]}}
    cluster(NOT_SERVED, found(native), create)
    assert typed("instantiate", "--template", "web", "-p", "MEMORY=1", "-p", "PASSWORD=").status == 0


ALTERED = {
    "a number": ("hostname: ${PASSWORD}", "0123"),
    "a comment": ("hostname: ${PASSWORD}", "a #b"),
    "a number that cloud-init makes a text again": ("password: ${PASSWORD}", "12345"),
    "a list, perhaps on purpose": ("runcmd: ${PASSWORD}", "[a, b]"),
}


@pytest.mark.parametrize("phrase", ALTERED)
def test_value_that_arrives_as_another_one_is_a_warning(phrase, cluster):
    _, came = instantiate_with_password(cluster, *ALTERED[phrase], create)
    assert came.status == 0
    assert "warning: template/web in team-a: the parameter PASSWORD does not arrive" in came.err


SERVICE = {"apiVersion": "v1", "kind": "Service"}
REJECTED = {
    "a required parameter without a value": ([], (found(TEMPLATE), ABSENT), "MEMORY"),
    "an unknown parameter": (["-p", "MEMORI=1"], (found(TEMPLATE), ABSENT), "MEMORI"),
    "no template of that name": ([], (ABSENT, ABSENT, FORBIDDEN), "web does not exist in namespace team-a"),
    "no template API": ([], (NOT_SERVED, NOT_SERVED, NOT_SERVED), "does not serve"),
    "a template in both formats": ([], (found(TEMPLATE), found(NATIVE)), "--format"),
    "another object beside the VM": (
        ["-p", "MEMORY=1Gi"],
        (found(TEMPLATE | {"objects": [*TEMPLATE["objects"], SERVICE]}), ABSENT),
        "Service",
    ),
    "no VM": (["-p", "MEMORY=1Gi"], (found(TEMPLATE | {"objects": []}), ABSENT), "no virtual machines"),
    "a VM of that name": (
        ["--vm-name", "a"],
        (NOT_SERVED, found(NATIVE), status(409, "AlreadyExists", "exists")),
        "the virtual machine a already exists",
    ),
    "a VM that the cluster rejects": (
        ["--vm-name", "a"],
        (NOT_SERVED, found(NATIVE), status(422, "Invalid", "spec.running is wrong")),
        "spec.running is wrong",
    ),
}


@pytest.mark.parametrize("case", REJECTED)
def test_error_creates_no_vm_and_names_the_problem(case, cluster):
    words, acts, problem = REJECTED[case]
    script = cluster(*acts)
    came = typed("instantiate", "--template", "web", *words)
    assert (came.status, came.out) == (1, "")
    assert problem in came.err
    assert script.acts == []


@pytest.mark.parametrize("identity", [{"kind": None}, {"kind": []}, {"apiVersion": None}, {"apiVersion": "v1"}])
def test_path_decides_what_a_template_is(identity, cluster):
    cluster(found(TEMPLATE | identity), create)
    came = typed("instantiate", "--template", "web", "--format", "openshift", "-p", "MEMORY=1Gi")
    assert (came.status, came.out) == (0, "virtualmachine.kubevirt.io/web-q7x2m created\n")
