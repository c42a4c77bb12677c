"""OpenShift's processor, held to what the real one answered."""

import json

from atmpl.template.errors import ProcessError
from atmpl.template.formats.openshift import processed
from tests.shared import SHARED, needs_shared


def _vectors():
    """Each template with the real processor's answer: errors, a panic, or objects (and where known labels, message)."""
    if SHARED is None:
        return
    for case in json.loads((SHARED / "processor-vectors.json").read_bytes()):
        result = dict(case["result"])
        if "error" in result:
            result = {"errors": [result["error"]]}
        yield case["case"], case["template"], result
    with (SHARED / "processor-vectors-random.jsonl").open("rb") as lines:
        for number, line in enumerate(lines, 1):
            case = json.loads(line)
            yield f"random, line {number}", case["template"], case["result"]


def _agrees(template, result):
    real = result.get("errors", []) + ([result["panic"]] if "panic" in result else [])
    try:
        ours = processed(template)
    except ProcessError as error:
        return bool(real) and all(_says(error.errors, text) for text in real)
    if real or ours.objects != result["objects"]:
        return False
    return "labels" not in result or (ours.labels, ours.message) == (result["labels"], result["message"] or "")


def _says(errors, real):
    """Whether one of our errors is the real one, its text of the object as compact as ours, and its prefixes gone."""
    if real.startswith("DECODE-ERR: "):  # Go's decoder names the type, ours the path
        return any("$.metadata.labels" in error for error in errors)
    real = real.removeprefix("PANIC: ").removeprefix('ERR: Template.template.openshift.io "t" is invalid: ')
    return any(real.replace('": ', '":') in error.replace('": ', '":') for error in errors)


@needs_shared
def test_every_answer_is_the_real_processors():
    vectors = list(_vectors())
    wrong = [
        f"{name}: {json.dumps(template)} -> {result}"
        for name, template, result in vectors
        if not _agrees(template, result)
    ]
    assert len(vectors) == 1750
    assert not wrong, f"{len(wrong)} of {len(vectors)} differ:\n" + "\n".join(wrong[:3])
