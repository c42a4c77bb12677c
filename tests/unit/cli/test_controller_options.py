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


@pytest.mark.parametrize("option", BIND)
def test_bind_has_host_and_port(option: str) -> None:
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    assert parser.parse_args(option.split()).bind == BIND[option]
