"""What the workflows may do and run: the least, what is pinned, and what a person can run as well.

actionlint checks if GitHub understands them: `just workflows`.
"""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

CHECKOUT = Path(__file__).parents[3]
GITHUB = CHECKOUT / ".github"
WORKFLOWS = {path.stem: yaml.safe_load(path.read_text()) for path in sorted(GITHUB.glob("workflows/*.yaml"))}
JOBS = {f"{name}/{job}": it for name, workflow in WORKFLOWS.items() for job, it in workflow["jobs"].items()}
ENVIRONMENT = yaml.safe_load((GITHUB / "actions" / "environment" / "action.yaml").read_text())

# Commands that are not recipes: they set up the environment of recipes, or run in a job that may write and therefore
# installs nothing.
OTHERWISE = (
    "python3 -m venv .venv && .venv/bin/pip install -e '.[dev]'",  # the README's
    'echo "$PWD/.venv/bin" >> "$GITHUB_PATH"',
    "sudo apt-get update && sudo apt-get install --yes containernetworking-plugins iptables libseccomp-dev",
    'docker login "$REGISTRY" --username "$GITHUB_ACTOR" --password-stdin <<< "$TOKEN"',
    'skopeo copy --all --preserve-digests oci-archive:image.tar "docker://${IMAGE%@*}:${GITHUB_REF_NAME#v}"',
    'cosign sign --yes "$IMAGE"',
    'for file in files/*; do cosign sign-blob --yes --bundle "$file.sigstore.json" "$file"; done',
    (
        "python3 -m venv .venv && .venv/bin/pip install --require-hashes --only-binary=:all: "
        "-r config/image/requirements.txt -r config/image/build.txt"
    ),
    "python -m pip install --require-hashes --only-binary=:all: -r config/image/one-file.txt",
    "python -m pip install -e '.[dev]'",  # on Windows, where the Justfile does not run
    "python -m pytest -n auto --dist loadgroup --no-loadscope-reorder tests/unit tests/simulation",
    'image=$(python -m e2e.release artifacts "${REPOSITORY,,}" "$GITHUB_REF_NAME" programs artifacts --url "$DOWNLOADS")',
    "python -m PyInstaller --noconfirm --log-level WARN --distpath dist --workpath build e2e/one_file/atmpl.spec",
    "dist/atmpl-* render config/samples/vm.yaml | dist/atmpl-* process -",
    'gh release create "$GITHUB_REF_NAME" files/* --repo "$GITHUB_REPOSITORY" --verify-tag --generate-notes',
)
WRITES = {  # job of release.yaml: what it may write
    "publish/packages",
    "publish/id-token",
    "publish/attestations",
    "release/contents",
    "release/id-token",
}


def steps() -> list[dict[str, Any]]:
    return [*ENVIRONMENT["runs"]["steps"], *(step for job in JOBS.values() for step in job.get("steps", []))]


def test_every_command_is_a_recipe() -> None:
    recipes = set(re.findall(r"^([a-z-]+)[^:\n]*:(?!=)", (CHECKOUT / "Justfile").read_text(), re.MULTILINE))
    for step in steps():
        for line in step.get("run", "").splitlines():
            if line in OTHERWISE or line.startswith(("echo ", "python -m atmpl ")):
                continue
            recipe = re.search(r"\bjust ([a-z-]+)", line)
            assert recipe is not None, line
            assert recipe[1] in recipes, line


def test_every_action_is_pinned_to_a_commit_of_a_release() -> None:
    lines = [line for path in GITHUB.rglob("*.yaml") for line in path.read_text().splitlines() if "uses:" in line]
    assert len(lines) > 20
    for line in lines:
        assert re.fullmatch(r" *(- )?uses: (\./\S+|[\w/-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+)", line), line


@pytest.mark.parametrize("name", WORKFLOWS)
def test_paths_of_a_workflow_exist(name: str) -> None:
    events = [event for event in WORKFLOWS[name][True].values() if isinstance(event, dict)]  # YAML's `on`
    paths = [path for event in events for path in event.get("paths", [])]
    assert [path for path in paths if not [*CHECKOUT.glob(path)]] == []


@pytest.mark.parametrize("name", WORKFLOWS)
def test_a_workflow_may_do_nothing_that_a_job_does_not_ask_for(name: str) -> None:
    workflow = WORKFLOWS[name]
    assert workflow["permissions"] == {}
    assert "group" in workflow["concurrency"]
    assert "pull_request_target" not in workflow[True]  # YAML's `on`


@pytest.mark.parametrize("job", JOBS)
def test_jobs_have_a_timeout_and_least_rights(job: str) -> None:
    it = JOBS[job]
    assert "uses" in it or it["timeout-minutes"] <= 60
    writes = {f"{job.partition('/')[2]}/{what}" for what, how in it["permissions"].items() if how != "read"}
    assert writes <= (WRITES if job.startswith("release/") else set())


def test_a_checkout_keeps_no_token() -> None:
    found = [step for step in steps() if step.get("uses", "").startswith("actions/checkout@")]
    assert found
    assert all(step["with"]["persist-credentials"] is False for step in found)


@pytest.mark.parametrize("job", JOBS)
def test_job_that_writes_installs_no_packages(job: str) -> None:
    """An environment of Python packages could use its token."""
    it = JOBS[job]
    if all(how == "read" for how in it["permissions"].values()):
        return
    for step in it["steps"]:
        assert "actions/environment" not in step.get("uses", "")
        assert not re.search(r"\b(pip|uv|just|python3?|npm|go|make)\b", step.get("run", ""))


def test_release_installs_by_hash() -> None:
    """What is published is built from these packages."""
    for job in ("one-file", "build"):
        for step in JOBS[f"release/{job}"]["steps"]:
            if step.get("uses") == "./.github/actions/environment":
                assert step["with"]["extra"] == "release"
            for line in step.get("run", "").splitlines():
                assert "pip install" not in line or "--require-hashes" in line


def test_release_has_the_program_of_each_platform() -> None:
    built = {it["platform"] for it in JOBS["release/one-file"]["strategy"]["matrix"]["include"]}
    assert built == {f"{system}-{arch}" for system in ("linux", "darwin", "windows") for arch in ("amd64", "arm64")}
    assert "one-file" in JOBS["release/build"]["needs"]


def test_unit_tests_run_on_each_system() -> None:
    commands = {job: [step.get("run", "") for step in JOBS[f"ci/{job}"]["steps"]] for job in ("macos", "windows")}
    assert "just test-unit" in commands["macos"]
    assert any(line.endswith("tests/unit tests/simulation") for line in commands["windows"])
    assert JOBS["ci/windows"]["runs-on"].startswith("windows-")
    assert JOBS["ci/macos"]["runs-on"].startswith("macos-")
