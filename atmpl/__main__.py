"""Entry point of `atmpl`, `kubectl atmpl` and `python -m atmpl`. It handles Ctrl-C also while modules are imported."""

import gc
import sys

INTERRUPTED = 130  # the shell's status after Ctrl-C


def main() -> int:
    """Run the command line of this process and return its exit status."""
    try:
        from atmpl.cli.main import main  # noqa: PLC0415 - it takes a tenth of a second, in which Ctrl-C can come

        return main()
    except KeyboardInterrupt:
        return INTERRUPTED
    finally:
        gc.freeze()  # the interpreter would look for garbage among all modules before it ends: 0.03 s


if __name__ == "__main__":
    sys.exit(main())
