"""The OLM bundle: config/olm filled in from the other manifests, so that the two cannot diverge."""

import json
from pathlib import Path
from typing import Any

import yaml

from atmpl.version import __version__
from e2e.manifests import CONFIG, render

Object = dict[str, Any]

# OLM creates the objects of the install strategy itself. It rejects admission policies, and network policies before
# OpenShift 4.20. The namespace is the subscription's. A disruption budget would block the drain of a single node.
IN_STRATEGY = {"Deployment", "ServiceAccount", "Role", "RoleBinding", "ClusterRoleBinding"}
LEFT_OUT = {
    *("Namespace", "NetworkPolicy", "PodDisruptionBudget"),
    *("MutatingAdmissionPolicy", "MutatingAdmissionPolicyBinding"),
    *("ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"),
}
EXAMPLES = ("openshift", "native", "on-change")  # of config/samples


def write(image: str, folder: Path) -> None:
    """Write the bundle for an image into a folder, which is created. Raises BuildError, OSError."""
    objects = render("default")
    for part in ("manifests", "metadata"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    for it in _separate(objects):
        name = f"{it['metadata']['name']}.{it['kind'].lower()}.yaml"
        _dump(folder / "manifests" / name, it)
    _dump(folder / "manifests" / "atmpl.clusterserviceversion.yaml", cluster_service_version(objects, image))
    for source, target in (("annotations.yaml", "metadata/annotations.yaml"), ("Dockerfile", "Dockerfile")):
        (folder / target).write_text((CONFIG / "olm" / source).read_text())


def cluster_service_version(objects: list[Object], image: str) -> Object:
    """Return the ClusterServiceVersion of these objects."""
    csv: Object = yaml.safe_load((CONFIG / "olm" / "clusterserviceversion.yaml").read_text())
    deployment = _one(objects, "Deployment")
    name = deployment["metadata"]["name"]
    account = deployment["spec"]["template"]["spec"]["serviceAccountName"]
    [container] = deployment["spec"]["template"]["spec"]["containers"]
    container["image"] = image
    samples = [yaml.safe_load((CONFIG / "samples" / f"{sample}.yaml").read_text()) for sample in EXAMPLES]
    csv["metadata"]["name"] = f"atmpl.v{__version__}"
    csv["metadata"]["annotations"] |= {"alm-examples": json.dumps(samples), "containerImage": image}
    csv["spec"] |= {
        "version": __version__,
        "relatedImages": [{"name": "controller", "image": image}],
        "install": {
            "strategy": "deployment",
            "spec": {
                "deployments": [{"name": name, "label": deployment["metadata"]["labels"], "spec": deployment["spec"]}],
                "clusterPermissions": _permissions(objects, "ClusterRole", account),
                "permissions": _permissions(objects, "Role", account),
            },
        },
    }
    return csv


def _separate(objects: list[Object]) -> list[Object]:
    """Return the objects that are files of their own: definitions, the Service, and the roles of users."""
    bound = _bound_roles(objects, "ClusterRole")
    separate = [it for it in objects if it["kind"] not in IN_STRATEGY | LEFT_OUT]
    separate = [it for it in separate if it["kind"] != "ClusterRole" or it["metadata"]["name"] not in bound]
    for it in separate:
        it["metadata"].pop("namespace", None)
    return separate


def _bound_roles(objects: list[Object], kind: str) -> set[str]:
    """Return the names of the roles that are bound to the controller."""
    return {it["roleRef"]["name"] for it in objects if it["kind"] == f"{kind}Binding"}


def _permissions(objects: list[Object], kind: str, account: str) -> list[Object]:
    """Return the rules of all roles of a kind that are bound to the account."""
    bound = _bound_roles(objects, kind)
    roles = [it for it in objects if it["kind"] == kind and it["metadata"]["name"] in bound]
    return [{"serviceAccountName": account, "rules": [rule for role in roles for rule in role["rules"]]}]


def _one(objects: list[Object], kind: str) -> Object:
    [found] = [it for it in objects if it["kind"] == kind]
    return found


def _dump(path: Path, it: Object) -> None:
    path.write_text(yaml.safe_dump(it, sort_keys=False, width=120))
