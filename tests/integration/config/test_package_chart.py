"""The Helm chart: the same objects as the kustomize manifests, and what its values change."""

import asyncio
import functools
import json
from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import pytest
import yaml

from atmpl.version import __version__
from e2e.controller import ACCOUNT, NAMESPACE, Controller
from e2e.envtest import ControlPlane
from e2e.envtest.crds import install_crds
from e2e.objects import is_ready, namespace, reason
from tests.integration.access.rbac_helpers import MAKE, REQUEST_RIGHTS, await_admission, may
from tests.support.builders import request, request_path, template_path, vm
from tests.support.manifests import CONFIG, Object, chart, helm, one, render

HELM_LABELS = {
    "app.kubernetes.io/managed-by",
    "app.kubernetes.io/instance",
    "app.kubernetes.io/version",
    "helm.sh/chart",
}
KEEP = "helm.sh/resource-policy"


def plain(objects: list[Object]) -> dict[tuple[str, str], Object]:
    """Return the objects by kind and name, without Helm's own labels and annotations."""
    found = {}
    for it in deepcopy(objects):
        metadata = it["metadata"]
        for key in HELM_LABELS:
            metadata.get("labels", {}).pop(key, None)
        metadata.get("annotations", {}).pop(KEEP, None)
        for field in ("labels", "annotations"):
            if metadata.get(field) == {}:
                del metadata[field]
        found[it["kind"], metadata["name"]] = it
    return found


def test_chart_has_the_objects_of_the_manifests() -> None:
    """Except for the namespace, which Helm creates itself."""
    manifests = plain(render("default") + render("monitoring"))
    del manifests["Namespace", NAMESPACE]
    assert plain(chart("--set=monitoring.enabled=true")) == manifests


def test_chart_of_one_replica_is_single_node() -> None:
    manifests = plain(render("single-node"))
    del manifests["Namespace", NAMESPACE]
    assert plain(chart("--set=replicas=1")) == manifests


def test_chart_and_application_have_one_version() -> None:
    metadata = yaml.safe_load((CONFIG / "chart" / "Chart.yaml").read_text())
    assert (metadata["version"], metadata["appVersion"]) == (__version__, __version__)
    images = yaml.safe_load((CONFIG / "default" / "kustomization.yaml").read_text())["images"]
    assert [it["newTag"] for it in images] == [__version__]


def test_every_object_has_the_labels_of_helm() -> None:
    for it in chart("--set=monitoring.enabled=true"):
        assert it["metadata"]["labels"].keys() >= HELM_LABELS, it["metadata"]["name"]


def test_crd_survives_uninstall() -> None:
    assert one(chart(), "CustomResourceDefinition")["metadata"]["annotations"][KEEP] == "keep"


def test_chart_follows_the_namespace_of_the_release() -> None:
    text = json.dumps(chart("--namespace=elsewhere", "--set=monitoring.enabled=true"))
    assert '"namespace": "elsewhere"' in text
    assert '"namespace": "atmpl-system"' not in text
    alerts = json.dumps(one(chart("--namespace=elsewhere", "--set=monitoring.enabled=true"), "PrometheusRule"))
    assert 'absent(atmpl_leader{namespace=\\"elsewhere\\"})' in alerts
    assert "atmpl-system" not in alerts


def container(objects: list[Object]) -> Any:
    return one(objects, "Deployment")["spec"]["template"]["spec"]["containers"][0]


def test_image_values_change_the_image() -> None:
    digest = f"sha256:{'7' * 64}"
    assert container(chart("--set=image.repository=r/atmpl,image.tag=v9"))["image"] == "r/atmpl:v9"
    changed = chart(
        f"--set=image.repository=r/atmpl,image.digest={digest}",
        "--set=image.pullSecrets={registry},image.pullPolicy=Always",
    )
    assert container(changed)["image"] == f"r/atmpl@{digest}"
    assert container(changed)["imagePullPolicy"] == "Always"
    assert one(changed, "Deployment")["spec"]["template"]["spec"]["imagePullSecrets"] == [{"name": "registry"}]


def test_pod_values_change_the_pod() -> None:
    changed = chart(
        "--set=args={--log-level=debug}",
        "--set=resources.limits.cpu=1",
        "--set=nodeSelector.disk=ssd",
        '--set-json=tolerations=[{"operator":"Exists"}]',
        "--set=priorityClassName=high",
    )
    spec = one(changed, "Deployment")["spec"]["template"]["spec"]
    assert container(changed)["args"] == ["controller", "--leader-elect", "--log-level=debug"]
    assert container(changed)["resources"] == {"limits": {"cpu": 1}}
    assert spec["nodeSelector"] == {"disk": "ssd"}
    assert spec["tolerations"] == [{"operator": "Exists"}]
    assert spec["priorityClassName"] == "high"


