"""The output with default options: compared with digests of the output before the options existed.

Display names, descriptions in parentheses, the message and the version of the generator can differ, and so can the
fields that a new rule drops or blanks.
"""

import hashlib
import json
import re

import pytest

import atmpl
from tests.support.shared_data import needs_shared
from tests.support.template_vms import real_vms

pytestmark = needs_shared

DIGESTS = {  # file of the corpus: (openshift, native)
    "ct-centos-stream9-desktop-large-s390x.yaml": ("026dab9a468e8614", "ed17a4e3d3daa481"),
    "ct-centos-stream9-desktop-large.yaml": ("bb322873a337a44a", "a765ff2bdabd2a7d"),
    "ct-centos-stream9-desktop-medium-arm64.yaml": ("e6811df1b1147212", "2a9e7261ede1e176"),
    "ct-centos-stream9-desktop-medium-s390x.yaml": ("ff55f7c5a5be46f3", "cca9b980414061ad"),
    "ct-centos-stream9-desktop-medium.yaml": ("db828f713c6de806", "889f990eea352200"),
    "ct-centos-stream9-server-large-arm64.yaml": ("ff67d630ee329ecc", "0e9b821e406316dc"),
    "ct-centos-stream9-server-large-s390x.yaml": ("7d97d8c47d5dd7a6", "3325754d122f6512"),
    "ct-centos-stream9-server-large.yaml": ("243da6835d5c868e", "796bc09cdb84623b"),
    "ct-centos-stream9-server-medium-arm64.yaml": ("690d4d174700a93d", "b618aeda870f8d54"),
    "ct-centos-stream9-server-medium.yaml": ("6e79599e925577b9", "fb0edf7a34a01d3e"),
    "ct-fedora-desktop-large-arm64.yaml": ("710517b6cc054bdb", "b01b4133a619d4af"),
    "ct-fedora-desktop-medium.yaml": ("ee6e1a6bc913e0ae", "81fd2307b4577960"),
    "ct-fedora-highperformance-large-arm64.yaml": ("0104346e2a407296", "b01b6df7932fce3b"),
    "ct-fedora-highperformance-medium-arm64.yaml": ("0aabd76754032fff", "6d8a2a9cfab45d62"),
    "ct-fedora-highperformance-medium-s390x.yaml": ("1d5a984e6ad44459", "036a44441b1234de"),
    "ct-fedora-server-large-arm64.yaml": ("dfe17aeb6c136338", "4649663678081a8c"),
    "ct-fedora-server-large.yaml": ("099fd0a29e17da14", "7a1712ccd4065d0e"),
    "ct-fedora-server-medium-arm64.yaml": ("18d40013279e8587", "6bd50959e20e1103"),
    "ct-fedora-server-medium.yaml": ("f6c79d3ec27a259b", "46207a168750adb1"),
    "ct-rhel7-highperformance-large.yaml": ("11a81957e6b814c6", "68100ca2849bf170"),
    "ct-rhel7-highperformance-medium.yaml": ("0a78ead7b14d29b5", "9944bffc3b000fd5"),
    "ct-windows10-highperformance-large.yaml": ("f9f1297686b76fce", "2d0c354868d38dcd"),
    "ct-windows10-highperformance-medium.yaml": ("9688a563b3f1b25b", "8a0d1d83db12f9c8"),
    "ct-windows11-highperformance-large.yaml": ("54eda9bdd0b119b4", "b89a96f3619311f0"),
    "kv-doc-containerpath-volumes-aws-workload.yaml": ("3ffa91ef8e9f21b6", "73fc12003a9063f5"),
    "kv-doc-network-binding-plugin-myvm.yaml": ("f6f8bf4e4108ea9f", "86ba25b482d1ba8f"),
    "kv-doc-probes-readiness-probe.yaml": ("40ed477fc9be6d79", "d6976042d4b78914"),
    "kv-doc-virtual-machine-myvm.yaml": ("cf77bfbdbb70c251", "f955fb53c1ef50ad"),
    "kv-example-vm-alpine-datavolume.yaml": ("f14c2648baeadd7d", "bef672479679f592"),
    "kv-example-vm-alpine-multipvc.yaml": ("5b5f3e811490475f", "13726c2867647741"),
    "kv-example-vm-cirros-clarge-virtio.yaml": ("086a9770084e4b44", "4d2925a8123030c5"),
    "kv-example-vm-cirros-clarge-windows.yaml": ("44a954e4f88c4222", "92c0b691c27cd306"),
    "kv-example-vm-cirros-clarge.yaml": ("bab57c835e42ad21", "5fb8d1699c8e128d"),
    "kv-example-vm-cirros-cluster-csmall.yaml": ("6e83c8c513e8fbed", "71904d1bbf38ad55"),
    "kv-example-vm-cirros-csmall.yaml": ("8b4f61feda7d57a1", "4b028179660fb089"),
    "kv-example-vm-cirros-sata.yaml": ("1657427ed1978cb6", "cab5fb1421a8d6e4"),
    "kv-example-vm-cirros-with-sidecar-hook-configmap.yaml": ("67f253419bc4fd1c", "bb1c998acd9eb809"),
    "kv-example-vm-cirros.yaml": ("b3bda76ff4259de4", "c02b55d07b6d3f80"),
    "kv-example-vm-priorityclass-vm-non-preemtible.yaml": ("a1dd50d943d53811", "f941dd4eba19f83b"),
    "kv-example-vm-windows-clarge-windows.yaml": ("7702510898390825", "f8ef6dae3e74e0f2"),
    "ug-architecture-vm-cirros.yaml": ("57133aa99d35a99d", "82142088926575ed"),
    "ug-boot-from-external-source-ext-kernel-boot-vm-2.yaml": ("1768c3f1c0502ecc", "a916fdbd339c1027"),
    "ug-boot-from-external-source-ext-kernel-boot-vm.yaml": ("d89d77e41ad0031c", "2e90a72a1b7443f6"),
    "ug-confidential-computing-secure-execution-vm.yaml": ("7d686ce067385127", "c3a768a0f141a983"),
    "ug-containerpath-volumes-azure-workload.yaml": ("4f6de14a7140514b", "ec29594ff76ba2ef"),
    "ug-containerpath-volumes-my-vm.yaml": ("0254b51600c7955f", "64bbcbd2aad9f37d"),
    "ug-disks-and-volumes-hostpath.yaml": ("64651da42984c000", "931e0a8d2be28326"),
    "ug-export-api-example-vm.yaml": ("5409f3eaca88e1b1", "6d21ba2f368785c7"),
    "ug-hotplug-volumes-testvm-2.yaml": ("5cfdfbacdf3c521c", "777d96e6dc464dc6"),
    "ug-hotplug-volumes-testvm-3.yaml": ("280fb84cd2c68275", "e5b4c8b66d092e54"),
    "ug-instancetypes-fedora.yaml": ("35222060854cfadc", "857fefc65a31b8f4"),
    "ug-interfaces-and-networks-none-2.yaml": ("aee990e82c96b71e", "17d75ae33569f9f0"),
    "ug-interfaces-and-networks-none-4.yaml": ("3149700b09f1eb08", "e2eda601717a9fad"),
    "ug-interfaces-and-networks-none-5.yaml": ("62ee78a96bebf4a5", "9d888fa12c2c258b"),
    "ug-interfaces-and-networks-none-6.yaml": ("f8c6c8a6fd9e4e18", "7fa32557e762f766"),
    "ug-interfaces-and-networks-vm-net-binding-passt.yaml": ("32e3d33657926bf9", "176940fe885ceaac"),
    "ug-interfaces-vm-fedora.yaml": ("7bcf90d361a059fc", "bb813572f465e29e"),
    "ug-legacy-windows-xp.yaml": ("8d9b8b393768bcca", "d85f2ec700e66474"),
    "ug-liveness-and-readiness-probes-example-agent-readiness-probe.yaml": ("46492de993ac9f36", "bd839969a092b9d6"),
    "ug-liveness-and-readiness-probes-example-http-liveness-probe.yaml": ("9eb03442a8686cdd", "d261003a8e153ce9"),
    "ug-liveness-and-readiness-probes-example-readiness-probe.yaml": ("e1c2f96b68a8b308", "f6905da9b6c76127"),
    "ug-memory-hotplug-vm-alpine.yaml": ("75d0a0101005a461", "5d42654a35cd6d89"),
    "ug-numa-fedora-realtime.yaml": ("7f85ab800fd47ee7", "12904b4560086f9e"),
    "ug-passt-vm-net-binding-passt.yaml": ("5673205bc4f9cb36", "1570e22041fc1f3f"),
    "ug-scheduler-vm-fedora.yaml": ("9c3aa00059cd214b", "b28130f19d3723be"),
    "ug-slirp-vm-net-binding-slirp.yaml": ("e56301e04f52b025", "d7fc1e91ee374be3"),
    "ug-startup-scripts-win10-template.yaml": ("4d929b08016c0f15", "89cb7575e2ffd3d8"),
    "ug-virtual-hardware-amd64-vm-bochs-video.yaml": ("c0b19aec0d920f5d", "919c0f19b44133a5"),
    "ug-virtual-hardware-amd64-vm-virtio-video.yaml": ("fd4e18e8f2d627e2", "41b27ca7a74fbc6b"),
    "ug-virtual-hardware-my-vm-with-virtio-gpu.yaml": ("c7f2c048c38a2120", "1b98d16acf2b299c"),
}
CHANGED = {  # file: the fields that are dropped or blanked since then
    "ug-export-api-example-vm.yaml": {"spec.dataVolumeTemplates[0].metadata.creationTimestamp"},
    "ug-startup-scripts-win10-template.yaml": {"spec.template.spec.hostname"},
}


def comparable(template):
    template = json.loads(json.dumps(template))
    content = template.get("spec", template)
    content.pop("message", None)
    del template["metadata"]["annotations"]["ssp.kubevirt.io/generator"]
    for parameter in content["parameters"]:
        del parameter["displayName"]
        parameter["description"] = re.split(r"[ :]", parameter["description"])[0]
    return template


def digest(template):
    text = json.dumps(template, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


@pytest.mark.parametrize("index", [0, 1], ids=["openshift", "native"])
@pytest.mark.parametrize("file", DIGESTS)
def test_default_output_is_unchanged(file, index):
    rendered = atmpl.render(real_vms()[file], format=("openshift", "native")[index])
    changed = digest(comparable(rendered.template)) != DIGESTS[file][index]
    assert changed == (file in CHANGED)
    assert CHANGED.get(file, set()) <= {each.path for each in rendered.omitted}


def test_each_file_of_the_corpus_has_digests():
    assert real_vms().keys() == DIGESTS.keys()
