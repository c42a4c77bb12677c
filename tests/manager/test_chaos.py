"""Everything is killed at random, on real processes; in the end all is right and nothing is written any more.

The long form is `just chaos`; each mode gets a third of a minute of blows here.
"""

import pytest

from e2e.chaos import MODES, chaos


@pytest.mark.private
@pytest.mark.parametrize("mode", MODES)
async def test_nothing_is_lost_doubled_or_restless_after_blows(mode: str) -> None:
    assert await chaos(MODES[mode], seconds=20, seed=20, quiet=10) == []
