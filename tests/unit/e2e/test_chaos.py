"""`just storm`: which trials it runs, and what its exit status says. The trials themselves are in tests/manager."""

import pytest

from e2e.storm import __main__ as storm


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The trials that were run; `flood` goes wrong."""
    names: list[str] = []

    async def run_one(name: str) -> bool:
        names.append(name)
        return name != "flood"

    monkeypatch.setattr(storm, "_run", run_one)
    return names


def _main(monkeypatch: pytest.MonkeyPatch, *args: str) -> int:
    monkeypatch.setattr("sys.argv", ["just storm", *args])
    return storm.main()


def test_without_a_name_every_trial_is_run_and_one_that_is_wrong_ends_none(
    monkeypatch: pytest.MonkeyPatch, run: list[str]
) -> None:
    assert _main(monkeypatch) == 1
    assert run == list(storm.TRIALS)


def test_the_trials_that_are_named_are_run(monkeypatch: pytest.MonkeyPatch, run: list[str]) -> None:
    assert _main(monkeypatch, "edits", "away") == 0
    assert run == ["edits", "away"]


def test_a_trial_that_does_not_exist_is_wrong_usage(monkeypatch: pytest.MonkeyPatch, run: list[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        _main(monkeypatch, "edits", "nope")
    assert run == []
