"""What config/README.md says to whoever runs the cluster is complete, and as the code has it."""

import re
from pathlib import Path

from atmpl.controller.outcome import Reason, WarningReason
from atmpl.template.warnings import MESSAGES

CONFIG = Path(__file__).parents[2] / "config"
PAGE = (CONFIG / "README.md").read_text()


def rows(heading: str) -> list[str]:
    """The first cells of the table with that heading."""
    table = PAGE.partition(f"| {heading} |")[2].partition("\n\n")[0]
    return [line.split(" | ")[0].removeprefix("| ").strip("`") for line in table.splitlines()[2:]]


def test_every_reason_has_its_row() -> None:
    assert rows("reason") == ["(none)", *Reason]


def test_every_warning_has_its_row() -> None:
    assert rows("warning") == [*MESSAGES, *WarningReason]


def test_every_folder_has_its_row() -> None:
    assert sorted(rows("folder")) == sorted(path.name for path in CONFIG.iterdir() if path.is_dir())


def test_what_it_names_is_there() -> None:
    links = re.findall(r"\]\(([^)#]+)", PAGE)
    assert links
    for path in [*links, *(CONFIG.parent / path for path in re.findall(r"config/[\w/.-]+\w", PAGE))]:
        assert (CONFIG / path).exists(), path


def test_its_commands_fit_a_terminal() -> None:
    assert [line for line in PAGE.splitlines() if line.startswith("    ") and len(line) > 80] == []
