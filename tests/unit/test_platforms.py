"""What Windows needs is importable without the modules and signals of POSIX (emulated)."""

import subprocess
import sys
from pathlib import Path

CHECKOUT = Path(__file__).parents[2]
WITHOUT_POSIX = """
import asyncio, importlib, multiprocessing.pool, os, pkgutil, signal, socket, sys
import aiohttp, blockbuster, hypothesis, pytest  # they have versions for Windows
for name in ("fcntl", "grp", "pty", "pwd", "resource", "termios", "tty", "uvloop"):
    sys.modules[name] = None
for name in ("SIGHUP", "SIGKILL", "SIGSTOP", "SIGUSR1", "SIGUSR2"):
    delattr(signal, name)
for name in ("fork", "geteuid", "killpg", "mkfifo", "setsid", "uname"):
    delattr(os, name)
del socket.AF_UNIX
import atmpl, tests.conftest, tests.support
packages = (atmpl, tests.support)
modules = [it.name for package in packages for it in pkgutil.walk_packages(package.__path__, f"{package.__name__}.")]
for name in modules:
    if not name.endswith("__main__"):
        importlib.import_module(name)
print(len(modules) > 100)
"""


def test_all_modules_import_without_posix() -> None:
    command = [sys.executable, "-c", WITHOUT_POSIX]
    done = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=False)
    assert (done.stdout, done.returncode) == ("True\n", 0), done.stderr
