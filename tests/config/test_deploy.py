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
import yaml

from e2e.controller import ACCOUNT, NAMESPACE, Controller
from e2e.controlplane import ApiError, Client, ControlPlane, Server, programs
from e2e.objects import is_ready
from tests.manager.objects import request, request_path, template_path, vm

pytestmark = pytest.mark.private

CONFIG = Path(__file__).parents[2] / "config"
DEFAULT = CONFIG / "default"
OTHERS = Path(__file__).parents[2] / "e2e" / "controlplane" / "crds"  # what a cluster has that has KubeVirt


class Said(NamedTuple):
    """What kubectl had to say; it was content."""

    out: str
    err: str


def kubectl(server: Server, *args: str | Path) -> Said:
    command = [server.kubectl_program, *args]
    done = subprocess.run(command, env=server.env(), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return Said(done.stdout, done.stderr)


def install(server: Server, *how: str) -> Said:
    said = kubectl(server, "apply", *how, "-k", DEFAULT)
    kubectl(server, "wait", "--for=condition=Established", "crd/virtualmachinetemplaterequests.ssp.kubevirt.io")
    kubectl(  # the API server's other parts have had their say on it then
        server,
        "wait",
        "--for=jsonpath={.status.observedGeneration}=1",
        "validatingadmissionpolicy/atmpl-request-access",
    )
    return said


@pytest.fixture(scope="module")
def fresh() -> Iterator[Server]:
    """A control plane as it is before anything of ours."""
    with ControlPlane() as server:
        kubectl(server, "apply", "--server-side", "--filename", OTHERS)
        yield server


@pytest.fixture(scope="module")
def first(fresh: Server) -> Said:
    """What the first installation said."""
    return install(fresh)


@pytest.fixture
def server(fresh: Server, first: Said) -> Server:
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


def test_it_is_installed_by_one_command_and_without_a_warning(first: Said) -> None:
    assert first.err == ""
    assert all(line.endswith(" created") for line in first.out.splitlines())
    assert f"deployment.apps/{ACCOUNT} created" in first.out


# The word for an object that a second apply leaves alone. kubectl always sends a budget's selector, whole
# (patchStrategy: replace), and says `configured` of all that it sends; the budget's version shows what came of it.
LEFT_ALONE = {"poddisruptionbudget.policy/atmpl-controller": "configured"}


def test_a_second_time_changes_nothing(server: Server) -> None:
    before = versions(server)
    again = kubectl(server, "apply", "-k", DEFAULT)
    assert again.err == ""
    for line in again.out.splitlines():
        what, _, word = line.rpartition(" ")
        assert word == LEFT_ALONE.get(what, "unchanged"), what
    assert versions(server) == before


def test_the_policy_says_nothing_that_the_server_cannot_follow(server: Server) -> None:
    [policy] = [it for it in kept(server) if it["kind"] == "ValidatingAdmissionPolicy"]
    assert policy["status"]["typeChecking"] == {}


def pod(deployment: dict[str, Any]) -> dict[str, Any]:
    """The pod that a Deployment makes, but for its number."""
    template = deployment["spec"]["template"]
    metadata = template["metadata"] | {"name": "one", "namespace": deployment["metadata"]["namespace"]}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": template["spec"]}


async def test_the_namespace_enforces_the_restricted_profile_and_the_pod_keeps_to_it(
    server: Server, admin: Client, tmp_path: Path
) -> None:
    namespace = await admin.get(f"/api/v1/namespaces/{NAMESPACE}")
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    made = pod(await admin.get(f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments/{ACCOUNT}"))
    file = tmp_path / "pod.json"
    file.write_text(json.dumps(made))
    said = kubectl(server, "apply", "--dry-run=server", "--filename", file)
    assert said == ("pod/one created (server dry run)\n", "")
    del made["spec"]["containers"][0]["securityContext"]["capabilities"]
    with pytest.raises(ApiError, match='violates PodSecurity "restricted:latest": unrestricted capabilities'):
        await admin.create(made, dryRun="All")


async def test_gone_the_templates_stay_and_back_again_it_serves(server: Server, admin: Client) -> None:
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


@pytest.fixture(scope="module")
def built() -> dict[str, list[dict[str, Any]]]:
    """What the kustomizations make that a person applies; `default` is made of all the others."""
    kubectl = programs.find("kubectl")["kubectl"]
    made = {}
    for name in ("default", "monitoring", "samples"):
        done = subprocess.run([kubectl, "kustomize", CONFIG / name], capture_output=True, text=True, check=True)
        assert done.stderr == ""
        made[name] = list(yaml.safe_load_all(done.stdout))
    return made


def test_every_folder_is_in_the_whole_or_for_those_who_want_it(built: dict[str, list[dict[str, Any]]]) -> None:
    parts = yaml.safe_load((DEFAULT / "kustomization.yaml").read_text())["resources"]
    folders = {path.parent.name for path in CONFIG.glob("*/kustomization.yaml")}
    assert {part.removeprefix("../") for part in parts} | built.keys() == folders
    assert [it["kind"] for it in built["monitoring"]] == ["ConfigMap", "PrometheusRule", "ServiceMonitor"]
    assert {it["metadata"]["namespace"] for it in built["monitoring"]} == {NAMESPACE}
    assert json.loads(built["monitoring"][0]["data"]["dashboard.json"])["title"] == "atmpl"


def test_the_monitor_finds_the_service_and_the_service_the_pods(built: dict[str, list[dict[str, Any]]]) -> None:
    one = {it["kind"]: it for folder in ("monitoring", "default") for it in built[folder]}
    pods = one["Deployment"]["spec"]["template"]
    service, monitor = one["Service"], one["ServiceMonitor"]
    assert monitor["spec"]["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
    assert [port["port"] for port in monitor["spec"]["endpoints"]] == [
        port["name"] for port in service["spec"]["ports"]
    ]
    assert service["spec"]["selector"].items() <= pods["metadata"]["labels"].items()
    [port] = pods["spec"]["containers"][0]["ports"]
    assert port["name"] == service["spec"]["ports"][0]["targetPort"] == "metrics"


def test_nothing_goes_in_or_out_but_to_the_api_server_dns_and_from_prometheus(
    built: dict[str, list[dict[str, Any]]],
) -> None:
    policies = {it["metadata"]["name"]: it["spec"] for it in built["default"] if it["kind"] == "NetworkPolicy"}
    assert policies["default-deny"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    ours = policies["atmpl-controller"]
    assert [[port["port"] for port in rule["ports"]] for rule in ours["ingress"]] == [["metrics"]]
    assert ours["ingress"][0]["from"] == [{"namespaceSelector": {"matchLabels": {"metrics": "enabled"}}}]
    ports = {port["port"]: "to" in rule for rule in ours["egress"] for port in rule["ports"]}
    assert ports == {443: False, 6443: False, 53: True, 5353: True}  # those of DNS go to its own namespaces alone
