"""Suggested commands have the typed options."""

import argparse

import pytest

from atmpl.cli.options import add_cluster_options, fold, kubectl_command


def parsed(*words):
    add_cluster_options(parser := argparse.ArgumentParser())
    return parser.parse_args(words)


def test_command_without_options_is_short():
    assert kubectl_command(parsed(), "get vm") == "kubectl get vm"


def test_typed_options_go_to_kubectl_and_atmpl():
    args = parsed("-n", "team-a", "--context", "my cluster", "--as", "bob", "--as-group", "a", "--as-group", "b")
    options = "--context 'my cluster' --as bob --as-group a --as-group b -n team-a"
    assert kubectl_command(args, "get vm") == f"kubectl {options} get vm"
    assert kubectl_command(args, "atmpl instantiate -p A=") == f"atmpl instantiate -p A= {options}"
    assert kubectl_command(parsed(), "atmpl instantiate") == "atmpl instantiate"


def test_kubectl_plugin_suggests_itself(monkeypatch):
    monkeypatch.setattr("sys.argv", ["/bin/kubectl-atmpl"])
    assert kubectl_command(parsed(), "atmpl instantiate -p A=") == "kubectl atmpl instantiate -p A="


def test_command_with_kubectl_is_unchanged():
    assert kubectl_command(parsed("-n", "team-a"), "kubectl apply -k config/rbac") == "kubectl apply -k config/rbac"
    assert kubectl_command(parsed("-n", "team-a"), "get vm -n team-b") == "kubectl get vm -n team-b"


LONG = f"atmpl instantiate --template {'x' * 60} -p A= -p B= -n team-a"


def test_long_line_is_continued_before_each_value():
    assert fold(LONG).replace("\\\n", "").split() == LONG.split()
    assert "\\\n        -p B= -n team-a" in fold(LONG)


@pytest.mark.parametrize("line", ["atmpl instantiate -p A=", f"kubectl get vm {'x' * 90}"])
def test_short_command_is_not_folded(line):
    assert fold(line) == line
