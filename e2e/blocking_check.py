"""Detect calls of atmpl that block an event loop: they raise an error, and are recorded.

`python -m e2e.blocking_check controller ...` runs `atmpl controller ...` with the check. At the end, it prints the
recorded calls on standard error, also if atmpl handled the error as another failure.
"""

import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager

import blockbuster.blockbuster
from blockbuster import BlockingError, blockbuster_ctx

# Exceptions: (end of the file's name, function), and the reason.
ALLOWED = {
    # handlers of tests; the controller's own handler never blocks
    ("logging/__init__.py", "emit"),
    # only before the process exits, and in tests
    ("atmpl/manager/logs.py", "flush"),
    # at the start, before the loop has other work: expensive imports, and the namespace
    ("atmpl/kube/auth/__init__.py", "load_credentials"),
    ("atmpl/kube/auth/in_cluster.py", "own_namespace"),
    # kubernetes_asyncio reads a token of a few hundred bytes
    ("kubernetes_asyncio/config/kube_config.py", "_load_user_token"),
    ("kubernetes_asyncio/config/kube_config.py", "_get_base_path"),
    # /proc is not a disk: the kernel writes it from memory
    ("prometheus_client/process_collector.py", "collect"),
    # a test that runs a command inside its own loop: argparse looks for its translation
    ("gettext.py", "find"),
    # pytest's own handlers: one of them writes to /dev/null
    ("_pytest/logging.py", "emit"),
    ("logging/__init__.py", "callHandlers"),
}


@contextmanager
def refused() -> Iterator[list[str]]:
    """Let blocking calls raise an error; yield the list of their stacks."""
    met: list[str] = []

    class NotedError(BlockingError):
        def __init__(self, function: str) -> None:
            super().__init__(function)
            met.append(f"{function} blocks:\n{''.join(traceback.format_stack()[:-2])}")

    usual, blockbuster.blockbuster.BlockingError = BlockingError, NotedError  # type: ignore[misc, assignment]
    try:
        with blockbuster_ctx("atmpl") as buster:
            for function in buster.functions.values():
                for file, name in ALLOWED:
                    function.can_block_in(file, name)
            yield met
    finally:
        blockbuster.blockbuster.BlockingError = usual  # type: ignore[misc]


def main() -> int:
    """Run atmpl, and print the blocking calls."""
    from atmpl.cli.main import main as atmpl  # noqa: PLC0415 - what it does on import counts too

    with refused() as met:
        status = atmpl()
    for where in met:
        print(where, file=sys.stderr)
    return status


if __name__ == "__main__":
    sys.exit(main())
