"""The command line as one file, and the krew plugin that is made of it: both need no Python."""

import hashlib
import os
import subprocess
import tarfile
import zipfile
from pathlib import Path

import pytest
import yaml

from atmpl.version import __version__
from e2e import gotools, krew
from e2e.envtest import programs
from tests.support.manifests import CONFIG

SAMPLE = CONFIG / "samples" / "vm.yaml"
URL = "https://example.com/v0"
NAME = krew.name(krew.this_platform())


@pytest.fixture
def program() -> Path:
    """The one-file program of this platform. A build takes half a minute of CPU, so `just packages` makes it."""
    path = Path(os.environ.get("ATMPL_PROGRAMS", "")).absolute() / NAME
    if not path.exists():
        pytest.skip(f"ATMPL_PROGRAMS has no {NAME}: `just packages` builds it")
    return path


@pytest.fixture
def written(tmp_path: Path) -> Path:
    """The files of a plugin whose programs are texts."""
    (tmp_path / "programs").mkdir()
    for platform in krew.PLATFORMS:
        (tmp_path / "programs" / krew.name(platform)).write_text("-".join(platform))
    krew.write(tmp_path / "programs", tmp_path / "files", URL)
    return tmp_path / "files"


def run(*command: Path | str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, env=env, capture_output=True, text=True, check=False, timeout=100)


def test_one_file_program_needs_no_python(program: Path, tmp_path: Path) -> None:
    environment = {"PATH": str(tmp_path), "PYTHONPATH": str(tmp_path)}
    (tmp_path / "yaml.py").write_text("raise SystemExit('wrong yaml')")
    assert run(program, "--version", **environment).stdout == f"atmpl {__version__}\n"
    template = run(program, "render", SAMPLE, **environment)
    assert template.returncode == 0
    assert template.stdout.startswith("apiVersion: template.openshift.io/v1\nkind: Template\n")
    (tmp_path / "t.yaml").write_text(template.stdout)
    assert run(program, "process", tmp_path / "t.yaml", "--vm-name=copy", **environment).returncode == 0
    assert run(program, "diff", tmp_path / "t.yaml", SAMPLE, **environment).returncode == 0


COMMANDS = ("completion", "controller", "convert", "create", "diff", "instantiate", "process", "render")


@pytest.mark.parametrize("command", COMMANDS)
def test_one_file_program_has_each_command(command: str, program: Path) -> None:
    done = run(program, command, "--help")
    assert (done.returncode, done.stderr) == (0, "")


def test_one_file_program_reads_a_kubeconfig(program: Path, tmp_path: Path) -> None:
    """The modules of these commands are imported when they run."""
    cluster = {"server": "https://127.0.0.1:9", "insecure-skip-tls-verify": True}
    config = {
        "clusters": [{"name": "c", "cluster": cluster}],
        "users": [{"name": "u", "user": {"token": "t"}}],
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
        "current-context": "x",
    }
    (tmp_path / "config").write_text(yaml.safe_dump(config))
    for words in (("create", "--vm=web"), ("instantiate", "--template=web")):
        done = run(program, *words, f"--kubeconfig={tmp_path / 'config'}")
        assert (done.returncode, "no response from https://127.0.0.1:9" in done.stderr) == (1, True), done.stderr
    done = run(program, "controller", f"--kubeconfig={tmp_path / 'none'}")
    assert (done.returncode, "no such file" in done.stderr) == (1, True), done.stderr


@pytest.mark.parametrize("platform", krew.PLATFORMS, ids="-".join)
def test_archive_holds_the_program_and_the_license(platform: krew.Platform, written: Path) -> None:
    text, license = "-".join(platform).encode(), (CONFIG.parent / "LICENSE").read_bytes()
    if platform[0] == "windows":
        with zipfile.ZipFile(written / f"kubectl-atmpl-{'-'.join(platform)}.zip") as packed:
            contents = {name: packed.read(name) for name in packed.namelist()}
        assert contents == {"kubectl-atmpl.exe": text, "LICENSE": license}
        return
    with tarfile.open(written / f"kubectl-atmpl-{'-'.join(platform)}.tar.gz") as tar:
        entries = {entry.name: entry for entry in tar}
        contents = {name: tar.extractfile(entry).read() for name, entry in entries.items()}  # krew cannot unpack links
    assert contents == {"kubectl-atmpl": text, "LICENSE": license}
    assert entries["kubectl-atmpl"].mode == 0o755


def test_manifest_names_every_archive(written: Path) -> None:
    manifest = yaml.safe_load((written / "atmpl.yaml").read_text())
    assert manifest["spec"]["version"] == f"v{__version__}"
    found = {
        tuple(it["selector"]["matchLabels"][key] for key in ("os", "arch")): it for it in manifest["spec"]["platforms"]
    }
    assert set(found) == {(system, arch) for system in ("linux", "darwin", "windows") for arch in ("amd64", "arm64")}
    for (system, arch), it in found.items():
        end, suffix = ("zip", ".exe") if system == "windows" else ("tar.gz", "")
        name = f"kubectl-atmpl-{system}-{arch}.{end}"
        assert it["uri"] == f"{URL}/{name}"
        assert it["sha256"] == hashlib.sha256((written / name).read_bytes()).hexdigest()
        assert it["bin"] == f"kubectl-atmpl{suffix}"


def test_krew_installs_the_plugin(program: Path, tmp_path: Path) -> None:
    kept = gotools.available("krew")
    if kept is None:
        pytest.skip("no krew here: `just packages` builds it")
    platform = krew.this_platform()
    archive = krew.archive(program, tmp_path, platform)
    manifest = tmp_path / "atmpl.yaml"
    manifest.write_text(krew.manifest({platform: archive}, URL))
    root = tmp_path / "krew"
    root.mkdir()
    path = f"/usr/bin{os.pathsep}/bin"
    done = run(kept, "install", f"--manifest={manifest}", f"--archive={archive}", PATH=path, KREW_ROOT=str(root))
    assert done.returncode == 0, done.stderr
    kubectl = programs.find("kubectl")["kubectl"]
    environment = {"PATH": f"{root / 'bin'}{os.pathsep}{path}"}
    assert run(kubectl, "atmpl", "--version", **environment).stdout == f"atmpl {__version__}\n"
    assert run(kubectl, "atmpl", "--help", **environment).stdout.startswith("usage: kubectl atmpl ")
