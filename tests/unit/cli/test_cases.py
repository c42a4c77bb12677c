"""The cases of ../shared/cases: small inputs, command lines, and what must hold of their results."""

import pytest

from tests.support import cases
from tests.support.shared_data import needs_shared

pytestmark = needs_shared

GROUPS = ("safe", "usable", "extract", "cli")
CASES = cases.cases(*GROUPS)


@pytest.mark.parametrize(("name", "format"), cases.runs(CASES))
def test_case_holds(name, format, tmp_path):
    cases.check(CASES[name], format, tmp_path)
