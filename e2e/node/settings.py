"""The configuration files of containerd, its network plugins and the kubelet.

The node runs on a developer's machine or in a container. Everything is disabled that would change the machine, or evict
pods because its disk is full.
"""

import json
from pathlib import Path
from typing import Any

import yaml

BRIDGE = "cni0"
ADDRESS = "10.22.0.1"  # of the bridge: node, API server and gateway of the pods
SUBNET = "10.22.0.0/16"
SERVICE = "10.0.0.1"  # the Service `kubernetes`: the first address of the service range
NODE = "node"
SOCKET = Path("/run/containerd/containerd.sock")
PAUSE = "localhost/atmpl-pause:1"
PLUGINS = (
    Path("/usr/lib/cni"),
    Path("/opt/cni/bin"),
)  # of Debian's containernetworking-plugins; of other distributions


def plugins() -> Path | None:
    """Return the folder of the network plugins, or None."""
    return next((folder for folder in PLUGINS if (folder / "bridge").exists()), None)


def containerd(sandbox: Path, runc: Path, *, overlays: bool) -> str:
    """Return config.toml. Without overlays, each container gets a copy of its whole image."""
    return f"""\
version = 3
root = "{sandbox}/containerd"
state = "{SOCKET.parent}"

[grpc]
address = "{SOCKET}"

[plugins.'io.containerd.cri.v1.images']
snapshotter = "{"overlayfs" if overlays else "native"}"

[plugins.'io.containerd.cri.v1.images'.pinned_images]
sandbox = "{PAUSE}"

[plugins.'io.containerd.cri.v1.runtime']
restrict_oom_score_adj = true

[plugins.'io.containerd.cri.v1.runtime'.cni]
bin_dirs = ["{plugins()}"]
conf_dir = "{sandbox}/cni"

[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"

[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc.options]
BinaryName = "{runc}"
"""


def network(sandbox: Path) -> str:
    """Return the network of the pods: a bridge, which is their gateway."""
    addresses = {"type": "host-local", "ranges": [[{"subnet": SUBNET}]], "routes": [{"dst": "0.0.0.0/0"}]}
    bridge = {"type": "bridge", "bridge": BRIDGE, "isGateway": True, "hairpinMode": True}
    plugin = bridge | {"ipam": addresses | {"dataDir": str(sandbox / "addresses")}}
    return json.dumps({"cniVersion": "1.0.0", "name": "atmpl", "plugins": [plugin]})


def kubelet(sandbox: Path, cgroup: str) -> str:
    """Return the kubelet's configuration. Authentication is off: only the sandbox can reach it."""
    configuration: dict[str, Any] = {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "address": ADDRESS,
        "authentication": {"anonymous": {"enabled": True}, "webhook": {"enabled": False}},
        "authorization": {"mode": "AlwaysAllow"},
        "containerRuntimeEndpoint": f"unix://{SOCKET}",
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": cgroup,
        "failCgroupV1": False,
        "enforceNodeAllocatable": [],
        "failSwapOn": False,
        "localStorageCapacityIsolation": False,
        "evictionHard": {"memory.available": "0%", "nodefs.available": "0%", "imagefs.available": "0%"},
        "imageGCHighThresholdPercent": 100,  # never
        "podLogsDir": str(sandbox / "logs"),
        "clusterDNS": ["10.0.0.10"],  # no DNS server is there, and no pod needs one
        "clusterDomain": "cluster.local",
        "resolvConf": str(sandbox / "resolv.conf"),
        "healthzPort": 0,
        "registerWithTaints": [],
    }
    return yaml.safe_dump(configuration)
