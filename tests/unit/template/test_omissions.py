"""Rules 7, 8 and 10: what a template leaves out or blanks, and its list of that."""

import pytest

import atmpl
from atmpl.template import FORMATS
from tests.support.template_vms import a_vm


def metadata_of(template):
    return (template["objects"][0] if "objects" in template else template["spec"]["virtualMachine"])["metadata"]


def omitted(vm, **options):
    return {each.path: each.reason for each in atmpl.render(vm, **options).omitted}


LABELS = {  # a label or annotation of the VM: the reason why it is left out; None if it stays
    "argocd.argoproj.io/instance": "TrackedByTool",
    "app.kubernetes.io/instance": "TrackedByTool",
    "meta.helm.sh/release-name": "TrackedByTool",
    "helm.toolkit.fluxcd.io/name": "TrackedByTool",
    "kustomize.toolkit.fluxcd.io/namespace": "TrackedByTool",
    "objectset.rio.cattle.io/hash": "TrackedByTool",
    "fleet.cattle.io/bundle-id": "TrackedByTool",
    "kapp.k14s.io/app": "TrackedByTool",
    "config.k8s.io/owning-inventory": "TrackedByTool",
    "applyset.kubernetes.io/part-of": "TrackedByTool",
    "velero.io/backup-name": "TrackedByTool",
    "velero.io/restore-name": "TrackedByTool",
    "template.openshift.io/template-instance-owner": "TrackedByTool",
    "vm.kubevirt.io/template": "SourceTemplate",
    "vm.kubevirt.io/template.version": "SourceTemplate",
    "app.kubernetes.io/name": None,
    "helm.sh/chart": None,
    "argocd.argoproj.io/sync-wave": None,
    "velero.io/other": None,
    "velero.io/restore-name-2": None,
    "app.kubernetes.io/instance-of": None,
    "kapp-k14s.io/app": None,
    "plan": None,
    "vmID": None,
}
ANNOTATIONS = {
    "kubectl.kubernetes.io/last-applied-configuration": "SourceRecord",
    "kubevirt.io/latest-observed-api-version": "SourceRecord",
    "kubevirt.io/storage-observed-api-version": "SourceRecord",
    "kubemacpool.io/transaction": "SourceRecord",
    "restore.kubevirt.io/name": "SourceRecord",
    "vm.kubevirt.io/template": "SourceTemplate",
    "argocd.argoproj.io/tracking-id": "TrackedByTool",
    "harvesterhci.io/mac-address": "SourceIdentity",
    "network.harvesterhci.io/ips": "SourceIdentity",
    "ovn.kubernetes.io/mac_address": "SourceIdentity",
    "ovn.kubernetes.io/ip_address": "SourceIdentity",
    "lan.team-a.ovn.kubernetes.io/mac_address": "SourceIdentity",
    "lan.team-a.ovn.kubernetes.io/ip_address": "SourceIdentity",
    "cni.projectcalico.org/ipAddrs": "SourceIdentity",
    "cni.projectcalico.org/ipAddrsNoIpam": "SourceIdentity",
    "cni.projectcalico.org/hwAddr": "SourceIdentity",
    "network.kubevirt.io/addresses": "SourceIdentity",
    "ovn.kubernetes.io/logical_switch": None,
    "cni.projectcalico.org/ipv4pools": None,
    "network.kubevirt.io/addresses-of": None,
    "argocd.argoproj.io/tracking-id-2": None,
    "vm.kubevirt.io/validations": None,
}


@pytest.mark.parametrize("key", LABELS)
def test_label_is_left_out_or_stays(key):
    vm = a_vm({}, labels={key: "x", "app": "shop"})
    reason = LABELS[key]
    kept = {"app": "shop", "vm.kubevirt.io/template": "vm-template"} | ({} if reason else {key: "x"})
    assert metadata_of({"objects": atmpl.process(atmpl.render(vm).template)})["labels"] == kept
    assert omitted(vm) == ({f"metadata.labels[{key}]": reason} if reason else {})


@pytest.mark.parametrize("key", ANNOTATIONS)
def test_annotation_is_left_out_or_stays(key):
    vm = a_vm({}, annotations={key: "x"})
    reason = ANNOTATIONS[key]
    assert metadata_of(atmpl.render(vm).template).get("annotations", {}) == ({} if reason else {key: "x"})
    assert omitted(vm) == ({f"metadata.annotations[{key}]": reason} if reason else {})
    is_kept = reason in (None, "SourceIdentity")
    assert (key in metadata_of(atmpl.render(vm, identity="Preserve").template).get("annotations", {})) is is_kept


def test_forklift_labels_are_left_out_only_together():
    labels = {"plan": "a", "migration": "b", "vmID": "c"}
    dropped = {f"metadata.labels.{key}": "TrackedByTool" for key in labels}
    assert omitted(a_vm({}, labels=labels)) == dropped
    assert omitted(a_vm({}, labels=labels | {"tier": "d"})) == dropped
    assert omitted(a_vm({}, labels={"plan": "a", "vmID": "c"})) == {}


