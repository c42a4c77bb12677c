"""The options identity, dataVolumes and secrets, and their warnings."""

import random

import pytest

import atmpl
from atmpl.template import FORMATS, RenderError
from atmpl.template.render_warnings import SHORT_MESSAGES
from tests.support.template_vms import a_vm


@pytest.fixture(params=list(FORMATS))
def format(request):
    return request.param


def object_of(template):
    return template["objects"][0] if "objects" in template else template["spec"]["virtualMachine"]


def instance_of(template):
    return object_of(template)["spec"]["template"]["spec"]


def parameters(template):
    found = template["parameters"] if "parameters" in template else template["spec"]["parameters"]
    return {each["name"]: each for each in found}


def message(template):
    return template.get("message") or template.get("spec", {}).get("message")


IDENTITY = {
    "domain": {
        "firmware": {"uuid": "5d307ca9", "serial": "s1", "bootloader": {"bios": {}}},
        "chassis": {"serial": "s2", "asset": 'a "3"', "sku": "k"},
        "devices": {
            "interfaces": [
                {"name": "a", "macAddress": "02:00:00:00:00:01"},
                {"name": "b"},
                {"name": "c", "macAddress": "02:00:00:00:00:02", "serial": "kept"},
            ]
        },
    }
}
BLANK = (
    "FIRMWARE_UUID",
    "FIRMWARE_SERIAL",
    "CHASSIS_SERIAL",
    "CHASSIS_ASSET",
    "INTERFACE0_MAC_ADDRESS",
    "INTERFACE2_MAC_ADDRESS",
)


def test_fresh_identity_has_empty_defaults(format):
    template = atmpl.render(a_vm(IDENTITY), format=format).template
    found = parameters(template)
    assert [found[name]["value"] for name in BLANK] == [""] * 6
    assert found["CHASSIS_SKU"]["value"] == "k"
    assert found["INTERFACE2_SERIAL"]["value"] == "kept"
    chassis = {"serial": "${CHASSIS_SERIAL}", "asset": "${{CHASSIS_ASSET}}", "sku": "${CHASSIS_SKU}"}
    assert instance_of(template)["domain"]["chassis"] == chassis  # the form follows the value


def test_preserved_identity_keeps_its_values(format):
    template = atmpl.render(a_vm(IDENTITY), format=format, identity="Preserve").template
    found = parameters(template)
    assert [found[name]["value"] for name in BLANK] == [
        "5d307ca9",
        "s1",
        "s2",
        'a "3"',
        "02:00:00:00:00:01",
        "02:00:00:00:00:02",
    ]


def test_identity_of_any_scalar_type_is_blank(format):
    firmware = {"uuid": 2**60, "serial": True}
    rendered = atmpl.render(a_vm({"domain": {"firmware": firmware}}), format=format)
    template, warnings = rendered.template, rendered.warnings
    assert [parameters(template)[name]["value"] for name in BLANK[:2]] == ["", ""]
    assert warnings == ()
    assert instance_of(template)["domain"]["firmware"] == {
        "uuid": "${{FIRMWARE_UUID}}",
        "serial": "${{FIRMWARE_SERIAL}}",
    }
    (made,) = atmpl.process(template)
    assert made["spec"]["template"]["spec"]["domain"]["firmware"] == {"uuid": "", "serial": ""}


NO_IDENTITY = {  # where an identity would stand, were it a VM of a cluster
    "a domain that is text": {"domain": "firmware"},
    "a domain that is a number": {"domain": 5},
    "a domain that is a list": {"domain": ["firmware", {"firmware": {"uuid": "a"}}]},
    "firmware that is text": {"domain": {"firmware": "uuid"}},
    "firmware that is a list": {"domain": {"firmware": ["uuid", {"uuid": "a"}]}},
    "a uuid that is an object": {"domain": {"firmware": {"uuid": {"uuid": "a"}}}},
    "a uuid that is null": {"domain": {"firmware": {"uuid": None}}},
    "interfaces that are an object": {"domain": {"devices": {"interfaces": {"a": {"macAddress": "b"}}}}},
    "interfaces that are text": {"domain": {"devices": {"interfaces": "macAddress"}}},
    "an interface that is text": {"domain": {"devices": {"interfaces": ["macAddress"]}}},
}


