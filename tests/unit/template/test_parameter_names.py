"""Names follow the rules of the design and are unique in one VM."""

import re
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atmpl.template import parameter_names
from atmpl.template.parameter_names import assign_names, base_name, lengthen_duplicates, outside_name


def path(text):
    """`domain.devices.disks[0].disk.bus` as a path."""
    return tuple(int(part) if part.isdigit() else part for part in re.findall(r"[^.\[\]]+", text))


DESIGN = {  # the design's table
    "domain.devices.disks[0].disk.bus": "DISK0_BUS",
    "domain.resources.requests.memory": "REQUESTS_MEMORY",
    "volumes[0].containerDisk.image": "VOLUME0_IMAGE",
    "volumes[1].cloudInitNoCloud.userData": "VOLUME1_USER_DATA",
    "domain.devices.interfaces[0].ports[0].port": "INTERFACE0_PORT0_PORT",
    "domain.devices.networkInterfaceMultiqueue": "NETWORK_INTERFACE_MULTIQUEUE",
    "domain.cpu.cores": "CPU_CORES",
    "domain.cpu.features[0].policy": "CPU_FEATURE0_POLICY",
    "domain.features.hyperv.spinlocks.spinlocks": "FEATURES_HYPERV_SPINLOCKS_SPINLOCKS",
    "domain.firmware.bootloader.efi.secureBoot": "FIRMWARE_BOOTLOADER_EFI_SECURE_BOOT",
    "networks[1].multus.networkName": "NETWORK1_NETWORK_NAME",
    "livenessProbe.httpGet.port": "LIVENESS_PROBE_HTTP_GET_PORT",
    "readinessProbe.exec.command[0]": "READINESS_PROBE_EXEC_COMMAND0",
    "dnsConfig.nameservers[1]": "DNS_CONFIG_NAMESERVER1",
    "hostname": "HOSTNAME",
}

SENTENCES = {
    "a disk's own field keeps its key": ("domain.devices.disks[1].bootOrder", "DISK1_BOOT_ORDER"),
    "a list below a volume keeps its key": ("volumes[0].sources[0].path", "VOLUME0_SOURCE0_PATH"),
    "only the one union key goes": (
        "volumes[2].ephemeral.persistentVolumeClaim.claimName",
        "VOLUME2_PERSISTENT_VOLUME_CLAIM_CLAIM_NAME",
    ),
    "volumes elsewhere are no union list": ("x.volumes[0].a.b", "X_VOLUME0_A_B"),
    "another list has no union key": ("tolerations[0].a.b", "TOLERATION0_A_B"),
    "another list of devices has none either": ("domain.devices.interfaces[0].a.b", "INTERFACE0_A_B"),
    "a list of lists has no union key": ("volumes[0][1].a.b", "VOLUME0_1_A_B"),
    "preferred affinity is short": (
        "affinity.nodeAffinity.preferredDuringSchedulingIgnoredDuringExecution[0].weight",
        "AFFINITY_NODE_AFFINITY_PREFERRED0_WEIGHT",
    ),
    "required affinity is short": (
        "affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[0].matchExpressions[1].values[2]",
        "AFFINITY_NODE_AFFINITY_REQUIRED_NODE_SELECTOR_TERM0_MATCH_EXPRESSION1_VALUE2",
    ),
    "ies becomes y": ("policies[0]", "POLICY0"),
    "sses loses es": ("classes[0]", "CLASS0"),
    "addresses too": ("ipAddresses[3]", "IP_ADDRESS3"),
    "xes loses es": ("boxes[0]", "BOX0"),
    "ches loses es": ("switches[0]", "SWITCH0"),
    "shes loses es": ("meshes[0]", "MESH0"),
    "a final s after an s stays": ("access[0]", "ACCESS0"),
    "a map's key stays plural": ("policies.a", "POLICIES_A"),
    "capitals in a run stay together": ("domain.devices.useVirtioTPMDevice", "USE_VIRTIO_TPM_DEVICE"),
    "a digit ends a word": ("sha256Sum", "SHA256_SUM"),
    "other characters become underscores": ("nodeSelector.a/b.c-d", "NODE_SELECTOR_A_B_C_D"),
    "letters beyond ASCII become underscores": ("a\u00df\u0131", "A__"),
    "nested lists keep their indexes apart": ("rows[1][12]", "ROW1_12"),
    "devices as a list stays in the name": ("domain.devices[0].x", "DEVICE0_X"),
    "domain as a list stays in the name": ("domain[0].x", "DOMAIN0_X"),
    "a domain inside is not a prefix": ("x.domain.y", "X_DOMAIN_Y"),
}


