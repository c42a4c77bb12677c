"""Warnings: where each appears, and where it does not."""

import base64

import pytest

import atmpl
from atmpl.template.data_volumes import data_volume_names
from atmpl.template.render_warnings import MESSAGES, SHORT_MESSAGES, template_message
from atmpl.template.text_secrets import SecretParameter
from tests.support.template_vms import a_vm

SPEC = "spec.template.spec"
MAC = "02:00:00:00:00:7a"


def volumes(*items, disks=(), **spec):
    volumes = [{"name": f"v{index}", **item} for index, item in enumerate(items)]
    return a_vm({"domain": {"devices": {"disks": list(disks)}}, "volumes": volumes}, spec=spec)


def claim(name="c", **fields):
    return {"persistentVolumeClaim": {"claimName": name, **fields}}


def disk(**fields):
    return {"name": "v0", **fields}


def with_template(vm, **metadata):
    spec = {**vm["spec"], "template": {**vm["spec"]["template"], "metadata": metadata}}
    return {**vm, "spec": spec}


def interfaces(**rest):
    return {"domain": {"devices": {"interfaces": [{"name": "a", "macAddress": MAC}]}}, **rest}


def network_data(text, key="networkData", **rest):
    return a_vm({**interfaces(), "volumes": [{"name": "a", "cloudInitNoCloud": {key: text}}], **rest})


def affinity(key, operator="In", field="matchExpressions"):
    terms = {"nodeSelectorTerms": [{field: [{"key": key, "operator": operator, "values": ["n"]}]}]}
    return a_vm({"affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": terms}}})


V0 = f"{SPEC}.volumes[0]"
DATA = f"{V0}.cloudInitNoCloud.networkData"
BLANK = {"dataVolumeTemplates": [{"metadata": {"name": "d"}, "spec": {"source": {"blank": {}}}}]}
UPLOAD = {"dataVolumeTemplates": [{"metadata": {"name": "d"}, "spec": {"source": {"upload": {}}}}]}
PINNED = f"{SPEC}.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[0]"

