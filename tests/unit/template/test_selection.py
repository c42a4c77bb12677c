"""Which scalars become parameters, by profile and patterns. Rule 1."""

import pytest

import atmpl
from atmpl.template import FORMATS
from atmpl.template.options import RenderOptions
from atmpl.template.selection import ExpectedParameters
from tests.support.template_vms import a_vm

VM = a_vm(
    {
        "hostname": "h",
        "domain": {
            "cpu": {"cores": 2, "maxSockets": 4, "model": "m"},
            "memory": {"guest": "2Gi", "maxGuest": "4Gi", "hugepages": {"pageSize": "2Mi"}},
            "resources": {"requests": {"memory": "1Gi", "cpu": "1", "other": "1"}},
            "devices": {"disks": [{"name": "d", "disk": {"bus": "virtio"}}]},
        },
        "networks": [{"name": "n", "multus": {"networkName": "x"}}],
        "volumes": [
            {"name": "d", "containerDisk": {"image": "i"}},
            {"name": "e", "ephemeral": {"persistentVolumeClaim": {"claimName": "c"}}},
        ],
    },
    spec={
        "runStrategy": "Always",
        "instancetype": {"kind": "k", "name": "u1"},
        "preference": {"name": "p"},
        "dataVolumeTemplates": [
            {
                "metadata": {"name": "dv"},
                "spec": {
                    "storage": {
                        "resources": {"requests": {"storage": "1Gi"}},
                        "storageClassName": "s",
                        "volumeMode": "B",
                    },
                    "source": {"pvc": {"name": "golden", "namespace": "images"}},
                },
            },
            {"metadata": {"name": "dw"}, "spec": {"sourceRef": {"kind": "DataSource", "name": "f", "namespace": "o"}}},
        ],
    },
)
INSIDE = {
    *("HOSTNAME", "CPU_CORES", "CPU_MAX_SOCKETS", "CPU_MODEL", "MEMORY_GUEST", "MEMORY_MAX_GUEST"),
    *("MEMORY_HUGEPAGES_PAGE_SIZE", "REQUESTS_MEMORY", "REQUESTS_CPU", "REQUESTS_OTHER", "DISK0_BUS"),
    *("NETWORK0_NETWORK_NAME", "VOLUME0_IMAGE", "VOLUME1_PERSISTENT_VOLUME_CLAIM_CLAIM_NAME"),
}
COMMON = {
    *("HOSTNAME", "CPU_CORES", "MEMORY_GUEST", "REQUESTS_MEMORY", "REQUESTS_CPU", "NETWORK0_NETWORK_NAME"),
    *("VOLUME0_IMAGE", "VOLUME1_PERSISTENT_VOLUME_CLAIM_CLAIM_NAME", "INSTANCETYPE_NAME", "PREFERENCE_NAME"),
    *("DATA_VOLUME0_STORAGE", "DATA_VOLUME0_STORAGE_CLASS_NAME", "DATA_VOLUME0_SOURCE_PVC_NAME"),
    *("DATA_VOLUME0_SOURCE_PVC_NAMESPACE", "DATA_VOLUME1_SOURCE_REF_NAME", "DATA_VOLUME1_SOURCE_REF_NAMESPACE"),
}
SELECTIONS = {  # options: the parameters except LABELS
    "all": ({}, INSIDE),
    "common": ({"profile": "Common"}, COMMON),
    "none": ({"profile": "None"}, set()),
    "none and an outside name": ({"profile": "None", "include": ["instancetype.name"]}, {"INSTANCETYPE_NAME"}),
    "names are spelled out": (
        {"profile": "None", "include": ["template.spec.volumes.**"]},
        {
            "VOLUME0_IMAGE",
            "VOLUME1_PERSISTENT_VOLUME_CLAIM_CLAIM_NAME",
        },
    ),
    "a name with a wildcard": (
        {"profile": "None", "include": ["template.spec.volumes[*].name"]},
        {
            "VOLUME0_NAME",
            "VOLUME1_NAME",
        },
    ),
    "all and an outside key": (
        {"include": ["**.storageClassName"]},
        INSIDE | {"DATA_VOLUME0_STORAGE_CLASS_NAME"},
    ),
    "a name is not another key": ({"profile": "None", "include": ["instancetype.*"]}, {"INSTANCETYPE_KIND"}),
    "exclude wins": (
        {"profile": "None", "include": ["instancetype.kind", "runStrategy"], "exclude": ["instancetype.**"]},
        {"RUN_STRATEGY"},
    ),
    "exclude from all": (
        {"exclude": ["template.spec.domain.**", "template.spec.volumes[0].*.image"]},
        {
            "HOSTNAME",
            "NETWORK0_NETWORK_NAME",
            "VOLUME1_PERSISTENT_VOLUME_CLAIM_CLAIM_NAME",
        },
    ),
    "exclude from common": (
        {"profile": "Common", "exclude": ["template.spec.**", "dataVolumeTemplates.**"]},
        {
            "INSTANCETYPE_NAME",
            "PREFERENCE_NAME",
        },
    ),
    "a data volume's name": (
        {"profile": "None", "include": ["dataVolumeTemplates[1].metadata.name"]},
        {
            "DATA_VOLUME1_METADATA_NAME",
        },
    ),
}


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("phrase", SELECTIONS)
def test_selection_gives_exactly_these_parameters(phrase, format):
    options, expected = SELECTIONS[phrase]
    template = atmpl.render(VM, format=format, **options).template
    names = [each["name"] for each in FORMATS[format].parameters(template)]
    assert set(names) == expected | {"LABELS"}
    (made,) = atmpl.process(template)
    assert made["spec"] == VM["spec"]


