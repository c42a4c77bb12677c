"""No input of any command ends in a traceback, and each exit status is one of the help's.

`--hypothesis-profile=fuzz` tries 24,000 inputs.
"""

import json
import string
from contextlib import asynccontextmanager
from unittest import mock

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import atmpl
from atmpl.cli import client
from atmpl.cli.client import ClusterClient
from atmpl.kube.response import Response
from tests.support.cli_runner import typed
from tests.unit.cli.test_convert import TEMPLATE
from tests.unit.cli.test_render import SECRET, vm

EXAMPLES = {"default": 25, "fuzz": 4000}  # for each of the six tests below

VM = vm(**SECRET)
VM["metadata"] |= {"labels": {"a": "b"}, "annotations": {"x": "y"}, "namespace": "team-a"}
TEMPLATES = [
    atmpl.render(VM).template,
    atmpl.render(VM, format="native", secrets="Extract", naming="Parameter").template,
    atmpl.render(VM, console="Complete", data_volumes="Unique").template,
    TEMPLATE,
]
MARKS = [
    "",
    "\ufeff",
    "---\n",
    "{",
    "[",
    "}",
    "- ",
    ": ",
    "${",
    "}}",
    "\x00",
    "\x85",
    "\ud800",
    "\n...\n",
    "%YAML 1.1\n",
    "&a ",
    "*a ",
]

scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=6)
    | st.sampled_from(
        ["${NAME}", "${{LABELS}}", "${X", "\ud800", "kubevirt.io/v1", "VirtualMachine", "Template", "List"]
    )
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=4), inner, max_size=2),
    max_leaves=4,
)
words = st.sampled_from(
    ["-o", "json", "yaml", "--name", "web", "-p", "CPU_CORES=2", "NAME=x", "--format", "native", "--vm-name", "a_b", "-v", "--include",
     "**", "a..b", "--label", "a=b", "--console", "Complete", "--secrets", "Extract", "--params-file", "--template", "--print-params",
     "--ignore-unknown-parameters", "--profile", "None", "--naming", "Parameter", "-", "=", "", "\x00", "\udcff", "a=\udcff", "--annotation", "--as", "@", "--", "-h"]
)  # fmt: skip


@st.composite
def mutated(draw, originals):
    """A copy of one of `originals` in which one to three values are replaced, removed or added."""
    value = json.loads(json.dumps(draw(st.sampled_from(originals))))
    for _ in range(draw(st.integers(1, 3))):
        place = value
        while True:
            keys = list(place) if isinstance(place, dict) else list(range(len(place)))
            key = draw(st.sampled_from(keys)) if keys else None
            if key is not None and isinstance(place[key], dict | list) and draw(st.integers(0, 4)):
                place = place[key]
                continue
            break
        if key is None or draw(st.booleans()):
            if isinstance(place, dict):
                place[draw(st.text(max_size=4) | st.sampled_from(["spec", "kind", "metadata", "name"]))] = draw(values)
            else:
                place.append(draw(values))
        elif draw(st.booleans()):
            place[key] = draw(values)
        else:
            del place[key]
    return value


@st.composite
def texts(draw, originals):
    """The text of a mutated object, as YAML or JSON, with marks and cuts in the text itself."""
    value = draw(mutated(originals) | st.lists(mutated(originals), max_size=2))
    text = json.dumps(value)
    if draw(st.booleans()) and "\\ud" not in text:  # libyaml, ten times as fast as PyYAML, cannot write surrogates
        text = yaml.dump(value, Dumper=yaml.CSafeDumper, allow_unicode=True)
    for _ in range(draw(st.integers(0, 2))):
        at = draw(st.integers(0, len(text)))
        text = text[:at] + draw(st.sampled_from(MARKS)) + text[at + draw(st.integers(0, 3)) :]
    return text.encode("utf-8", "surrogatepass")


