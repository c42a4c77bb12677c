"""`just chaos`: which scenarios it runs, and its exit status. The scenarios are in tests/system."""

import pytest

from e2e.chaos import __main__ as chaos
from e2e.chaos.random_kills import MODES


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The scenarios that were run; `poison` finds a problem."""
    names: list[str] = []

    async def run(name: str) -> bool:
        names.append(name)
        return name != "poison"

    async def kill(mode: str, seconds: float, seed: int) -> bool:
        names.append(f"kill {mode} {seconds:g} {seed}")
        return True

    monkeypatch.setattr(chaos, "_run", run)
    monkeypatch.setattr(chaos, "_kill", kill)
    return names


def main(monkeypatch: pytest.MonkeyPatch, *args: str) -> int:
    monkeypatch.setattr("sys.argv", ["just chaos", *args])
    return chaos.main()


def test_all_scenarios_run_after_one_fails(monkeypatch: pytest.MonkeyPatch, ran: list[str]) -> None:
    assert main(monkeypatch) == 1
    assert ran == [*(f"kill {mode} 120 1" for mode in MODES), *chaos.SCENARIOS]


def test_named_scenarios_run(monkeypatch: pytest.MonkeyPatch, ran: list[str]) -> None:
    assert main(monkeypatch, "edits", "kill", "--mode", "one", "--seconds", "5", "--seed", "7") == 0
    assert ran == ["edits", "kill one 5 7"]


def test_an_unknown_scenario_is_rejected(monkeypatch: pytest.MonkeyPatch, ran: list[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(monkeypatch, "edits", "nope")
    assert ran == []
