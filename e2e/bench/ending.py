"""How a run ends: in a report, and in files where a folder is named for them; or in the word why there is no report."""

import asyncio
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from e2e.bench.errors import FAILURES

T = TypeVar("T")


def report(
    run: Coroutine[Any, Any, T], folder: Path | None, name: str, *, md: Callable[[T], str], **more: Callable[[T], str]
) -> int:
    """Run, print the report that `md` makes, and return the exit status. Ends the process where FAILURES end the run.

    The folder gets the figures as NAME.json, the report, and what `more` makes, each by its file's ending.
    """
    try:
        found = asyncio.run(run)
    except FAILURES as error:
        sys.exit(f"nothing to report: {error}")
    text = md(found)
    print(text)
    if folder:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{name}.json").write_bytes(msgspec.json.format(msgspec.json.encode(found)))
        (folder / f"{name}.md").write_text(text)
        for ending, made in more.items():
            (folder / f"{name}.{ending}").write_text(made(found))
        print(f"written to {folder}")
    return 0
