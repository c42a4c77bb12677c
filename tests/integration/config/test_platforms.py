"""The manifests against the rules of the platforms that they are installed on. The sources of the rules are named."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from tests.support.manifests import CONFIG, DOCUMENTS, INSTALLATIONS, Object, one, render

POD_FIELDS = {  # of a PodSpec; every SCC and policy of the list below allows these, or ignores them
    "serviceAccountName",
    "securityContext",
    "affinity",
    "topologySpreadConstraints",
    "terminationGracePeriodSeconds",
    "containers",
}
# Short names of KubeVirt 1.9, from pkg/virt-operator/resource/generate/components, and of its template API
KUBEVIRT_SHORT_NAMES = {
    *("vm", "vms", "vmi", "vmis", "vmipreset", "vmipresets", "vmirs", "vmirss", "vmim", "vmims", "kv", "kvs"),
    *("vmpool", "vmpools", "vmsnapshot", "vmsnapshots", "vmsnapshotcontent", "vmsnapshotcontents", "vmrestore"),
    *("vmrestores", "vmexport", "vmexports", "vmclone", "vmclones", "vminstancetype", "vminstancetypes", "vmf"),
    *("vmclusterinstancetype", "vmclusterinstancetypes", "vmcf", "vmpref", "vmprefs", "vmp", "vmps", "vmcp"),
    *("vmbackup", "vmbackups", "vmt", "vmts", "vmtr", "vmtrs"),
}
KUBEVIRT_NAMES = {  # kinds, plurals, singulars and categories
    *("kubevirt", "kubevirts", "virtualmachine", "virtualmachines", "virtualmachineinstance", "all"),
    *("virtualmachinetemplate", "virtualmachinetemplates", "migrationpolicy", "migrationpolicies", "plugins"),
}


@pytest.fixture(params=INSTALLATIONS)
def installation(request: pytest.FixtureRequest) -> list[Object]:
    return render(request.param)


@pytest.fixture
def pod(installation: list[Object]) -> Object:
    template: Object = one(installation, "Deployment")["spec"]["template"]
    return template


def test_pod_fits_openshift_restricted_v2(pod: Object) -> None:
    """MustRunAsRange for users and MustRunAs for fsGroup: only values of the namespace's own range, or none."""
    spec = pod["spec"]
    assert spec.keys() == POD_FIELDS  # no volumes, no host namespaces
    assert spec["securityContext"].keys() == {"runAsNonRoot", "seccompProfile"}
    [container] = spec["containers"]
    assert container["securityContext"] == {
        "runAsGroup": 65532,
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert [port.keys() for port in container["ports"]] == [{"name", "containerPort"}]  # no hostPort


def test_pod_has_no_group_without_a_user(pod: Object) -> None:
    """containerd then creates no sandbox: `user group "65532" is specified without user`. `just node` runs it."""
    assert "runAsGroup" not in pod["spec"]["securityContext"]


def test_pod_fits_common_cluster_policies(pod: Object) -> None:
    """Kyverno's require-run-as-nonroot, require-non-root-groups, require-requests-limits, require-pod-probes."""
    security = pod["spec"]["securityContext"]
    [container] = pod["spec"]["containers"]
    assert security["runAsNonRoot"] is True
    assert container["securityContext"]["runAsGroup"] > 0
    assert security["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["resources"]["requests"].keys() == {"cpu", "memory"}
    assert container["resources"]["limits"].keys() == {"memory"}
    assert container["livenessProbe"].keys() > {"httpGet"} < container["readinessProbe"].keys()
    assert not container["image"].endswith(":latest")


def test_pod_opts_out_of_service_meshes(pod: Object) -> None:
    """Istio reads the labels of a pod before those of its namespace; Linkerd reads the annotation."""
    labels, annotations = pod["metadata"]["labels"], pod["metadata"]["annotations"]
    assert labels["sidecar.istio.io/inject"] == "false"
    assert labels["istio.io/dataplane-mode"] == "none"
    assert annotations["linkerd.io/inject"] == "disabled"


def test_pod_runs_only_on_nodes_that_the_image_supports(pod: Object) -> None:
    required = pod["spec"]["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
    [term] = required["nodeSelectorTerms"]
    assert {it["key"]: (it["operator"], it["values"]) for it in term["matchExpressions"]} == {
        "kubernetes.io/os": ("In", ["linux"]),
        "kubernetes.io/arch": ("In", ["amd64", "arm64"]),
    }


def test_selector_does_not_contain_mesh_labels(installation: list[Object]) -> None:
    """A Deployment's selector is immutable: labels that serve another purpose stay out of it."""
    for kind in ("Deployment", "Service", "NetworkPolicy"):
        assert "istio" not in json.dumps([it["spec"].get("selector") for it in installation if it["kind"] == kind])


def test_single_node_differs_in_replicas_and_budget() -> None:
    default, single = ({(it["kind"], it["metadata"]["name"]): it for it in render(name)} for name in INSTALLATIONS)
    budget = ("PodDisruptionBudget", "atmpl-controller")
    assert default.keys() - single.keys() == {budget}
    assert single.keys() <= default.keys()
    deployment = ("Deployment", "atmpl-controller")
    assert [default[deployment]["spec"].pop("replicas"), single[deployment]["spec"].pop("replicas")] == [2, 1]
    assert single == {key: it for key, it in default.items() if key != budget}


API_SERVER_PORTS = {
    443: "EKS, AKS, GKE",
    6443: "OpenShift, kubeadm, k3s, RKE2",
    8443: "minikube, vcluster",
    16443: "microk8s",
    2040: "Red Hat OpenShift on IBM Cloud",
}


def test_network_policy_allows_api_server_ports(installation: list[Object]) -> None:
    """A policy sees the port after DNAT: the API server's own, not the Service's."""
    egress = one(installation, "NetworkPolicy", "atmpl-controller")["spec"]["egress"]
    anywhere = [port["port"] for rule in egress if "to" not in rule for port in rule["ports"]]
    assert sorted(anywhere) == sorted(API_SERVER_PORTS)
    to_dns = [port["port"] for rule in egress if "to" in rule for port in rule["ports"]]
    assert set(to_dns) == {53, 5353}


def admits(rule: Object, labels: dict[str, str]) -> bool:
    """Return True if an ingress rule admits a namespace with these labels."""

    def matches(selector: Object) -> bool:
        return all(labels.get(key) == value for key, value in selector.get("matchLabels", {}).items()) and all(
            labels.get(it["key"]) in it["values"] for it in selector.get("matchExpressions", [])
        )

    return any(matches(peer["namespaceSelector"]) for peer in rule["from"])


@pytest.mark.parametrize(
    ("labels", "admitted"),
    [
        ({"kubernetes.io/metadata.name": "monitoring"}, True),
        ({"kubernetes.io/metadata.name": "openshift-monitoring"}, True),
        ({"kubernetes.io/metadata.name": "openshift-user-workload-monitoring"}, True),
        ({"kubernetes.io/metadata.name": "cattle-monitoring-system"}, True),
        ({"kubernetes.io/metadata.name": "any", "network.openshift.io/policy-group": "monitoring"}, True),
        ({"kubernetes.io/metadata.name": "team-a", "metrics": "enabled"}, False),
        ({"kubernetes.io/metadata.name": "team-a"}, False),
    ],
)
def test_network_policy_admits_prometheus_alone(
    installation: list[Object], labels: dict[str, str], admitted: bool
) -> None:
    [rule] = one(installation, "NetworkPolicy", "atmpl-controller")["spec"]["ingress"]
    assert [port["port"] for port in rule["ports"]] == ["metrics"]
    assert admits(rule, labels) is admitted
    deny = one(installation, "NetworkPolicy", "default-deny")["spec"]
    assert deny == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}


def strings(value: Any) -> Iterator[str]:
    """Yield every string of a JSON value, keys included."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield key
            yield from strings(item)
    elif isinstance(value, list):
        for item in value:
            yield from strings(item)
    elif isinstance(value, str):
        yield value


@pytest.mark.parametrize("name", DOCUMENTS)
def test_flux_substitutes_nothing(name: str) -> None:
    """Flux's postBuild replaces `${name}` in every object without this annotation."""
    for it in render(name):
        annotations = it["metadata"].get("annotations", {})
        opted_out = annotations.get("kustomize.toolkit.fluxcd.io/substitute") == "disabled"
        assert opted_out or not any("${" in text for text in strings(it)), it["metadata"]["name"]


def test_request_names_hide_none_of_kubevirt(installation: list[Object]) -> None:
    """kubectl expands a category before it looks for a resource of that name, and takes the first short name.

    The plural is that of KubeVirt's own template request too: the request's kind is given. config/README.md explains it.
    """
    names = one(installation, "CustomResourceDefinition")["spec"]["names"]
    assert "categories" not in names
    ours = {*names["shortNames"], names["plural"], names["singular"], names["kind"].lower()}
    assert ours & (KUBEVIRT_SHORT_NAMES | KUBEVIRT_NAMES) == set()


def test_crd_is_never_pruned(installation: list[Object]) -> None:
    """With the definition go all requests: Flux and Argo CD keep it if it leaves Git."""
    annotations = one(installation, "CustomResourceDefinition")["metadata"]["annotations"]
    assert annotations["kustomize.toolkit.fluxcd.io/prune"] == "disabled"
    assert annotations["argocd.argoproj.io/sync-options"] == "Prune=false,Delete=false"


@pytest.mark.parametrize("folder", ["default", "monitoring", "requester"])
def test_objects_have_the_recommended_labels(folder: str) -> None:
    for it in render(folder):
        labels = it["metadata"]["labels"]
        assert (labels["app.kubernetes.io/name"], labels["app.kubernetes.io/part-of"]) == ("atmpl", "atmpl")
        assert labels["app.kubernetes.io/component"], it["metadata"]["name"]


def test_every_folder_is_part_of_an_installation() -> None:
    folders = {path.parent.name for path in CONFIG.glob("*/kustomization.yaml")}
    parts = {"crd", "rbac", "policy", "manager", "network-policy"}
    components = {"namespaced", "requester"}
    assert folders == parts | components | DOCUMENTS.keys()


def test_namespaced_rights_are_those_of_the_cluster_role() -> None:
    """The roles of the component together: what has a namespace, and what has none."""
    folder = CONFIG / "namespaced"
    role, _ = yaml.safe_load_all((folder / "role.yaml").read_text())
    reduced = yaml.safe_load((folder / "cluster-role.yaml").read_text())
    assert role["rules"] + reduced["rules"] == one(render("default"), "ClusterRole", "atmpl-controller")["rules"]
    without_namespace = {"admissionregistration.k8s.io", "authorization.k8s.io"}
    assert {group for rule in reduced["rules"] for group in rule["apiGroups"]} <= without_namespace