def test_network_values_change_the_policy() -> None:
    changed = chart(
        "--set=networkPolicy.prometheusNamespaces={observability}",
        "--set=networkPolicy.apiServerPorts={9443}",
        "--set=networkPolicy.apiServerAddresses={192.0.2.10/32}",
    )
    spec = one(changed, "NetworkPolicy", "atmpl-controller")["spec"]
    [names] = spec["ingress"][0]["from"][0]["namespaceSelector"]["matchExpressions"]
    assert names["values"] == ["observability"]
    assert spec["egress"][0] == {
        "ports": [{"port": 9443, "protocol": "TCP"}],
        "to": [{"ipBlock": {"cidr": "192.0.2.10/32"}}],
    }


@pytest.mark.parametrize(
    ("value", "kinds"),
    [
        ("crd.install=false", {"CustomResourceDefinition"}),
        ("policy.install=false", {"ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"}),
        ("networkPolicy.enabled=false", {"NetworkPolicy"}),
    ],
)
def test_value_leaves_out_objects(value: str, kinds: set[str]) -> None:
    assert {it["kind"] for it in chart()} - {it["kind"] for it in chart(f"--set={value}")} == kinds


def test_namespaces_replace_the_rights_in_the_cluster() -> None:
    changed = chart("--set=namespaces={team-a,team-b}")
    assert container(changed)["args"] == [*container(chart())["args"], "--namespace=team-a", "--namespace=team-b"]
    expected = yaml.safe_load((CONFIG / "namespaced" / "cluster-role.yaml").read_text())
    assert one(changed, "ClusterRole", ACCOUNT)["rules"] == expected["rules"]
    role, binding = yaml.safe_load_all((CONFIG / "namespaced" / "role.yaml").read_text())
    objects = plain([it for it in changed if it["metadata"].get("namespace") == "team-b"])
    for it in (role, binding):
        it["metadata"]["namespace"] = "team-b"
    assert objects == {("Role", ACCOUNT): role, ("RoleBinding", ACCOUNT): binding}


def test_value_adds_the_recording_of_requesters() -> None:
    default = plain(chart())
    changed = plain(chart("--set=requester.install=true"))
    added = {key: it for key, it in changed.items() if key not in default}
    assert added == plain(render("requester"))


def test_value_leaves_out_the_roles_of_users() -> None:
    names = {it["metadata"]["name"] for it in chart("--set=userRoles.install=false") if it["kind"] == "ClusterRole"}
    assert names == {"atmpl-controller"}


@pytest.mark.parametrize(
    "value", ["replicas=two", "image.digest=sha256:7", "imge.tag=v1", "networkPolicy.apiServerPorts={0}"]
)
def test_schema_rejects_a_wrong_value(value: str) -> None:
    done = helm("template", "atmpl", CONFIG / "chart", f"--set={value}")
    assert done.returncode == 1
    assert "don't meet the specifications of the schema" in done.stderr


def test_schema_knows_every_value() -> None:
    values = yaml.safe_load((CONFIG / "chart" / "values.yaml").read_text())
    schema = json.loads((CONFIG / "chart" / "values.schema.json").read_text())["properties"]
    del schema["global"]  # of a parent chart
    assert schema.keys() == values.keys()
    for name, value in values.items():
        if "properties" in schema[name]:
            assert schema[name]["properties"].keys() == value.keys()


def test_chart_passes_lint() -> None:
    done = helm("lint", "--strict", CONFIG / "chart")
    assert done.returncode == 0, done.stdout


@pytest.fixture
def server() -> Iterator[ControlPlane]:
    """A cluster with KubeVirt and OpenShift's templates, and nothing of atmpl."""
    with ControlPlane() as running:
        install_crds(running)
        running.kubectl("delete", "crd", "virtualmachinetemplaterequests.ssp.kubevirt.io")
        yield running


def run_helm(server: ControlPlane, *arguments: str) -> str:
    """Run helm for a release in the namespace `elsewhere`."""
    env = server.env() | {f"HELM_{name}_HOME": str(server.folder / "helm") for name in ("CACHE", "CONFIG", "DATA")}
    done = helm(*arguments, "--namespace=elsewhere", env=env)
    assert done.returncode == 0, done.stderr
    return done.stdout


