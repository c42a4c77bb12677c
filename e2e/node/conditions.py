"""Whether a node can run on this machine, and if not, why."""

import os
import shutil
import subprocess
import sys

from e2e.node import settings
from e2e.node.place import UNSHARE, hierarchies

COMMANDS = {"ip": "iproute2", "iptables": "iptables", "unshare": "util-linux", "mount": "mount"}  # Debian's packages
CONTROLLERS = {"cpu", "cpuset", "memory", "pids"}

_TRIAL = (
    "mount -t tmpfs tmpfs /run && ip link add cni0 type bridge && "
    f"iptables -t nat -A PREROUTING -d {settings.SERVICE} -p tcp --dport 443 -j DNAT --to {settings.ADDRESS}:6443"
)


def why_not() -> str | None:
    """Return why no node can run here, or None where one can."""
    if sys.platform != "linux" or os.geteuid() != 0:
        return "a node takes Linux and root"
    for command, package in COMMANDS.items():
        if shutil.which(command) is None:
            return f"there is no {command} here: apt-get install {package}"
    if settings.plugins() is None:
        return "there are no network plugins here: apt-get install containernetworking-plugins"
    if lacking := CONTROLLERS - _controllers():
        return f"no cgroups of {', '.join(sorted(lacking))} can be made here"
    tried = subprocess.run([*UNSHARE, "sh", "-c", _TRIAL], capture_output=True, text=True, check=False)
    if tried.returncode:
        return f"namespaces of their own, with a bridge and a rule, cannot be had here: {tried.stderr.strip()}"
    return None


def _controllers() -> set[str]:
    """Return the cgroup controllers under which a group can be made, whichever version has them."""
    found: set[str] = set()
    for hierarchy in hierarchies():
        if os.access(hierarchy, os.W_OK) and not os.statvfs(hierarchy).f_flag & os.ST_RDONLY:
            version2 = hierarchy / "cgroup.controllers"
            found |= set(version2.read_text().split()) if version2.exists() else set(hierarchy.name.split(","))
    return found
