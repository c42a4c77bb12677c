"""The real controller emits no secret: all its output is searched for the secrets of the VMs."""

import asyncio
import base64
import json
import re
import sys
import urllib.request
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from e2e.controller import Controller, service_account
from e2e.envtest import ApiError, Client, Server
from e2e.objects import is_ready, reason
from e2e.program import Program
from tests.integration.access.policy import put_in_force
from tests.support.builders import request, request_path, vm, vm_path


def planted(place: str) -> str:
    """A secret that contains the place where it was planted."""
    return f"s3cret-of-{place}-0815"


CLOUD_INIT = f'#cloud-config\nuser: me\npassword: "{planted("user-data")}"\n'
NETWORK = base64.b64encode(f"wifi: {planted('network-data')}".encode()).decode()


def secretive(namespace: str) -> dict[str, Any]:
    """A VM with a secret in each place that can hold one."""
    made = vm(
        namespace,
        labels={"labelled": planted("label")},
        annotations={"note": planted("annotation"), "literal": f"${{A}} {planted('literal')}"},
    )
    made["spec"]["template"]["metadata"] = {"annotations": {"hook": planted("hook")}}
    made["spec"]["dataVolumeTemplates"] = [
        {
            "metadata": {"name": "disk", "annotations": {"from": planted("data-volume")}},
            "spec": {"source": {"http": {"url": f"https://me:{planted('url')}@images/disk"}}},
        }
    ]
    instance = made["spec"]["template"]["spec"]
    instance["volumes"] += [
        {"name": "one", "cloudInitNoCloud": {"userData": CLOUD_INIT, "networkDataBase64": NETWORK}},
        {"name": "two", "cloudInitConfigDrive": {"userDataBase64": base64.b64encode(CLOUD_INIT.encode()).decode()}},
        {"name": "three", "containerDisk": {"image": f"me:{planted('image')}@registry/disk"}},
    ]
    header = {"name": "Authorization", "value": f"Bearer {planted('probe')}"}
    instance["livenessProbe"] = {"httpGet": {"port": 80, "httpHeaders": [header]}}
    return made


def unsuited(namespace: str) -> dict[str, Any]:
    """The same, and no template can be made of it."""
    made = secretive(namespace)
    made["metadata"]["name"] = "unsuited"
    made["spec"]["dataVolumeTemplates"][0]["metadata"]["name"] = f"{planted('unsuited')}-${{A}}"
    return made


def quoting(namespace: str, name: str, why: str, reason: str) -> list[dict[str, Any]]:
    """A policy that refuses templates of this name, and repeats them in its own words."""
    version = "admissionregistration.k8s.io/v1"
    rule = {
        "apiGroups": ["template.openshift.io"],
        "apiVersions": ["*"],
        "operations": ["CREATE"],
        "resources": ["templates"],
    }
    here = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}}}
    spec = {
        "matchConstraints": {"resourceRules": [rule]},
        "matchConditions": [{"name": "its", "expression": f"object.metadata.name == '{name}'"}],
        "validations": [{"expression": "false", "messageExpression": why, "reason": reason}],
    }
    named = {"metadata": {"name": f"{namespace}-{name}"}}
    bound = {"policyName": f"{namespace}-{name}", "validationActions": ["Deny"], "matchResources": here}
    return [
        {"apiVersion": version, "kind": "ValidatingAdmissionPolicy", **named, "spec": spec},
        {"apiVersion": version, "kind": "ValidatingAdmissionPolicyBinding", **named, "spec": bound},
    ]


# Those of one line: a policy's message can have no other.
VALUES = r"object.parameters.filter(p, has(p.value) && !p.value.contains('\n')).map(p, p.value)"
QUOTING = {  # template: the server's message about it, and the reason
    "quoted": (f"'found \"' + {VALUES}.join('\", \"') + '\"'", "Invalid"),
    "repeated": (f"'your parameters are ' + {VALUES}.join(' and ')", "Forbidden"),
    "annotated": ("'no such thing as ' + object.objects[0].metadata.annotations.note", "Invalid"),
}


@pytest.fixture
async def home(admin: Client) -> AsyncIterator[str]:
    await put_in_force(admin)  # a test of this server can have changed the policy
    made = await admin.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"generateName": "secrets-"}})
    name = made["metadata"]["name"]
    policies = [one for which in QUOTING for one in quoting(name, which, *QUOTING[which])]
    for policy in policies:
        await admin.create(policy)
    yield name
    for policy in policies:
        await admin.delete(await admin.path(policy))
    await admin.delete(f"/api/v1/namespaces/{name}")


async def refused(admin: Client, home: str) -> None:
    """Return once the policies are enforced, which takes about a second."""
    for which in QUOTING:
        probe = {
            "apiVersion": "template.openshift.io/v1",
            "kind": "Template",
            "metadata": {"name": which, "namespace": home},
            "objects": [{"metadata": {"annotations": {"note": "x"}}}],
            "parameters": [],
        }
        async with asyncio.timeout(30):
            while True:
                if not await _is_admitted(admin, probe):
                    break
                await asyncio.sleep(0.05)