def test_fields_that_the_server_sets_are_not_listed():
    vm = a_vm({}, uid="u", resourceVersion="5", creationTimestamp="t", managedFields=[], finalizers=["f"])
    vm["metadata"] |= {"generateName": "v-", "namespace": "n", "generation": 2, "selfLink": "/v"}
    vm["metadata"] |= {"deletionTimestamp": "t", "deletionGracePeriodSeconds": 0}
    vm["status"] = {"ready": True}
    assert omitted(vm) == {"metadata.finalizers": "SourceRecord"}


@pytest.mark.parametrize("format", FORMATS)
def test_metadata_of_the_instance_loses_only_addresses(format):
    vm = a_vm({})
    labels = {"argocd.argoproj.io/instance": "x"}
    annotations = {"ovn.kubernetes.io/ip_address": "192.0.2.1", "meta.helm.sh/x": "y"}
    vm["spec"]["template"]["metadata"] = {"labels": labels, "annotations": annotations, "creationTimestamp": None}
    (made,) = atmpl.process(atmpl.render(vm, format=format).template)
    kept = {"labels": labels, "annotations": {"meta.helm.sh/x": "y"}, "creationTimestamp": None}
    assert made["spec"]["template"]["metadata"] == kept
    path = "spec.template.metadata.annotations[ovn.kubernetes.io/ip_address]"
    assert omitted(vm) == {path: "SourceIdentity"}
    del annotations["meta.helm.sh/x"]
    (made,) = atmpl.process(atmpl.render(vm, format=format).template)
    assert made["spec"]["template"]["metadata"] == {"labels": labels, "creationTimestamp": None}


IDENTITY = {
    "domain": {
        "devices": {"interfaces": [{"macAddress": "02:00:00:00:00:01"}, {"macAddress": ""}]},
        "launchSecurity": {"sev": {"session": "s", "dhCert": "c", "policy": {}}},
    },
    "hostname": "vm",
}
DOMAIN = "spec.template.spec.domain"


@pytest.mark.parametrize("format", FORMATS)
def test_identity_is_blank_as_a_parameter_and_absent_otherwise(format):
    vm = a_vm(IDENTITY)
    blank = atmpl.render(vm, format=format)
    (made,) = atmpl.process(blank.template)
    sev = {"session": "", "dhCert": "", "policy": {}}
    interfaces = [{"macAddress": ""}, {"macAddress": ""}]
    instance = {"domain": {"devices": {"interfaces": interfaces}, "launchSecurity": {"sev": sev}}, "hostname": ""}
    assert made["spec"]["template"]["spec"] == instance
    (made,) = atmpl.process(atmpl.render(vm, format=format, profile="None").template)
    assert made["spec"]["template"]["spec"] == {
        "domain": {"devices": {"interfaces": [{}, {}]}, "launchSecurity": {"sev": {"policy": {}}}}
    }
    assert [each.path for each in blank.omitted] == [
        f"{DOMAIN}.devices.interfaces[0].macAddress",
        f"{DOMAIN}.launchSecurity.sev.session",
        f"{DOMAIN}.launchSecurity.sev.dhCert",
        "spec.template.spec.hostname",
    ]


def test_another_hostname_is_no_identity():
    assert omitted(a_vm({"hostname": "other"})) == {}
    assert omitted(a_vm({"hostname": "vm"}), identity="Preserve") == {}


def test_description_says_what_an_empty_identity_means():
    parameters = atmpl.render(a_vm(IDENTITY)).template["parameters"]
    assert "empty" in parameters[0]["description"]
    assert all(each["displayName"] for each in parameters)


DUMP = a_vm(
    {
        "domain": {
            "devices": {"disks": [{"name": "a", "disk": {"bus": "x"}}, {"name": "dump"}, {"name": "b", "serial": "s"}]}
        },
        "volumes": [
            {"name": "a", "containerDisk": {"image": "i"}},
            {"name": "dump", "memoryDump": {"claimName": "c"}},
            {"name": "b", "containerDisk": {"image": "j"}},
        ],
    }
)


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("profile", ["All", "None"])
def test_memory_dump_goes_with_its_disk_and_indexes_stay(format, profile):
    rendered = atmpl.render(
        DUMP, format=format, profile=profile, include=["template.spec.volumes[2].containerDisk.image"]
    )
    (made,) = atmpl.process(rendered.template, {"VOLUME2_IMAGE": "k"})
    instance = made["spec"]["template"]["spec"]
    assert [each["name"] for each in instance["volumes"]] == ["a", "b"]
    assert instance["volumes"][1]["containerDisk"]["image"] == "k"
    assert [each["name"] for each in instance["domain"]["devices"]["disks"]] == ["a", "b"]
    assert [each.path for each in rendered.omitted] == [f"{DOMAIN}.devices.disks[1]", "spec.template.spec.volumes[1]"]
    assert {each.reason for each in rendered.omitted} == {"MemoryDump"}
    assert rendered.warnings == ()


