"""The cost of a template, by the VM's size, and the longest time that one VM or message takes on the event loop."""

import gc
import time
from collections.abc import Callable
from itertools import count

import orjson

from atmpl.kube.response import Response, error_from
from atmpl.manager.run import GC_THRESHOLDS
from atmpl.template import FORMATS, RenderError, RenderOptions, render
from e2e.bench.bench_cluster import vm
from e2e.bench.text_cost import hard_text
from e2e.objects import Object

SIZES = (0, 10_000, 100_000)  # bytes of compact JSON, at least; 0 is vm.yaml as it is
SECONDS = 0.6  # per figure

HARD_VOLUMES = [
    {"name": f"v{number}", "cloudInitNoCloud": {"userData": hard_text("keys in a line")}} for number in range(4)
]
SCRIPT = "#cloud-config\nuser: fedora\npassword: x\nchpasswd: {expire: false}\nruncmd: [echo ${HOME}]\n"


EXTREME_VMS: dict[str, tuple[Object, Object]] = {  # phrase: below the VM's spec.template.spec, and beside its template
    "240,000 items": ({"readinessProbe": {"exec": {"command": ["x"] * 240_000}}}, {}),
    "90,000 small objects": ({"x": [{"a": None}] * 90_000}, {}),
    "330,000 fields outside": ({}, {"x": [0] * 330_000, "y": 1}),
    "16,000 leaves": ({"x": [1] * 16_000}, {}),
    "9,900 leaves": ({"x": [1] * 9_900}, {}),
    "9,900 items": ({"x": ["x"] * 9_900, "domain": {"cpu": {"cores": 1}}}, {}),
    "9,900 fields outside": ({}, {"x": [0] * 9_900, "y": 1}),
    "4,900 small objects": ({"x": [{"a": None}] * 4_900}, {}),
    "7,000 keys": ({f"k{number}": 1 for number in range(7_000)}, {}),
    "3,000 interfaces": ({"domain": {"devices": {"interfaces": [{"macAddress": "02:00:00:00:00:01"}] * 3_000}}}, {}),
    "4 cloud-configs of 4 KiB": ({"volumes": HARD_VOLUMES}, {}),
    "a text of 900 kB": ({"x": "${HOSTNAME} " * 75_000, "hostname": 'a"b'}, {}),
}
EXTREME_OPTIONS = {
    "All": RenderOptions(),
    "Common, y, x.**": RenderOptions(profile="Common", include=("y", "x.**")),
    "None": RenderOptions(profile="None"),
    "Common, y": RenderOptions(profile="Common", include=("y",)),
    "Extract": RenderOptions(secrets="Extract"),
}


def render_cost() -> list[str]:
    """Return the figures, one per line."""
    gc.set_threshold(*GC_THRESHOLDS)
    return [*_costs(), "", *_extremes()]


def _costs() -> list[str]:
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


def _extremes() -> list[str]:
    """Return the time of each extreme VM, with the options that take longest, and of an extreme message."""
    found: dict[str, tuple[float, str]] = {}
    for phrase, (instance, spec) in EXTREME_VMS.items():
        source = vm("vm")
        source["spec"] |= spec
        source["spec"]["template"]["spec"] |= instance
        found[phrase] = max(_rendered_once(source, options, name) for name, options in EXTREME_OPTIONS.items())
    message = orjson.dumps({"kind": "Status", "reason": "Invalid", "message": 'spec.a: Invalid value: "' * 50_000})
    seconds = _cpu_seconds(lambda: error_from(Response(422, message)))
    found["a message of 1.2 MB"] = seconds, "redacted"
    lines = [f"{phrase:24} {seconds * 1000:5.0f} ms  {what}" for phrase, (seconds, what) in found.items()]
    longest = max(seconds for seconds, _ in found.values())
    return [*lines, f"longest time that one VM or message blocks the event loop: {longest:.3f} s"]


def _rendered_once(source: Object, options: RenderOptions, name: str) -> tuple[float, str]:
    """Return the CPU seconds of one rendering as the controller does it, JSON included, and what came of it."""
    body, result = orjson.dumps(source), "rendered"

    def work() -> None:
        nonlocal result
        try:
            template = render(orjson.loads(body), format=FORMATS["openshift"], name="t", options=options).template
            orjson.dumps(template)
        except RenderError as error:
            result = f"rejected: {error.why.partition(';')[0]}"

    seconds = _cpu_seconds(work)
    return seconds, f"{name}: {result}"


def _cpu_seconds(work: Callable[[], object]) -> float:
    """Return the CPU of the fastest of a few calls, without what other processes take."""
    times = []
    for _ in range(3):
        began = time.thread_time()
        work()
        times.append(time.thread_time() - began)
    return min(times)


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
    while fastest == float("inf") or time.perf_counter() < end:
        start = time.thread_time()
        work()
        fastest = min(fastest, time.thread_time() - start)
    return fastest * 1e6
