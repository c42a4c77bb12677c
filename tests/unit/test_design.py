"""Where the code points at the design: a newcomer who goes there finds what was promised."""

import re
from pathlib import Path

import atmpl
from tests.support.shared_data import SHARED, needs_shared

SECTIONS = {
    1: "The request",
    2: "The template (OpenShift format)",
    3: "The controller",
    4: "What people see",
    5: "Who may do what",
}


def test_the_map_says_where_the_design_is_and_what_its_sections_are() -> None:
    assert "ATMPL_SHARED" in (Path(__file__).parents[2] / "README.md").read_text()
    said = " ".join((atmpl.__doc__ or "").split())
    assert "`design/atmpl.md` of the folder that README has under ATMPL_SHARED" in said
    assert (
        "section 1 is the request, 2 the template with its twelve rules, 3 the controller, 4 what people see, "
        "5 who may do what"
    ) in said


def test_the_code_names_no_other_section() -> None:
    folder = Path(atmpl.__file__).parent
    named = {
        int(number)
        for path in folder.rglob("*.py")
        for numbers in re.findall(r"\b[Ss]ections? (\d+(?:(?:, | and )\d+)*)", path.read_text())
        for number in re.findall(r"\d+", numbers)
    }
    assert named <= set(SECTIONS)


@needs_shared
def test_the_design_has_those_sections() -> None:
    assert SHARED is not None
    heads = re.findall(r"^## (\d+)\. (.+)$", (SHARED / "design" / "atmpl.md").read_text(), re.MULTILINE)
    assert {int(number): title for number, title in heads} == SECTIONS
