"""The OLM bundle: valid for operator-framework, and the same objects as the kustomize manifests."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from atmpl.version import __version__
from e2e import bundle, gotools, release
from tests.support.manifests import CONFIG, Object, one, render

IMAGE = f"registry.example.com/atmpl@sha256:{'7' * 64}"
# operator-registry v1.19 (OpenShift 4.9) and newer, pkg/lib/bundle/supported_resources.go
SUPPORTED = {
    *("ClusterServiceVersion", "CustomResourceDefinition", "Secret", "ClusterRole", "ClusterRoleBinding"),
    *("ConfigMap", "ServiceAccount", "Service", "Role", "RoleBinding", "PrometheusRule", "ServiceMonitor"),
    *("PodDisruptionBudget", "PriorityClass", "VerticalPodAutoscaler", "ConsoleYAMLSample", "ConsoleQuickStart"),
    *("ConsoleCLIDownload", "ConsoleLink"),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("bundle")
    assert release.main(["bundle", IMAGE, str(path)]) == 0
    return path


@pytest.fixture(scope="module")
def objects(folder: Path) -> list[Object]:
    return [yaml.safe_load(path.read_text()) for path in sorted((folder / "manifests").iterdir())]


@pytest.fixture
def csv(objects: list[Object]) -> Any:
    return one(objects, "ClusterServiceVersion")


def test_bundle_is_valid_for_operator_framework(folder: Path) -> None:
    program = gotools.available("olm")
    if program is None:
        pytest.skip("no validators here: `just packages` builds them")
    done = subprocess.run([program, folder / "manifests"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_bundle_has_only_kinds_that_olm_installs(objects: list[Object]) -> None:
    assert {it["kind"] for it in objects} <= SUPPORTED


def test_bundle_leaves_out_no_other_kind(objects: list[Object], csv: Any) -> None:
    installed = {it["kind"] for it in objects} | bundle.IN_STRATEGY
    assert {it["kind"] for it in render("default")} - installed == bundle.LEFT_OUT & {
        it["kind"] for it in render("default")
    }


def test_bundle_deploys_the_manifests(csv: Any) -> None:
    [deployment] = csv["spec"]["install"]["spec"]["deployments"]
    expected = one(render("default"), "Deployment")
    expected["spec"]["template"]["spec"]["containers"][0]["image"] = IMAGE
    assert (deployment["name"], deployment["spec"]) == (expected["metadata"]["name"], expected["spec"])
    assert csv["spec"]["relatedImages"] == [{"name": "controller", "image": IMAGE}]


def test_bundle_grants_the_controller_its_rights(csv: Any) -> None:
    strategy, manifests = csv["spec"]["install"]["spec"], render("default")
    for field, role in (
        ("clusterPermissions", one(manifests, "ClusterRole", "atmpl-controller")),
        ("permissions", one(manifests, "Role")),
    ):
        assert strategy[field] == [{"serviceAccountName": "atmpl-controller", "rules": role["rules"]}]


def test_bundle_has_crd_and_roles_of_users(objects: list[Object]) -> None:
    manifests = render("default")
    assert one(objects, "CustomResourceDefinition") == one(manifests, "CustomResourceDefinition")
    for name in ("atmpl-requests-edit", "atmpl-requests-view"):
        assert one(objects, "ClusterRole", name) == one(manifests, "ClusterRole", name)


def test_bundle_has_the_version_and_examples(csv: Any, objects: list[Object]) -> None:
    assert csv["metadata"]["name"] == f"atmpl.v{__version__}"
    assert csv["spec"]["version"] == __version__
    examples = json.loads(csv["metadata"]["annotations"]["alm-examples"])
    assert {it["metadata"]["name"] for it in examples} == {"openshift", "native", "on-change"}
    owned = {it["name"] for it in csv["spec"]["customresourcedefinitions"]["owned"]}
    assert owned == {one(objects, "CustomResourceDefinition")["metadata"]["name"]}


def test_description_names_the_second_step(csv: Any, capfd: pytest.CaptureFixture[str]) -> None:
    assert "oc apply -f policy.yaml" in csv["spec"]["description"]
    assert release.main(["policy"]) == 0
    assert list(yaml.safe_load_all(capfd.readouterr().out)) == render("policy")


def test_annotations_and_labels_of_the_image_are_equal(folder: Path) -> None:
    annotations = yaml.safe_load((folder / "metadata" / "annotations.yaml").read_text())["annotations"]
    dockerfile = (CONFIG / "olm" / "Dockerfile").read_text().replace("\\\n", " ")
    labels = dict(word.split("=") for word in dockerfile.split() if "=" in word)
    assert labels == annotations
