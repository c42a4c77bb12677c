"""A template's parameters as a table."""

import pytest

from atmpl.cli.output import table
from atmpl.template.parameters import Parameter

PARAMETERS = [
    Parameter("DISK0_BUS", "Disk 0 bus", "disk0-bus", "virtio"),
    Parameter(
        "VOLUME0_IMAGE", "Volume 0 image", "volume0-image", "registry:5000/kubevirt/cirros-container-disk-demo:devel"
    ),
    Parameter("VOLUME1_USER_DATA", "Volume 1 user data", "volume1-user-data", "#cloud-config\nusers: []\n"),
    Parameter("PASSWORD", "Password", "The one of cloud-user", required=True),
    Parameter("SUFFIX", generate="expression", from_="[a-z0-9]{5}"),
    Parameter("LABELS", "Labels", "labels: more labels for the VM, a JSON object of strings", "{}"),
    Parameter("NOTE", description="one\ntwo"),
]

TABLE = """\
NAME                VALUE                          MEANING
DISK0_BUS           scsi                           Disk 0 bus
VOLUME0_IMAGE       registry:5000/kubevirt/cirros-container-disk-demo:devel   Volume 0 image
VOLUME1_USER_DATA   #cloud-config (2 lines)        Volume 1 user data
PASSWORD            (required)                     The one of cloud-user
SUFFIX              (generated: [a-z0-9]{5})
LABELS              {}                             more labels for the VM, a JSON object of strings
NOTE                (empty)                        one (2 lines)
"""


def test_table_has_a_line_per_parameter():
    assert table(PARAMETERS, {"DISK0_BUS": "scsi"}) == TABLE


def test_on_a_terminal_no_line_is_wider_than_it():
    lines = table(PARAMETERS, {}, columns=80).splitlines()
    assert max(map(len, lines)) <= 80
    assert lines[6:9] == [
        "LABELS              {}                             more labels for the VM, a",
        "                                                   JSON object of strings",
        "NOTE                (empty)                        one (2 lines)",
    ]


LONG_NAME = "VOLUME1_USER_DATA_RH_SUBSCRIPTION_ACTIVATION_KEY"


@pytest.mark.parametrize("columns", [40, 60, 80, 100])
def test_narrow_terminal_shortens_no_name_and_no_value(columns):
    long = Parameter(LONG_NAME, "Key", f"{'one two three ' * 20}end", "x" * 28)
    lines = table([*PARAMETERS, long], {}, columns).splitlines()
    meanings = [line for line in lines if LONG_NAME not in line and long.value not in line]
    assert max(map(len, meanings)) <= columns
    words = " ".join(lines).split()
    assert words.count("three") == 20
    for each in (*PARAMETERS, long):
        assert each.name in words
    assert long.value in words


def test_value_is_shortened_on_a_terminal_only():
    assert "   registry:5000/kubevirt/cirr…   Volume 0 image\n" in table(PARAMETERS, {}, columns=100)


def test_line_without_a_terminal_is_complete():
    assert f"{'a b ' * 100}c\n" in table([Parameter(LONG_NAME, description=f"{'a b ' * 100}c")], {})


def test_table_without_parameters_is_empty():
    assert table([], {}) == "NAME   VALUE   MEANING\n"


def test_table_has_no_control_characters():
    assert "\x1b" not in table([Parameter("A", description="\x1b[2J", value="a\x1bb\rc")], {})


def test_tiny_terminal_is_no_error():
    assert "meaning" in table([Parameter("A", "meaning", "meaning", "1")], {}, columns=3)
