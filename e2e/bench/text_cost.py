"""The cost of cloud-init texts of 4 KiB that are hard to parse, with `secrets: Extract`: none may take 150 ms."""

import time

from atmpl.template import FORMATS, RenderOptions, render
from atmpl.template.cloud_config import HEADER, MAX_BYTES
from e2e.bench.bench_cluster import vm

HARD_TEXTS = {  # the slowest of 60 kinds and of 1,500 random repetitions: beginning, repeated part, end
    "keys in a line": ("ssh_authorized_keys: [", "k,", "]"),
    "keys in lines": ("ssh_authorized_keys:\n", "- k\n", ""),
    "passwords in a line": ("chpasswd: {list: [", "a:b,", "]}"),
    "users in lines": ("users:\n", "- passwd: x\n", ""),
    "empty maps": ("a: [", "{},", "]"),
    "empty lists": ("a: [", "[],", "]"),
    "open levels": ("[" * 49, "a,", "]" * 49),
    "words like a secret": ("#", "pass", ""),
}
REPETITIONS = 10


def text_cost() -> list[str]:
    """Return one line per text: the ms of CPU to render a VM that has it in one field."""
    lines = [f"{'ms of CPU, 4 KiB of':20} {'userData':>9} {'networkData':>12}"]
    for kind in HARD_TEXTS:
        costs = [_milliseconds(field, hard_text(kind)) for field in ("userData", "networkData")]
        lines.append(f"{kind:20} {costs[0]:9.0f} {costs[1]:12.0f}")
    return lines


def hard_text(kind: str) -> str:
    """Return the text of 4 KiB of this kind."""
    start, part, end = HARD_TEXTS[kind]
    room = MAX_BYTES - len(f"{HEADER}\n{start}{end}")
    return f"{HEADER}\n{start}{part * (room // len(part))}{end}"


def _milliseconds(field: str, text: str) -> float:
    """Return the CPU of the fastest of several renderings: other load on the machine only adds to it."""
    source = vm("vm")
    source["spec"]["template"]["spec"]["volumes"] = [{"name": "v", "cloudInitNoCloud": {field: text}}]
    times = []
    for _ in range(REPETITIONS):
        start = time.thread_time()
        render(source, format=FORMATS["openshift"], name="t", options=RenderOptions(secrets="Extract"))
        times.append(time.thread_time() - start)
    return min(times) * 1000