WARNINGS = {  # a VM: (reason, path) of its warnings, except SharedDataVolumes and InlineSecret
    "a claim": (volumes(claim()), [("SharedDisk", V0)]),
    "a claim of a data volume": (volumes(claim("d"), **BLANK), [("EmptyDisk", "spec.dataVolumeTemplates[0]")]),
    "an uploaded data volume": (volumes(**UPLOAD), [("EmptyDisk", "spec.dataVolumeTemplates[0]")]),
    "a read-only claim": (volumes(claim(readOnly=True)), []),
    "a CD-ROM": (volumes(claim(), disks=[disk(cdrom={"bus": "sata"})]), []),
    "a CD-ROM that is written": (volumes(claim(), disks=[disk(cdrom={"readonly": False})]), [("SharedDisk", V0)]),
    "a read-only disk": (volumes(claim(), disks=[disk(disk={"readonly": True})]), []),
    "a read-only LUN": (volumes(claim(), disks=[disk(lun={"readonly": True})]), []),
    "a shareable disk": (volumes(claim(), disks=[disk(disk={}, shareable=True)]), []),
    "another shareable disk": (volumes(claim(), disks=[{"name": "x", "shareable": True}]), [("SharedDisk", V0)]),
    "a data volume": (volumes({"dataVolume": {"name": "x"}}), [("SharedDisk", V0)]),
    "an overlay": (volumes({"ephemeral": {"persistentVolumeClaim": {"claimName": "x"}}}), [("SharedDisk", V0)]),
    "a disk of the host": (volumes({"hostDisk": {"path": "/x"}}), [("SharedDisk", V0)]),
    "a memory dump": (volumes({"memoryDump": {"claimName": "x"}}), []),
    "Harvester's claims": (
        a_vm({}, annotations={"harvesterhci.io/volumeClaimTemplates": "[]"}),
        [("SharedDisk", "metadata.annotations[harvesterhci.io/volumeClaimTemplates]")],
    ),
    "a MAC address in network data": (network_data(f"match: {MAC.upper()}"), [("SourceAddress", DATA)]),
    "a MAC address with dashes": (network_data(f"match: {MAC.replace(':', '-')}"), [("SourceAddress", DATA)]),
    "another MAC address": (network_data("match: 02:00:00:00:00:7b"), []),
    "a MAC address in base64": (
        network_data(base64.b64encode(MAC.encode()).decode(), "networkDataBase64"),
        [("SourceAddress", DATA + "Base64")],
    ),
    "a MAC address in an annotation": (
        with_template(a_vm(interfaces()), annotations={"x/y": f'[{{"mac":"{MAC}"}}]'}),
        [("SourceAddress", "spec.template.metadata.annotations[x/y]")],
    ),
    "a MAC address in a label": (
        a_vm(interfaces(), labels={"mac": MAC.replace(":", "-")}),
        [("SourceAddress", "metadata.labels.mac")],
    ),
    "an IP address of an annotation": (
        with_template(a_vm({"x": "at 192.0.2.61."}), annotations={"ovn.kubernetes.io/ip_address": "192.0.2.61"}),
        [("SourceAddress", f"{SPEC}.x")],
    ),
    "an IP address of the VM's own annotation": (
        a_vm({"x": "at 192.0.2.61"}, annotations={"ovn.kubernetes.io/ip_address": "192.0.2.61"}),
        [("SourceAddress", f"{SPEC}.x")],
    ),
    "a longer IP address": (
        with_template(a_vm({"x": "192.0.2.61"}), annotations={"ovn.kubernetes.io/ip_address": "192.0.2.6"}),
        [],
    ),
    "an IPv6 address in another form": (
        with_template(a_vm({"x": "2001:DB8:0:0::1"}), annotations={"ovn.kubernetes.io/ip_address": "2001:db8::1"}),
        [("SourceAddress", f"{SPEC}.x")],
    ),
    "an IPv6 address before punctuation": (
        with_template(a_vm({"x": "at 2001:db8::1."}), annotations={"ovn.kubernetes.io/ip_address": "2001:db8::1"}),
        [("SourceAddress", f"{SPEC}.x")],
    ),
    "an IPv6 address before a colon": (
        with_template(a_vm({"x": "2001:db8::1:"}), annotations={"ovn.kubernetes.io/ip_address": "2001:db8::1"}),
        [("SourceAddress", f"{SPEC}.x")],
    ),
    "an IPv6 network": (
        with_template(a_vm({"x": "2001:DB8::"}), annotations={"ovn.kubernetes.io/ip_address": "2001:db8::"}),
        [("SourceAddress", f"{SPEC}.x")],
    ),
    "an IPv6 address with an IPv4 part": (
        with_template(a_vm({"x": "::ffff:192.0.2.1"}), annotations={"ovn.kubernetes.io/ip_address": "::ffff:c000:201"}),
        [("SourceAddress", f"{SPEC}.x")],
    ),
    "an IPv6 address with an IPv4 part in the annotation": (
        with_template(a_vm({"x": "::ffff:c000:201"}), annotations={"ovn.kubernetes.io/ip_address": "::ffff:192.0.2.1"}),
        [("SourceAddress", f"{SPEC}.x")],
    ),
    "an IPv6 address with an IPv4 part, in digits": (
        with_template(a_vm({"x": "::ffff:c000:201"}), annotations={"ovn.kubernetes.io/ip_address": "::ffff:c000:201"}),
        [("SourceAddress", f"{SPEC}.x")],
    ),
    "another IPv6 address": (
        with_template(a_vm({"x": "2001:db8::2"}), annotations={"ovn.kubernetes.io/ip_address": "2001:db8::1"}),
        [],
    ),
    "a MAC address that is a key": (
        a_vm({**interfaces(), "x": {MAC: "y"}}),
        [("SourceAddress", f"{SPEC}.x[{MAC}]")],
    ),
    "a MAC address in a memory dump": (
        a_vm({**interfaces(), "volumes": [{"name": "a", "memoryDump": {"claimName": MAC}}]}),
        [],
    ),
    "a MAC address that is a number": (a_vm({"domain": {"devices": {"interfaces": [{"macAddress": 5}]}}}), []),
    "a MAC address in an annotation of the VM": (
        a_vm(interfaces(), annotations={"x/y": MAC}),
        [("SourceAddress", "metadata.annotations[x/y]")],
    ),
    "a MAC address in two fields": (
        a_vm({**interfaces(), "x": MAC, "y": [MAC]}),
        [("SourceAddress", f"{SPEC}.x"), ("SourceAddress", f"{SPEC}.y[0]")],
    ),
    "a MAC address elsewhere": (
        a_vm({**interfaces(), "x": {"macAddress": MAC}}),
        [("SourceAddress", f"{SPEC}.x.macAddress")],
    ),
    "a MAC address in another field of the interface": (
        a_vm({"domain": {"devices": {"interfaces": [{"macAddress": MAC, "x": MAC}]}}}),
        [("SourceAddress", f"{SPEC}.domain.devices.interfaces[0].x")],
    ),
    "an IPv6 address as long as a MAC address": (
        with_template(
            a_vm({"x": "2001:db8:1:2::abc"}), annotations={"ovn.kubernetes.io/ip_address": "2001:db8:1:2::abc"}
        ),
        [("SourceAddress", f"{SPEC}.x")],
    ),
    "a MAC address next to a byte that is not UTF-8": (
        network_data(base64.b64encode(b"\xff " + MAC.encode()).decode(), "networkDataBase64"),
        [("SourceAddress", DATA + "Base64")],
    ),
    "a static address in base64": (
        network_data(base64.b64encode(b"iface eth0 inet static\n").decode(), "networkDataBase64"),
        [("SourceAddress", DATA + "Base64")],
    ),
    "network data with other letters than base64": (network_data("\u00e9", "networkDataBase64"), []),
    "addresses of no device": (network_data("version: 2\nx: {e: {addresses: [192.0.2.1]}}"), []),
    "devices that are a list": (network_data("version: 2\nethernets: [1]"), []),
    "network data that is not base64": (network_data("a", "networkDataBase64"), []),
    "network data that is a list": (network_data("[1]"), []),
    "a network that is text": (network_data("network: x"), []),
    "a static type, version 1": (
        network_data("config: [{subnets: [{type: dhcp}, {type: static6}]}]"),
        [("SourceAddress", DATA)],
    ),
    "DHCP, version 1": (network_data("config: [{subnets: [{type: dhcp}, {}]}]"), []),
    "a static address of another family": (network_data("iface eth0 inet6 static\n"), [("SourceAddress", DATA)]),
    "a static address, version 1": (
        network_data("version: 1\nconfig: [{subnets: [{type: static, address: 192.0.2.1/24}]}]"),
        [("SourceAddress", DATA)],
    ),
    "a static address, version 2": (
        network_data("network: {version: 2, ethernets: {e: {addresses: [192.0.2.1/24]}}}"),
        [("SourceAddress", DATA)],
    ),
    "name servers": (
        network_data("version: 2\nethernets: {e: {dhcp4: true, nameservers: {addresses: [192.0.2.1]}}}"),
        [],
    ),
    "a static address in another format": (
        network_data("iface eth0 inet static\n  address 192.0.2.1\n"),
        [("SourceAddress", DATA)],
    ),
    "a label with the VM's name": (
        with_template(a_vm({}), labels={"a/b": "vm", "c": "vm2"}),
        [("SourceName", "spec.template.metadata.labels[a/b]")],
    ),
    "the VM's own label": (a_vm({}, labels={"a": "vm"}), []),
    "a node": (
        a_vm({"nodeSelector": {"kubernetes.io/hostname": "n", "a": "b"}}),
        [("PinnedToNode", f"{SPEC}.nodeSelector[kubernetes.io/hostname]")],
    ),
    "an architecture": (a_vm({"nodeSelector": {"kubernetes.io/arch": "arm64"}}), []),
    "required affinity": (affinity("kubernetes.io/hostname"), [("PinnedToNode", f"{PINNED}.matchExpressions[0]")]),
    "required affinity by field": (
        affinity("metadata.name", field="matchFields"),
        [("PinnedToNode", f"{PINNED}.matchFields[0]")],
    ),
    "required affinity to other nodes": (affinity("kubernetes.io/hostname", "NotIn"), []),
}
OTHERS = {"SharedDataVolumes", "InlineSecret"}


