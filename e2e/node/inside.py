"""What a place needs before a node can live in it: `python -m e2e.node.inside COMMAND...`, run in new namespaces."""

import os
import subprocess
import sys
from pathlib import Path

from e2e.node.place import VARIABLE
from e2e.node.settings import ADDRESS, BRIDGE, SERVICE, SUBNET

# What the kubelet sets for the whole machine. In here it finds them set: files stand in their place.
KERNEL = {
    "vm/overcommit_memory": "1",
    "vm/panic_on_oom": "0",
    "kernel/panic": "10",
    "kernel/panic_on_oops": "1",
    "kernel/keys/root_maxkeys": "1000000",
    "kernel/keys/root_maxbytes": "25000000",
}


def prepare(folder: Path) -> None:
    """Make the network and the mounts. Raises subprocess.CalledProcessError."""
    _run("mount", "--make-rshared", "/")
    _run("mount", "-t", "tmpfs", "tmpfs", "/run")
    settings = folder / "kernel"
    for number, (name, value) in enumerate(KERNEL.items()):
        settings.mkdir(exist_ok=True)
        (settings / str(number)).write_text(f"{value}\n")
        _run("mount", "--bind", settings / str(number), Path("/proc/sys", name))
    _run("ip", "link", "set", "lo", "up")
    _run("ip", "link", "add", BRIDGE, "type", "bridge")
    _run("ip", "address", "add", f"{ADDRESS}/{SUBNET.partition('/')[2]}", "dev", BRIDGE)
    _run("ip", "link", "set", BRIDGE, "up")
    _run("hostname", "node")


def serve_at(port: int) -> None:
    """Lead pods that look for the API server at its service's address to where it is: all of kube-proxy's work here."""
    rule = ("-d", SERVICE, "-p", "tcp", "--dport", "443", "-j", "DNAT", "--to-destination", f"{ADDRESS}:{port}")
    _run("iptables", "--table", "nat", "--append", "PREROUTING", *rule)


def overlays(folder: Path) -> bool:
    """Whether a folder's file system can be the layers of an overlay; a container's own often cannot."""
    trial = folder / "overlay"
    lower, upper, work, merged = (trial / name for name in ("lower", "upper", "work", "merged"))
    for made in (lower, upper, work, merged):
        made.mkdir(parents=True)
    options = f"lowerdir={lower},upperdir={upper},workdir={work}"
    command = ("mount", "-t", "overlay", "overlay", "-o", options, merged)
    if subprocess.run(command, capture_output=True, check=False).returncode:
        return False
    _run("umount", merged)
    return True


def _run(*command: str | Path) -> None:
    subprocess.run(command, check=True)


def main() -> None:
    """Prepare the place, then become the command."""
    prepare(Path(os.environ[VARIABLE]))
    os.execvp(sys.argv[1], sys.argv[1:])


if __name__ == "__main__":
    main()
