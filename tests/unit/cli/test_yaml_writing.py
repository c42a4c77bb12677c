"""YAML is written so that every reader of YAML 1.1 and 1.2 reads back the same value.

The readers: our own, PyYAML's two (YAML 1.1) and yaml12, which knows YAML 1.2 and shares no line with the others.
"""

import math
from functools import partial

import pytest
import yaml
import yaml12
from hypothesis import example, given, settings
from hypothesis import strategies as st

from atmpl.cli.yaml import read, write

READERS = {
    "our own": lambda text: next(read(text)),
    "PyYAML, YAML 1.1": yaml.safe_load,
    "libyaml, YAML 1.1": partial(yaml.load, Loader=yaml.CSafeLoader),
    "yaml12, YAML 1.2": yaml12.parse_yaml,
}

PLAIN = [
    "virtio", "10Gi", "500m", "registry:5000/a/b:devel", "${DISK0_BUS}", "${{CPU_CORES}}", "de:ad:be:ef:00:01", "1.2.3.4", "v1",
    "--verbose", "-x", "a b  c", "a,b", "a[0]", "a{b}", "a#b", "it's", 'say "so"', "a\\b", "é", "日本", "yes please",
    "template.openshift.io/v1", "123abc", "2001-01-01x", "1e", "a=b", "null-device", "0x", "10.0.0.0/8", "~x", "<a>", "..", "a:b",
]  # fmt: skip
QUOTED = [
    "", "y", "N", "yes", "No", "on", "OFF", "true", "FALSE", "null", "~", "=", "<<", ".inf", "-.INF", ".NaN",
    "12", "+12", "-1", "012", "08", "0o7", "0x1F", "0b1", "1_000", "1e3", ".5", "1.", "1.5", "-.5e3", "18446744073709551616", "1.e5",
    "1:20", "190:20:30", "190:20:30.15", "52:54:00:12:34:56", "2001-01-01", "2001-1-1", "2001-12-14t21:59:43Z", "2001-12-14 21:59:43.10 -5",
    "-", "- a", "---", "--- a", "...", "? a", ":", "a: b", "a:", "a #b", "#a", "&a", "*a", "!a", "|", ">", "%a", "@a", "`a", "{a", "[a", ",a",
    " a", "a ", "0_xb", "1e_+5", "0b_-0", "+.e5", "e1000", "+-0", "0o-7",
]  # fmt: skip


@pytest.mark.parametrize("text", PLAIN)
def test_text_to_every_reader_is_written_plain(text):
    assert write({"a": text}) == f"a: {text}\n"


@pytest.mark.parametrize("text", QUOTED)
def test_text_that_a_reader_would_convert_is_quoted(text):
    assert write({"a": text}) in (f'a: "{text}"\n', f"a: '{text}'\n")


@pytest.mark.parametrize("text", QUOTED)
def test_key_is_quoted_as_a_value_is(text):
    assert write({text: 1}) in (f'"{text}": 1\n', f"'{text}': 1\n")


WRITTEN = {
    "an object": (
        {"apiVersion": "v1", "kind": "A", "metadata": {"labels": {}, "name": "x"}, "items": [], "none": None, "on": True},
        'apiVersion: v1\nkind: A\nmetadata:\n  labels: {}\n  name: x\nitems: []\nnone: null\n"on": true\n',
    ),
    "lists are not indented below their key": (
        {"disks": [{"name": "a", "disk": {"bus": "virtio"}}, {"name": "b"}], "args": ["x", "z"]},
        "disks:\n- name: a\n  disk:\n    bus: virtio\n- name: b\nargs:\n- x\n- z\n",
    ),
    "lists in lists": ([["a", ["b"]], [], [{"c": ["d"]}]], "- - a\n  - - b\n- []\n- - c:\n    - d\n"),
    "cloud-init": (
        {"userData": "#cloud-config\nusers:\n- name: me\n  sudo: true\n\nruncmd: []\n"},
        "userData: |\n  #cloud-config\n  users:\n  - name: me\n    sudo: true\n\n  runcmd: []\n",
    ),
    "several lines without an end": ({"a": "x\ny"}, "a: |-\n  x\n  y\n"),
    "several lines and empty ones at the end": ({"a": "x\n\n\n", "b": 1}, "a: |+\n  x\n\n\nb: 1\n"),
    "several lines, of which the first is indented": ({"a": "  x\ny\n"}, "a: |2\n    x\n  y\n"),
    "several lines, of which the first is empty": ({"a": "\nx\n"}, "a: |2\n\n  x\n"),
    "several lines in a list": (["x\ny\n", {"a": "b\nc"}], "- |\n  x\n  y\n- a: |-\n    b\n    c\n"),
    "lines with a tab": ({"a": "all:\n\techo\n"}, 'a: "all:\\n\\techo\\n"\n'),
    "lines with spaces at their end": ({"a": "x \ny\n"}, 'a: "x \\ny\\n"\n'),
    "lines that end as in Windows": ({"a": "x\r\ny\r\n"}, 'a: "x\\r\\ny\\r\\n"\n'),
    "nothing but line ends": ({"a": "\n\n"}, 'a: "\\n\\n"\n'),
    "several lines as a key": ({"x\ny": 1}, "? |-\n  x\n  y\n: 1\n"),
    "several lines as the whole document": ("x\ny", "|-\n  x\n  y\n"),
    "JSON in text": ({"a": '{"b": "c\'d"}'}, "a: '{\"b\": \"c''d\"}'\n"),
    "a backslash that must be quoted": ({"a": "\\: x"}, "a: '\\: x'\n"),
    "a tab": ({"a": "x\ty"}, 'a: "x\\ty"\n'),
    "invisible characters": ({"a": "x\u202ey\x00\ufeff\u2028"}, 'a: "x\\u202Ey\\0\\uFEFF\\L"\n'),
    "invisible characters in several lines": ({"a": "x\n\x07"}, 'a: "x\\n\\a"\n'),
    "blanks and a line end": ({"a": " \n"}, 'a: " \\n"\n'),
    "a wide line is not folded": ({"a": "x " * 100 + "y"}, "a: " + "x " * 100 + "y\n"),
    "a long key": ({"k" * 1001: {"a": 1}, "b": 2}, f"? {'k' * 1001}\n: a: 1\nb: 2\n"),
    "numbers": ([0, -1, 2**63, 1.5, 1.0, 1e16, 1e-7, -2.5e300], "- 0\n- -1\n- 9223372036854775808\n- 1.5\n- 1.0\n- 1.0e+16\n- 1.0e-07\n- -2.5e+300\n"),
    "infinities": ([math.inf, -math.inf], "- .inf\n- -.inf\n"),
    "an empty object": ({}, "{}\n"),
    "null": (None, "null\n"),
}  # fmt: skip