VERIFIED = {  # options: paths below spec.template.spec that verification expects to be parameters, and others
    "all": ({}, [("x", "y")], []),
    "common": ({"profile": "Common"}, [("domain", "cpu", "cores")], [("domain", "cpu", "model")]),
    "none": ({"profile": "None", "include": ["template.spec.x"]}, [("x",)], [("y",), ("domain", "cpu", "cores")]),
    "exclude wins": ({"include": ["template.spec.x"], "exclude": ["template.spec.x"]}, [("y",)], [("x",)]),
    "an index": (
        {"exclude": ["template.spec.volumes[1].x"]},
        [("volumes", 0, "x"), ("volumes", 2, "x")],
        [("volumes", 1, "x")],
    ),
    "any index": (
        {"exclude": ["template.spec.volumes[*].x"]},
        [("volumes", 0, "y")],
        [("volumes", 0, "x"), ("volumes", 1, "x")],
    ),
}


@pytest.mark.parametrize("phrase", VERIFIED)
def test_verification_expects_the_selected_parameters(phrase):
    options, selected, others = VERIFIED[phrase]
    expected = ExpectedParameters(RenderOptions(**options))
    assert [path for path in (*selected, *others) if path in expected] == selected


CLOUD_INIT = {"userData": "#cloud-config", "userDataBase64": "eA==", "networkData": "x", "networkDataBase64": "eA=="}
MORE_OF_COMMON = a_vm(
    {
        "domain": {
            "cpu": {"sockets": 1, "threads": 1, "model": "m"},
            "resources": {"limits": {"cpu": "1", "memory": "1Gi", "other": "1"}},
        },
        "volumes": [
            {"name": "a", "persistentVolumeClaim": {"claimName": "c", "readOnly": True}},
            {"name": "b", "cloudInitNoCloud": CLOUD_INIT},
            {"name": "c", "cloudInitConfigDrive": CLOUD_INIT},
        ],
    },
    spec={
        "dataVolumeTemplates": [
            {
                "spec": {
                    "pvc": {"resources": {"requests": {"storage": "1Gi"}}, "storageClassName": "s", "volumeMode": "B"},
                    "source": {"http": {"url": "u"}},
                }
            }
        ]
    },
)


