"""What profiles found, and their tables by what is done."""

from collections import Counter
from collections.abc import Mapping, Sequence

import msgspec

from e2e.bench.table import markdown


class Profile(msgspec.Struct, frozen=True):
    """A drain, looked at from outside."""

    when: str
    requests: int
    vms: int
    workers: int
    cpu: float  # ms a request, start and end included
    samples: dict[str, int]  # by what was done


def profile_table(profile: Profile) -> str:
    """Return the profile as a table in Markdown, what costs most first."""
    counted = Counter(profile.samples)
    total = counted.total()
    rows = [
        [part, f"{number / total:.1%}", f"{number / total * profile.cpu * 1000:.0f} us"]
        for part, number in counted.most_common()
    ]
    return markdown(["what is done", "share", "a request"], rows)


def profile_report(profile: Profile) -> str:
    """Return the table below what it is of."""
    return (
        f"{profile.requests:,} requests drained among {profile.vms:,} virtual machines by {profile.workers} workers: "
        f"{profile.cpu:.2f} ms of CPU a request, start and end included\n\n{profile_table(profile)}"
    )


class ServerDrain(msgspec.Struct, frozen=True):
    """What the API server did while somebody drained."""

    contestant: str
    cpu: float  # its own: ms a request
    samples: dict[str, int]  # by what was done


class ServerProfile(msgspec.Struct, frozen=True):
    """Drains, during which the API server looked at itself."""

    when: str
    requests: int
    vms: int
    connections: int
    seconds: int  # of each drain that were looked at, the first ones
    drains: list[ServerDrain]


def server_profile_table(profile: ServerProfile) -> str:
    """Return what the API server's CPU went to, in ms a request, by who drained; what costs most first."""
    columns = [
        {part: number * drain.cpu / sum(drain.samples.values()) for part, number in drain.samples.items()}
        for drain in profile.drains
    ]
    parts = sorted({part for column in columns for part in column}, key=lambda part: -sum(_of(part, columns)))
    rows = [[part, *(f"{ms:.2f}" for ms in _of(part, columns))] for part in parts]
    whole = ["all", *(f"{drain.cpu:.2f}" for drain in profile.drains)]
    headings = ["the API server's CPU, ms a request", *(drain.contestant for drain in profile.drains)]
    return markdown(headings, [*rows, whole])


def _of(part: str, columns: Sequence[Mapping[str, float]]) -> list[float]:
    return [column.get(part, 0.0) for column in columns]


def server_profile_report(profile: ServerProfile) -> str:
    """Return the table below what it is of."""
    return (
        f"{profile.requests:,} requests drained among {profile.vms:,} virtual machines over {profile.connections} "
        f"connections, in the first {profile.seconds} s of which the API server looked at itself\n\n"
        f"{server_profile_table(profile)}"
    )