@pytest.mark.parametrize("format", FORMATS)
def test_memory_dump_without_a_name_is_left_out(format):
    vm = a_vm({"domain": {"devices": {"disks": [{"serial": "s"}]}}, "volumes": [{"memoryDump": {}}, {"name": 5}]})
    (made,) = atmpl.process(atmpl.render(vm, format=format).template)
    assert made["spec"]["template"]["spec"]["volumes"] == [{"name": 5}]
    assert made["spec"]["template"]["spec"]["domain"]["devices"]["disks"] == [{"serial": "s"}]


DATA_VOLUME = {
    "metadata": {
        "name": "d",
        "namespace": "other",
        "uid": "u",
        "creationTimestamp": None,
        "labels": {"a": "b"},
        "annotations": {
            "cdi.kubevirt.io/storage.prePopulated": "d",
            "cdi.kubevirt.io/storage.checkStaticVolume": "",
            "x": "y",
        },
    },
    "spec": {"pvc": {}},
}


@pytest.mark.parametrize("format", FORMATS)
def test_data_volume_keeps_name_labels_and_annotations(format):
    vm = a_vm({}, spec={"dataVolumeTemplates": [DATA_VOLUME]})
    (made,) = atmpl.process(atmpl.render(vm, format=format).template)
    kept = {"name": "d", "labels": {"a": "b"}, "annotations": {"x": "y"}}
    assert made["spec"]["dataVolumeTemplates"] == [{"metadata": kept, "spec": {"pvc": {}}}]
    path = "spec.dataVolumeTemplates[0].metadata"
    dropped = [f"annotations[cdi.kubevirt.io/storage.{name}]" for name in ("prePopulated", "checkStaticVolume")]
    assert list(omitted(vm)) == [f"{path}.{name}" for name in ("namespace", "uid", "creationTimestamp", *dropped)]


def test_omissions_of_each_data_volume_are_listed():
    metadata = {"name": "e", "finalizers": ["f"], "ownerReferences": []}
    vm = a_vm({}, spec={"dataVolumeTemplates": [{"spec": {}}, DATA_VOLUME, {"metadata": metadata, "spec": {}}]})
    path = "spec.dataVolumeTemplates[2].metadata"
    assert [each for each in omitted(vm) if "[1]" not in each] == [f"{path}.finalizers", f"{path}.ownerReferences"]
    assert len(omitted(vm)) == 7


@pytest.mark.parametrize("format", FORMATS)
def test_revisions_of_instancetype_and_preference_are_left_out(format):
    matcher = {"name": "n", "revisionName": "vm-n-1"}
    vm = a_vm({}, spec={"instancetype": matcher, "preference": matcher})
    (made,) = atmpl.process(atmpl.render(vm, format=format).template)
    assert made["spec"]["instancetype"] == made["spec"]["preference"] == {"name": "n"}
    paths = ("spec.instancetype.revisionName", "spec.preference.revisionName")
    assert omitted(vm) == dict.fromkeys(paths, "SourceRevision")


@pytest.mark.parametrize("format", FORMATS)
def test_unique_renames_the_source_that_is_a_sibling(format):
    sources = [{"name": "d"}, {"name": "d", "namespace": "team-a"}, {"name": "d", "namespace": "team-b"}, {"name": "x"}]
    templates = [{"metadata": {"name": "d"}, "spec": {}}] + [
        {"metadata": {"name": f"e{index}"}, "spec": {"source": {"pvc": source}}} for index, source in enumerate(sources)
    ]
    vm = a_vm({}, spec={"dataVolumeTemplates": templates}, namespace="team-a")
    rendered = atmpl.render(vm, format=format, data_volumes="Unique", include=["dataVolumeTemplates.**", "**.name"])
    (made,) = atmpl.process(rendered.template, {"SUFFIX": "abcde"})
    found = [each["spec"]["source"]["pvc"] for each in made["spec"]["dataVolumeTemplates"][1:]]
    assert found == [{"name": "d-abcde"}, {"name": "d-abcde"}, sources[2], sources[3]]
    assert made["spec"]["dataVolumeTemplates"][0]["metadata"]["name"] == "d-abcde"


def test_each_omission_is_explained():
    rendered = atmpl.render(DUMP | {"metadata": {"name": "vm", "labels": {"kapp.k14s.io/app": "x"}}})
    assert all(each.explanation for each in rendered.omitted)


def test_memory_dump_without_name_is_dropped():
    vm = a_vm({"volumes": [{"memoryDump": {"claimName": "c"}}, {"name": "a", "emptyDisk": {}}]})
    template = atmpl.render(vm, name="t").template
    volumes = template["objects"][0]["spec"]["template"]["spec"]["volumes"]
    assert [volume["name"] for volume in volumes] == ["a"]