@pytest.mark.parametrize("phrase", NO_IDENTITY)
def test_other_value_at_the_path_of_an_identity_comes_back(phrase, format):
    (made,) = atmpl.process(atmpl.render(a_vm(NO_IDENTITY[phrase]), format=format).template)
    assert made["spec"]["template"]["spec"] == NO_IDENTITY[phrase]


@pytest.mark.parametrize("identity", ["Fresh", "Preserve"])
def test_revision_names_are_dropped(format, identity):
    matcher = {"kind": "x", "name": "u1", "revisionName": "vm-u1-v1"}
    vm = a_vm({}, spec={"instancetype": matcher, "preference": matcher, "other": matcher})
    template = atmpl.render(vm, format=format, identity=identity).template
    spec = object_of(template)["spec"]
    assert spec["instancetype"] == {"kind": "x", "name": "u1"}
    assert spec["preference"] == {"kind": "x", "name": "u1"}
    assert spec["other"] == matcher


DISKS = a_vm(
    {
        "volumes": [
            {"name": "root", "dataVolume": {"name": "disk"}},
            {"name": "data", "persistentVolumeClaim": {"claimName": "data"}},
            {"name": "eph", "ephemeral": {"persistentVolumeClaim": {"claimName": "disk"}}},
            {"name": "shared", "persistentVolumeClaim": {"claimName": "shared"}},
            {"name": "disk", "containerDisk": {"image": "disk"}},
            {"name": "other", "dataVolume": {"name": "other"}},
        ]
    },
    spec={
        "dataVolumeTemplates": [
            {"metadata": {"name": "disk"}, "spec": {"source": {"pvc": {"name": "golden"}}}},
            {"metadata": {"name": "data", "labels": {"name": "data"}}, "spec": {}},
            {"metadata": {"generateName": "x-"}, "spec": {}},
        ]
    },
)


SHARED_DISKS = [
    ("SharedDisk", "spec.template.spec.volumes[3]"),
    ("SharedDisk", "spec.template.spec.volumes[5]"),
]


def test_unique_data_volumes_get_a_suffix_at_each_reference(format):
    rendered = atmpl.render(DISKS, format=format, data_volumes="Unique")
    template, warnings = rendered.template, rendered.warnings
    assert [(each.reason, each.path) for each in warnings] == SHARED_DISKS
    assert object_of(template)["spec"]["dataVolumeTemplates"] == [
        {"metadata": {"name": "disk-${SUFFIX}"}, "spec": {"source": {"pvc": {"name": "golden"}}}},
        {"metadata": {"name": "data-${SUFFIX}", "labels": {"name": "data"}}, "spec": {}},
        {"metadata": {}, "spec": {}},
    ]
    assert instance_of(template)["volumes"] == [
        {"name": "root", "dataVolume": {"name": "disk-${SUFFIX}"}},
        {"name": "data", "persistentVolumeClaim": {"claimName": "data-${SUFFIX}"}},
        {"name": "eph", "ephemeral": {"persistentVolumeClaim": {"claimName": "disk-${SUFFIX}"}}},
        {"name": "shared", "persistentVolumeClaim": {"claimName": "${VOLUME3_CLAIM_NAME}"}},
        {"name": "disk", "containerDisk": {"image": "${VOLUME4_IMAGE}"}},
        {"name": "other", "dataVolume": {"name": "other"}},
    ]
    found = parameters(template)
    assert list(found) == ["VOLUME3_CLAIM_NAME", "VOLUME4_IMAGE", "SUFFIX", "LABELS"]
    assert found["SUFFIX"]["generate"] == "expression"
    assert found["SUFFIX"]["from"] == "[a-z0-9]{5}"
    assert "value" not in found["SUFFIX"]


def test_two_vms_of_a_unique_template_share_no_disk(format):
    template = atmpl.render(DISKS, format=format, data_volumes="Unique").template
    names = set()
    for seed in (1, 2):
        (made,) = atmpl.process(template, random=random.Random(seed))
        disks = [each["metadata"].get("name") for each in made["spec"]["dataVolumeTemplates"]]
        assert made["spec"]["template"]["spec"]["volumes"][0]["dataVolume"]["name"] == disks[0]
        assert made["spec"]["template"]["spec"]["volumes"][2]["ephemeral"]["persistentVolumeClaim"] == {
            "claimName": disks[0]
        }
        names |= set(disks[:2])
    assert len(names) == 4


