"""The cost of a template: the us to render and verify it, and to process it, for VMs of 3 kB to 400 kB."""

import time
from collections.abc import Callable
from itertools import count

import orjson

from atmpl.template import FORMATS, render
from e2e.bench.bench_cluster import vm
from e2e.objects import Object

SIZES = (0, 10_000, 100_000, 400_000)  # bytes of compact JSON, at least; 0 is vm.yaml as it is
SECONDS = 0.6  # per figure

SCRIPT = "#cloud-config\nuser: fedora\npassword: x\nchpasswd: {expire: false}\nruncmd: [echo ${HOME}]\n"


def render_cost() -> list[str]:
    """Return one line per format and size. The ratio to decoding and encoding the VM as JSON compares machines."""
    lines = [f"{'format':9} {'bytes':>8} {'parameters':>10} {'render us':>10} {'process us':>10} {'ratio':>6}"]
    for format in FORMATS.values():
        for source in map(vm_of_size, SIZES):
            template = render(source, format=format, name="t").template
            rendered = _microseconds(lambda: render(source, format=format, name="t"))  # noqa: B023 - called at once
            processed = _microseconds(lambda: format.process(template))  # noqa: B023
            ratio = rendered / _microseconds(lambda: orjson.loads(orjson.dumps(source)))  # noqa: B023
            size, parameters = len(orjson.dumps(source)), len(format.parameters(template))
            lines.append(
                f"{format.name:9} {size:8,} {parameters:10,} {rendered:10,.0f} {processed:10,.0f} {ratio:6.1f}"
            )
    return lines


def vm_of_size(size: int) -> Object:
    """Return the VM of vm.yaml, with as many more disks, volumes and networks as `size` takes."""
    grown = vm("vm")
    spec = grown["spec"]["template"]["spec"]
    devices = spec["domain"]["devices"]
    for number in count():
        if len(orjson.dumps(grown)) >= size:
            break
        name = f"disk{number}"
        source = {"containerDisk": {"image": f"quay.io/containerdisks/fedora:{number}"}}
        if number % 4 == 3:
            source = {"cloudInitNoCloud": {"userData": SCRIPT}}
        devices["disks"].append({"name": name, "disk": {"bus": "virtio"}, "bootOrder": number + 2})
        spec["volumes"].append({"name": name, **source})
        devices["interfaces"].append({"name": f"net{number}", "masquerade": {}, "macAddress": "02:00:00:00:00:01"})
        spec["networks"].append({"name": f"net{number}", "multus": {"networkName": f"team-a/net{number}"}})
    return grown


def _microseconds(work: Callable[[], object]) -> float:
    """Return the time of the fastest of many calls: other load on the machine only adds to it."""
    fastest = float("inf")
    end = time.perf_counter() + SECONDS
    while (start := time.perf_counter()) < end:
        work()
        fastest = min(fastest, time.perf_counter() - start)
    return fastest * 1e6
