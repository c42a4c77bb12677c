"""What a profile found, and its table by what is done."""

from collections import Counter

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
