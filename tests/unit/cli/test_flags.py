"""kubectl's commands, as they are told to a person, work when pasted."""

import argparse
import shlex

import pytest

from atmpl.cli.options import add_cluster_options, fold, kubectl_command


def parsed(*words):
    add_cluster_options(parser := argparse.ArgumentParser())
    return parser.parse_args(words)


def test_nothing_typed_is_nothing_repeated():
    assert kubectl_command(parsed(), "get vm") == "kubectl get vm"


def test_what_was_typed_goes_to_every_kubectl_of_the_line():
    args = parsed("-n", "team-a", "--context", "my cluster", "--as", "bob", "--as-group", "a", "--as-group", "b")
    options = "--context 'my cluster' --as bob --as-group a --as-group b -n team-a"
    assert kubectl_command(args, "get vm web -o yaml | atmpl render - | kubectl create -f -") == (
        f"kubectl {options} get vm web -o yaml | atmpl render - | kubectl {options} create -f -"
    )


def test_an_administrators_command_is_left_as_it_is():
    assert kubectl_command(parsed("-n", "team-a"), "kubectl apply -k config/rbac") == "kubectl apply -k config/rbac"


LONG = f"kubectl get template {'x' * 60} -o yaml | atmpl process - | kubectl create -f -"


def test_a_long_line_is_continued_before_its_pipe():
    assert fold(LONG).replace("\\\n", "").split() == LONG.split()
    assert "\\\n        | atmpl" in fold(LONG)


@pytest.mark.parametrize("line", ["kubectl get vm", f"kubectl get vm {'x' * 90}"])
def test_a_line_that_cannot_be_continued_or_need_not_stays(line):
    assert fold(line) == line
    assert shlex.split(fold(LONG))[-1] == "-"
