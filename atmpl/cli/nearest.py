"""What a misspelt word was most likely meant to be."""

from collections.abc import Iterable


def nearest(word: str, known: Iterable[str]) -> str:
    """Return `; did you mean X?` for the one of `known` that `word` comes nearest to, else nothing."""
    import difflib  # noqa: PLC0415 - only where something is misspelt

    near = difflib.get_close_matches(word, list(known), n=1)
    return f"; did you mean {near[0]}?" if near else ""
