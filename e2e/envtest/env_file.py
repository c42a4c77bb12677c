"""A file that configures a shell for a server: `. /tmp/.../env`."""

import os
import shlex
import sys
from pathlib import Path

from e2e.envtest.server import Server


def env_file(server: Server) -> Path:
    """Write it into the server's folder and return its path. It sets PATH, and the server for kubectl.

    For bash, zsh and every other shell of POSIX; `PATH` keeps what it has, behind.
    """
    programs = [str(Path(sys.executable).parent), str(server.kubectl_program.parent)]
    env = server.env()
    values = {name: shlex.quote(env[name]) for name in ("KUBECONFIG", "KUBECACHEDIR")}
    values["PATH"] = f'{shlex.quote(os.pathsep.join(programs))}{os.pathsep}"$PATH"'
    path = server.folder / "env"
    path.write_text("".join(f"export {name}={value}\n" for name, value in values.items()))
    return path
