"""Everything is killed at random, on real processes; in the end all is right and nothing is written any more.

The long form is `just chaos`. Here it is a minute of blows with two replicas that take turns and half a minute of calm,
and some seconds of both with one controller, and with two at work by mistake.
"""

import pytest

from e2e.chaos import MODES, chaos

SECONDS = {"one": 12, "elected": 60, "two-at-once": 12}


@pytest.mark.parametrize("mode", MODES)
async def test_nothing_is_lost_doubled_or_restless_after_blows(mode: str) -> None:
    assert await chaos(MODES[mode], seconds=SECONDS[mode], seed=20, quiet=30 if mode == "elected" else 5) == []
