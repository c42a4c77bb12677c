"""Values for parameters: `-p`, and files of NAME=VALUE lines."""

import argparse

import pytest

from atmpl.cli import process as values
from atmpl.cli.errors import CommandError
from atmpl.template.parameters import Parameter
from tests.support.cli_runner import typed


def test_assignment_is_split_at_the_first_equals_sign():
    assert values.parse_assignment("A=b=c = ") == ("A", "b=c = ")


def test_a_value_may_be_empty():
    assert values.parse_assignment("A=") == ("A", "")


@pytest.mark.parametrize("text", ["A", "", "=b", " =b"])
def test_invalid_assignment_raises(text):
    with pytest.raises(argparse.ArgumentTypeError, match="is not NAME=VALUE"):
        values.parse_assignment(text)


@pytest.fixture
def file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path / "small.env"


def test_a_file_holds_an_assignment_a_line(file):
    file.write_text('# small\nDISK=1Gi\n\n  # and\n CORES= 2\nURL=http://x/?a=b#c\nQUOTED="x"\nMEMORY=2Gi\r\n')
    assert {name: (value.text, value.where) for name, value in values.values_in_file("small.env").items()} == {
        "DISK": ("1Gi", "small.env, line 2"),
        "MEMORY": ("2Gi", "small.env, line 8"),
        "CORES": (" 2", "small.env, line 5"),
        "URL": ("http://x/?a=b#c", "small.env, line 6"),
        "QUOTED": ('"x"', "small.env, line 7"),
    }


@pytest.mark.parametrize("character", "\f\v\x1c\x85\u2028\u2029\r")
def test_only_line_feeds_end_a_line_of_a_params_file(character, file):
    file.write_text(f"A=x{character}y\nB=z\r\n", encoding="utf-8", newline="")
    assert [each.text for each in values.values_in_file("small.env").values()] == [f"x{character}y", "z"]


def test_a_line_that_is_no_assignment_is_named(file):
    file.write_text("MEMORY=1Gi\nCORES 2\n")
    with pytest.raises(CommandError, match=r"^small\.env, line 2: not NAME=VALUE; write one parameter per line$"):
        values.values_in_file("small.env")


@pytest.mark.parametrize("name", ["export MEMORY", '"MEMORY"', "a-b"])
def test_line_with_an_invalid_name_is_an_error(name, file):
    file.write_text(f"# x\n{name}=1Gi\n")
    with pytest.raises(CommandError) as refused:
        values.values_in_file("small.env")
    assert str(refused.value) == (
        f"small.env, line 2: {name} is not a parameter name (letters, digits and _); "
        "write NAME=VALUE without quotes or export"
    )


@pytest.mark.parametrize("line", ["A = a", "A =a", "A\t= a"])
def test_space_before_the_equals_sign_is_an_error(line, file):
    file.write_text(f"# x\n{line}\n")
    with pytest.raises(CommandError, match=r"^small\.env, line 2: .*; write A=VALUE"):
        values.values_in_file("small.env")


DECLARED = [
    Parameter("MEMORY", value="1Gi", required=True),
    Parameter("IMAGE", required=True),
    Parameter("SUFFIX", generate="expression", from_="[a-z]{5}", required=True),
    Parameter("NOTE"),
]


def test_unknown_parameter_gets_a_suggestion():
    given = {name: values.Value("1", "") for name in ("MEMORI", "NOTE", "X")}
    assert list(values.unknown(given | {"Y": values.Value("1", "v, line 1")}, DECLARED, "; remove it")) == [
        ("MEMORI", "the template has no parameter MEMORI; did you mean MEMORY?"),
        ("X", "the template has no parameter X"),
        ("Y", "the template has no parameter Y; remove it"),
    ]


def missing(given, declared):
    return values.missing(given, values.Template("", {"kind": "Template", "objects": []}, declared))


def test_required_parameter_without_a_value_is_reported():
    (sentence,) = missing({}, DECLARED)
    assert sentence == "the parameter IMAGE is required and has no value; add -p IMAGE=VALUE or IMAGE=@FILE"
    described = "key (one line; or the first key again)"
    (sentence,) = missing({}, [Parameter("KEY", "SSH public key 2 of a", described, required=True)])
    assert "SSH public key 2 of a (one line; or the first key again)" in sentence


def test_home_in_the_name_of_a_file_is_expanded(file, monkeypatch):
    monkeypatch.setenv("HOME", str(file.parent))
    file.write_text("x\n")
    assert values.resolve_value("A", "@~/small.env") == "x\n"


@pytest.mark.parametrize("text", ["@none", "@", "@.", "@bad", "\udcff"])
def test_error_about_a_value_names_the_parameter(text, file):
    (file.parent / "bad").write_bytes(b"a\xff")
    with pytest.raises(CommandError, match=r"^-p KEY"):
        values.resolve_value("KEY", text)


def test_missing_file_has_a_hint_about_a_literal_at_sign(file):
    with pytest.raises(CommandError, match=r"none: no such file; .* KEY=@@none$"):
        values.resolve_value("KEY", "@none")


def test_directory_as_a_value_gets_no_pattern_of_files(file):
    with pytest.raises(CommandError) as refused:
        values.resolve_value("KEY", "@.")
    assert "*" not in str(refused.value)
    assert "@@" not in str(refused.value)


def test_a_value_that_was_given_is_not_missing():
    assert list(missing({"IMAGE": "x"}, DECLARED)) == []


def test_an_empty_value_is_none():
    assert [sentence.split()[2] for sentence in missing({"IMAGE": "", "MEMORY": ""}, DECLARED)] == [
        "MEMORY",
        "IMAGE",
    ]


PASTED = "b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQ"


@pytest.mark.parametrize("line", [f"{PASTED}==", f"{PASTED[:20]}+{PASTED[20:]}=="])
def test_pasted_key_in_a_params_file_is_not_printed(line, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "k.env").write_text(f"{line}\n")
    (tmp_path / "t.yaml").write_text("{apiVersion: template.openshift.io/v1, kind: Template, objects: []}")
    came = typed("process", "t.yaml", "--params-file", "k.env")
    assert came.status in (1, 2)
    assert "k.env, line 1: " in came.err
    assert line[:20] not in came.err
