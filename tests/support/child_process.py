"""Start programs in tests, so that a test that fails does not wait for its program."""

import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any


@contextmanager
def started(command: Sequence[str | Path], **options: Any) -> Iterator[subprocess.Popen[Any]]:
    """Start a program, with the options of Popen. At the end, wait for it; kill it first if the test failed.

    `with Popen(...)` alone waits after a failure too: a test that has exceeded its limit would hang forever.
    """
    with subprocess.Popen(command, **options) as process:
        try:
            yield process
        except BaseException:
            process.kill()
            raise
