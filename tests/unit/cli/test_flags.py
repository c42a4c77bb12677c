"""Suggested kubectl commands have the typed options."""

import argparse
import shlex

import pytest

from atmpl.cli.options import add_cluster_options, fold, kubectl_command


def parsed(*words):
    add_cluster_options(parser := argparse.ArgumentParser())
    return parser.parse_args(words)


def test_command_without_options_is_short():
    assert kubectl_command(parsed(), "get vm") == "kubectl get vm"


def test_typed_options_go_to_every_kubectl():
    args = parsed("-n", "team-a", "--context", "my cluster", "--as", "bob", "--as-group", "a", "--as-group", "b")
    options = "--context 'my cluster' --as bob --as-group a --as-group b -n team-a"
    assert kubectl_command(args, "get vm web -o yaml | atmpl render - | kubectl create -f -") == (
        f"kubectl {options} get vm web -o yaml | atmpl render - | kubectl {options} create -f -"
    )


def test_command_with_kubectl_is_unchanged():
    assert kubectl_command(parsed("-n", "team-a"), "kubectl apply -k config/rbac") == "kubectl apply -k config/rbac"


LONG = f"kubectl get template {'x' * 60} -o yaml | atmpl process - | kubectl create -f -"


def test_a_long_line_is_continued_before_its_pipe():
    assert fold(LONG).replace("\\\n", "").split() == LONG.split()
    assert "\\\n        | atmpl" in fold(LONG)


@pytest.mark.parametrize("line", ["kubectl get vm", f"kubectl get vm {'x' * 90}"])
def test_short_command_is_not_folded(line):
    assert fold(line) == line
    assert shlex.split(fold(LONG))[-1] == "-"
