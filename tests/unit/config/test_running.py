"""config/README.md is complete: it has every reason, warning, message and folder."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from atmpl.controller.cluster import ClusterError, ForbiddenError, InvalidError, UnavailableError
from atmpl.controller.outcome import Reason, Retry, WarningReason
from atmpl.controller.reconcile import outcome_of_error
from atmpl.template.render_warnings import MESSAGES

CONFIG = Path(__file__).parents[3] / "config"
PAGE = (CONFIG / "README.md").read_text()


def rows(heading: str) -> list[str]:
    """The first cells of the table with that heading."""
    table = PAGE.partition(f"| {heading} |")[2].partition("\n\n")[0]
    return [line.split(" | ")[0].removeprefix("| ").strip("`") for line in table.splitlines()[2:]]


def test_every_reason_has_its_row() -> None:
    assert list(dict.fromkeys(rows("reason"))) == ["(none)", *Reason]  # some have one for each message


@pytest.mark.parametrize("error", [ForbiddenError, UnavailableError, InvalidError])
def test_message_of_each_failed_call_has_its_row(error: type[ClusterError]) -> None:
    outcome = outcome_of_error(error("message of the server"))
    assert isinstance(outcome, Retry)
    opening = outcome.message.removesuffix(": message of the server")
    assert f"\n| `{outcome.reason}` | `{opening}`: " in PAGE


def test_every_warning_has_its_row() -> None:
    assert rows("warning") == [*MESSAGES, *WarningReason]


def test_every_folder_has_its_row() -> None:
    assert sorted(rows("folder")) == sorted(path.name for path in CONFIG.iterdir() if path.is_dir())


def test_named_files_exist() -> None:
    links = re.findall(r"\]\(([^)#]+)", PAGE)
    assert links
    for path in [*links, *(CONFIG.parent / path for path in re.findall(r"config/[\w/.-]+\w", PAGE))]:
        assert (CONFIG / path).exists(), path


def test_its_commands_fit_a_terminal() -> None:
    commands = re.sub(r"^```.*?^```", "", PAGE, flags=re.MULTILINE | re.DOTALL)  # files are not typed
    assert [line for line in commands.splitlines() if line.startswith("    ") and len(line) > 80] == []


@pytest.mark.skipif(shutil.which("jq") is None, reason="no jq here")
def test_log_filter_skips_lines_that_are_not_json() -> None:
    [filter_] = re.findall(r"^ +jq (-\w+) '(.+)'$", PAGE, re.MULTILINE)
    lines = [json.dumps({"request": request, "message": "Rendered"}) for request in ("team-a/web", "team-b/db")]
    log = "\n".join([lines[1], "Thread 0x00007f (most recent call first):", '  File "x.py", line 1 in f', "", lines[0]])
    done = subprocess.run(["jq", *filter_], input=log, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert [json.loads(line)["request"] for line in done.stdout.splitlines()] == ["team-a/web"]


def test_kubectl_reads_no_kustomization_with_f() -> None:
    """For a folder, kubectl applies the other files, and then fails: no cluster has the kind Kustomization."""
    paths = [path.replace("$format", "native") for path in re.findall(r"-f (config/[^\s`]+)", PAGE)]
    assert paths
    assert [path for path in paths if not (CONFIG.parent / path).is_file()] == []