def test_preserved_data_volumes_are_kept_with_a_warning(format):
    rendered = atmpl.render(DISKS, format=format)
    template, warnings = rendered.template, rendered.warnings
    *with_names, without_name = DISKS["spec"]["dataVolumeTemplates"]
    assert without_name["metadata"] == {"generateName": "x-"}  # KubeVirt requires a name
    assert object_of(template)["spec"]["dataVolumeTemplates"] == [*with_names, {"metadata": {}, "spec": {}}]
    found = [(each.reason, each.path) for each in warnings]
    assert found == [("SharedDataVolumes", "spec.dataVolumeTemplates"), *SHARED_DISKS]
    assert "data volumes" in message(template)
    assert "Unique" in warnings[0].message


@pytest.mark.parametrize("data_volumes", ["Preserve", "Unique"])
def test_no_data_volumes_means_no_suffix_and_no_warning(format, data_volumes):
    for templates in ({}, {"dataVolumeTemplates": []}, {"dataVolumeTemplates": None}):
        rendered = atmpl.render(a_vm({"a": "b"}, spec=templates), format=format, data_volumes=data_volumes)
        template, warnings = rendered.template, rendered.warnings
        assert list(parameters(template)) == ["A", "LABELS"]
        assert warnings == ()


@pytest.mark.parametrize("name", ["${SUFFIX}", "a${B}c", "${{X}}"])
def test_data_volume_name_with_a_reference_is_rejected(format, name):
    vm = a_vm({}, spec={"dataVolumeTemplates": [{"metadata": {"name": name}}]})
    with pytest.raises(RenderError, match="Preserve") as caught:
        atmpl.render(vm, format=format, data_volumes="Unique")
    assert caught.value.path == "spec.dataVolumeTemplates[0].metadata.name"
    atmpl.render(vm, format=format)


def test_data_volume_name_too_long_for_a_suffix_is_rejected(format):
    longest = "a" * (253 - len("-abcde"))
    fits, too_long = (
        a_vm({}, spec={"dataVolumeTemplates": [{"metadata": {"name": name}}]}) for name in (longest, longest + "a")
    )
    (made,) = atmpl.process(atmpl.render(fits, format=format, data_volumes="Unique").template)
    assert len(made["spec"]["dataVolumeTemplates"][0]["metadata"]["name"]) == 253
    with pytest.raises(RenderError, match=r"more than 247 characters.*Preserve") as caught:
        atmpl.render(too_long, format=format, data_volumes="Unique")
    assert caught.value.path == "spec.dataVolumeTemplates[0].metadata.name"
    atmpl.render(too_long, format=format)


def test_invalid_data_volume_template_is_kept(format):
    templates = [5, None, {}, {"metadata": 5}, {"metadata": {}}, {"metadata": {"name": 5}}, {"metadata": {"name": ""}}]
    vm = a_vm({}, spec={"dataVolumeTemplates": [*templates, {"metadata": {"name": "d"}}]})
    template = atmpl.render(vm, format=format, data_volumes="Unique").template
    named = {"metadata": {"name": "d-${SUFFIX}"}}
    assert object_of(template)["spec"]["dataVolumeTemplates"] == [*templates, named]


def test_data_volume_without_a_name_gets_no_suffix(format):
    templates = [{"metadata": {"generateName": "disk-"}}]
    rendered = atmpl.render(a_vm({}, spec={"dataVolumeTemplates": templates}), format=format, data_volumes="Unique")
    template, warnings = rendered.template, rendered.warnings
    assert object_of(template)["spec"]["dataVolumeTemplates"] == [{"metadata": {}}]
    assert list(parameters(template)) == ["LABELS"]
    assert warnings == ()


