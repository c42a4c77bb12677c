"""What a template costs: rendered and proved, for VMs from 1 kB to 400 kB.

Machines differ, so each figure also stands as a ratio to `orjson.loads` and `orjson.dumps` of the same VM.
"""

import argparse
import cProfile
import pstats
import time
from collections.abc import Callable
from itertools import count
from typing import Any

import orjson

from atmpl.template import FORMATS, Format, render

SIZES = (1_000, 3_300, 10_000, 100_000, 400_000)  # bytes of compact JSON
SHARE = 0.6  # seconds for each figure

_SCRIPT = "#cloud-config\nuser: fedora\npassword: x\nchpasswd: {expire: false}\nruncmd: [echo ${HOME}]\n"


def a_vm(size: int) -> dict[str, Any]:
    """Return a VM of about `size` bytes that looks like those people have: disks, networks, cloud-init."""
    disks: list[dict[str, Any]] = []
    interfaces: list[dict[str, Any]] = []
    networks: list[dict[str, Any]] = []
    volumes: list[dict[str, Any]] = []
    vm = {
        "apiVersion": "kubevirt.io/v1",
        "kind": "VirtualMachine",
        "metadata": {
            "name": "vm",
            "namespace": "team-a",
            "uid": "0b2a66a1-6d0e-4c1c-9f2f-2a4f1ad7a001",
            "generation": 3,
            "labels": {"app": "vm", "os.template.kubevirt.io/fedora40": "true"},
            "annotations": {"vm.kubevirt.io/flavor": "small", "vm.kubevirt.io/os": "fedora"},
        },
        "spec": {
            "runStrategy": "Always",
            "template": {
                "metadata": {"labels": {"kubevirt.io/domain": "vm"}},
                "spec": {
                    "architecture": "amd64",
                    "domain": {
                        "cpu": {"cores": 2, "sockets": 1, "threads": 1},
                        "devices": {"disks": disks, "interfaces": interfaces, "rng": {}},
                        "firmware": {"uuid": "5d307ca9-b3ef-428c-8861-06e72d69f223"},
                        "memory": {"guest": "2Gi"},
                    },
                    "networks": networks,
                    "terminationGracePeriodSeconds": 180,
                    "volumes": volumes,
                },
            },
        },
    }
    for number in count():
        if len(orjson.dumps(vm)) >= size:
            break
        disks.append({"name": f"disk{number}", "disk": {"bus": "virtio"}, "bootOrder": number + 1})
        if number % 4 == 3:
            volumes.append({"name": f"disk{number}", "cloudInitNoCloud": {"userData": _SCRIPT}})
        else:
            volumes.append(
                {"name": f"disk{number}", "containerDisk": {"image": f"quay.io/containerdisks/fedora:{number}"}}
            )
        interfaces.append(
            {"name": f"net{number}", "masquerade": {}, "model": "virtio", "macAddress": "02:00:00:00:00:01"}
        )
        networks.append({"name": f"net{number}", "multus": {"networkName": f"team-a/net{number}"}})
    return vm


def microseconds(work: Callable[[], object]) -> float:
    """Return what one call costs: the least of many, since whatever else the machine does only adds to it."""
    least = float("inf")
    end = time.perf_counter() + SHARE
    while (start := time.perf_counter()) < end:
        work()
        least = min(least, time.perf_counter() - start)
    return least * 1e6


def line(format: Format, vm: dict[str, Any]) -> str:
    """Return the figures of one format and one VM."""
    size = len(orjson.dumps(vm))
    template = render(vm, format=format, name="t").template
    count = len(format.parameters(template))
    whole = microseconds(lambda: render(vm, format=format, name="t"))
    process = microseconds(lambda: format.process(template))
    json = microseconds(lambda: orjson.loads(orjson.dumps(vm)))
    return (
        f"{format.name:9} {size:9,} {count:11,} {whole:10,.0f} us {process:9,.0f} us {json:7,.0f} us"
        f" {whole / json:6.1f} x {whole * 1000 / size:9.1f}"
    )


def main() -> None:
    """Print a line for each format and size."""
    parser = argparse.ArgumentParser(prog="python -m e2e.bench.template", description=__doc__)
    parser.add_argument("--profile", action="store_true", help="print instead where the time goes, at 3.3 kB")
    if parser.parse_args().profile:
        vm = a_vm(3_300)
        with cProfile.Profile() as profile:
            for _ in range(1000):
                render(vm, format=FORMATS["openshift"], name="t")
        pstats.Stats(profile).sort_stats("tottime").print_stats(25)
        return
    print("format        bytes  parameters  render+prove    of it process     json    ratio   ns/byte")
    for format in FORMATS.values():
        for size in SIZES:
            print(line(format, a_vm(size)))


if __name__ == "__main__":
    main()
