"""The command line as a whole: dispatch, errors, exit status."""

import subprocess
import sys
import tomllib
from pathlib import Path
from types import ModuleType

import pytest

import atmpl
from atmpl import __main__ as entry
from atmpl.cli import main as cli
from atmpl.cli.errors import CommandError, UsageError
from tests.support.child_process import started
from tests.support.cli_runner import typed
from tests.support.platforms import posix
from tests.unit.cli.test_render import VM


@pytest.fixture
def toy(monkeypatch):
    """A command `toy` whose `run` a test sets."""
    module = ModuleType("toy")
    module.add_arguments = lambda parser: (parser.add_argument("FILE", nargs="*"), parser.add_argument("--loud"))
    module.run = lambda args: 0
    monkeypatch.setitem(sys.modules, "toy", module)
    monkeypatch.setattr(cli, "COMMANDS", (cli.Entry("toy", "play", "toy"), cli.Entry("tool", "work", "no.such.module")))
    return module


def leaves(words):
    with pytest.raises(SystemExit) as left:
        cli.main(words)
    return left.value.code


def test_exit_status_is_that_of_run(toy):
    toy.run = lambda args: 1
    assert cli.main(["toy"]) == 1


def test_options_may_stand_between_files(toy):
    seen = []
    toy.run = lambda args: seen.append(args) or 0
    cli.main(["toy", "a", "--loud", "very", "b"])
    assert (seen[0].FILE, seen[0].loud) == (["a", "b"], "very")


def test_only_the_typed_command_is_imported(toy):
    assert cli.main(["toy"]) == 0  # that of `tool` does not even exist


def test_help_imports_no_command(toy, capsys):
    assert leaves(["--help"]) == 0
    assert "play" in (help := capsys.readouterr().out)
    assert "work" in help


def test_the_version_is_the_packages(capsys):
    assert leaves(["--version"]) == 0
    assert capsys.readouterr().out == f"atmpl {atmpl.__version__}\n"


def test_command_error_is_exit_status_1(toy, capsys):
    def run(args):
        raise CommandError("vm.yaml: there is no such file")

    toy.run = run
    assert cli.main(["toy"]) == 1
    assert capsys.readouterr().err == "error: vm.yaml: there is no such file\n"


def test_usage_error_points_to_the_help(toy, capsys):
    def run(args):
        raise UsageError("give one file")

    toy.run = run
    assert leaves(["toy"]) == 2
    assert capsys.readouterr().err == "error: give one file\nSee atmpl toy --help.\n"


def test_ctrl_c_ends_a_command_without_a_word(toy, monkeypatch, capsys):
    def run(args):
        raise KeyboardInterrupt

    toy.run = run
    monkeypatch.setattr(sys, "argv", ["atmpl", "toy"])
    assert entry.main() == 130
    assert capsys.readouterr().err == ""


INTERRUPTED = """
import sys

class CtrlC:
    def find_spec(name, path=None, target=None):
        if name == module:
            raise KeyboardInterrupt

module, sys.argv[1:] = sys.argv[1], ["render", "vm.yaml"]
sys.meta_path.insert(0, CtrlC)
from atmpl.__main__ import main
sys.exit(main())
"""


@pytest.mark.parametrize("module", ["argparse", "atmpl.cli.main", "atmpl.cli.parser", "atmpl.cli.render"])
def test_ctrl_c_during_imports_is_silent(module):
    ran = subprocess.run([sys.executable, "-c", INTERRUPTED, module], capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stdout, ran.stderr) == (130, "", "")


@pytest.mark.parametrize("script", ["atmpl", "kubectl-atmpl"])
def test_scripts_start_in_main(script):
    project = tomllib.loads((Path(__file__).parents[3] / "pyproject.toml").read_text())["project"]
    assert project["scripts"][script] == f"{entry.__name__}:{entry.main.__name__}"


WRONG = {
    "no command": ([], "error: no command given\n"),
    "a command misspelt": (["toi"], "error: toi is not a command; did you mean toy?\n"),
    "a command like no other": (["zzz"], "error: zzz is not a command\n"),
    "an unknown option": (["--verbose"], "error: unrecognized arguments: --verbose; did you mean --version?\n"),
    "an unknown option of the command": (["toy", "--quiet"], "error: unrecognized arguments: --quiet\n"),
    "an option abbreviated": (["toy", "--lou", "x"], "error: unrecognized arguments: --lou; did you mean --loud?\n"),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_usage_is_exit_status_2(case, toy, capsys):
    words, sentence = WRONG[case]
    assert leaves(words) == 2
    assert capsys.readouterr().err.startswith(sentence)


def test_help_of_the_plugin_shows_its_command(toy, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["/usr/bin/kubectl-atmpl"])
    assert leaves(["toy", "--help"]) == 0
    assert capsys.readouterr().out.startswith("usage: kubectl atmpl toy ")


def test_closed_pipe_is_no_error():
    program = (
        "import sys, types; from atmpl.cli import main as cli; toy = types.ModuleType('toy'); sys.modules['toy'] = toy;"
        "toy.add_arguments = lambda parser: None; toy.run = lambda args: print('line\\n' * 100_000) or 0;"
        "cli.COMMANDS = (cli.Entry('toy', 'play', 'toy'),); sys.exit(cli.main(['toy']))"
    )
    with started([sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as writer:
        writer.stdout.readline()
        writer.stdout.close()
        assert writer.stderr.read() == b""
    assert writer.returncode == 141


UNWRITABLE = {
    "templates": ["render", "vm.yaml"],
    "objects": ["process", "t.yaml"],
    "a table": ["process", "t.yaml", "--print-params"],
    "a shell's script": ["completion", "bash"],
    "the help": ["--help"],
    "a command's help": ["render", "--help"],
    "the version": ["--version"],
}


@posix("redirections by sh")
@pytest.mark.parametrize("case", UNWRITABLE)
def test_closed_standard_output_is_an_error(case, tmp_path):
    (tmp_path / "vm.yaml").write_text(VM.format(name="web"))
    (tmp_path / "t.yaml").write_text(typed("render", "-", stdin=VM.format(name="web")).out)
    ran = subprocess.run(
        ["sh", "-c", 'exec "$@" >&-', "sh", sys.executable, "-m", "atmpl", *UNWRITABLE[case]],
        cwd=tmp_path, stderr=subprocess.PIPE, text=True, check=False,
    )  # fmt: skip
    assert (ran.returncode, ran.stderr) == (1, "error: standard output: bad file descriptor\n")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
@pytest.mark.parametrize("case", UNWRITABLE)
def test_full_standard_output_is_an_error(case, tmp_path):
    (tmp_path / "vm.yaml").write_text(VM.format(name="web"))
    (tmp_path / "t.yaml").write_text(typed("render", "-", stdin=VM.format(name="web")).out)
    with Path("/dev/full").open("wb") as full:
        ran = subprocess.run(
            [sys.executable, "-m", "atmpl", *UNWRITABLE[case]],
            cwd=tmp_path, stdout=full, stderr=subprocess.PIPE, text=True, check=False,
        )  # fmt: skip
    assert (ran.returncode, ran.stderr) == (1, "error: standard output: no space left on device\n")
