"""Comparing resourceVersions."""

import pytest

from atmpl.controller.objects import is_older_version

PAIRS: dict[str, tuple[str, str, bool]] = {
    "older": ("9", "10", True),
    "newer": ("10", "9", False),
    "the same": ("10", "10", False),
    "longer than any integer that is converted": ("9" * 5000, "1" + "0" * 5000, True),
    "no number": ("abc", "10", False),
    "no number to compare with": ("10", "abc", False),
    "nothing": ("", "10", False),
    "a negative number": ("-5", "10", False),
}


@pytest.mark.parametrize(("version", "than", "older"), PAIRS.values(), ids=PAIRS)
def test_resource_versions_compare_as_numbers(version: str, than: str, older: bool) -> None:
    assert is_older_version(version, than) is older
