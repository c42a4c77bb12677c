"""Random kills of real processes: half a minute with two elected replicas, and seconds in the other modes.

The long form is `just chaos kill`.
"""

import pytest

from e2e.chaos.random_kills import MODES, chaos

SECONDS = {"one": 8, "elected": 30, "two-at-once": 8}


@pytest.mark.timeout(420)
@pytest.mark.parametrize("mode", MODES)
async def test_random_kills_lose_and_duplicate_nothing(mode: str) -> None:
    assert await chaos(MODES[mode], seconds=SECONDS[mode], seed=20, quiet=20 if mode == "elected" else 5) == []
