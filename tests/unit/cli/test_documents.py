"""The objects of an input are found in each form, and each has a place for messages."""

import pytest

from atmpl.cli.manifests import Document, InvalidDocument, documents


@pytest.fixture
def found(tmp_path, monkeypatch):
    """Return the objects of a file `f` with some text."""
    monkeypatch.chdir(tmp_path)

    def objects(text):
        (tmp_path / "f").write_bytes(text if isinstance(text, bytes) else text.encode())
        return documents("f")

    return objects


HELD = {
    "one document": ("a: 1\n", [("f", {"a": 1})]),
    "one document after its marker": ("# me\n---\na: 1\n", [("f", {"a": 1})]),
    "many documents": ("a: 1\n---\nb: 2\n--- # c\nc: 3\n", [("f, document 1", {"a": 1}), ("f, document 2", {"b": 2}), ("f, document 3", {"c": 3})]),
    "empty documents, which count for nothing": ("---\n---\na: 1\n---\n# nothing\n---\nnull\n---\n", [("f", {"a": 1})]),
    "a document on its marker's line": ("--- {a: 1}\n--- b\n", [("f, document 1", {"a": 1}), ("f, document 2", "b")]),
    "an ended document": ("a: 1\n...\n# more\n---\nb: 2\n...\n", [("f, document 1", {"a": 1}), ("f, document 2", {"b": 2})]),
    "directives": ("%YAML 1.1\n---\na: 1\n...\n%YAML 1.1\n---\nb: 2\n", [("f, document 1", {"a": 1}), ("f, document 2", {"b": 2})]),
    "Windows' line ends": ("a: 1\r\n---\r\nb: 2\r\n", [("f, document 1", {"a": 1}), ("f, document 2", {"b": 2})]),
    "a marker inside of text": ("a: |\n  x\n  ---\n  y\nb: '---'\n", [("f", {"a": "x\n---\ny\n", "b": "---"})]),
    "what only begins as a marker": ("---a: 1\n", [("f", {"---a": 1})]),
    "JSON": ('{"a": 1}', [("f", {"a": 1})]),
    "JSON, a document a line": ('{"a": 1}\n{"b": 2}\n', [("f, document 1", {"a": 1}), ("f, document 2", {"b": 2})]),
    "JSON, as kubectl prints it twice": ('\n{\n "a": 1\n}\n{\n "b": 2\n}\n', [("f, document 1", {"a": 1}), ("f, document 2", {"b": 2})]),
    "flow style, which begins like JSON": ("{a: 1}\n---\n{b: yes}\n", [("f, document 1", {"a": 1}), ("f, document 2", {"b": True})]),
    "JSON and markers": ('{"a": 1}\n---\n{"b": 2}\n', [("f, document 1", {"a": 1}), ("f, document 2", {"b": 2})]),
    "a named object among others": (
        "kind: Pod\nmetadata: {name: x}\n---\nkind: Pod\n",
        [("f, document 1 (Pod x)", {"kind": "Pod", "metadata": {"name": "x"}}), ("f, document 2", {"kind": "Pod"})],
    ),
    "a List": (
        "kind: List\nitems:\n- kind: Pod\n  metadata: {name: x}\n- 1\n",
        [("f, items[0] (Pod x)", {"kind": "Pod", "metadata": {"name": "x"}}), ("f, items[1]", 1)],
    ),
    "a List of a kind, whose items know theirs by it": (
        "apiVersion: v1\nkind: PodList\nitems: [{metadata: {name: x}}]\n",
        [("f, items[0] (Pod x)", {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "x"}})],
    ),
    "a List in a List": ("kind: List\nitems: [{kind: List, items: [1]}]\n", [("f, items[0], items[0]", 1)]),
    "a kind that only sounds like a List": ("kind: CheckList\n", [("f", {"kind": "CheckList"})]),
    "not an object": ("- 1\n", [("f", [1])]),
}  # fmt: skip


@pytest.mark.parametrize("case", HELD)
def test_the_objects_of_an_input_are_found(case, found):
    text, expected = HELD[case]
    assert found(text) == [Document(*each) for each in expected]


def test_one_bad_document_does_not_stop_the_others(found):
    assert found("a: 1\n---\nb: 1\nb: 2\n---\nc: 3\n---\nd: [\n") == [
        Document("f, document 1", {"a": 1}),
        InvalidDocument("f, document 2, line 4", "the key b occurs twice"),
        Document("f, document 3", {"c": 3}),
        InvalidDocument("f, document 4, line 9", "a value is missing here, or the end of a { or [ above"),
    ]


EMPTY = {
    "nothing": "",
    "comments": "# nothing\n",
    "markers": "---\n---\n",
    "null": "null",
    "a List of nothing": "kind: List\nitems: []\n",
}


@pytest.mark.parametrize("case", EMPTY)
def test_input_without_an_object_is_an_error(case, found):
    assert found(EMPTY[case]) == [InvalidDocument("f", "no object found")]


def test_json_that_is_broken_is_named_with_its_line(found):
    assert found('{"a": 1}\n{"b": 2,,}\n') == [
        Document("f, document 1", {"a": 1}),
        InvalidDocument("f, document 2, line 2", "another document begins here without a --- before it"),
    ]


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 100_000])
def test_nesting_without_end_is_refused(text, found):
    assert found(text) == [InvalidDocument("f, line 1", "nested more than 250 levels deep")]


def test_nan_is_text_as_in_yaml(found):
    assert found('{"a": NaN}') == [Document("f", {"a": "NaN"})]  # it is YAML, and text there


def test_json_keeps_half_of_a_surrogate_pair(found):
    assert found('{"a": "\\ud800"}') == [Document("f", {"a": "\ud800"})]


def test_thousand_json_documents_are_read(found):
    assert len(found('{"a": "' + "x" * 3000 + '"}\n' * 1)) == 1
    assert len(found(('{"a": "' + "x" * 3000 + '"}\n') * 1000)) == 1000
