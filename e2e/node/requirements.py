"""The requirements of a node."""

import os
import shutil
import subprocess
import sys

from e2e.node import settings
from e2e.node.sandbox import UNSHARE, hierarchies

COMMANDS = {"ip": "iproute2", "iptables": "iptables", "unshare": "util-linux", "mount": "mount"}  # Debian's packages
CONTROLLERS = {"cpu", "cpuset", "memory", "pids"}

_TRIAL_SCRIPT = (
    "mount -t tmpfs tmpfs /run && ip link add cni0 type bridge && "
    f"iptables -t nat -A PREROUTING -d {settings.SERVICE} -p tcp --dport 443 -j DNAT --to {settings.ADDRESS}:6443"
)


def unmet_requirement() -> str | None:
    """Return why no node can run on this machine, or None if one can."""
    if sys.platform != "linux" or os.geteuid() != 0:
        return "a node requires Linux and root"
    for command, package in COMMANDS.items():
        if shutil.which(command) is None:
            return f"{command} is missing: apt-get install {package}"
    if settings.plugins() is None:
        return "network plugins are missing: apt-get install containernetworking-plugins"
    if lacking := CONTROLLERS - _controllers():
        return f"cgroups cannot be created: {', '.join(sorted(lacking))}"
    tried = subprocess.run([*UNSHARE, "sh", "-c", _TRIAL_SCRIPT], capture_output=True, text=True, check=False)
    if tried.returncode:
        return f"namespaces with a bridge and an iptables rule cannot be created: {tried.stderr.strip()}"
    return None


def _controllers() -> set[str]:
    """Return the cgroup controllers, of version 1 or 2, that allow creating a group."""
    found: set[str] = set()
    for hierarchy in hierarchies():
        if os.access(hierarchy, os.W_OK) and not os.statvfs(hierarchy).f_flag & os.ST_RDONLY:
            version2 = hierarchy / "cgroup.controllers"
            found |= set(version2.read_text().split()) if version2.exists() else set(hierarchy.name.split(","))
    return found