@pytest.mark.parametrize("case", WRITTEN)
def test_written_text_is_readable(case):
    value, text = WRITTEN[case]
    assert write(value) == text


def test_shared_object_is_written_twice():
    part = {"a": [1]}
    assert write([part, part]) == "- a:\n  - 1\n- a:\n  - 1\n"


TRICKY = [*PLAIN, *QUOTED, "\n", "\n\n", "a\n", "a\n\n", "\na", " \na", "  a\nb", "\ta\nb", "a\n  ", "a\n \n", "a\n\t\nb", "a \nb", "a\r\nb", "\r",
          "\x85", "a\u2028b", "\ufeff", "\x7f", "\xa0", "\U0001f600\ufe0f", "...\n", "---\na", "a: b\n--- \nc", "| \n a", "'", "''", '"', "\\n", "\\",
          "-_1", "._1", "12e03", "1_0.5_0e1_0", "0777777777777777777777777", "9" * 400, "1e400",
          "+-0", "++12", "0o-7", "0x+f", "a\t", "x" * 2000]  # fmt: skip
FRAGMENTS = [
    *" \t\n-:#?&*!|>'\"%@`{}[],.<=~0123456789_+eExXobBnNyYtTfF",
    "true",
    "null",
    "---",
    "...",
    "inf",
    "\r",
    "\x85",
    "é",
    "\U0001f600",
]

texts = (
    st.sampled_from(TRICKY)
    | st.lists(st.sampled_from(FRAGMENTS), max_size=12).map("".join)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
)
numbers = st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False)
values = st.recursive(
    texts | numbers | st.booleans() | st.none(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)


def same(one, other):
    """Equal in value, type and order of keys; a whole float can have become an integer."""
    if isinstance(one, dict) and isinstance(other, dict):
        return list(one) == list(other) and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, float) and one.is_integer():
        return not isinstance(other, bool) and isinstance(other, int | float) and float(other) == one
    return type(one) is type(other) and one == other


@pytest.mark.parametrize("reader", READERS)
@settings(deadline=None)
@given(value=values)
@example(value=[1e16, -1e-7, 5e-324, 1e22])
@example(value=TRICKY)
@example(value=dict.fromkeys(TRICKY))
@example(value=[[[text]] for text in TRICKY])
@example(value=[{"a": [{"b": text, "c": text}, text]} for text in TRICKY])
def test_every_reader_reads_back_the_value(reader, value):
    assert same(value, READERS[reader](write(value)))


@settings(deadline=None)
@given(value=values)
def test_written_text_is_one_document_in_a_stream(value):
    text = write(value)
    first, second = read(f"{text}---\n{text}")
    assert same(value, first)
    assert same(first, second)


@settings(deadline=None)
@given(value=values)
def test_no_line_looks_like_a_document_marker(value):
    assert "\n---" not in "\n" + write(value)  # kubectl cuts its input there without parsing


@settings(deadline=None)
@given(value=values)
def test_invisible_characters_are_written_as_escapes(value):
    assert not set(write(value)) & {"\r", "\x00", "\x85", "\u2028", "\ufeff", "\u202e"}