SECRETS = a_vm(
    {
        "volumes": [
            {
                "name": "a",
                "cloudInitNoCloud": {"userData": "#cloud-config\npassword: x\n", "networkData": "version: 2"},
            },
            {"name": "b", "cloudInitConfigDrive": {"userDataBase64": "eA==", "networkDataBase64": ""}},
            {"name": "c", "cloudInitNoCloud": {"secretRef": {"name": "s"}}},
            {"name": "d", "other": {"userData": "plain"}},
        ]
    }
)


def test_preserved_secrets_are_copied_with_a_warning(format):
    rendered = atmpl.render(SECRETS, format=format)
    template, warnings = rendered.template, rendered.warnings
    assert [(each.reason, each.path) for each in warnings] == [
        ("InlineSecret", "spec.template.spec.volumes[0].cloudInitNoCloud.userData"),
        ("InlineSecret", "spec.template.spec.volumes[0].cloudInitNoCloud.networkData"),
        ("InlineSecret", "spec.template.spec.volumes[1].cloudInitConfigDrive.userDataBase64"),
    ]
    assert parameters(template)["VOLUME0_USER_DATA"]["value"] == "#cloud-config\npassword: x\n"
    assert "cloud-init" in message(template)
    assert "Extract" in warnings[0].message
    assert "password: x" not in warnings[0].message


def test_required_secrets_have_no_default(format):
    rendered = atmpl.render(SECRETS, format=format, secrets="Require")
    template, warnings = rendered.template, rendered.warnings
    assert warnings == ()
    assert "password" not in str(template)
    found = parameters(template)
    for name in ("VOLUME0_USER_DATA", "VOLUME0_NETWORK_DATA", "VOLUME1_USER_DATA_BASE64"):
        assert found[name]["required"] is True
        assert "value" not in found[name]
    assert "required" not in found["VOLUME1_NETWORK_DATA_BASE64"]  # it holds nothing
    assert "required" not in found["VOLUME3_USER_DATA"]
    with pytest.raises(atmpl.ProcessError):
        atmpl.process(template)


def test_required_secret_takes_any_text(format):
    template = atmpl.render(SECRETS, format=format, secrets="Require").template
    values = dict.fromkeys(("VOLUME0_USER_DATA", "VOLUME0_NETWORK_DATA", "VOLUME1_USER_DATA_BASE64"), "#x\n${Y}")
    (made,) = atmpl.process(template, values)
    assert made["spec"]["template"]["spec"]["volumes"][0]["cloudInitNoCloud"]["userData"] == "#x\n${Y}"


def test_message_has_each_reason_once(format):
    vm = a_vm(SECRETS["spec"]["template"]["spec"], spec={"dataVolumeTemplates": [{"metadata": {"name": "d"}}]})
    template = atmpl.render(vm, format=format).template
    texts = [SHORT_MESSAGES[reason] for reason in ("SharedDataVolumes", "InlineSecret")]
    assert message(template) == " ".join(texts)


def test_too_large_number_is_literal_with_a_warning():
    rendered = atmpl.render(a_vm({"x": 2**53 + 1, "y": [-(2**63)], "z": None, "name": 2**60}))
    template, warnings = rendered.template, rendered.warnings
    assert instance_of(template) == {"x": 2**53 + 1, "y": [-(2**63)], "z": None, "name": 2**60}
    assert [(each.reason, each.path) for each in warnings] == [
        ("LiteralNumber", "spec.template.spec.x"),
        ("LiteralNumber", "spec.template.spec.y[0]"),
    ]
    assert "number" in message(template)


def test_number_that_a_format_would_round_is_rejected():
    with pytest.raises(RenderError, match="exactly") as caught:
        atmpl.render(a_vm({"x": 2**53 + 1}), format="native")
    assert caught.value.path == "spec.template.spec.x"


@pytest.mark.parametrize("source", ["cloudInitNoCloud", "cloudInitConfigDrive"])
@pytest.mark.parametrize("key", ["userData", "userDataBase64", "networkData", "networkDataBase64"])
def test_each_text_of_cloud_init_is_required(source, key):
    vm = a_vm({"volumes": [{"name": "a", source: {key: "c2VjcmV0"}}]})
    template = atmpl.render(vm, secrets="Require").template
    (required,) = [each for each in template["parameters"] if each.get("required")]
    assert "value" not in required
    assert "c2VjcmV0" not in str(template)
