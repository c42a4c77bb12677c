"""What a run has found. A JSON file holds all of it, so that table and plot can be made again without a new run."""

from statistics import median

import msgspec

Seconds = float


class Machine(msgspec.Struct, frozen=True):
    """Where it was measured."""

    processor: str
    cores: int
    memory: int  # GiB
    kernel: str
    python: str
    kubernetes: str
    packages: dict[str, str]  # version of each that decides over the speed
    definition: str  # of the virtual machines: KubeVirt's own, or the stand-in


class Drain(msgspec.Struct, frozen=True):
    """One drain of one contestant."""

    contestant: str
    rate: float  # requests a second, from the first ready to the last
    cpu: float  # ms of its own CPU a request
    server_cpu: float  # ms of the API server's CPU a request
    peak: float  # MiB
    first: Seconds  # from the start of the process to the first template; of the bare loop: of no meaning
    calls: float  # a request


class Idle(msgspec.Struct, frozen=True):
    """One start of one contestant that found nothing to do."""

    contestant: str
    start: Seconds  # until it was ready
    cpu: Seconds
    resident: float  # MiB


class Single(msgspec.Struct, frozen=True):
    """One request after the other, on a server that has nothing else to do."""

    contestant: str
    created: list[Seconds]  # from the answer to its creation until it was seen ready; the bare loop: its three calls
    whole: list[Seconds]  # from its posting on


class Paced(msgspec.Struct, frozen=True):
    """Requests that come at a steady pace."""

    contestant: str
    load: float  # of the ceiling
    rate: float  # requests a second
    latencies: list[Seconds]  # from the time it was due to be posted until it was seen ready


class Results(msgspec.Struct, frozen=True):
    """A whole run."""

    when: str  # RFC 3339
    machine: Machine
    requests: int  # a drain
    vms: int
    connections: int
    repetitions: int
    idles: list[Idle]
    drains: list[Drain]
    ceiling: float  # requests a second that are posted and served, were there no controller
    singles: list[Single]
    paced: list[Paced]

    def contestants(self) -> list[str]:
        """Return who took part, in the order of their first turn."""
        return list(dict.fromkeys(drain.contestant for drain in self.drains))

    def of(self, contestant: str, figure: str) -> list[float]:
        """Return a figure of each drain of a contestant, in order."""
        return [getattr(drain, figure) for drain in self.drains if drain.contestant == contestant]

    def ratio(self, one: str, other: str, figure: str) -> float:
        """Return the median of the ratios of neighbouring drains: what the machine does meanwhile cancels out."""
        pairs = zip(self.of(one, figure), self.of(other, figure), strict=True)
        return median(mine / theirs for mine, theirs in pairs)


def percentile(values: list[float], part: float) -> float:
    """Return the smallest value that at least `part` of all values do not exceed (nearest rank)."""
    ordered = sorted(values)
    rank = max(1, -int(-len(ordered) * part // 1))
    return ordered[rank - 1]
