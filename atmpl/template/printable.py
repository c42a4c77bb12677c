"""Text for terminals: control and format characters could change what a terminal shows."""


def printable(text: str, *, keep: str = "") -> str:
    r"""Return `text` with control and format characters escaped as in JSON, except those in `keep`: \u001b.

    Users write parts of every message: names, paths, and texts of other programs. So each output calls this: the
    status, the log and the command's terminal. It does not change the meaning of JSON text.
    """
    if text.isprintable():
        return text
    return "".join(
        character if character.isprintable() or character in keep else _escaped(character) for character in text
    )


def _escaped(character: str) -> str:
    units = character.encode("utf-16-be", "surrogatepass").hex()
    return "".join(f"\\u{units[at : at + 4]}" for at in range(0, len(units), 4))
