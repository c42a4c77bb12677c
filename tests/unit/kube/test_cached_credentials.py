"""Cached credentials: one refresh at a time, and the old ones stay in use until there are new ones."""

import asyncio
import logging

import pytest

from atmpl.kube.auth import APIEndpoint, CredentialsError
from atmpl.kube.auth.cached import (
    MAX_REFRESH_WAIT_SECONDS,
    REFRESH_INTERVAL_SECONDS,
    RETRY_INTERVAL_SECONDS,
    CachedCredentials,
)
from tests.support import virtual_clock
from tests.support.virtual_clock import virtual


class Source(CachedCredentials):
    """Returns token after token; each refresh `takes` so long, and fails while `broken`."""

    def __init__(self) -> None:
        super().__init__(virtual_clock.now)
        self.looks: list[bool] = []  # per refresh: the previous token was rejected
        self.takes = 0.0
        self.broken = ""

    async def _fetch(self, *, rejected: bool) -> APIEndpoint:
        self.looks.append(rejected)
        number = len(self.looks)
        await asyncio.sleep(self.takes)
        if self.broken == "bug":
            raise RuntimeError(self.broken)
        if self.broken:
            raise CredentialsError(self.broken)
        return APIEndpoint("http://a", {"Authorization": f"Bearer {number}"}, None)


async def token(source: Source) -> str:
    return (await source.endpoint()).headers["Authorization"].removeprefix("Bearer ")


@virtual
async def test_credentials_are_cached_for_a_minute() -> None:
    source = Source()
    assert [await token(source) for _ in range(10)] == ["1"] * 10
    await asyncio.sleep(REFRESH_INTERVAL_SECONDS - 1)
    assert await token(source) == "1"
    await asyncio.sleep(1)
    assert await token(source) == "2"


@virtual
async def test_concurrent_callers_share_one_refresh() -> None:
    source = Source()
    source.takes = 20
    assert set(await asyncio.gather(*(token(source) for _ in range(100)))) == {"1"}
    assert len(source.looks) == 1


@virtual
async def test_concurrent_callers_share_one_failure() -> None:
    source = Source()
    source.takes, source.broken = 20, "no"
    began = virtual_clock.now()
    found = await asyncio.gather(*(source.endpoint() for _ in range(100)), return_exceptions=True)
    assert {str(error) for error in found} == {"no"}
    assert (len(source.looks), virtual_clock.now() - began) == (1, 20)


@virtual
async def test_cancelled_caller_does_not_cancel_the_refresh() -> None:
    source = Source()
    source.takes = 20
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(3):
            await source.endpoint()
    assert await token(source) == "1"
    assert len(source.looks) == 1


@virtual
async def test_failed_refresh_is_retried_after_a_pause() -> None:
    source = Source()
    source.broken = "no"
    for _ in range(100):
        with pytest.raises(CredentialsError, match="no"):
            await source.endpoint()
    assert len(source.looks) == 1
    source.broken = ""
    await asyncio.sleep(RETRY_INTERVAL_SECONDS)
    assert await token(source) == "2"


@virtual
async def test_failed_refresh_keeps_the_old_credentials(caplog: pytest.LogCaptureFixture) -> None:
    source = Source()
    await source.endpoint()
    source.broken = "the file is being replaced"
    await asyncio.sleep(REFRESH_INTERVAL_SECONDS)
    assert [await token(source) for _ in range(10)] == ["1"] * 10
    assert [vars(record)["why"] for record in caplog.records] == ["the file is being replaced"]
    source.broken = ""
    await asyncio.sleep(RETRY_INTERVAL_SECONDS)
    assert await token(source) == "3"


@virtual
async def test_callers_with_credentials_wait_only_briefly() -> None:
    source = Source()
    await source.endpoint()
    source.takes = 50
    await asyncio.sleep(REFRESH_INTERVAL_SECONDS)
    began = virtual_clock.now()
    assert await token(source) == "1"
    assert virtual_clock.now() - began == MAX_REFRESH_WAIT_SECONDS
    await asyncio.sleep(50)
    assert (await token(source), len(source.looks)) == ("2", 2)


@virtual
async def test_refused_credentials_are_refreshed_and_not_reused() -> None:
    source = Source()
    first = await source.endpoint()
    await asyncio.sleep(10)
    source.takes = 5
    await source.invalidate(first)
    assert set(await asyncio.gather(*(token(source) for _ in range(50)))) == {"2"}
    assert source.looks == [False, True]


@virtual
async def test_many_refusals_cause_one_refresh() -> None:
    source = Source()
    first = await source.endpoint()
    await asyncio.sleep(10)
    for _ in range(64):
        await source.invalidate(first)
        assert await token(source) == "2"
    assert len(source.looks) == 2


@virtual
async def test_permanent_refusal_is_refreshed_at_intervals() -> None:
    source = Source()
    rejected = 0
    for _ in range(500):  # seconds
        try:
            await source.invalidate(await source.endpoint())
        except CredentialsError as error:
            rejected += "rejected the credentials (401)" in str(error)
        await asyncio.sleep(1)
    assert 500 / RETRY_INTERVAL_SECONDS - 1 <= len(source.looks) <= 500 / RETRY_INTERVAL_SECONDS + 1
    assert rejected == 500 - len(source.looks)


@virtual
async def test_failed_refresh_after_a_refusal_is_an_error() -> None:
    source = Source()
    first = await source.endpoint()
    await asyncio.sleep(10)
    await source.invalidate(first)
    source.broken = "the plugin is gone"
    with pytest.raises(CredentialsError, match="the plugin is gone"):
        await source.endpoint()


@virtual
async def test_unexpected_refresh_error_is_reported_by_type(caplog: pytest.LogCaptureFixture) -> None:
    source = Source()
    source.broken = "bug"
    with pytest.raises(CredentialsError, match=r"^credentials cannot be loaded \(RuntimeError\)$"):
        await source.endpoint()
    assert "credentials refresh failed" in caplog.messages
    source.broken = ""
    await asyncio.sleep(RETRY_INTERVAL_SECONDS)
    assert await token(source) == "2"


@virtual
async def test_failing_refresh_is_logged_once_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    source = Source()
    await source.endpoint()
    source.broken = "the plugin is gone"
    for _ in range(150):
        await asyncio.sleep(1)
        await source.endpoint()
    source.broken = ""
    await asyncio.sleep(RETRY_INTERVAL_SECONDS + 1)
    await source.endpoint()
    failed, recovered = "credentials refresh failed", "credentials refresh recovered"
    assert caplog.messages == [failed, failed, recovered]
