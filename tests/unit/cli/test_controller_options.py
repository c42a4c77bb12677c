"""The options of `atmpl controller`."""

import argparse

import pytest

from atmpl.cli.controller import add_arguments

BIND = {  # option: host and port; an empty host is every address, IPv4 and IPv6
    "": ("", 8080),
    "--bind=:9000": ("", 9000),
    "--bind=[::]:9000": ("::", 9000),
    "--bind=[::1]:0": ("::1", 0),
    "--bind=127.0.0.1:8080": ("127.0.0.1", 8080),
}


def parse(options: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    return parser.parse_args(options.split())


@pytest.mark.parametrize("option", BIND)
def test_bind_has_host_and_port(option: str) -> None:
    assert parse(option).bind == BIND[option]


def test_namespace_can_be_repeated() -> None:
    assert parse("").namespace == []
    assert parse("--namespace team-a -n team-b").namespace == ["team-a", "team-b"]


def test_invalid_namespace_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as error:
        parse("--namespace team_a")
    assert error.value.code == 2
    assert "team_a" in capsys.readouterr().err
