"""Console safety: templates of VMs with texts that would break the OpenShift console."""

import json

import pytest

from atmpl.template import FORMATS, RenderError, render
from tests.support.openshift_console import shown
from tests.support.template_vms import a_vm

SCRIPT = '#cloud-config\nhostname: "x"\n'


def user_data(text):
    return {"volumes": [{"name": "c", "cloudInitNoCloud": {"userData": text}}]}


HARMLESS = {  # texts of a VM that the console's substitution does not break
    "a plain script": user_data(SCRIPT),
    "a script that names a parameter with a harmless default": {
        "hostname": "db",
        **user_data('#!/bin/sh\necho "${HOSTNAME} ${UNKNOWN}"\n'),
    },
    "a script that holds the text ${LABELS}": user_data('echo "${LABELS}"'),
}

HARMFUL = {  # where it would
    "a script that names itself": user_data('echo "${VOLUME0_USER_DATA}"\n'),
    "a word that names a script": {"hostname": "${VOLUME0_USER_DATA}", **user_data(SCRIPT)},
    "a word that names a word that names a script": {
        "hostname": "${SUBDOMAIN}",
        "subdomain": "${VOLUME0_USER_DATA}",
        **user_data(SCRIPT),
    },
    "a reference put together from a default": {
        "hostname": "VOLUME0_USER_DATA",
        "subdomain": "${${HOSTNAME}}",
        **user_data(SCRIPT),
    },
    "a reference put together from two defaults": {
        "a": "$",
        "b": "{VOLUME0_USER_DATA}",
        "c": "${A}${B}",
        **user_data(SCRIPT),
    },
    "a reference begun by a default": {"a": "$", "c": "${A}{VOLUME0_USER_DATA}", **user_data(SCRIPT)},
    "a reference begun before a default": {"b": "{VOLUME0_USER_DATA}", "c": "$${B}", **user_data(SCRIPT)},
    "Ignition that names itself": user_data('{"ignition": "${VOLUME0_USER_DATA}"}'),
    "a key that names a script": {"nodeSelector": {"${VOLUME0_USER_DATA}": "x"}, **user_data(SCRIPT)},
    "a name that names a script": {"x": {"name": "${VOLUME0_USER_DATA}"}, **user_data(SCRIPT)},
    "a literal that names a literal": {"x": [{"name": "${LITERAL1}"}, {"name": '"${X}"'}]},
}

FORM = {  # a default of its own: goes by ${{P}}, since by ${P} the console would crash
    "a quote": 'say "hi"',
    "a backslash": "C:\\windows",
    "a line": "a\nb",
    "a tab": "a\tb",
    "NUL": "\0",
    "what JavaScript takes for all that is before": "a$`b",
    "what JavaScript takes for all that is after": "a$'b",
}


@pytest.mark.parametrize("phrase", HARMLESS)
def test_harmless_text_is_not_escaped(phrase):
    template = render(a_vm(HARMLESS[phrase]), format=FORMATS["openshift"], name="t").template
    shown(template)
    assert "\\u0024" not in str(template)


@pytest.mark.parametrize("phrase", HARMFUL)
def test_console_shows_escaped_text(phrase):
    template = render(a_vm(HARMFUL[phrase]), format=FORMATS["openshift"], name="t").template
    shown(template)


@pytest.mark.parametrize("phrase", FORM)
def test_default_that_breaks_the_console_is_typed(phrase):
    template = render(a_vm({"hostname": FORM[phrase]}), format=FORMATS["openshift"], name="t").template
    assert template["objects"][0]["spec"]["template"]["spec"] == {"hostname": "${{HOSTNAME}}"}
    assert template["parameters"][0]["value"] == FORM[phrase]
    shown(template)


def test_simulated_console_crashes_like_the_real_one():
    template = render(a_vm({"hostname": "x"}), format=FORMATS["openshift"], name="t").template
    template["parameters"][0]["value"] = 'say "hi"'
    with pytest.raises(ValueError):
        shown(template)
    template["parameters"][0]["value"] = "a$`b"
    with pytest.raises(ValueError):
        shown(template)


VALIDATIONS = "vm.kubevirt.io/validations"
RULES = '[{"name": "cores", "path": "jsonpath::.spec", "rule": "integer", "message": "%s"}]'


@pytest.mark.parametrize(
    "message", ["at least 1", "${HOSTNAME} ${A}", "C:\\\\$", "${VOLUME0_USER_DATA}", "$${HOSTNAME}"]
)
def test_validations_are_on_the_template_if_text_is_escaped(message):
    rules = RULES % message
    instance = {"hostname": "${VOLUME0_USER_DATA}", **user_data(SCRIPT)}
    template = render(a_vm(instance, annotations={VALIDATIONS: rules}), format=FORMATS["openshift"], name="t").template
    copied = template["metadata"]["annotations"][VALIDATIONS]
    assert json.loads(copied) == json.loads(rules)
    assert json.loads(shown(template)["metadata"]["annotations"][VALIDATIONS])


def test_harmless_validations_are_copied_exactly():
    rules = RULES % "${UNKNOWN}"
    instance = {"a": "x ${B}", "b": 'x"y'}
    template = render(a_vm(instance, annotations={VALIDATIONS: rules}), format=FORMATS["openshift"], name="t").template
    assert template["metadata"]["annotations"][VALIDATIONS] == rules
    shown(template)


def test_validations_that_are_not_json_are_harmless():
    vm = a_vm(user_data(SCRIPT), annotations={VALIDATIONS: "see ${VOLUME0_USER_DATA}"})
    shown(render(vm, format=FORMATS["openshift"], name="t").template)


DEEP = "[" * 1100  # more levels than are decoded


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("text", [DEEP + "${B}", DEEP + '"${B}"', DEEP + '"${B}"' + "]" * 1100, '"' + DEEP + "${B}"])
def test_deep_text_with_a_reference_comes_back(text, format):
    template = render(a_vm({"a": text, "b": 'x"y'}), format=FORMATS[format], name="t").template
    shown({"spec": template, "parameters": FORMATS[format].parameters(template)})


@pytest.mark.parametrize("format", FORMATS)
def test_labels_with_a_reference_stay_an_object(format):
    vm = a_vm({"a": "${LABELS}", "b": "${LABELS}"}, labels={"c": "d"})
    template = render(vm, format=FORMATS[format], name="t").template
    shown({"spec": template, "parameters": FORMATS[format].parameters(template)})


def test_name_with_a_harmful_reference_is_rejected():
    with pytest.raises(RenderError, match="change it"):
        render(a_vm(user_data(SCRIPT), name="${VOLUME0_USER_DATA}"), format=FORMATS["openshift"], name="t")


def test_template_name_with_a_harmful_reference_is_rejected():
    with pytest.raises(RenderError, match="change it"):
        render(a_vm(user_data(SCRIPT)), format=FORMATS["openshift"], name="${VOLUME0_USER_DATA}")


@pytest.mark.parametrize("text", ["${VOLUME0_USER_DATA}", 'see "${VOLUME0_USER_DATA}"'])
def test_label_with_a_harmful_reference_is_rejected(text):
    with pytest.raises(RenderError, match="change it"):
        render(a_vm(user_data(SCRIPT), labels={"a": text}), format=FORMATS["openshift"], name="t")
