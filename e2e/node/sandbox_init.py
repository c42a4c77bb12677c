"""Prepares network and mounts of a sandbox, then runs a command: `python -m e2e.node.sandbox_init COMMAND...`."""

import os
import subprocess
import sys
from pathlib import Path

from e2e.node.sandbox import FOLDER_VARIABLE
from e2e.node.settings import ADDRESS, BRIDGE, SERVICE, SUBNET

# The kubelet sets these for the whole machine. In the sandbox, files with the same content replace them.
KERNEL = {
    "vm/overcommit_memory": "1",
    "vm/panic_on_oom": "0",
    "kernel/panic": "10",
    "kernel/panic_on_oops": "1",
    "kernel/keys/root_maxkeys": "1000000",
    "kernel/keys/root_maxbytes": "25000000",
}


def prepare(folder: Path) -> None:
    """Create the network and the mounts. Raises subprocess.CalledProcessError."""
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


def redirect_service(port: int) -> None:
    """Redirect the Service address of the API server to its port. This replaces kube-proxy."""
    rule = ("-d", SERVICE, "-p", "tcp", "--dport", "443", "-j", "DNAT", "--to-destination", f"{ADDRESS}:{port}")
    _run("iptables", "--table", "nat", "--append", "PREROUTING", *rule)


def supports_overlay(folder: Path) -> bool:
    """Return True if overlayfs works on a folder's file system. On that of a container it often does not."""
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
    """Prepare the sandbox, then exec the command."""
    prepare(Path(os.environ[FOLDER_VARIABLE]))
    os.execvp(sys.argv[1], sys.argv[1:])


if __name__ == "__main__":
    main()
