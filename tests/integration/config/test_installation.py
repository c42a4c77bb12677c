"""A cluster administrator types the commands of config/README.md, on a real API server."""

import asyncio
import json
import re
import subprocess
import textwrap
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import yaml

from e2e.controller import ACCOUNT, NAMESPACE, Controller
from e2e.envtest import ApiError, Client, ControlPlane, Server
from e2e.envtest.crds import install_crds
from tests.support.manifests import CONFIG, one, render

PAGE = (CONFIG / "README.md").read_text()
CHECKOUT = CONFIG.parent
STAND_INS = Path(install_crds.__code__.co_filename).parent
VMS = STAND_INS / "virtualmachines.kubevirt.io.yaml"
NATIVE = STAND_INS / "virtualmachinetemplates.template.kubevirt.io.yaml"
OPENSHIFT = STAND_INS / "templates.template.openshift.io.yaml"


def block(first: str) -> str:
    """Return the indented block of commands that begins so."""
    [found] = [it for it in re.findall(r"(?:^    .*\n)+", PAGE, re.MULTILINE) if it.lstrip().startswith(first)]
    return textwrap.dedent(found)


def type_in(server: Server, commands: str) -> str:
    """Run commands of the page in the checkout; return what they print."""
    done = subprocess.run(
        ["bash", "-o", "errexit", "-c", commands],
        cwd=CHECKOUT,
        env=server.env(),
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def server() -> Iterator[ControlPlane]:
    """A cluster with KubeVirt's template API and without OpenShift's."""
    with ControlPlane() as running:
        for definition in (VMS, NATIVE):
            running.kubectl("apply", "--server-side", "--filename", definition)
        type_in(running, "kubectl apply -k config/single-node")
        running.kubectl("wait", "--for=condition=Established", "crd", "--all")
        yield running


async def test_check_uses_the_format_that_is_served(server: ControlPlane) -> None:
    check = block("format=native")
    account = await asyncio.to_thread(server.service_account, NAMESPACE, ACCOUNT)
    with Controller(account, "--leader-elect"):
        printed = await asyncio.to_thread(type_in, server, check)
        assert "virtualmachinetemplaterequest.ssp.kubevirt.io/native condition met" in printed
        await asyncio.to_thread(server.kubectl, "apply", "--server-side", "--filename", OPENSHIFT)
        await asyncio.to_thread(server.kubectl, "wait", "--for=condition=Established", "crd", "--all")
        async with server.client() as admin:
            await served(admin, "/apis/template.openshift.io/v1")
        printed = await asyncio.to_thread(type_in, server, check)
        assert "virtualmachinetemplaterequest.ssp.kubevirt.io/openshift condition met" in printed


async def served(client: Client, path: str) -> None:
    """Wait until the server has a path; discovery follows `Established` by a moment."""
    async with asyncio.timeout(30):
        while True:
            with suppress(ApiError):
                await client.get(path)
                return
            await asyncio.sleep(0.05)


# What a kube-apiserver writes for itself, except that on loopback it writes none
ENDPOINTS = {
    "apiVersion": "discovery.k8s.io/v1",
    "kind": "EndpointSlice",
    "metadata": {"name": "api", "namespace": "default", "labels": {"kubernetes.io/service-name": "kubernetes"}},
    "addressType": "IPv4",
    "endpoints": [{"addresses": ["192.0.2.10"]}, {"addresses": ["192.0.2.11"]}],
    "ports": [{"name": "https", "port": 6443, "protocol": "TCP"}],
}


def test_api_server_addresses_are_printed(server: ControlPlane) -> None:
    server.kubectl("create", "--filename=-", input=ENDPOINTS)
    printed = type_in(server, block("kubectl -n default get endpointslices"))
    assert printed.split() == ["ADDRESS", "PORT", "[192.0.2.10],[192.0.2.11]", "6443"]


def test_pull_secret_is_created_in_the_namespace(server: ControlPlane) -> None:
    type_in(server, block("kubectl -n atmpl-system create secret"))
    secret = json.loads(server.kubectl("get", "secret", "registry", "-n", NAMESPACE, "-o", "json"))
    assert secret["type"] == "kubernetes.io/dockerconfigjson"


BLOCKS = [yaml.safe_load(it) for it in re.findall(r"^```yaml\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)]
[KUSTOMIZATION] = [it for it in BLOCKS if it.get("kind") == "Kustomization"]
[NAMESPACED] = [it for it in BLOCKS if "components" in it]
[AUTHENTICATED] = [it for it in BLOCKS if it.get("resources") == ["../config/monitoring"]]


def build(folder: Path, kustomization: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the objects of a kustomization in a folder beside config/."""
    (folder / "config").symlink_to(CONFIG)
    (folder / "site").mkdir()
    (folder / "site" / "kustomization.yaml").write_text(yaml.safe_dump(kustomization))
    return render(folder / "site")


@pytest.fixture(scope="module")
def adapted(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """The objects of the kustomization that the page shows."""
    return build(tmp_path_factory.mktemp("checkout"), KUSTOMIZATION)


def test_namespaced_installation_serves_one_namespace(tmp_path: Path) -> None:
    objects = build(tmp_path, {"resources": ["../config/default"]} | NAMESPACED)
    [container] = one(objects, "Deployment")["spec"]["template"]["spec"]["containers"]
    assert container["args"][-1] == "--namespace=team-a"
    groups = {group for rule in one(objects, "ClusterRole", ACCOUNT)["rules"] for group in rule["apiGroups"]}
    assert groups <= {"admissionregistration.k8s.io", "authorization.k8s.io"}


def test_service_monitor_names_a_token_that_may_get_metrics(server: ControlPlane, tmp_path: Path) -> None:
    type_in(server, block("kubectl create clusterrolebinding atmpl-metrics-auth"))
    type_in(server, block("kubectl -n atmpl-system create serviceaccount"))
    [endpoint] = one(build(tmp_path, AUTHENTICATED), "ServiceMonitor")["spec"]["endpoints"]
    reference = endpoint["authorization"]["credentials"]
    secret = json.loads(server.kubectl("get", "secret", reference["name"], "-n", NAMESPACE, "-o", "json"))
    assert (secret["type"], reference["key"]) == ("kubernetes.io/service-account-token", "token")
    account = secret["metadata"]["annotations"]["kubernetes.io/service-account.name"]
    for user, right in ((account, ("get", "/metrics")), (ACCOUNT, ("create", "tokenreviews"))):
        server.kubectl("auth", "can-i", *right, f"--as=system:serviceaccount:{NAMESPACE}:{user}")  # fails if not


def test_adapted_installation_has_every_change(adapted: list[dict[str, Any]]) -> None:
    spec = one(adapted, "Deployment")["spec"]["template"]["spec"]
    [container] = spec["containers"]
    assert container["image"] == f"registry.example.com/atmpl@sha256:{'0' * 64}"
    assert container["resources"]["limits"] == {"cpu": "1", "memory": "384Mi"}
    account = one(adapted, "ServiceAccount")
    assert account["imagePullSecrets"] == [{"name": "registry"}]
    assert spec["serviceAccountName"] == account["metadata"]["name"]
    policy = one(adapted, "NetworkPolicy", "atmpl-controller")["spec"]
    [monitoring] = policy["ingress"][0]["from"][0]["namespaceSelector"]["matchExpressions"]
    assert monitoring["values"][-1] == "observability"
    api_server, dns = policy["egress"]
    assert api_server["ports"][-1] == {"port": 9443, "protocol": "TCP"}
    assert api_server["to"] == [{"ipBlock": {"cidr": "192.0.2.10/32"}}]
    assert "ipBlock" not in yaml.safe_dump(dns)


def test_adapted_installation_is_accepted(server: ControlPlane, adapted: list[dict[str, Any]]) -> None:
    text = yaml.safe_dump_all(adapted)
    printed = server.kubectl("apply", "--dry-run=server", "--validate=strict", "--filename=-", input=text)
    assert len(printed.splitlines()) == len(adapted)


def kind_of_kubevirt(group: str, kind: str, *short: str, version: str = "v1") -> dict[str, Any]:
    """Return a definition by the names that KubeVirt gives its kind."""
    plural = f"{kind.lower()}s"
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{group}"},
        "spec": {
            "group": group,
            "scope": "Namespaced",
            "names": {
                "kind": kind,
                "listKind": f"{kind}List",
                "plural": plural,
                "singular": kind.lower(),
                "shortNames": list(short),
            },
            "versions": [{"name": version, "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}],
        },
    }


KINDS_OF_KUBEVIRT = [  # KubeVirt 1.9
    kind_of_kubevirt("kubevirt.io", "KubeVirt", "kv", "kvs"),
    kind_of_kubevirt("template.kubevirt.io", "VirtualMachineTemplateRequest", "vmtr", "vmtrs", version="v1beta1"),
]


def test_each_name_finds_its_own_kind(server: ControlPlane) -> None:
    server.kubectl("create", "namespace", "names")
    for definition in KINDS_OF_KUBEVIRT:
        server.kubectl("create", "--filename=-", input=definition)
        server.kubectl("wait", "--for=condition=Established", f"crd/{definition['metadata']['name']}")
    theirs = {"apiVersion": "template.kubevirt.io/v1beta1", "kind": "VirtualMachineTemplateRequest"}
    ours = {"apiVersion": "ssp.kubevirt.io/v1alpha1", "kind": "VirtualMachineTemplateRequest"}
    for it in (
        {"apiVersion": "kubevirt.io/v1", "kind": "KubeVirt", "metadata": {"name": "kubevirt"}},
        theirs | {"metadata": {"name": "theirs"}},
        ours | {"metadata": {"name": "ours"}, "spec": {"vmName": "web"}},
    ):
        server.kubectl("create", "--namespace=names", "--filename=-", input=it)
    expected = {
        "kubevirt": "kubevirt.kubevirt.io/kubevirt",
        "vmtr": "virtualmachinetemplaterequest.template.kubevirt.io/theirs",
        "vmtreq": "virtualmachinetemplaterequest.ssp.kubevirt.io/ours",
        "virtualmachinetemplaterequests": "virtualmachinetemplaterequest.ssp.kubevirt.io/ours",
    }
    assert {
        name: server.kubectl("get", name, "--namespace=names", "--output=name").strip() for name in expected
    } == expected


@pytest.mark.parametrize("folder", ["default", "single-node"])
def test_policies_are_applied_before_requests_can_exist(folder: str) -> None:
    assert_policies_are_first(render(folder))


def test_adapted_installation_applies_policies_first(adapted: list[dict[str, Any]]) -> None:
    assert_policies_are_first(adapted)


def assert_policies_are_first(objects: list[dict[str, Any]]) -> None:
    """Check the order of the first objects, and that the controller is the last."""
    kinds = [it["kind"] for it in objects]
    policies = ["ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"]
    assert kinds[:4] == ["Namespace", *policies, "CustomResourceDefinition"]
    assert kinds[-1] == "Deployment"
