"""`atmpl create` on a real API server with a real controller."""

import asyncio
import os
import signal
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import yaml

from e2e.envtest import ApiError, Client, Server
from e2e.objects import is_ready, reason
from tests.support.builders import request_path, template_path, vm
from tests.support.cli_runner import Came, typed

pytestmark = pytest.mark.usefixtures("controller")

NAMED = "virtualmachinetemplaterequest.ssp.kubevirt.io"


async def create(server: Server, namespace: str, *words: str) -> Came:
    line = ["create", "--kubeconfig", str(server.kubeconfig), "-n", namespace, *words]
    return await asyncio.to_thread(typed, *line)


@asynccontextmanager
async def creating(server: Server, namespace: str, *words: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """The command as a process of its own: standard error can be read while it waits."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "atmpl", "create", "-n", namespace, *words,
        env=os.environ | {"KUBECONFIG": str(server.kubeconfig)}, stdout=PIPE, stderr=PIPE,
    )  # fmt: skip
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()


async def test_create_reports_the_template_and_next_steps(server: Server, client: Client, namespace: str) -> None:
    await client.create(vm(namespace, "web"))
    came = await create(server, namespace, "--vm", "web")
    assert came.status == 0
    assert came.out == "template.template.openshift.io/web-template created with 4 parameters\n"
    begun, _, *_ = came.err.splitlines()
    assert begun == f"{NAMED}/web-template created"
    *_, line = came.err.splitlines()
    assert line == f"    atmpl instantiate --template web-template --kubeconfig {server.kubeconfig} -n {namespace}"
    assert (await asyncio.to_thread(typed, *line.split()[1:])).status == 0
    assert (await client.get(template_path(namespace, "web-template")))["kind"] == "Template"


async def test_create_prints_the_template_with_output_yaml(server: Server, client: Client, namespace: str) -> None:
    await client.create(vm(namespace, "web"))
    came = await create(server, namespace, "--vm", "web", "--format", "native", "-o", "yaml")
    assert (came.status, came.err) == (0, f"{NAMED}/web-template created\n")
    made = yaml.safe_load(came.out)
    assert (made["kind"], made["metadata"]["name"]) == ("VirtualMachineTemplate", "web-template")
    assert "managedFields" not in made["metadata"]
    assert typed("process", "-", stdin=came.out).status == 0


async def test_output_name_is_accepted_by_kubectl(server: Server, client: Client, namespace: str) -> None:
    await client.create(vm(namespace, "web"))
    came = await create(server, namespace, "--vm", "web", "-o", "name")
    assert came.out == "template.template.openshift.io/web-template\n"
    assert await asyncio.to_thread(server.kubectl, "get", "-n", namespace, "-o", "name", came.out.strip()) == came.out


async def test_every_option_reaches_the_cluster(server: Server, client: Client, namespace: str) -> None:
    came = await create(
        server, namespace, "--vm", "web", "--vm-namespace", namespace, "--name", "small", "--format", "native",
        "--ttl", "1h", "--identity", "Preserve", "--data-volumes", "Unique", "--secrets", "Extract",
        "--naming", "Parameter", "--profile", "Common", "--include", "instancetype.name", "--exclude", "template.spec.hostname",
        "--label", "team=web", "--annotation", "description=A web server", "--wait=false", "-o", "json",
    )  # fmt: skip
    assert came.status == 0
    stored = await client.get(request_path(namespace, "small"))
    assert stored["spec"].pop("requester")["username"]  # the user of the test's kubeconfig
    assert stored["spec"] == {
        "source": {"vmName": "web", "vmNamespace": namespace},
        "target": {"virtualMachineTemplate": {}},
        "refreshPolicy": "Once",
        "ttlSecondsAfterFinished": 3600,
        "templateMetadata": {"labels": {"team": "web"}, "annotations": {"description": "A web server"}},
        "options": {
            "identity": "Preserve",
            "dataVolumes": "Unique",
            "secrets": "Extract",
            "naming": "Parameter",
            "parameters": {
                "profile": "Common",
                "include": ["instancetype.name"],
                "exclude": ["template.spec.hostname"],
            },
        },
    }
    assert yaml.safe_load(came.out)["metadata"]["uid"] == stored["metadata"]["uid"]


async def test_create_waits_for_the_vm(server: Server, client: Client, namespace: str) -> None:
    async with creating(server, namespace, "--vm", "web", "--refresh", "OnChange") as process:
        assert process.stderr is not None
        line = b""
        while b"(SourceNotFound)" not in line:
            line = await process.stderr.readline()
            assert line
        assert line == b"the virtual machine web does not exist (SourceNotFound)\n"
        await client.create(vm(namespace, "web"))
        out, _ = await process.communicate()
    assert process.returncode == 0
    assert out.startswith(b"template.template.openshift.io/web-template created")


async def test_ctrl_c_leaves_the_request(server: Server, client: Client, namespace: str) -> None:
    async with creating(server, namespace, "--vm", "web") as process:
        assert process.stderr is not None
        await process.stderr.readuntil(b"(SourceNotFound)\n")
        process.send_signal(signal.SIGINT)
        out, err = await process.communicate()
    assert (process.returncode, out) == (130, b"")
    watch = f"The request stays. Watch it: kubectl -n {namespace} get vmtreq web-template --watch\n"
    assert err.decode().endswith(watch)
    assert reason(await client.get(request_path(namespace, "web-template"))) == "SourceNotFound"


async def test_timeout_leaves_the_request(server: Server, client: Client, namespace: str) -> None:
    came = await create(server, namespace, "--vm", "web", "--timeout", "500ms")
    assert (came.status, came.out) == (3, "")
    assert "error: not ready after 0.5 s: " in came.err
    await client.create(vm(namespace, "web"))
    await client.until(request_path(namespace, "web-template"), is_ready)


async def test_create_fails_at_once_if_stalled(server: Server, client: Client, namespace: str) -> None:
    big = vm(namespace, "web", annotations={"long": "&" * 200_000})
    await client.create(big)
    came = await create(server, namespace, "--vm", "web")
    assert (came.status, came.out) == (1, "")
    assert "error: the template would be larger than a cluster can store (TooLarge)\n" in came.err
    assert "1,048,576" in came.err  # the controller's own message
    assert f" -n {namespace} edit vm web\n" in came.err


async def test_existing_request_is_not_changed(server: Server, client: Client, namespace: str) -> None:
    assert (await create(server, namespace, "--vm", "web", "--wait=false")).status == 0
    came = await create(server, namespace, "--vm", "other", "--name", "web-template")
    assert (came.status, came.out) == (1, "")
    assert came.err.startswith("error: the request web-template already exists; choose another --name, ")
    assert came.err.endswith(f" -n {namespace} delete vmtreq web-template\n")  # no VM, so it made no template


async def test_dry_run_creates_nothing(server: Server, client: Client, namespace: str) -> None:
    came = await create(server, namespace, "--vm", "web", "--dry-run=server")
    assert (came.status, came.out) == (0, f"{NAMED}/web-template created (server dry run)\n")
    with pytest.raises(ApiError, match="not found"):
        await client.get(request_path(namespace, "web-template"))


async def test_unknown_option_of_the_cluster_is_reported(
    server: Server, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from atmpl.cli import create as command

    known = command.build_request

    def newer(*args):
        made = known(*args)
        made["spec"]["options"] = {"colour": "Red"}
        return made

    monkeypatch.setattr(command, "build_request", newer)
    came = await create(server, namespace, "--vm", "web")
    assert came.status == 1
    assert 'unknown field "spec.options.colour"; the cluster\'s atmpl is older than this one' in came.err


async def test_forbidden_action_is_reported(server: Server, namespace: str) -> None:
    came = await create(server, namespace, "--vm", "web", "--as", "bob", "--as-group", "people")
    assert (came.status, came.out) == (1, "")
    assert came.err.startswith("error: you may not create the request web-template: ")
    assert 'User "bob" cannot create resource' in came.err
    assert came.err.endswith(f"; request a role such as edit in {namespace}\n")


async def test_missing_namespace_is_an_error(server: Server) -> None:
    came = await create(server, "nonesuch", "--vm", "web")
    assert (came.status, came.out) == (1, "")
    assert "the namespace nonesuch does not exist or is deleted" in came.err
