"""Errors of wrong usage show what to type instead."""

import sys

import pytest

from tests.support.cli_runner import typed

MEANT = {
    "the virtual machine without its option": (
        ["create", "web"],
        "the following arguments are required: --vm; did you mean --vm web?",
    ),
    "the virtual machine behind a misspelt option": (
        ["create", "--vmm=web"],
        "the following arguments are required: --vm; did you mean --vm?",
    ),
    "the virtual machine with its namespace": (
        ["create", "--vm", "team-a/web"],
        "argument --vm: 'team-a/web' is not a valid name; write --vm web, and its namespace as --vm-namespace",
    ),
    "no virtual machine at all": (["create", "-n", "a"], "the following arguments are required: --vm"),
    "a file named as kubectl has it": (
        ["render", "-f", "vm.yaml"],
        "unrecognized arguments: -f; name the FILE without -f",
    ),
    "a file named as oc process has it": (
        ["process", "--filename", "t.yaml"],
        "unrecognized arguments: --filename; name the FILE without --filename",
    ),
    "a file, where a VM in the cluster is meant": (
        ["create", "-f", "vm.yaml"],
        "the following arguments are required: --vm of one in the cluster; for a file, use atmpl render FILE",
    ),
    "a file, where a template in the cluster is meant": (
        ["instantiate", "--filename=t.yaml"],
        "the following arguments are required: --template of one in the cluster; for a file, use atmpl process FILE",
    ),
    "a namespace without a cluster": (
        ["process", "-n", "team", "t.yaml"],
        "unrecognized arguments: -n t.yaml; atmpl process has no -n: use kubectl apply -n NAMESPACE",
    ),
    "two files": (["process", "a", "b"], "unrecognized arguments: b; name one FILE"),
    "two files to convert": (["convert", "a", "b"], "unrecognized arguments: b; name one FILE"),
    "a file as the form of the output": (
        ["render", "-o", "x.yaml"],
        "argument -o/--output: 'x.yaml' is not one of yaml, json; did you mean --output-file x.yaml?",
    ),
    "a letter that is not an option": (["create", "--vm", "web", "-A"], "unrecognized arguments: -A"),
    "an option as a command": (["help"], "help is not a command; did you mean --help?"),
    "another option as a command": (["version"], "version is not a command; did you mean --version?"),
    "two parameters behind one option": (
        ["process", "t.yaml", "-p", "A=1", "B=2"],
        "unrecognized arguments: B=2; did you mean -p B=2?",
    ),
    "a word too many where there are no parameters": (["create", "--vm", "a", "B=2"], "unrecognized arguments: B=2"),
    "an option of few words without one": (
        ["create", "--vm", "web", "--dry-run"],
        "argument --dry-run: expected one argument; write one of client, server",
    ),
    "an option with a short form without its word": (
        ["render", "-o"],
        "argument -o/--output: expected one argument; write one of yaml, json",
    ),
    "an option of any word without one": (["create", "--vm"], "argument --vm: expected one argument"),
    "a shell's script without a shell": (
        ["completion"],
        "the following arguments are required: SHELL; write one of bash, zsh, fish, powershell",
    ),
    "an option of oc process": (
        ["process", "t.yaml", "--parameters"],
        "unrecognized arguments: --parameters; did you mean --print-params?",
    ),
    "an option of virtctl": (
        ["process", "t.yaml", "--param-file=a.env"],
        "unrecognized arguments: --param-file=a.env; did you mean --params-file?",
    ),
    "an option of oc that is not needed": (
        ["process", "t.yaml", "--local"],
        "unrecognized arguments: --local; leave --local out",
    ),
    "an option of another command": (
        ["render", "--vm-name", "a"],
        "unrecognized arguments: --vm-name; did you mean --name?",
    ),
    "an option that only begins as others do": (
        ["create", "--vm", "web", "--template", "a"],
        "unrecognized arguments: --template a",
    ),
    "a value in another case": (
        ["render", "--identity", "fresh"],
        "argument --identity: 'fresh' is not one of Fresh, Preserve; did you mean Fresh?",
    ),
    "parameters of a template that is not made yet": (
        ["render", "vm.yaml", "--print-params"],
        "unrecognized arguments: --print-params; use atmpl process FILE --print-params",
    ),
    "the same, as oc process has it": (
        ["render", "vm.yaml", "--parameters"],
        "unrecognized arguments: --parameters; use atmpl process FILE --print-params",
    ),
    "a value for a template in the cluster": (
        ["create", "--vm", "web", "-p", "CPU_CORES=2"],
        "unrecognized arguments: -p CPU_CORES=2; use atmpl instantiate --template NAME -p NAME=VALUE",
    ),
    "a VM in the cluster, where files are read": (
        ["render", "--vm", "web"],
        "unrecognized arguments: --vm; use atmpl create --vm NAME",
    ),
    "a shell that is not supported": (
        ["completion", "tcsh"],
        "argument SHELL: 'tcsh' is not one of bash, zsh, fish, powershell",
    ),
    "a value with a typo": (
        ["render", "--secrets", "Extrac"],
        "argument --secrets: 'Extrac' is not one of Preserve, Require, Extract; did you mean Extract?",
    ),
    "a command without its template": (
        ["instantiate", "web"],
        "the following arguments are required: --template; did you mean --template web?",
    ),
    "an option before the command": (
        ["-n", "team-a", "create", "--vm", "web"],
        "-n belongs after the command: atmpl create -n ...",
    ),
    "one file, where a template in the cluster can be meant": (
        ["diff", "web-template"],
        "name two files, the template and the virtual machine, not 1; or a --template in the cluster",
    ),
}


@pytest.mark.parametrize("case", MEANT)
def test_wrong_usage_gets_a_suggestion(case):
    words, sentence = MEANT[case]
    came = typed(*words)
    assert (came.status, came.out) == (2, "")
    assert came.err.splitlines()[0] == f"error: {sentence}"


def test_plugin_option_belongs_after_its_command(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["/usr/bin/kubectl-atmpl"])
    came = typed("--context", "kind", "diff", "--template", "web")
    assert came.err.startswith("error: --context belongs after the command: kubectl atmpl diff --context ...\n")


def test_help_may_precede_the_command():
    assert typed("--help", "create").status == 0
