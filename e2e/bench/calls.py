"""What the API server counts: the calls that were made of it, and its own CPU."""

from collections import Counter
from typing import NamedTuple

from prometheus_client.parser import text_string_to_metric_families

from e2e.bench.errors import FailedError
from e2e.controlplane import Client

# Whoever is measured could call these; the rest is the API server's talk with itself, or ours.
GROUPS = {"kubevirt.io", "template.openshift.io", "ssp.kubevirt.io", "admissionregistration.k8s.io", "events.k8s.io"}
STREAMS = {"LIST", "WATCH"}

Call = tuple[str, str, str]  # verb, resource (with subresource), code

FRESH = {  # what a fresh request costs
    ("GET", "virtualmachines", "200"): 1,
    ("POST", "templates", "201"): 1,
    ("PATCH", "virtualmachinetemplaterequests/status", "200"): 1,
}


class Counted(NamedTuple):
    """The API server's counters."""

    calls: Counter[Call]
    cpu: float  # seconds

    def since(self, before: "Counted") -> "Counted":
        """Return the difference."""
        return Counted(self.calls - before.calls, self.cpu - before.cpu)


async def counted(client: Client) -> Counted:
    """Read the API server's counters."""
    text: str = await client.get("/metrics")
    wanted = ("apiserver_request_total{", "process_cpu_seconds_total ")
    lines = "\n".join(line for line in text.splitlines() if line.startswith(wanted))
    calls: Counter[Call] = Counter()
    cpu = 0.0
    for family in text_string_to_metric_families(f"{lines}\n"):
        for sample in family.samples:
            if sample.name == "process_cpu_seconds_total":
                cpu = sample.value
                continue
            labels = sample.labels
            if labels["verb"] not in STREAMS and (labels["group"] in GROUPS or labels["resource"] == "events"):
                resource = "/".join(filter(None, (labels["resource"], labels["subresource"])))
                calls[labels["verb"], resource, labels["code"]] += int(sample.value)
    return Counted(calls, cpu)


def require(spent: Counter[Call], fresh: int, also: Counter[Call] | None = None) -> None:
    """Raise FailedError unless exactly `fresh` requests were served, three calls each, and ours (`also`) were made."""
    wanted = Counter({call: fresh * times for call, times in FRESH.items()}) + (also or Counter())
    if spent != wanted:
        surplus, missing = spent - wanted, wanted - spent
        raise FailedError(f"calls other than expected: too many {dict(surplus)}, missing {dict(missing)}")