@pytest.mark.parametrize(("where", "name"), DESIGN.items())
def test_names_are_those_of_the_design(where, name):
    assert base_name(path(where)).name == name


def path_of_keys(text):
    if text == "nodeSelector.a/b.c-d":
        return ("nodeSelector", "a/b.c-d")
    return path(text)


@pytest.mark.parametrize("phrase", SENTENCES)
def test_name_follows_each_rule(phrase):
    where, name = SENTENCES[phrase]
    assert base_name(path_of_keys(where)).name == name


DISPLAYED = {
    "domain.devices.disks[0].disk.bus": "Disk 0 bus",
    "domain.cpu.cores": "CPU cores",
    "domain.devices.interfaces[0].macAddress": "Interface 0 MAC address",
    "domain.firmware.uuid": "Firmware UUID",
    "domain.resources.requests.memory": "Requests memory",
    "volumes[1].cloudInitNoCloud.userData": "Volume 1 user data",
    "readinessProbe.exec.command[0]": "Readiness probe exec command 0",
    "domain.features.hyperv.spinlocks.spinlocks": "Features hyperv spinlocks",
    "domain.features.smm.enabled": "Features SMM enabled",
}


@pytest.mark.parametrize(("where", "display"), DISPLAYED.items())
def test_display_name_is_in_words(where, display):
    assert base_name(path(where)).display == display


def test_description_is_the_name_in_kebab_case():
    assert base_name(path("domain.devices.disks[0].disk.bus")).description == "disk0-bus"


def digits(pointer):
    return sha256(pointer.encode()).hexdigest()[:8].upper()


def test_leaves_that_share_a_name_get_digits():
    found = [name.name for name in assign_names([("a-b",), ("other",), ("a.b",)])]
    assert found == [
        f"A_B_{digits('/spec/template/spec/a-b')}",
        "OTHER",
        f"A_B_{digits('/spec/template/spec/a.b')}",
    ]


def test_digits_come_from_an_escaped_json_pointer():
    found = [name.name for name in assign_names([("a/b~",), ("a.b_",)])]
    assert found == [f"A_B__{digits('/spec/template/spec/a~1b~0')}", f"A_B__{digits('/spec/template/spec/a.b_')}"]


def test_unselected_leaf_takes_its_name():
    found = [name.name for name in assign_names([("a-b",), ("c",)], [("a.b",), ("c_",)])]
    assert found == [f"A_B_{digits('/spec/template/spec/a-b')}", "C"]


def test_digits_outside_of_the_instance_come_from_the_whole_path():
    paths = [("a-b",), ("a.b",), ("c",), ("d",)]
    found = [name.name for name in lengthen_duplicates([outside_name(path) for path in paths], paths, {"D"})]
    assert found == [f"A_B_{digits('/spec/a-b')}", f"A_B_{digits('/spec/a.b')}", "C", f"D_{digits('/spec/d')}"]


def test_longer_name_that_is_taken_gets_further_digits():
    first, second = (sha256(b"/spec/d").hexdigest()[start : start + 8].upper() for start in (0, 8))
    (name,) = lengthen_duplicates([outside_name(("d",))], [("d",)], {"D", f"D_{first}"})
    assert name.name == f"D_{first}_{second}"


