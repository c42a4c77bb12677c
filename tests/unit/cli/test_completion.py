"""Tab completes commands, options and a template's own parameters, in every shell and under kubectl."""

import io
import os
import shutil
import subprocess
import sys
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import yaml
from aiohttp import web

from atmpl.cli import client, completion
from tests.support.cli_runner import typed
from tests.support.platforms import posix
from tests.support.scripted_server import Script, connected, status
from tests.unit.cli.test_process import TEMPLATE


def found(value):
    async def act(_):
        return web.json_response(value)

    return act


COMPLETIONS = {
    "the commands": ("", ["render", "process", "create", "instantiate", "convert", "diff", "controller", "completion"]),
    "a command": ("ren", ["render"]),
    "an option": ("render --for", ["--format"]),
    "an option's values": ("render --format ", ["openshift", "native"]),
    "an option that is kubectl's": ("create --names", ["--namespace"]),
    "values of a request's field": ("create --vm web --refresh ", ["Once", "OnChange"]),
    "a format of the template to compare": ("diff --format ", ["openshift", "native"]),
    "the parameters of the template that was named": ("process t.yaml -p ", ["MEMORY=", "CORES=", "PASSWORD="]),
    "a parameter begun": ("process t.yaml -p ME", ["MEMORY="]),
    "the templates of a file": ("process t.yaml --template ", ["web"]),
    "the templates of a file to convert": ("convert t.yaml --template w", ["web"]),
    "no templates of another name": ("process t.yaml --template x", []),
    "a file as a value": ("process t.yaml -p MEMORY=@key", ["MEMORY=@key.pub", "MEMORY=@keys/"]),
    "a file in a directory": ("process t.yaml -p MEMORY=@./keys/a", ["MEMORY=@./keys/a.pub"]),
    "a file in the home directory": ("process t.yaml -p MEMORY=@~/key.", ["MEMORY=@~/key.pub"]),
    "no parameters where there is no such template": ("process t.yml -p ", []),
    "no parameters where standard input would be read": ("process - -p ", []),
}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "t.yaml").write_text(TEMPLATE)
    (tmp_path / "key.pub").touch()
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys" / "a.pub").touch()
    return tmp_path


BASH = """\
PATH="$1:$PATH"
source <(atmpl completion bash)
COMP_LINE="atmpl $2" COMP_TYPE=9 COMP_POINT=${#COMP_LINE} COMPREPLY=()
COMP_POINT=${#COMP_LINE}
_python_argcomplete atmpl
printf '%s\\n' "${COMPREPLY[@]}"
"""


# bash uses the same parser as kubectl: one case of each kind of word
BASH_CASES = ["a command", "an option's values", "the parameters of the template that was named"]


@posix("a bash with POSIX paths")
@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash")
@pytest.mark.parametrize("case", BASH_CASES)
def test_bash_completes(case, folder):
    line, answers = COMPLETIONS[case]
    ran = subprocess.run(
        ["bash", "-c", BASH, "bash", str(Path(sys.executable).parent), line],
        capture_output=True,
        text=True,
        check=True,
        stdin=subprocess.DEVNULL,
    )
    assert (ran.stdout.split(), ran.stderr) == (answers, "")


@posix("a bash with POSIX paths")
@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash")
def test_bash_completes_a_file_as_a_value(folder):
    """The candidates begin after the last of COMP_WORDBREAKS."""
    words = ["bash", "-c", BASH, "bash", str(Path(sys.executable).parent), "process t.yaml -p MEMORY=@key."]
    ran = subprocess.run(words, capture_output=True, text=True, check=True, stdin=subprocess.DEVNULL)
    assert (ran.stdout.split(), ran.stderr) == (["key.pub"], "")


@pytest.fixture
def candidates_for_kubectl(monkeypatch):
    """Return a function that returns the lines that kubectl gets for words."""

    def lines(*words):
        with monkeypatch.context() as patch:
            patch.setattr(sys, "argv", ["kubectl_complete-atmpl", *words])
            patch.setattr(os, "environ", os.environ.copy())
            patch.setattr(sys, "stdout", stdout := io.TextIOWrapper(io.BytesIO()))
            patch.setattr(os, "fdopen", None)  # argcomplete would open descriptor 9 for its log
            completion.kubectl()
            stdout.flush()
            return stdout.buffer.getvalue().decode().splitlines()

    return lines


@pytest.mark.parametrize("case", COMPLETIONS)
def test_kubectl_completes(case, folder, candidates_for_kubectl):
    line, answers = COMPLETIONS[case]
    *candidates, _directive = candidates_for_kubectl(*line.split(), *([""] if line[-1:] in ("", " ") else []))
    assert [each.split("\t")[0] for each in candidates] == answers


