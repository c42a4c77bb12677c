"""Where `atmpl`, `kubectl atmpl` and `python -m atmpl` begin: Ctrl-C is answered while the rest is still imported."""

import sys

INTERRUPTED = 130  # what a shell reports after Ctrl-C


def main() -> int:
    """Run this process's command line and return its exit status."""
    try:
        from atmpl import cli  # noqa: PLC0415 - it takes a tenth of a second, in which somebody may think better of it

        return cli.main()
    except KeyboardInterrupt:
        return INTERRUPTED


if __name__ == "__main__":
    sys.exit(main())
