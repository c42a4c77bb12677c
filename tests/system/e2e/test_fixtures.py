"""What a developer sees of the fixtures where something is missing."""

import os
import subprocess
import sys
from pathlib import Path

ONE = "tests/system/e2e/test_envtest.py::test_server_counts_calls"


def pytest_says(*args: str, **env: str) -> tuple[int, str]:
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *args]
    done = subprocess.run(command, env=os.environ | env, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout


def test_missing_server_fails_with_a_remedy(tmp_path: Path) -> None:
    status, output = pytest_says(ONE, PATH=str(tmp_path), XDG_CACHE_HOME=str(tmp_path), KUBEBUILDER_ASSETS="")
    assert status == 1
    assert "there is no Go to build them.\n" in output
    assert "KUBEBUILDER_ASSETS" in output
    assert "Traceback" not in output
    assert "skipped" not in output


def test_unnamed_cluster_is_not_used(tmp_path: Path) -> None:
    status, output = pytest_says(ONE, ATMPL_E2E_CONTEXT="kind-test", KUBECONFIG=str(tmp_path / "none"))
    assert status == 1
    assert "ATMPL_E2E_CONTEXT=kind-test, but the current context of KUBECONFIG" in output


def test_unit_tests_have_no_server(tmp_path: Path) -> None:
    names = ("client", "controller", "namespace", "private_server", "server", "undisturbed")
    status, output = pytest_says(
        "--fixtures", "-q", "tests/unit/template/test_references.py", "tests/simulation/test_poison.py"
    )
    assert status == 0
    assert "nothing_blocks" in output
    assert [name for name in names if f"\n{name} " in output] == []
