"""The contents of the image, and that it runs."""

import json
import re

import yaml

from atmpl.version import __version__
from e2e.image.archive import Archive
from e2e.image.build import ROOT
from e2e.image.engine import Engine
from e2e.image.pin import FOLDER

# programs that build or download others, by their names in Debian, Alpine and Python
_TOOLS = re.compile(r"(\S+-)?(gcc|g\+\+|cc|c\+\+|clang|ld|as|make|pip|pip3|uv|git|curl|wget)(-?[\d.]+)?")


def test_image_runs_as_an_unprivileged_user(archive: Archive) -> None:
    assert archive.config["User"] == "65532:65532"


def test_pod_has_the_group_and_tag_of_the_image() -> None:
    pod = yaml.safe_load((ROOT / "config" / "manager" / "deployment.yaml").read_text())["spec"]["template"]["spec"]
    assert pod["containers"][0]["securityContext"]["runAsGroup"] == 65532
    assert pod["containers"][0]["image"] == f"atmpl:{__version__}"


def test_image_runs_the_controller_by_default(archive: Archive) -> None:
    assert (archive.config["Entrypoint"], archive.config["Cmd"]) == (["atmpl"], ["controller"])


def test_image_has_labels(archive: Archive) -> None:
    labels = archive.config["Labels"]
    assert labels["org.opencontainers.image.title"] == "atmpl"
    assert labels["org.opencontainers.image.version"] == __version__
    assert re.fullmatch(r"[0-9a-f]{40}|unknown", labels["org.opencontainers.image.revision"])
    assert labels["org.opencontainers.image.licenses"] == "Apache-2.0"


def test_image_has_no_compiler_and_no_pip(archive: Archive) -> None:
    folders = {"bin", "sbin"}
    assert [file for file in archive.files if file.parent.name in folders and _TOOLS.fullmatch(file.name)] == []
    assert [file for file in archive.files if {"pip", "ensurepip"} & set(file.parts)] == []


def test_image_has_only_the_package_of_the_checkout(archive: Archive) -> None:
    ours = {"e2e", "tests", "config", "Justfile", "Dockerfile"}
    assert [file for file in archive.files if ours & set(file.parts[:5]) and "opt" in file.parts] == []


def test_image_runs_atmpl(engine: Engine, image: str) -> None:
    assert engine.run(image, "atmpl", "--version").strip() == f"atmpl {__version__}"


def test_image_runs_with_an_arbitrary_uid(engine: Engine, image: str) -> None:
    """OpenShift chooses the UID: no entry in /etc/passwd, group root, and HOME can be missing."""
    user = "1000680000:0"
    script = "id -u && id -g && atmpl --version && atmpl controller --help >/dev/null && python3 -c 'import uvloop'"
    lines = engine.run(image, "env", "-u", "HOME", "sh", "-ec", script, user=user).split("\n")
    assert lines[:3] == ["1000680000", "0", f"atmpl {__version__}"]
    assert "1000680000" not in engine.run(image, "cat", "/etc/passwd")


def test_image_renders_a_template(engine: Engine, image: str) -> None:
    vm = {
        "apiVersion": "kubevirt.io/v1",
        "kind": "VirtualMachine",
        "metadata": {"name": "web"},
        "spec": {"template": {"spec": {"domain": {"devices": {}}, "hostname": "web"}}},
    }
    template = json.loads(
        engine.run(image, "python3", "-c", f"import atmpl, json; print(json.dumps(atmpl.render({vm!r}).template))")
    )
    assert {"name": "HOSTNAME", "description": "hostname", "value": "web"}.items() <= template["parameters"][0].items()


def test_packages_of_the_image_are_pinned(engine: Engine, image: str) -> None:
    listed = "import importlib.metadata as m; print(*(f'{d.name}=={d.version}'.lower() for d in m.distributions()))"
    pinned = re.findall(r"^(\S+==\S+)", (FOLDER / "requirements.txt").read_text(), re.MULTILINE)
    there = {name.replace("_", "-") for name in engine.run(image, "python3", "-c", listed).split()}
    assert there - {f"atmpl=={__version__}"} <= set(pinned)
    assert {re.split("==", name)[0] for name in there} >= {"atmpl", "aiohttp", "orjson", "uvloop"}


def test_package_is_compiled_in_the_image(archive: Archive) -> None:
    """On a read-only file system, Python would compile the package at every start."""
    package = {file for file in archive.files if file.match("/opt/atmpl/lib/*/site-packages/atmpl/**/*.py")}
    assert len(package) > 20
    compiled = {file.name.split(".")[0] for file in archive.files if file.suffix == ".pyc" and "atmpl" in file.parts}
    assert {file.stem for file in package} <= compiled