async def test_chart_installs_upgrades_and_uninstalls(server: ControlPlane) -> None:
    source = str(CONFIG / "chart")
    run = functools.partial(run_helm, server)
    await asyncio.to_thread(run, "install", "atmpl", source, "--create-namespace")
    await asyncio.to_thread(server.kubectl, "wait", "--for=condition=Established", "crd", "--all")
    async with server.client() as admin:
        account = await asyncio.to_thread(server.service_account, "elsewhere", ACCOUNT)
        with Controller(account, "--leader-elect", "--leader-elect-namespace=elsewhere"):
            await admin.create(vm("default"))
            await admin.create(request("default"))
            await admin.until(request_path("default"), is_ready)
        await asyncio.to_thread(run, "upgrade", "atmpl", source, "--set=replicas=1")
        deployment = await admin.get("/apis/apps/v1/namespaces/elsewhere/deployments/atmpl-controller")
        assert deployment["spec"]["replicas"] == 1
        await asyncio.to_thread(run, "uninstall", "atmpl")
        assert is_ready(await admin.get(request_path("default")))  # the CRD remains, and its requests
    left = await asyncio.to_thread(
        server.kubectl, "get", "deployment,networkpolicy,role,lease", "-n", "elsewhere", "-o", "name"
    )
    assert left.split() == ["lease.coordination.k8s.io/atmpl-controller"]


async def test_requests_before_the_policy_show_no_vm_of_others(server: ControlPlane) -> None:
    """Helm creates the policy after the roles of users. Here, it creates it later still."""
    source = str(CONFIG / "chart")
    run = functools.partial(run_helm, server)
    await asyncio.to_thread(run, "install", "atmpl", source, "--create-namespace", "--set=policy.install=false")
    await asyncio.to_thread(server.kubectl, "wait", "--for=condition=Established", "crd", "--all")
    account = await asyncio.to_thread(server.service_account, "elsewhere", ACCOUNT)
    options = ("--leader-elect", "--leader-elect-namespace=elsewhere", "--policy=Required")
    async with server.client() as admin, server.client("mallory") as mallory:
        for name in ("home", "away"):
            await admin.create(namespace(name))
            await admin.create(vm(name))
        for item in may("mallory", "ask", [REQUEST_RIGHTS, *MAKE.values()], "home"):
            await admin.create(item)
        collection = request_path("home", "").rstrip("/")
        await await_admission(mallory, collection, request("home", "probe"), refused=False)
        early = {"own": request("home", "own"), "other": request("home", "other")}
        early["other"]["spec"]["source"]["vmNamespace"] = "away"
        for each in early.values():
            await mallory.create(each)
        with Controller(account, *options, module="e2e.chaos.fast_timers"):
            await admin.until(request_path("home", "own"), lambda it: reason(it) == "PolicyMissing")
            await admin.until(request_path("home", "other"), lambda it: reason(it) == "CrossNamespaceDenied")
            await asyncio.to_thread(run, "upgrade", "atmpl", source, "--set=policy.install=true")
            await await_admission(mallory, collection, request("home", "late"), refused=True)
            await admin.until(request_path("home", "own"), is_ready)  # a documented limit
            assert reason(await admin.get(request_path("home", "other"))) == "CrossNamespaceDenied"
        templates = (await admin.get(template_path("home", "").rstrip("/")))["items"]
        assert [it["metadata"]["name"] for it in templates] == ["own"]


async def test_policy_can_be_applied_before_the_chart(server: ControlPlane) -> None:
    await asyncio.to_thread(server.kubectl, "apply", "-k", str(CONFIG / "policy"))
    source = str(CONFIG / "chart")
    for command in ("install", "upgrade"):
        arguments = (command, "atmpl", source, "--set=policy.install=false")
        await asyncio.to_thread(run_helm, server, *arguments, *(["--create-namespace"] if command == "install" else []))
    await asyncio.to_thread(server.kubectl, "wait", "--for=condition=Established", "crd", "--all")
    async with server.client() as admin, server.client("mallory") as mallory:
        await admin.create(namespace("home"))
        for item in may("mallory", "ask", [REQUEST_RIGHTS, *MAKE.values()], "home"):
            await admin.create(item)
        collection = request_path("home", "").rstrip("/")
        await await_admission(mallory, collection, request("home", "probe"), refused=True)
