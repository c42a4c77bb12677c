"""What a run with very many virtual machines has found."""

from statistics import median

import msgspec

from e2e.bench.listed import Listed
from e2e.bench.results import Drain, Machine, Seconds


class Start(msgspec.Struct, frozen=True):
    """A start of atmpl that finds everything there: VMs, finished requests, fresh ones."""

    ready: Seconds  # from the start of the process until its first lists are in
    first: Seconds  # ... until the first fresh template was seen
    served: Seconds  # ... until the last fresh request was seen ready
    cpu: Seconds  # until then
    peak: float  # MiB


class Quiet(msgspec.Struct, frozen=True):
    """Minutes in which nothing happens but the kubelet's probes and Prometheus' scrapes."""

    seconds: Seconds
    cpu: Seconds
    resident: float  # MiB, at the end

    @property
    def hour(self) -> Seconds:
        """CPU of an hour of it."""
        return self.cpu * 3600 / self.seconds


class Churn(msgspec.Struct, frozen=True):
    """Changes of VMs' statuses, as they come."""

    events: int
    rate: float  # events a second
    cpu: float  # us an event
    kept: float  # MiB that the process grew


class Reconciles(msgspec.Struct, frozen=True):
    """CPU of atmpl a fresh request that comes while it runs, ms; measured in turn on a small and on a large cluster."""

    small: list[float]
    large: list[float]

    @property
    def ratios(self) -> list[float]:
        """The ratios of neighbours."""
        return [large / small for small, large in zip(self.small, self.large, strict=True)]

    @property
    def ratio(self) -> float:
        """Their median."""
        return median(self.ratios)


class Scale(msgspec.Struct, frozen=True):
    """A whole run."""

    when: str  # RFC 3339
    machine: Machine
    workers: int
    few: int  # VMs of the small cluster
    vms: int  # of the large one
    size: float  # bytes of a VM's metadata in its stream
    finished: int  # requests, on either
    fresh: int
    small: Drain  # `finished` requests drained among few VMs
    large: Drain  # ... among all of them
    start: Start
    quiet: Quiet
    churn: Churn
    listed: Listed
    reconciles: Reconciles
