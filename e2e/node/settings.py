"""What a node's programs are told: the files that containerd, its network plugins and the kubelet read.

The values are for a node of one machine that is somebody's own, or a container: whatever would change the machine
itself, or evict pods because its disk is full, is off.
"""

import json
from pathlib import Path
from typing import Any

import yaml

BRIDGE = "cni0"
ADDRESS = "10.22.0.1"  # the bridge's: the node's, the API server's, and the pods' gateway
SUBNET = "10.22.0.0/16"
SERVICE = "10.0.0.1"  # where pods look for the API server: the first address of its service range
NODE = "node"
SOCKET = Path("/run/containerd/containerd.sock")
PAUSE = "localhost/atmpl-pause:1"
PLUGINS = (Path("/usr/lib/cni"), Path("/opt/cni/bin"))  # of containernetworking-plugins; of others


def plugins() -> Path | None:
    """Return the folder of the network plugins, where there is one."""
    return next((folder for folder in PLUGINS if (folder / "bridge").exists()), None)


def containerd(place: Path, runc: Path, *, overlays: bool) -> str:
    """Return config.toml. Without overlays, each container gets a copy of its whole image."""
    return f"""\
version = 3
root = "{place}/containerd"
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
conf_dir = "{place}/cni"

[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"

[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc.options]
BinaryName = "{runc}"
"""


def network(place: Path) -> str:
    """Return the one network of the pods: a bridge, which is their gateway."""
    addresses = {"type": "host-local", "ranges": [[{"subnet": SUBNET}]], "routes": [{"dst": "0.0.0.0/0"}]}
    bridge = {"type": "bridge", "bridge": BRIDGE, "isGateway": True, "hairpinMode": True}
    plugin = bridge | {"ipam": addresses | {"dataDir": str(place / "addresses")}}
    return json.dumps({"cniVersion": "1.0.0", "name": "atmpl", "plugins": [plugin]})


def kubelet(place: Path, cgroup: str) -> str:
    """Return the kubelet's configuration. It lets anybody in: only what runs in this network can reach it."""
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
        "podLogsDir": str(place / "logs"),
        "clusterDNS": ["10.0.0.10"],  # nobody answers there; nothing here asks
        "clusterDomain": "cluster.local",
        "resolvConf": str(place / "resolv.conf"),
        "healthzPort": 0,
        "registerWithTaints": [],
    }
    return yaml.safe_dump(configuration)