@pytest.mark.parametrize("phrase", WARNINGS)
def test_warning_appears_only_where_it_must(phrase):
    vm, expected = WARNINGS[phrase]
    found = [(each.reason, each.path) for each in atmpl.render(vm).warnings if each.reason not in OTHERS]
    assert found == expected


@pytest.mark.parametrize(
    "group", ["ethernets", "bonds", "bridges", "vlans", "wifis", "tunnels", "vrfs", "dummy-devices"]
)
def test_each_device_of_version_2_can_have_a_static_address(group):
    static, dynamic = (
        network_data(f"{group}: {{d: {{dhcp4: true}}, e: {{{fields}}}}}")
        for fields in ("addresses: [192.0.2.1/24]", "")
    )
    assert [each.path for each in atmpl.render(static).warnings if each.reason == "SourceAddress"] == [DATA]
    assert [each.path for each in atmpl.render(dynamic).warnings if each.reason == "SourceAddress"] == []


@pytest.mark.parametrize("phrase", [phrase for phrase, (_, found) in WARNINGS.items() if found])
def test_message_of_the_template_has_the_short_text(phrase):
    vm, expected = WARNINGS[phrase]
    assert SHORT_MESSAGES[expected[0][0]] in atmpl.render(vm).template["message"]


def test_preserved_identity_has_no_address_warning():
    vm = network_data(f"match: {MAC}")
    reasons = {each.reason for each in atmpl.render(vm, identity="Preserve").warnings}
    assert reasons == {"InlineSecret"}