def test_kubectl_gets_candidates_with_their_help(candidates_for_kubectl):
    assert candidates_for_kubectl("rend") == ["render\tturn virtual machines into templates; needs no cluster", ":0"]
    assert candidates_for_kubectl("process", "") == [":0"]


def test_kubectl_adds_no_space_before_a_value(folder, candidates_for_kubectl):
    assert candidates_for_kubectl("process", "t.yaml", "-p", "M") == ["MEMORY=\tMemory", ":2"]


def test_value_is_completed_after_its_name(folder, candidates_for_kubectl):
    assert candidates_for_kubectl("process", "t.yaml", "-p", "MEMORY=") == ["MEMORY=1Gi\tMemory", ":0"]


def test_a_name_with_spaces_is_one_word_to_kubectl(folder, candidates_for_kubectl):
    (folder / "t.yaml").rename(folder / "my t.yaml")
    assert candidates_for_kubectl("process", "my t.yaml", "-p", "M")[0] == "MEMORY=\tMemory"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish", "powershell"])
def test_the_script_of_each_shell_names_the_command(shell):
    came = typed("completion", shell)
    assert (came.status, came.err) == (0, "")
    assert "atmpl" in came.out


def test_another_shell_is_wrong_usage():
    assert typed("completion", "cmd.exe").status == 2


@pytest.mark.skipif(shutil.which("fish") is None, reason="no fish")
def test_fish_completes(folder):
    ran = subprocess.run(
        ["fish", "-c", "atmpl completion fish | source; complete -C 'atmpl process t.yaml -p ME'"],
        env={**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"},
        capture_output=True, text=True, check=True, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert ran.stdout.split() == ["MEMORY=", "Memory"]


LIST = {"items": [{"metadata": {"name": name}} for name in ("web", "web-2", "db", "\x1b[2J")]}
TEMPLATE_IN_CLUSTER = yaml.safe_load(TEMPLATE) | {"metadata": {"name": "web", "namespace": "team-a", "uid": "1"}}
IN_CLUSTER = {
    "virtual machines": (["create", "--vm", "w"], [found(LIST)], ["web", "web-2"]),
    "templates of both formats": (["instantiate", "--template", "d"], [found(LIST), status(404), found(LIST)], ["db"]),
    "templates of one format": (
        ["diff", "--format", "native", "--template", ""],
        [found(LIST), status(404)],
        ["web", "web-2", "db"],
    ),
    "parameters of a template": (
        ["instantiate", "--template", "web", "-p", "M"],
        [found(TEMPLATE_IN_CLUSTER), status(404, "NotFound")],
        ["MEMORY="],
    ),
    "templates of another namespace": (
        ["instantiate", "--template-namespace", "golden", "--format", "openshift", "--template", "d"],
        [found(LIST)],
        ["db"],
    ),
    "parameters of a template of another namespace": (
        ["instantiate", "--template", "web", "--template-namespace", "golden", "-p", "M"],
        [found(TEMPLATE_IN_CLUSTER), status(404, "NotFound")],
        ["MEMORY="],
    ),
    **{
        f"namespaces for {' '.join(words)}": ([*words, "w"], [found(LIST)], ["web", "web-2"])
        for words in (["instantiate", "--template-namespace"], ["diff", "--vm-namespace"], ["create", "-n"])
    },
    "a cluster that refuses": (["create", "--vm", "w"], [status(403, "Forbidden")], []),
}


@pytest.mark.parametrize("case", IN_CLUSTER)
def test_names_in_the_cluster_are_completed(case, monkeypatch, candidates_for_kubectl):
    words, acts, expected = IN_CLUSTER[case]
    script = Script(*acts)

    @asynccontextmanager
    async def open_cluster(_, *, interactive):
        assert not interactive  # a plugin must not prompt for a password at Tab
        async with connected(script) as connection:
            yield client.ClusterClient(connection, "team-a", "https://cluster:6443")

    monkeypatch.setattr(client, "open_cluster", open_cluster)
    *candidates, _ = candidates_for_kubectl(*words)
    assert [each.partition("\t")[0] for each in candidates] == expected
    if "--template-namespace" in words and "golden" in words:
        assert {call.path.split("/")[5] for call in script.calls} == {"golden"}


def test_completion_without_a_cluster_is_silent():
    program = "import sys; from atmpl.cli.completion import kubectl; sys.exit(kubectl())"
    words = ["create", "--kubeconfig", "/nonexistent", "--vm", ""]
    ran = subprocess.run([sys.executable, "-c", program, *words], capture_output=True, text=True, check=True)
    assert (ran.stdout, ran.stderr) == (":0\n", "")
