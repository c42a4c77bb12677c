"""`generate: expression`, compared with recorded answers of both engines."""

import json
import string
from itertools import zip_longest
from random import Random

import pytest

from atmpl.template import ProcessError, generators
from atmpl.template.formats import native, openshift
from tests.support.shared_data import SHARED, needs_shared

ENGINES = {"openshift": generators.openshift, "native": generators.native}
DRAWS = 1000  # of 63 characters, one is missed with a chance of 1e-5, and the seed is fixed


def _vectors(engine):
    if SHARED is None:
        return [pytest.param("", {}, marks=needs_shared)]
    cases = json.loads((SHARED / f"generator-vectors-{engine}.json").read_bytes())
    return [pytest.param(case["from"], case, id=case["from"] or "empty") for case in cases]


def _gives(case, draw, draws=DRAWS):
    """Assert that `draw` gives each of the case's lengths, and at each position all of its characters and no other."""
    drawn = [draw() for _ in range(draws)]
    assert {len(text) for text in drawn} == set(case["lengths"])
    places = ["".join(sorted(set(place))) for place in zip_longest(*drawn)]
    seen = case["characters"]  # of a long one, only the first were written down
    assert places[: len(seen)] == seen


@pytest.mark.parametrize(("expression", "case"), _vectors("openshift"))
def test_openshift_generator_matches_recorded_answers(expression, case):
    template = {
        "apiVersion": "template.openshift.io/v1",
        "kind": "Template",
        "objects": [{"kind": "VM", "v": "${P}"}],
        "parameters": [{"name": "P", "generate": "expression", "from": expression}],
    }
    random = Random(1)
    if "error" in case:
        with pytest.raises(ProcessError) as caught:
            openshift.process(template, random=random)
        assert len(caught.value.errors) == 1
        assert caught.value.errors[0].endswith(case["error"])
        return
    _gives(case, lambda: openshift.process(template, random=random)[0]["v"], 300 if 255 in case["lengths"] else DRAWS)


@pytest.mark.parametrize(("expression", "case"), _vectors("native"))
def test_native_generator_matches_recorded_answers(expression, case):
    template = {
        "apiVersion": "template.kubevirt.io/v1beta1",
        "kind": "VirtualMachineTemplate",
        "spec": {
            "virtualMachine": {"v": "${P}"},
            "parameters": [{"name": "P", "generate": "expression", "from": expression}],
        },
    }
    random = Random(1)
    if "error" in case:
        with pytest.raises(ProcessError) as caught:
            native.process(template, random=random)
        assert caught.value.errors == [case["error"]]
        return
    _gives(case, lambda: native.process(template, random=random)[0]["v"], 300 if 255 in case["lengths"] else DRAWS)


@pytest.mark.parametrize("engine", ENGINES)
def test_same_seed_gives_the_same_text(engine):
    generate = ENGINES[engine]
    assert generate("vm-[a-z0-9]{20}", Random(7)) == generate("vm-[a-z0-9]{20}", Random(7))
    assert generate("vm-[a-z0-9]{20}", Random(7)) != generate("vm-[a-z0-9]{20}", Random(8))


ALPHANUMERIC = string.ascii_letters + string.digits
CLASSES = {  # expression: its characters for OpenShift and for KubeVirt
    "\\w": (ALPHANUMERIC + "_", ALPHANUMERIC + "_"),
    "\\d": (string.digits, string.digits),
    "\\a": (ALPHANUMERIC, ALPHANUMERIC),
    "\\A": ("~!@#$%^&*()-_+={}[]\\|<,>.?/\"';:`", string.punctuation),
}


@pytest.mark.parametrize("name", CLASSES)
def test_class_has_exactly_its_characters(name):
    for engine, expected in zip(("openshift", "native"), CLASSES[name], strict=True):
        drawn = {text for seed in range(3000) for text in ENGINES[engine](f"[{name}]{{1}}", Random(seed))}
        assert drawn == set(expected)


WRONG = {  # what is wrong: (engine, expression, the engine's words)
    "a length beyond 64 bits": (
        "openshift",
        "[a-z]{99999999999999999999999}",
        "range must be within [1-255] characters (9223372036854775807)",
    ),
    "a range from a backslash": ("openshift", "[a-c\\x]{3}", "malformed expresion syntax: [a-c\\x]"),
    "a class that another character follows": ("openshift", "[\\wx-c]{3}", "invalid range specified: \\-x"),
    "a length that is not a number": (
        "native",
        "[a-z]{abc}",
        'malformed length syntax: strconv.Atoi: parsing "abc": invalid syntax',
    ),
    "a length beyond 64 bits, natively": (
        "native",
        "[a-z]{9223372036854775808}",
        'malformed length syntax: strconv.Atoi: parsing "9223372036854775808": value out of range',
    ),
    "a length of zeros": ("openshift", "[a-z]{00}", "range must be within [1-255] characters (0)"),
    "a length of zeros, natively": ("native", "[a-z]{00}", "range must be within [1-255] characters: 0"),
    "a length of 256, natively": ("native", "[a-z]{256}", "range must be within [1-255] characters: 256"),
    "a length that ends with a letter": (
        "native",
        "[a-z]{5x}",
        'malformed length syntax: strconv.Atoi: parsing "5x": invalid syntax',
    ),
    "a range of one letter": (
        "openshift",
        "[a-a]{3}",
        "OpenShift's processor panics here: invalid argument to Intn",
    ),
    "a range that starts with a sign": ("native", "[a\\-c]{3}", "invalid start character in range: \\"),
    "a range that ends with a sign": ("native", "[a--]{3}", "invalid end character in range: -"),
}


@pytest.mark.parametrize("phrase", WRONG)
def test_error_has_the_words_of_the_engine(phrase):
    engine, expression, words = WRONG[phrase]
    with pytest.raises(ValueError) as caught:
        ENGINES[engine](expression, Random(1))
    assert str(caught.value) == words


@pytest.mark.parametrize("engine", ENGINES)
def test_length_may_start_with_zeros(engine):
    assert len(ENGINES[engine]("[a-z]{0000000000000000000000005}", Random(1))) == 5


def test_text_without_an_expression_is_kept():
    assert generators.openshift("[a-z]-{3}", Random(1)) == "[a-z]-{3}"
    assert generators.native("", Random(1)) == ""


PIECES = [
    "[",
    "]",
    "{",
    "}",
    "\\A",
    "a-z",
    "1-9",
    "2",
    "[\\A]{40}",
    "[1-3]{1}",
    "[\\A]{1}[\\A]{1}",
    "-",
    "[[1-2]{1}-9]{2}",
]


@pytest.mark.parametrize("engine", ENGINES)
def test_search_continues_where_a_match_can_begin(engine, monkeypatch):
    """As if it began again each time: inserted text can become part of an expression."""

    def answer(expression, seed):
        try:
            return ENGINES[engine](expression, Random(seed))
        except ValueError as error:
            return f"error: {error}"

    expressions = ["".join(Random(seed).choices(PIECES, k=12)) for seed in range(2000)]
    found = [answer(expression, seed) for seed, expression in enumerate(expressions)]
    replace = generators._replace
    monkeypatch.setattr(generators, "_replace", lambda *args: (replace(*args)[0], 0))
    assert found == [answer(expression, seed) for seed, expression in enumerate(expressions)]


@pytest.mark.parametrize("engine", ENGINES)
def test_many_expressions_take_no_minutes(engine):
    """Another user's template can have as many as an API server stores."""
    assert len(ENGINES[engine]("[a-c]{255}" * 2000, Random(1))) == 2000 * 255
