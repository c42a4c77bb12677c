"""What is measured with: a virtual machine as people have them (3.3 kB of JSON), and a request for its template."""

from typing import Any

Object = dict[str, Any]

NAMESPACE = "bench"
REQUESTS = f"/apis/ssp.kubevirt.io/v1alpha1/namespaces/{NAMESPACE}/virtualmachinetemplaterequests"
VMS = f"/apis/kubevirt.io/v1/namespaces/{NAMESPACE}/virtualmachines"
TEMPLATES = f"/apis/template.openshift.io/v1/namespaces/{NAMESPACE}/templates"

_CLOUD_CONFIG = """#cloud-config
user: fedora
ssh_authorized_keys:
- ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBzq2Hs0m1J2m0QmCw2V9oXr4pYw7mJq0l6dQ8bQ1s8C admin@example.com
packages:
- qemu-guest-agent
- postgresql-server
runcmd:
- systemctl enable --now qemu-guest-agent
- postgresql-setup --initdb
- systemctl enable --now postgresql
"""


def vm(name: str) -> Object:
    """Return a database server: two disks, two networks, a cloud-init, probes, and what an installer adds."""
    return {
        "apiVersion": "kubevirt.io/v1",
        "kind": "VirtualMachine",
        "metadata": {
            "name": name,
            "namespace": NAMESPACE,
            "labels": {
                "app": name,
                "os.template.kubevirt.io/fedora40": "true",
                "workload.template.kubevirt.io/server": "true",
                "flavor.template.kubevirt.io/medium": "true",
            },
            "annotations": {"vm.kubevirt.io/os": "fedora", "vm.kubevirt.io/workload": "server"},
        },
        "spec": {
            "runStrategy": "RerunOnFailure",
            "dataVolumeTemplates": [
                {
                    "apiVersion": "cdi.kubevirt.io/v1beta1",
                    "kind": "DataVolume",
                    "metadata": {"name": f"{name}-root"},
                    "spec": {
                        "sourceRef": {"kind": "DataSource", "name": "fedora", "namespace": "os-images"},
                        "storage": {"resources": {"requests": {"storage": "30Gi"}}},
                    },
                }
            ],
            "template": {
                "metadata": {
                    "labels": {"kubevirt.io/domain": name, "kubevirt.io/size": "medium", "tier": "database"},
                    "annotations": {"vm.kubevirt.io/flavor": "medium"},
                },
                "spec": _instance(name),
            },
        },
    }


def _instance(name: str) -> Object:
    """Return the VirtualMachineInstanceSpec: 47 leaves that become parameters."""
    return {
        "architecture": "amd64",
        "domain": {
            "cpu": {"cores": 2, "sockets": 1, "threads": 1, "model": "host-model"},
            "memory": {"guest": "8Gi"},
            "machine": {"type": "pc-q35-rhel9.4.0"},
            "firmware": {
                "uuid": "5d307ca9-b3ef-428c-8861-06e72d69f223",
                "serial": "e4686d2c-6e8d-4335-b8fd-81bee22f4815",
                "bootloader": {"efi": {"secureBoot": True}},
            },
            "features": {"acpi": {}, "smm": {"enabled": True}},
            "resources": {"requests": {"cpu": "500m", "memory": "8Gi"}, "limits": {"memory": "9Gi"}},
            "devices": {
                "autoattachPodInterface": False,
                "networkInterfaceMultiqueue": True,
                "rng": {},
                "disks": [
                    {"name": "root", "bootOrder": 1, "disk": {"bus": "virtio"}},
                    {"name": "data", "disk": {"bus": "scsi"}, "io": "native", "cache": "none"},
                    {"name": "cloudinit", "disk": {"bus": "virtio"}},
                ],
                "interfaces": [
                    {"name": "default", "masquerade": {}, "model": "virtio", "macAddress": "02:1f:5c:00:00:07"},
                    {"name": "storage", "bridge": {}, "model": "virtio", "macAddress": "02:1f:5c:00:00:08"},
                ],
            },
        },
        "evictionStrategy": "LiveMigrate",
        "hostname": name,
        "nodeSelector": {"topology.kubernetes.io/zone": "eu-1a"},
        "tolerations": [{"key": "dedicated", "operator": "Equal", "value": "databases", "effect": "NoSchedule"}],
        "readinessProbe": {"tcpSocket": {"port": 5432}, "initialDelaySeconds": 30, "periodSeconds": 10},
        "livenessProbe": {"guestAgentPing": {}, "failureThreshold": 10, "initialDelaySeconds": 180},
        "networks": [
            {"name": "default", "pod": {}},
            {"name": "storage", "multus": {"networkName": "default/storage-vlan-40"}},
        ],
        "terminationGracePeriodSeconds": 180,
        "volumes": [
            {"name": "root", "dataVolume": {"name": f"{name}-root"}},
            {"name": "data", "persistentVolumeClaim": {"claimName": f"{name}-data"}},
            {"name": "cloudinit", "cloudInitNoCloud": {"userData": _CLOUD_CONFIG}},
        ],
    }


def request(name: str, source: str) -> Object:
    """Ask for a template of the virtual machine `source`, named as the request."""
    return {
        "apiVersion": "ssp.kubevirt.io/v1alpha1",
        "kind": "VirtualMachineTemplateRequest",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {"source": {"vmName": source}, "target": {"openshiftTemplate": {}}},
    }