def test_preserved_hostname_that_is_the_name_is_a_source_name():
    found = atmpl.render(a_vm({"hostname": "vm"}), identity="Preserve").warnings
    assert [(each.reason, each.path) for each in found] == [("SourceName", f"{SPEC}.hostname")]
    assert atmpl.render(a_vm({"hostname": "vm"})).warnings == ()


FIXES = {  # labels, and options: what the message of SourceName advises
    "a label": ({"app": "vm"}, {}, "include: [template.metadata.labels.*]"),
    "a label that is a parameter": ({"app": "vm"}, {"include": ["template.metadata.labels.*"]}, "Set its parameter"),
    "the label name": ({"name": "vm"}, {}, "include: [template.metadata.labels.name]"),
    "the label name, and a wildcard": (
        {"name": "vm"},
        {"include": ["template.metadata.labels.*"]},
        "include: [template.metadata.labels.name]",
    ),
    "the label name as a parameter": (
        {"name": "vm"},
        {"include": ["template.metadata.labels.name"]},
        "Set its parameter",
    ),
    "a hostname": ({}, {"identity": "Preserve", "profile": "None"}, "identity: Fresh"),
    "a hostname that is a parameter": ({}, {"identity": "Preserve"}, "Set its parameter"),
}


@pytest.mark.parametrize("phrase", FIXES)
def test_message_of_source_name_has_its_advice(phrase):
    labels, options, advice = FIXES[phrase]
    source = with_template(a_vm({"hostname": "vm"}), labels=labels)
    (message,) = [each.message for each in atmpl.render(source, **options).warnings if each.reason == "SourceName"]
    assert advice in message
    if advice.startswith("include: ["):
        pattern = advice.removeprefix("include: [").removesuffix("]")
        vm = atmpl.render(source, include=[pattern]).template["objects"][0]
        assert [value[:2] for value in vm["spec"]["template"]["metadata"]["labels"].values()] == ["${"]


def test_shared_disk_says_that_unique_does_not_cover_it():
    (warning,) = atmpl.render(volumes(claim()), data_volumes="Unique").warnings
    assert "Unique" in warning.message
    (warning,) = atmpl.render(volumes(claim())).warnings
    assert "Unique" not in warning.message


def test_shared_data_volumes_name_the_source():
    vm = a_vm({}, spec={"dataVolumeTemplates": [{"metadata": {"name": "d"}}]}, namespace="team-a")
    (warning,) = atmpl.render(vm).warnings
    assert "VM vm in namespace team-a" in warning.message


def test_source_name_with_a_reference_is_not_in_the_message():
    vm = a_vm({}, spec={"dataVolumeTemplates": [{"metadata": {"name": "d"}}]}, name="${X}")
    assert "${X}" not in atmpl.render(vm).warnings[0].message


