"""The `atmpl` command."""


def main() -> int:
    """To come."""
    raise NotImplementedError