def examples(test):
    """Set the number of examples by the profile."""
    size = EXAMPLES.get(settings.get_current_profile_name(), EXAMPLES["default"])
    health = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large]
    return settings(max_examples=size, deadline=None, suppress_health_check=health)(test)


def check(came, *statuses):
    assert came.status in statuses
    assert "Traceback" not in came.err
    if came.status:
        assert came.err.strip() or came.out  # a difference is printed


@examples
@given(data=texts([VM]), format=st.sampled_from(["openshift", "native"]), more=st.lists(words, max_size=2))
def test_render_of_any_input_is_a_result_or_an_error(data, format, more):
    check(typed("render", "-", "--format", format, *more, stdin=data), 0, 1, 2)


@examples
@given(data=texts(TEMPLATES), more=st.lists(words, max_size=3))
def test_process_of_any_input_is_a_result_or_an_error(data, more):
    check(typed("process", "-", *more, stdin=data), 0, 1, 2)


@examples
@given(data=texts([TEMPLATES[0], TEMPLATE]))
def test_convert_of_any_input_is_a_result_or_an_error(data):
    check(typed("convert", "-", stdin=data), 0, 1)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("diff")


@examples
@given(template=texts(TEMPLATES), machine=texts([VM]))
def test_diff_of_any_input_is_a_result_or_an_error(folder, template, machine):
    (folder / "t").write_bytes(template)
    check(typed("diff", folder / "t", "-", stdin=machine), 0, 1, 2)


@examples
@given(command=st.sampled_from(["render", "process", "convert", "diff", "create", "instantiate", "completion", ""]),
       typed_words=st.lists(words | st.text(string.printable, max_size=5), max_size=5))  # fmt: skip
def test_any_command_line_is_a_result_or_an_error(command, typed_words):
    line = [word for word in (command, *typed_words) if word != "--kubeconfig"]
    came = typed(*line, "--kubeconfig", "/nonexistent" if command in ("create", "instantiate") else "x", stdin="")
    assert came.status in (0, 1, 2)
    assert "Traceback" not in came.err


class Answers:
    """A connection whose calls get these responses, one after another, and then 404."""

    def __init__(self, responses):
        self._responses = iter(responses)

    async def call(self, *_, **__):
        return Response(*next(self._responses, (404, b"")))


STORED = {"name": "web", "namespace": "team-a", "uid": "1", "resourceVersion": "5"}
STATUS = {
    "kind": "Status",
    "reason": "Invalid",
    "message": "m",
    "details": {"kind": "x", "causes": [{"field": "spec"}]},
}
objects = [each | {"metadata": each["metadata"] | STORED} for each in (*TEMPLATES[:1], *TEMPLATES[2:], VM)]
bodies = mutated([*objects, {"metadata": STORED}, STATUS]).map(lambda value: json.dumps(value).encode()) | texts(
    objects
)
responses = st.tuples(st.sampled_from([200] * 9 + [201, 401, 403, 404, 409, 422, 500]), bodies)
FROM_CLUSTER = [
    ["instantiate", "--template", "web", "--format", "openshift"],
    ["instantiate", "--template", "web", "--dry-run", "-o", "json"],
    [
        "instantiate",
        "--template",
        "web",
        "--format",
        "openshift",
        "--vm-name",
        "a",
        "-p",
        "A=b",
        "--ignore-unknown-parameters",
    ],
    ["instantiate", "--template", "web", "--format", "openshift", "--print-params"],
    ["diff", "--template", "web", "--format", "openshift"],
    ["create", "--vm", "web", "--wait=false", "-o", "yaml"],
]


@examples
@given(answers=st.lists(responses, min_size=1, max_size=4), line=st.sampled_from(FROM_CLUSTER))
def test_any_response_of_a_cluster_is_a_result_or_an_error(answers, line):
    @asynccontextmanager
    async def opened(_):
        yield ClusterClient(Answers(answers), "team-a", "https://cluster:6443")

    with mock.patch.object(client, "open_cluster", opened):
        check(typed(*line), *((0, 1, 2) if line[0] == "diff" else (0, 1)))
