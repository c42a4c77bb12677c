"""The documents of the project: their links, the recipes that they name, and the example of the README."""

import re
from pathlib import Path

import pytest
import yaml

import atmpl

CHECKOUT = Path(__file__).parents[2]
DOCUMENTS = sorted(
    path
    for folder in (".", ".github", "atmpl", "config", "e2e", "tests")
    for path in (CHECKOUT / folder).glob("**/*.md")
    if folder != "." or path.parent == CHECKOUT
)
README = (CHECKOUT / "README.md").read_text()


def without_code(text: str) -> str:
    return re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)


def anchors(path: Path) -> set[str]:
    """Return the anchors of a document's headings, as GitHub makes them."""
    heads = re.findall(r"^#+ (.+)$", without_code(path.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(CHECKOUT)))
def test_document_links_resolve(document: Path) -> None:
    broken = []
    for link in re.findall(r"\]\(([^)\s]+)\)", without_code(document.read_text())):
        if link.startswith(("https://", "mailto:")):
            continue
        place, _, anchor = link.partition("#")
        target = document.parent / place if place else document
        if not target.exists() or (anchor and anchor not in anchors(target)):
            broken.append(link)
    assert broken == []


def test_documents_name_existing_recipes() -> None:
    recipes = set(re.findall(r"^([a-z-]+)(?: [^:=\n]*)?:(?!=)", (CHECKOUT / "Justfile").read_text(), re.MULTILINE))
    named = {name for path in DOCUMENTS for name in re.findall(r"(?:`|\$ |/)just ([a-z][a-z-]+)", path.read_text())}
    assert "test" in named
    assert named <= recipes


def test_ci_runs_the_readme_test_command() -> None:
    [command] = re.findall(r"^    (python3 -m venv .*just test)$", README, re.MULTILINE)
    assert command in (CHECKOUT / ".ci" / "run").read_text()


def test_code_cites_rules_that_are_described() -> None:
    described = set(re.findall(r"^(\d+)\. \*\*", (CHECKOUT / "atmpl" / "README.md").read_text(), re.MULTILINE))
    cited = {
        number
        for path in (CHECKOUT / "atmpl").rglob("*.py")
        for numbers in re.findall(r"\b[Rr]ules? (\d+(?:(?:, | and | to )\d+)*)", path.read_text())
        for number in re.findall(r"\d+", numbers)
    }
    assert len(cited) > 5
    assert cited <= described


def test_readme_example_is_rendered_as_shown() -> None:
    shown_vm, shown_template = re.findall(r"```yaml\n(.*?)```", README, re.DOTALL)
    template = atmpl.render(next(yaml.safe_load_all(shown_vm))).template
    assert_part(yaml.safe_load(shown_template), template)


def assert_part(part: object, whole: object) -> None:
    """Assert that all of `part` is in `whole`: keys of mappings, and the first items of lists."""
    if isinstance(part, dict):
        assert isinstance(whole, dict)
        for key, value in part.items():
            assert_part(value, whole[key])
    elif isinstance(part, list):
        assert isinstance(whole, list)
        for item, other in zip(part, whole, strict=False):
            assert_part(item, other)
    else:
        assert part == whole