def test_source_namespace_with_a_reference_is_not_in_the_message():
    vm = a_vm({}, spec={"dataVolumeTemplates": [{"metadata": {"name": "d"}}]}, namespace="${X}")
    assert "${X}" not in atmpl.render(vm).warnings[0].message


NAMED = {  # an instance or spec: the path of a name in the VM's namespace; None if there is none
    "a Secret": ({"volumes": [{"secret": {"secretName": "s"}}]}, {}, f"{V0}.secret.secretName"),
    "a ConfigMap": ({"volumes": [{"configMap": {"name": "s"}}]}, {}, f"{V0}.configMap.name"),
    "a service account": (
        {"volumes": [{"serviceAccount": {"serviceAccountName": "s"}}]},
        {},
        f"{V0}.serviceAccount.serviceAccountName",
    ),
    "cloud-init in a Secret": (
        {"volumes": [{"cloudInitNoCloud": {"secretRef": {"name": "s"}}}]},
        {},
        f"{V0}.cloudInitNoCloud.secretRef.name",
    ),
    "credentials": (
        {"accessCredentials": [{"sshPublicKey": {"source": {"secret": {"secretName": "s"}}}}]},
        {},
        f"{SPEC}.accessCredentials[0].sshPublicKey.source.secret.secretName",
    ),
    "a network": ({"networks": [{"multus": {"networkName": "n"}}]}, {}, f"{SPEC}.networks[0].multus.networkName"),
    "a network with its namespace": ({"networks": [{"multus": {"networkName": "team-a/n"}}]}, {}, None),
    "a DataSource": (
        {},
        {"dataVolumeTemplates": [{"metadata": {"name": "d"}, "spec": {"sourceRef": {"name": "s"}}}]},
        "spec.dataVolumeTemplates[0].spec.sourceRef.name",
    ),
    "a DataSource with its namespace": (
        {},
        {"dataVolumeTemplates": [{"metadata": {"name": "d"}, "spec": {"sourceRef": {"name": "s", "namespace": "x"}}}]},
        None,
    ),
    "an instance type": (
        {},
        {"instancetype": {"kind": "VirtualMachineInstancetype", "name": "i"}},
        "spec.instancetype.name",
    ),
    "a cluster's instance type": ({}, {"instancetype": {"name": "i"}}, None),
}


REFERENCES = [  # below `spec`: each names an object in the VM's namespace
    *(
        f"template.spec.volumes[0].{path}"
        for path in (
            "sysprep.secret.name",
            "sysprep.configMap.name",
            "containerDisk.imagePullSecret",
            "cloudInitNoCloud.networkDataSecretRef.name",
            "cloudInitConfigDrive.secretRef.name",
            "cloudInitConfigDrive.networkDataSecretRef.name",
            "persistentVolumeClaim.claimName",
            "ephemeral.persistentVolumeClaim.claimName",
            "dataVolume.name",
        )
    ),
    "template.spec.domain.firmware.kernelBoot.container.imagePullSecret",
    "template.spec.accessCredentials[0].userPassword.source.secret.secretName",
    *(
        f"dataVolumeTemplates[0].spec.source.{path}"
        for path in (
            *("http.secretRef", "http.certConfigMap", "s3.secretRef", "s3.certConfigMap", "gcs.secretRef"),
            *("registry.secretRef", "registry.certConfigMap", "imageio.secretRef", "imageio.certConfigMap"),
            *("vddk.secretRef", "pvc.name", "snapshot.name"),
        )
    ),
]


def references_of(path, name):
    """Return the paths of the warnings OtherNamespace for a VM with `name` at `path` below `spec`."""
    spec = name
    for key in reversed(path.replace("[0]", ".0").split(".")):
        spec = [spec] if key == "0" else {key: spec}
    vm = a_vm({}, namespace="team-a")
    found = atmpl.render(vm | {"spec": vm["spec"] | spec}, namespace="team-b").warnings
    return [each.path for each in found if each.reason == "OtherNamespace"]


@pytest.mark.parametrize("path", REFERENCES)
def test_reference_to_the_namespace_is_found_if_it_is_a_name(path):
    assert references_of(path, "x") == [f"spec.{path}"]
    assert references_of(path, "") == []
    assert references_of(path, 5) == []