def test_common_selects_sizes_claims_and_cloud_init():
    parameters = atmpl.render(MORE_OF_COMMON, profile="Common").template["parameters"]
    assert {each["name"] for each in parameters} == {
        *("CPU_SOCKETS", "CPU_THREADS", "LIMITS_CPU", "LIMITS_MEMORY", "VOLUME0_CLAIM_NAME"),
        *("VOLUME1_USER_DATA", "VOLUME1_USER_DATA_BASE64", "VOLUME1_NETWORK_DATA", "VOLUME1_NETWORK_DATA_BASE64"),
        *("VOLUME2_USER_DATA", "VOLUME2_USER_DATA_BASE64", "VOLUME2_NETWORK_DATA", "VOLUME2_NETWORK_DATA_BASE64"),
        *("DATA_VOLUME0_STORAGE", "DATA_VOLUME0_STORAGE_CLASS_NAME", "DATA_VOLUME0_SOURCE_HTTP_URL", "LABELS"),
    }


@pytest.mark.parametrize("secrets", ["Preserve", "Require"])
def test_ignition_is_one_parameter_and_takes_no_name(secrets):
    vm = a_vm({})
    annotations = {"kubevirt.io/ignitiondata": "{}", "kubevirt.io.ignitiondata": "x"}
    vm["spec"]["template"]["metadata"] = {"annotations": annotations}
    rendered = atmpl.render(vm, include=["template.metadata.annotations.*"], secrets=secrets)
    names = [each["name"] for each in rendered.template["parameters"]]
    assert names == ["TEMPLATE_METADATA_ANNOTATIONS_KUBEVIRT_IO_IGNITIONDATA", "IGNITION_DATA", "LABELS"]


DISPLAY = {
    "DATA_VOLUME0_STORAGE": "Data volume dv: storage",
    "VOLUME0_IMAGE": "Volume d: image",
    "NETWORK0_NETWORK_NAME": "Network n: network name",
    "INSTANCETYPE_NAME": "Instancetype name",
}


def test_display_name_names_the_item():
    parameters = atmpl.render(VM, profile="Common").template["parameters"]
    found = {each["name"]: each["displayName"] for each in parameters}
    assert {name: found[name] for name in DISPLAY} == DISPLAY


@pytest.mark.parametrize("name", ["${HOSTNAME}", "a b", "x" * 64, ""])
def test_unusual_item_name_is_not_displayed(name):
    parameter, *_ = atmpl.render(a_vm({"volumes": [{"name": name, "x": {"a": "b"}}]})).template["parameters"]
    assert parameter["displayName"] == "Volume 0 a"


def test_parameters_that_name_one_data_volume_name_each_other():
    volumes = [{"name": "v", "persistentVolumeClaim": {"claimName": "dv"}}]
    vm = a_vm({"volumes": volumes}, spec={"dataVolumeTemplates": [{"metadata": {"name": "dv"}}]})
    parameters = atmpl.render(vm, include=["dataVolumeTemplates[0].metadata.name"]).template["parameters"]
    descriptions = {each["name"]: each["description"] for each in parameters}
    assert "DATA_VOLUME0_METADATA_NAME" in descriptions["VOLUME0_CLAIM_NAME"]
    assert "VOLUME0_CLAIM_NAME" in descriptions["DATA_VOLUME0_METADATA_NAME"]


NAMES = {"web": "web-", "a" * 57: "a" * 57 + "-", "a" * 58: "a" * 58, "a.b" * 30: ("a.b" * 30)[:58]}


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("name", NAMES)
def test_name_parameter_has_the_prefix_of_the_api_server(name, format):
    template = atmpl.render(a_vm({}, name=name), format=format, naming="Parameter", name="t").template
    first = FORMATS[format].parameters(template)[0]
    assert (first["name"], first["generate"], first["from"]) == ("NAME", "expression", NAMES[name] + "[a-z0-9]{5}")
    (made,) = atmpl.process(template, {"NAME": "typed"})
    assert made["metadata"]["name"] == "typed"
    assert "generateName" not in made["metadata"]


def test_name_that_is_an_expression_is_an_error():
    with pytest.raises(atmpl.RenderError, match="rename"):
        atmpl.render(a_vm({}, name="a[a-z]{3}"), naming="Parameter", name="t")