async def _is_admitted(admin: Client, probe: dict[str, Any]) -> bool:
    try:
        await admin.create(probe, dryRun="All")
    except ApiError:
        return False
    return True


async def play(admin: Client, home: str) -> None:
    """Have everything happen that touches what is secret."""
    await refused(admin, home)
    await admin.create(secretive(home))
    await admin.create(unsuited(home))
    native = request(home, "native")
    native["spec"]["target"] = {"virtualMachineTemplate": {}}
    await admin.create(native)
    await admin.create(request(home, "once"))
    await admin.create(request(home, "kept", refreshPolicy="OnChange"))
    await admin.create(request(home, "unsuited", source="unsuited", options={"dataVolumes": "Unique"}))
    for name in QUOTING:
        await admin.create(request(home, name))
    for name in ("native", "once", "kept"):
        await admin.until(request_path(home, name), is_ready)
    await admin.patch(vm_path(home), {"metadata": {"annotations": {"note": planted("edit")}}})
    kept = request_path(home, "kept").replace("ssp.kubevirt.io/v1alpha1", "template.openshift.io/v1")
    kept = kept.replace("virtualmachinetemplaterequests", "templates")
    await admin.until(kept, lambda it: planted("edit") in json.dumps(it))
    await admin.until(request_path(home, "unsuited"), lambda it: reason(it) == "InvalidSource")
    for name, (_, why) in QUOTING.items():
        expected = {"Invalid": "Failed", "Forbidden": "Forbidden"}[why]
        await admin.until(request_path(home, name), lambda it, expected=expected: reason(it) == expected)


def shown(server: Server, home: str) -> str:
    """All that others can read of requests."""
    requests = server.kubectl("get", "vmtreq", "--namespace", home, "--output", "yaml")
    events = server.kubectl("get", "events", "--all-namespaces", "--output", "yaml")
    assert "InvalidSource" in events
    return requests + events + server.kubectl("describe", "vmtreq", "--namespace", home)


def tokens(kubeconfig: Path) -> set[str]:
    """The token in it, and its parts."""
    token = json.loads(kubeconfig.read_text())["users"][0]["user"]["token"]
    return {token, *token.split(".")}


def found(text: str) -> set[str]:
    encoded = {NETWORK, base64.b64encode(CLOUD_INIT.encode()).decode()}
    return set(re.findall(r"s3cret-of-[\w-]+-0815", text)) | {each for each in encoded if each in text}


@pytest.fixture(scope="session")
def account(guarded: Server) -> Path:
    return service_account(guarded)


@pytest.mark.parametrize("format", ["json", "text"])
async def test_secrets_of_vms_are_not_emitted(
    format: str, home: str, account: Path, guarded: Server, admin: Client
) -> None:
    command = [sys.executable, "-X", "dev", "-m", "atmpl", "controller", f"--kubeconfig={account}"]
    controller = Program([*command, "--bind=127.0.0.1:0", f"--log-format={format}", "--log-level=debug"])
    controller.start()
    try:
        await play(admin, home)
        output = await asyncio.to_thread(shown, guarded, home)
        port = re.search(r"listening.*?port\D+(\d+)", f"{controller.lines}\n{controller.noise}")
        assert port is not None
        metrics = await asyncio.to_thread(urllib.request.urlopen, f"http://127.0.0.1:{port[1]}/metrics")
        output += metrics.read().decode()
        metrics.close()
    finally:
        assert await asyncio.to_thread(controller.stop) == 0
    logged = json.dumps(controller.lines, ensure_ascii=False) + "\n".join(controller.noise)
    assert {"json": '"level": "debug"', "text": " debug  "}[format] in logged
    assert "InvalidSource" in logged
    assert found(output) == set()
    assert found(logged) == set()
    assert {token for token in tokens(account) if token in logged + output} == set()


def wrong(account: Path, *, password: str = "") -> str:
    """The account's kubeconfig with an invalid token, and a password in the server's address."""
    config = json.loads(account.read_text())
    config["users"][0]["user"]["token"] = planted("token")
    cluster = config["clusters"][0]["cluster"]
    cluster["server"] = cluster["server"].replace("//", f"//me:{password}@" if password else "//")
    return json.dumps(config)


@pytest.mark.parametrize("password", ["", planted("password")], ids=["token", "token and password"])
async def test_rejected_content_is_not_shown(password: str, account: Path, tmp_path: Path) -> None:
    file = tmp_path / "config"
    file.write_text(wrong(account, password=password))
    controller = Controller(file, "--log-level=debug", python=("-X", "dev"))
    await asyncio.to_thread(controller.start)
    await asyncio.to_thread(controller.logged, lambda line: line["message"] == "watch failed")
    assert await asyncio.to_thread(controller.stop) == 0
    assert found(json.dumps(controller.lines) + "\n".join(controller.noise)) == set()
