"""What a process has used, as the kernel counts it."""

import os
from pathlib import Path
from typing import NamedTuple

_TICKS = os.sysconf("SC_CLK_TCK")


class Usage(NamedTuple):
    """CPU in seconds (user and system, of all its threads), memory in MiB."""

    cpu: float
    resident: float  # now; VmRSS
    peak: float  # since its start; VmHWM


def usage(pid: int) -> Usage:
    """Read it. Raises FileNotFoundError where the process is gone."""
    of = Path(f"/proc/{pid}")
    after_name = (of / "stat").read_text().rpartition(")")[2].split()
    user, system = int(after_name[11]), int(after_name[12])
    status = dict(line.split(":", 1) for line in (of / "status").read_text().splitlines())
    return Usage((user + system) / _TICKS, _mebibytes(status["VmRSS"]), _mebibytes(status["VmHWM"]))


def _mebibytes(text: str) -> float:
    number, unit = text.split()
    assert unit == "kB", text
    return int(number) / 1024
