"""A node that runs pods, and its control plane. Runs inside a Sandbox."""

import os
import platform
import subprocess
from collections.abc import Sequence
from pathlib import Path

from e2e.envtest import ControlPlane
from e2e.envtest.control_plane import CONTROLLERS
from e2e.envtest.crds import install_crds
from e2e.node import pause, programs, settings
from e2e.node.sandbox_init import redirect_service, supports_overlay

# the loops of kube-controller-manager that a Deployment needs in addition
POD_CONTROLLERS = (
    "deployment-controller",
    "replicaset-controller",
    "disruption-controller",  # without it, a disruption budget allows no eviction
    "endpointslice-controller",
    "node-lifecycle-controller",  # removes the taint of a node that is ready
    "pod-garbage-collector-controller",
    "root-ca-certificate-publisher-controller",  # a pod's ca.crt
    "serviceaccount-token-controller",
)

ARCHITECTURE = pause.ARCHITECTURES.get(platform.machine(), platform.machine())


class Node(ControlPlane):
    """A cluster of one node, ready from construction to `close`. Its methods block.

    `sandbox` is the folder of the Sandbox; `images` are archives that are imported at the start.

    Raises the errors of ControlPlane, and subprocess.CalledProcessError.
    """

    def __init__(self, sandbox: Path, images: Sequence[Path] = ()) -> None:
        self._sandbox = sandbox
        self._own = programs.find()
        super().__init__(
            address=settings.ADDRESS,
            apiserver_flags=["--kubelet-preferred-address-types=InternalIP"],  # there is no DNS
            controllers=(*CONTROLLERS, *POD_CONTROLLERS),
        )
        try:
            self._start_node(images)
            install_crds(self)
        except BaseException:
            self.close()
            raise

    def ctr(self, *arguments: str | Path) -> str:
        """Run containerd's client in the namespace of Kubernetes; return its output."""
        command = [self._own["ctr"], f"--address={settings.SOCKET}", "--namespace=k8s.io", *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    def load(self, image: Path) -> None:
        """Import an image from an archive."""
        self.ctr("images", "import", "--local", f"--platform=linux/{ARCHITECTURE}", image)

    def process(self, container: str) -> int:
        """Return the id of a container's first process."""
        for line in self.ctr("tasks", "list").splitlines()[1:]:
            name, pid, _ = line.split()
            if name == container:
                return int(pid)
        raise LookupError(f"no process of container {container}")

    def _start_node(self, images: Sequence[Path]) -> None:
        redirect_service(self.port)
        self._write_settings()
        own = self._own
        self.processes.start("kube-scheduler", [own["kube-scheduler"], *self._scheduler_flags()])
        path = f"{own['containerd-shim-runc-v2'].parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
        config = self._sandbox / "containerd.toml"
        self.processes.start("containerd", [own["containerd"], f"--config={config}"], env=os.environ | {"PATH": path})
        self._await("containerd", self._containerd_serves)
        pause_image = self._sandbox / "pause.tar"
        pause.write(own["pause"], ARCHITECTURE, pause_image)
        for image in (pause_image, *images):
            self.load(image)
        self.processes.start("kubelet", [own["kubelet"], *self._kubelet_flags()])
        self._await("kubelet", self._node_is_ready)

    def _write_settings(self) -> None:
        (self._sandbox / "cni").mkdir()
        files = {
            "containerd.toml": settings.containerd(
                self._sandbox, self._own["runc"], overlays=supports_overlay(self._sandbox)
            ),
            "cni/10-bridge.conflist": settings.network(self._sandbox),
            "kubelet.yaml": settings.kubelet(self._sandbox, f"/{self._sandbox.name}"),
            "resolv.conf": "nameserver 127.0.0.1\n",
        }
        for name, text in files.items():
            (self._sandbox / name).write_text(text)

    def _scheduler_flags(self) -> list[str]:
        return [f"--kubeconfig={self.kubeconfig}", "--leader-elect=false", "--secure-port=0"]

    def _kubelet_flags(self) -> list[str]:
        return [
            f"--config={self._sandbox / 'kubelet.yaml'}",
            f"--kubeconfig={self.kubeconfig}",
            f"--root-dir={self._sandbox / 'kubelet'}",
            f"--cert-dir={self._sandbox / 'kubelet-certificates'}",
            f"--hostname-override={settings.NODE}",
            f"--node-ip={settings.ADDRESS}",
            "--node-labels=topology.kubernetes.io/zone=here",
        ]

    def _containerd_serves(self) -> bool:
        try:
            self.ctr("version")
        except subprocess.CalledProcessError:
            return False
        return True

    def _node_is_ready(self) -> bool:
        ready = 'jsonpath={.items[*].status.conditions[?(@.type=="Ready")].status}'
        taints = "jsonpath={.items[*].spec.taints}"
        return (
            self.kubectl("get", "nodes", "--output", ready) == "True"
            and self.kubectl("get", "nodes", "--output", taints) == ""
        )
