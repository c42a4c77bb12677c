"""The table of rules and modules in the docstring of `atmpl.template`."""

import inspect
import re
from importlib import import_module
from operator import attrgetter

import pytest

from atmpl import template

ROW = re.compile(r"^(\d+) +(.{40}) (.+)$", re.MULTILINE)
ROWS = {int(rule): where for rule, _, where in ROW.findall(template.__doc__)}


def named(where):
    """Yield the module and the name of each place in a row of the map; what follows a module's name is in there."""
    module = None
    for place in re.findall(r"`([^`]+)`", where):
        first, _, rest = place.partition(".")
        try:
            module = import_module(f"atmpl.template.{first}")
        except ImportError:
            rest = place
        yield module, rest


def test_table_of_rules_is_complete():
    assert list(ROWS) == list(range(1, 13))


@pytest.mark.parametrize("rule", ROWS)
def test_module_in_the_table_exists_and_names_its_rule(rule):
    for module, name in named(ROWS[rule]):
        for place in (
            [module] if module else [import_module(f"atmpl.template.formats.{each}") for each in template.FORMATS]
        ):
            if name:
                attrgetter(name)(place)
            assert re.search(rf"[Rr]ules? ([0-9]+(, | and ))*{rule}\b", inspect.getsource(place)), place
