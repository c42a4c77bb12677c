"""The cases of ../shared/cases: small inputs, command lines, and what must hold of their results."""

import pytest

from tests.support import cases
from tests.support.shared_data import needs_shared

pytestmark = needs_shared

GROUPS = ("safe", "usable", "extract", "cli")
PENDING = {  # cases that need an option of the command line that does not exist yet
    "a-secret-is-always-selected",
    "all",
    "argo-cd",
    "argo-cd-by-label",
    "common",
    "common-by-hand",
    "common-is-enough",
    "console",
    "console-and-native",
    "console-and-own-icon",
    "console-and-patterns",
    "console-listed",
    "console-of-a-bare-machine",
    "exclude",
    "exclude-a-key-with-dots",
    "exclude-beats-include",
    "exclude-the-firmware",
    "extracted-is-not-different",
    "harvester-addresses",
    "include",
    "include-a-name",
    "include-all-but-names",
    "memory-dump",
    "none",
    "none-and-secrets",
    "none-and-text-with-a-reference",
    "nothing-secret-not-selected",
    "own-metadata",
    "references-to-disks-are-no-parameters",
    "reserved-metadata",
    "the-name-is-a-parameter",
    "the-name-is-generated",
    "the-name-is-given",
    "the-name-is-long",
    "the-password-is-generated",
    "the-value-does-not-arrive",
    "unknown-to-kubevirt",
    "unmatched",
    "wrong-words",
}
CASES = {name: case for name, case in cases.cases(*GROUPS).items() if name not in PENDING}


@pytest.mark.parametrize(("name", "format"), cases.runs(CASES))
def test_case_holds(name, format, tmp_path):
    cases.check(CASES[name], format, tmp_path)
