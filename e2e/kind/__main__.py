"""A kind cluster with KubeVirt's operator and the controller in it, tested and removed: `just kind`. Needs Docker."""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from e2e.envtest import programs
from e2e.envtest.build import BuildError, print_progress
from e2e.gotools import program
from e2e.image.build import build
from e2e.image.engine import Docker, Engine, EngineError, find

ROOT = Path(__file__).parents[2]
NAME = "atmpl"  # of the cluster; kind calls its context kind-atmpl
KUBEVIRT = "v1.9.0"  # the first that has native templates without a feature gate
OPERATOR = f"https://github.com/kubevirt/kubevirt/releases/download/{KUBEVIRT}/kubevirt-operator.yaml"

EMULATED = {  # no machine is started, but KubeVirt is ready on a node without virtualisation only with this
    "apiVersion": "kubevirt.io/v1",
    "kind": "KubeVirt",
    "metadata": {"name": "kubevirt", "namespace": "kubevirt"},
    "spec": {"configuration": {"developerConfiguration": {"useEmulation": True}}},
}


class Kind:
    """The cluster, spoken to by kubectl with a kubeconfig of its own. Raises CalledProcessError."""

    def __init__(self, folder: Path) -> None:
        self._kind = program("kind")
        kubectl = shutil.which("kubectl")
        self._kubectl = Path(kubectl) if kubectl else programs.find("kubectl")["kubectl"]
        self._env = os.environ | {"KUBECONFIG": str(folder / "kubeconfig"), "ATMPL_E2E_CONTEXT": f"kind-{NAME}"}

    def kind(self, *arguments: str | Path) -> None:
        """Run kind on the cluster."""
        self._run(self._kind, *arguments, "--name", NAME)

    def kubectl(self, *arguments: str | Path, stdin: str | None = None) -> None:
        """Run kubectl, whose output is seen."""
        self._run(self._kubectl, *arguments, stdin=stdin)

    def test(self, *arguments: str) -> int:
        """Run the tests against the cluster; return pytest's exit status."""
        command = [sys.executable, "-m", "pytest", "e2e/kind", *arguments]
        return subprocess.run(command, cwd=ROOT, env=self._env, check=False).returncode

    def _run(self, *command: str | Path, stdin: str | None = None) -> None:
        print_progress(" ".join(str(word) for word in ("$", *command)))
        subprocess.run(command, cwd=ROOT, env=self._env, input=stdin, text=True, check=True)


@contextmanager
def cluster(*, keep: bool) -> Iterator[Kind]:
    """Create a kind cluster; delete it at the end unless `keep`."""
    with tempfile.TemporaryDirectory(prefix="atmpl-kind-") as folder:
        made = Kind(Path(folder))
        made.kind("create", "cluster", "--wait", "5m")
        try:
            yield made
        finally:
            if keep:
                print_progress(
                    f"the cluster stays: kind export kubeconfig --name {NAME}; kind delete cluster --name {NAME}"
                )
            else:
                made.kind("delete", "cluster")


def install(into: Kind, engine: Engine) -> None:
    """Install KubeVirt and config/default with this checkout's image, and wait until both are ready."""
    with tempfile.TemporaryDirectory(prefix="atmpl-image-") as folder:
        archive = Path(folder) / "image.tar"
        engine.save(build(engine), archive)
        into.kind("load", "image-archive", archive)
    into.kubectl("create", "--filename", OPERATOR)
    into.kubectl("apply", "--filename", "-", stdin=json.dumps(EMULATED))
    into.kubectl("wait", "--namespace=kubevirt", "kubevirt/kubevirt", "--for=condition=Available", "--timeout=15m")
    into.kubectl(
        "wait", "--for=condition=Established", "--timeout=5m", "crd/virtualmachinetemplates.template.kubevirt.io"
    )
    into.kubectl("apply", "--kustomize", "config/default")
    into.kubectl("rollout", "status", "--namespace=atmpl-system", "deployment/atmpl-controller", "--timeout=5m")


def _engine() -> Engine:
    engine = find()
    if not isinstance(engine, Docker):
        raise EngineError("kind runs its nodes in docker or podman, and neither answers here")
    return engine


def main() -> int:
    """Run the command of the arguments; return the exit status."""
    parser = argparse.ArgumentParser(prog="just kind", description="Try it all in a kind cluster with KubeVirt.")
    parser.add_argument("--keep", action="store_true", help="leave the cluster up")
    arguments, pytest = parser.parse_known_args()
    try:
        engine = _engine()
        with cluster(keep=arguments.keep) as made:
            install(made, engine)
            return made.test(*pytest)
    except (BuildError, EngineError) as error:
        sys.exit(f"{error}")
    except subprocess.CalledProcessError as error:
        return error.returncode


if __name__ == "__main__":
    sys.exit(main())