OUTSIDE = {  # below `spec`, outside of `spec.template.spec`
    "runStrategy": "RUN_STRATEGY",
    "dataVolumeTemplates[0].metadata.name": "DATA_VOLUME0_METADATA_NAME",
    "dataVolumeTemplates[1].spec.storage.resources.requests.storage": "DATA_VOLUME1_STORAGE",
    "dataVolumeTemplates[1].spec.pvc.resources.requests.storage": "DATA_VOLUME1_STORAGE",
    "dataVolumeTemplates[0].spec.storage.volumeMode": "DATA_VOLUME0_VOLUME_MODE",
    "dataVolumeTemplates[0].spec.pvc.accessModes[1]": "DATA_VOLUME0_ACCESS_MODE1",
    "dataVolumeTemplates[0].spec.pvc": "DATA_VOLUME0_PVC",
    "dataVolumeTemplates[0].spec.storage[0].x": "DATA_VOLUME0_STORAGE0_X",
    "dataVolumeTemplates[0].spec": "DATA_VOLUME0_SPEC",
    "dataVolumeTemplates[0].spec[0].x": "DATA_VOLUME0_SPEC0_X",
    "dataVolumeTemplates.spec.x": "DATA_VOLUME_TEMPLATES_SPEC_X",
    "updateVolumesStrategies[0]": "UPDATE_VOLUMES_STRATEGY0",
    "others[0].spec.storage.x": "OTHER0_SPEC_STORAGE_X",
}


@pytest.mark.parametrize(("where", "name"), OUTSIDE.items())
def test_name_outside_of_the_instance_follows_each_rule(where, name):
    assert outside_name(path(where)).name == name


@pytest.mark.parametrize("key", ["name_", "labels", "suffix", "literal0", "literal17", "NAME"])
def test_reserved_name_gets_digits(key):
    key = key.rstrip("_")
    (name,) = assign_names([(key,)])
    assert name.name == f"{key.upper()}_{digits('/spec/template/spec/' + key)}"
    assert name.description == name.name.lower().replace("_", "-")


@pytest.mark.parametrize("where", [("domain",), ("domain", "devices"), ("",)])
def test_empty_name_gets_digits(where):
    (name,) = assign_names([where])
    assert name.name == "_" + digits("/spec/template/spec/" + "/".join(where))


def test_key_like_a_longer_name_keeps_names_unique():
    trap = f"a_b_{digits('/spec/template/spec/a-b')}"
    found = [name.name for name in assign_names([("a-b",), ("a.b",), (trap,)])]
    assert len(set(found)) == 3
    assert all(re.fullmatch(r"[A-Z0-9_]+", name) for name in found)
    assert found[1] == f"A_B_{digits('/spec/template/spec/a.b')}"  # not shared, so it is unchanged


def test_name_similar_to_a_reserved_one_is_kept():
    assert base_name(("literals", 0)).name == "LITERAL0"
    assert [name.name for name in assign_names([("literals", 0)])] == [
        f"LITERAL0_{digits('/spec/template/spec/literals/0')}"
    ]


def test_chain_of_keys_like_longer_names_terminates():
    """Each key is what digits make of the one before, so that every round finds one more name taken."""
    paths = [("a-b",), ("a.b",)]
    name = "A_B"
    for turn in range(20):
        digest = sha256(b"/spec/template/spec/a-b")
        for _ in range(turn // 8):
            digest = sha256(digest.digest())
        name += "_" + digest.hexdigest()[turn % 8 * 8 :][:8].upper()
        paths.append((name.lower(),))
    found = [each.name for each in assign_names(paths)]
    assert len(set(found)) == len(paths)
    assert found[0].startswith(name)


KEYS = st.sampled_from(
    (
        *("domain", "devices", "disks", "resources", "volumes", "networks", "aB", "boxes", "", "_", "uuid"),
        "preferredDuringSchedulingIgnoredDuringExecution",
    )
)


@given(first=KEYS, rest=st.lists(st.one_of(KEYS, st.integers(0, 12)), max_size=6))
def test_shared_stem_changes_no_name(first, rest):
    where = (first, *rest)
    words = parameter_names._words(where)
    whole = parameter_names.named(parameter_names._joined(words), parameter_names._display_name(words))
    assert parameter_names._base_name(where, {}) == whole