@pytest.mark.parametrize("name", ["", 5])
def test_network_without_a_name_has_no_reference(name):
    assert references_of("template.spec.networks[0].multus.networkName", name) == []


@pytest.mark.parametrize("kind", ["Instancetype", "Preference"])
def test_namespaced_instance_type_and_preference_are_references(kind):
    matcher = {"kind": f"VirtualMachine{kind}", "name": "n"}
    assert references_of(kind.lower(), matcher) == [f"spec.{kind.lower()}.name"]
    assert references_of(kind.lower(), {"kind": matcher["kind"]}) == []


def test_data_volume_names_are_texts():
    templates = [{"metadata": {"name": name}} for name in ("d", "", 5, ["d"])]
    assert data_volume_names({"dataVolumeTemplates": [*templates, None, {"metadata": {}}]}) == {"d"}


@pytest.mark.parametrize("phrase", NAMED)
def test_other_namespace_names_each_reference(phrase):
    instance, spec, path = NAMED[phrase]
    vm = a_vm(instance, spec=spec, namespace="team-a")
    for namespace, expected in (("team-b", [path] if path else []), ("team-a", []), (None, [])):
        warnings = atmpl.render(vm, namespace=namespace).warnings
        assert [each.path for each in warnings if each.reason == "OtherNamespace"] == expected


def test_claim_in_another_namespace_is_both_shared_and_missing():
    vm = volumes(claim())
    vm["metadata"]["namespace"] = "team-a"
    found = {each.reason: each.path for each in atmpl.render(vm, namespace="team-b").warnings}
    assert found == {"SharedDisk": V0, "OtherNamespace": f"{V0}.persistentVolumeClaim.claimName"}


PATTERNS = {
    "a misspelling": ({"include": ["hostnam"]}, "hostnam", ".**", False),
    "a path of the whole VM": (
        {"include": ["spec.template.spec.domain.cpu.*"]},
        "spec.template.spec.domain.cpu.*",
        ": template.spec.domain.cpu.*",
        True,
    ),
    "a misspelling in such a path": ({"include": ["spec.hostnam"]}, "spec.hostnam", "Leave out", False),
    "an object": ({"exclude": ["template.spec.domain"]}, "template.spec.domain", "template.spec.domain.**", True),
    "the CPU of the console": (
        {"include": ["template.spec.domain.cpu.cores"], "console": "Complete"},
        "template.spec.domain.cpu.cores",
        "CPU and memory are literal",
        True,
    ),
}


@pytest.mark.parametrize("phrase", PATTERNS)
def test_pattern_without_effect_is_reported(phrase):
    options, pattern, text, expected = PATTERNS[phrase]
    rendered = atmpl.render(a_vm({"domain": {"cpu": {"cores": 2}}}), **options)
    (warning,) = rendered.warnings
    assert (warning.reason, warning.path) == ("UnmatchedPattern", pattern)
    assert (text in warning.message) is expected
    assert "message" not in rendered.template


def test_each_pattern_that_names_an_object_is_reported_as_one():
    exclude = ["template.spec.a", "template.spec.b"]
    warnings = atmpl.render(a_vm({"a": {"x": 1}, "b": {"x": 1}}), exclude=exclude).warnings
    assert [each.path for each in warnings if f"Use {each.path}.**" in each.message] == exclude


@pytest.mark.parametrize(("count", "end"), [(10, "S8, S9."), (11, "S8, S9 and 1 more."), (12, "S8, S9 and 2 more.")])
@pytest.mark.parametrize("is_generated", [True, False])
def test_message_of_the_template_names_at_most_10_secrets(is_generated, count, end):
    message = template_message([], [SecretParameter(f"S{index}", "x", is_generated) for index in range(count)])
    heading = "Secrets generated for each new VM" if is_generated else "Secrets to set for each new VM"
    assert message.startswith(f"{heading}: S0, S1, ")
    assert message.endswith(end)


def test_each_reason_but_one_has_a_short_text():
    assert MESSAGES.keys() - SHORT_MESSAGES.keys() == {"UnmatchedPattern"}
