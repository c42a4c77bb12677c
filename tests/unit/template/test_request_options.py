"""`RenderOptions` and `TemplateMetadata`: validation, the annotation of the options, and what the template gets."""

import json

import pytest

import atmpl
from atmpl.template import FORMATS, RenderOptions, TemplateMetadata
from tests.support.template_vms import a_vm

OPTIONS = "ssp.kubevirt.io/options"

NON_DEFAULT = {  # options: the annotation; None if there is none
    "defaults": ({}, None),
    "one": ({"data_volumes": "Unique"}, {"dataVolumes": "Unique"}),
    "parameters": (
        {"profile": "Common", "include": ["a.b"], "exclude": ["c"]},
        {"parameters": {"profile": "Common", "include": ["a.b"], "exclude": ["c"]}},
    ),
    "naming": ({"naming": "Parameter"}, {"naming": "Parameter"}),
    "naming that console implies": ({"naming": "Parameter", "console": "Complete"}, {"console": "Complete"}),
    "all": (
        {"identity": "Preserve", "secrets": "Extract", "console": "Complete"},
        {"identity": "Preserve", "secrets": "Extract", "console": "Complete"},
    ),
}


@pytest.mark.parametrize("phrase", NON_DEFAULT)
def test_template_has_the_options_that_are_not_default(phrase):
    options, expected = NON_DEFAULT[phrase]
    annotations = atmpl.render(a_vm({}), **options).template["metadata"]["annotations"]
    assert (json.loads(annotations[OPTIONS]) if OPTIONS in annotations else None) == expected
    again = RenderOptions.from_spec(expected or {})
    assert again.non_default() == (expected or {})


INVALID = {
    "an unknown key": {"x": 1},
    "an unknown value": {"secrets": "Hide"},
    "a list as a value": {"secrets": ["Require"]},
    "an unknown parameter key": {"parameters": {"x": []}},
    "parameters as a list": {"parameters": []},
    "a pattern as text": {"parameters": {"include": "a"}},
    "a malformed pattern": {"parameters": {"include": ["a..b"]}},
    "a profile outside": {"profile": "None"},
}


@pytest.mark.parametrize("phrase", INVALID)
def test_invalid_options_are_an_error(phrase):
    with pytest.raises(ValueError):
        RenderOptions.from_spec(INVALID[phrase])


def test_invalid_pattern_is_a_render_error():
    with pytest.raises(atmpl.RenderError, match="not valid"):
        atmpl.render(a_vm({}), include=["a..b"])
    with pytest.raises(atmpl.RenderError, match="list"):
        atmpl.render(a_vm({}), include="hostname")


@pytest.mark.parametrize("format", FORMATS)
def test_template_metadata_is_added_and_wins(format):
    vm = a_vm({}, labels={"os.template.kubevirt.io/fedora": "x"})
    metadata = TemplateMetadata(
        {"team": "web", "os.template.kubevirt.io/fedora": "true"},
        {"description": "mine", "tags": "a", "openshift.io/display-name": "b", "iconClass": "c"},
    )
    template = atmpl.render(vm, format=format, metadata=metadata).template
    found = template["metadata"]
    assert found["labels"]["team"] == "web"
    assert found["labels"]["template.kubevirt.io/type"] == "vm"
    assert found["labels"]["os.template.kubevirt.io/fedora"] == "true"
    assert {key: found["annotations"][key] for key in metadata.annotations} == dict(metadata.annotations)
    assert "ssp.kubevirt.io/generator" in found["annotations"]
    assert "team" not in json.dumps(atmpl.process(template))


REJECTED = {
    "our own label": TemplateMetadata({"ssp.kubevirt.io/request-uid": "x"}),
    "our own annotation": TemplateMetadata({}, {"ssp.kubevirt.io/options": "x"}),
    "the type": TemplateMetadata({"template.kubevirt.io/type": "base"}),
    "a label value": TemplateMetadata({"a": "b c"}),
    "a long label value": TemplateMetadata({"a": "b" * 64}),
    "a label key": TemplateMetadata({"a b": "c"}),
    "a key with two slashes": TemplateMetadata({"a/b/c": "d"}),
    "an empty key": TemplateMetadata({}, {"": "c"}),
    "an annotation that is a number": TemplateMetadata({}, {"a": 5}),
    "a list": TemplateMetadata([]),
}


@pytest.mark.parametrize("phrase", REJECTED)
def test_invalid_template_metadata_is_an_error(phrase):
    with pytest.raises(atmpl.RenderError):
        atmpl.render(a_vm({}), metadata=REJECTED[phrase])


@pytest.mark.parametrize("version", ["template.kubevirt.io/v1alpha1", "template.kubevirt.io/v1beta1"])
def test_native_template_has_the_version_that_is_served(version):
    from atmpl.template import render

    template = render(a_vm({"a": "b"}), format=FORMATS["native"], name="t", api_version=version).template
    assert template["apiVersion"] == version
    assert atmpl.process(template)
    with pytest.raises(atmpl.RenderError, match="apiVersion"):
        render(a_vm({}), format=FORMATS["native"], name="t", api_version="v1")
