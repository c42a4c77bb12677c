"""What a misspelt word was most likely meant to be."""

from collections.abc import Iterable

_ALIKE = 0.55  # of difflib's ratio; MEMORY and REQUESTS_MEMORY are alike


def nearest(word: str, known: Iterable[str]) -> str:
    """Return `; did you mean X?` for the one of `known` that `word` comes nearest to, in any case, else nothing."""
    import difflib  # noqa: PLC0415 - only where something is misspelt

    words = {_plain(each): each for each in known}
    near = difflib.get_close_matches(_plain(word), words, n=1, cutoff=_ALIKE)
    return f"; did you mean {words[near[0]]}?" if near else ""


def _plain(word: str) -> str:
    return word.upper().replace("-", "_")
