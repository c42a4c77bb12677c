"""JSON that is nested deeper than our decoders go.

An API server stores 10,000 levels, and whoever may write an object at all may nest that many in its managedFields; the
decoders here give up near 1,000. Nothing that is looked at stands anywhere near as deep, so what does is left out.
"""

import re
from typing import Final

MAX_DEPTH: Final = 500  # levels that stay: more than any template may have, so that a VM which is too deep still is

_TOKEN: Final = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|[\[{]|[\]}]', re.DOTALL)


def prune_deep_json(text: bytes) -> bytes:
    """Return a JSON text with `null` for each object and list that stands inside DEEPEST others. Linear, and slow."""
    kept: list[bytes] = []
    level = start = 0
    for token in _TOKEN.finditer(text):
        match text[token.start()]:
            case 0x5B | 0x7B:  # [ {
                level += 1
                if level == MAX_DEPTH + 1:
                    kept += (text[start : token.start()], b"null")
            case 0x5D | 0x7D:  # ] }
                level -= 1
                if level == MAX_DEPTH:
                    start = token.end()
    if level <= MAX_DEPTH:  # else it is no JSON: left for the decoder to say
        kept.append(text[start:])
    return b"".join(kept)
