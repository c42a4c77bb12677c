"""What a cluster's administrator types to have the controller, to have it again and to be rid of it, on a real server.

The server is these tests' own: what is taken away here, others would miss.
"""

import asyncio
import json
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from e2e.controller import ACCOUNT, NAMESPACE, Controller
from e2e.envtest import ApiError, Client, ControlPlane, Server
from e2e.manifests import warnings
from e2e.objects import is_ready
from tests.support.builders import request, request_path, template_path, vm

CONFIG = Path(__file__).parents[3] / "config"
DEFAULT = CONFIG / "default"
OTHERS = Path(__file__).parents[3] / "e2e" / "envtest" / "crds"  # what a cluster has that has KubeVirt


class Output(NamedTuple):
    """The output of a kubectl command that succeeded."""

    out: str
    err: str


def kubectl(server: Server, *args: str | Path) -> Output:
    command = [server.kubectl_program, *args]
    done = subprocess.run(command, env=server.env(), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return Output(done.stdout, "\n".join(warnings(done.stderr)))


def install(server: Server, *how: str) -> Output:
    output = kubectl(server, "apply", *how, "-k", DEFAULT)
    kubectl(server, "wait", "--for=condition=Established", "crd/virtualmachinetemplaterequests.ssp.kubevirt.io")
    kubectl(  # then the API server's other parts have processed it
        server,
        "wait",
        "--for=jsonpath={.status.observedGeneration}=1",
        "validatingadmissionpolicy/atmpl-request-access-v1",
    )
    return output


@pytest.fixture(scope="module")
def fresh() -> Iterator[Server]:
    """A control plane as it is before anything of ours."""
    with ControlPlane() as server:
        kubectl(server, "apply", "--server-side", "--filename", OTHERS)
        yield server


@pytest.fixture(scope="module")
def first(fresh: Server) -> Output:
    """The output of the first installation."""
    return install(fresh)


@pytest.fixture
def server(fresh: Server, first: Output) -> Server:
    """The control plane with all of it."""
    assert first
    return fresh


@pytest.fixture
async def admin(server: Server) -> AsyncIterator[Client]:
    async with server.client() as client:
        yield client


def kept(server: Server) -> list[dict[str, Any]]:
    """All that config/default made, as it is now."""
    items: list[dict[str, Any]] = json.loads(kubectl(server, "get", "-k", DEFAULT, "--output=json").out)["items"]
    return items


def versions(server: Server) -> dict[str, str]:
    return {f"{it['kind']}/{it['metadata']['name']}": it["metadata"]["resourceVersion"] for it in kept(server)}


def test_installation_prints_no_warning(first: Output) -> None:
    assert first.err == ""
    assert all(line.endswith(" created") for line in first.out.splitlines())
    assert f"deployment.apps/{ACCOUNT} created" in first.out


def test_policy_exists_before_users_can_create_requests(first: Output) -> None:
    """Otherwise users could create requests that nothing checked, while the rest is installed."""
    order = [line.partition(".")[0] for line in first.out.splitlines()]
    guard = ["validatingadmissionpolicy", "validatingadmissionpolicybinding", "customresourcedefinition", "deployment"]
    places = [order.index(kind) for kind in guard]
    assert places == sorted(places)
    assert places[2] < order.index("clusterrole")


# The word for an object that a second apply leaves alone. kubectl always sends a budget's selector, whole
# (patchStrategy: replace), and reports `configured` for all that it sends; the budget's version shows the result.
LEFT_ALONE = {"poddisruptionbudget.policy/atmpl-controller": "configured"}


def test_second_installation_changes_nothing(server: Server) -> None:
    before = versions(server)
    again = kubectl(server, "apply", "-k", DEFAULT)
    assert again.err == ""
    for line in again.out.splitlines():
        what, _, word = line.rpartition(" ")
        assert word == LEFT_ALONE.get(what, "unchanged"), what
    assert versions(server) == before


def test_policy_has_no_type_warnings(server: Server) -> None:
    [policy] = [it for it in kept(server) if it["kind"] == "ValidatingAdmissionPolicy"]
    assert policy["status"]["typeChecking"] == {}


def test_objects_have_the_recommended_labels(server: Server) -> None:
    for it in kept(server):
        labels = it["metadata"]["labels"]
        assert (labels["app.kubernetes.io/name"], labels["app.kubernetes.io/part-of"]) == ("atmpl", "atmpl")
        assert labels["app.kubernetes.io/component"]


def pod(deployment: dict[str, Any]) -> dict[str, Any]:
    """The pod that a Deployment makes, except its number."""
    template = deployment["spec"]["template"]
    metadata = template["metadata"] | {"name": "one", "namespace": deployment["metadata"]["namespace"]}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": template["spec"]}


async def test_pod_satisfies_the_restricted_profile(server: Server, admin: Client, tmp_path: Path) -> None:
    namespace = await admin.get(f"/api/v1/namespaces/{NAMESPACE}")
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    made = pod(await admin.get(f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments/{ACCOUNT}"))
    file = tmp_path / "pod.json"
    file.write_text(json.dumps(made))
    output = kubectl(server, "apply", "--dry-run=server", "--filename", file)
    assert output == ("pod/one created (server dry run)\n", "")
    del made["spec"]["containers"][0]["securityContext"]["capabilities"]
    with pytest.raises(ApiError, match='violates PodSecurity "restricted:latest": unrestricted capabilities'):
        await admin.create(made, dryRun="All")


async def test_removal_keeps_templates(server: Server, admin: Client) -> None:
    await admin.create(vm("default"))
    account = server.service_account(NAMESPACE, ACCOUNT)
    with Controller(account, "--leader-elect"):
        await admin.create(request("default", "once"))
        await admin.create(request("default", "kept", refreshPolicy="OnChange"))
        made = {}
        for name in ("once", "kept"):
            await admin.until(request_path("default", name), is_ready)
            made[name] = await admin.get(template_path("default", name))

    gone = await asyncio.to_thread(kubectl, server, "delete", "-k", DEFAULT)
    assert gone.err == ""
    left = await asyncio.to_thread(kubectl, server, "get", "--ignore-not-found", "-k", DEFAULT)
    assert left == ("", "")
    for name, template in made.items():
        assert await admin.get(template_path("default", name)) == template

    back = await asyncio.to_thread(install, server, "--server-side")
    assert back.err == ""
    before = await asyncio.to_thread(versions, server)
    assert (await asyncio.to_thread(install, server, "--server-side")) == back
    assert await asyncio.to_thread(versions, server) == before
    with Controller(server.service_account(NAMESPACE, ACCOUNT), "--leader-elect"):
        await admin.create(request("default", "another"))
        await admin.until(request_path("default", "another"), is_ready)
