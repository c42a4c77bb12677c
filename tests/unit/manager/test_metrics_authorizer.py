"""Who may read the metrics, with a scripted API server."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from prometheus_client import CollectorRegistry

from atmpl.manager import metrics_authorizer
from atmpl.manager.metrics_authorizer import MetricsAuthorizer
from atmpl.manager.probes import Probes
from tests.support.scripted_server import Act, Script, connected, found, status

USER = {"username": "prometheus", "uid": "7", "groups": ["system:authenticated"], "extra": {"pod": ["p"]}}


def reviewed(**fields: Any) -> Act:
    return found({"status": fields}, 201)


AUTHENTICATED, ALLOWED = reviewed(authenticated=True, user=USER), reviewed(allowed=True)


class Clock:
    """A clock that a test sets."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


async def code(authorizer: MetricsAuthorizer, authorization: str = "Bearer t") -> int:
    denial = await authorizer.denial(authorization)
    return denial.status if denial else 200


@asynccontextmanager
async def authorizing(*acts: Act) -> AsyncIterator[tuple[MetricsAuthorizer, Script, Clock]]:
    script, clock = Script(*acts), Clock()
    async with connected(script) as client:
        yield MetricsAuthorizer(client, now=clock), script, clock


async def test_scrape_needs_a_right_to_the_metrics() -> None:
    async with authorizing(AUTHENTICATED, ALLOWED) as (authorizer, script, _):
        assert await code(authorizer) == 200
    token, access = (call.json() for call in script.calls)
    assert [call.path for call in script.calls] == [
        "/apis/authentication.k8s.io/v1/tokenreviews",
        "/apis/authorization.k8s.io/v1/subjectaccessreviews",
    ]
    assert token["spec"] == {"token": "t"}
    assert access["spec"] == {
        "user": "prometheus",
        "uid": "7",
        "groups": ["system:authenticated"],
        "extra": {"pod": ["p"]},
        "nonResourceAttributes": {"path": "/metrics", "verb": "get"},
    }


REFUSED: dict[str, tuple[list[Act], int]] = {
    "an invalid token": ([reviewed(authenticated=False, error="expired")], 401),
    "a token of no user": ([reviewed(authenticated=True, user={})], 401),
    "a user without the right": ([AUTHENTICATED, reviewed(allowed=False)], 403),
    "a user who is denied": ([AUTHENTICATED, reviewed(allowed=True, denied=True)], 403),
    "an API server that is overloaded": ([status(429, "TooManyRequests")], 503),
    "a controller without the right to review": ([status(403, "Forbidden")], 503),
    "a review without status": ([found({}, 201)], 503),
}


@pytest.mark.parametrize(("acts", "expected"), REFUSED.values(), ids=REFUSED)
async def test_scrape_is_refused(acts: list[Act], expected: int) -> None:
    async with authorizing(*acts) as (authorizer, _, _clock):
        assert await code(authorizer) == expected


NO_TOKEN = ["", "Basic dXNlcjpwYXNz", "Bearer", "Bearer ", f"Bearer {'x' * 9000}", "Bearer \udcff", "Bearer ü"]


@pytest.mark.parametrize("header", NO_TOKEN)
async def test_scrape_without_a_token_makes_no_call(header: str) -> None:
    async with authorizing() as (authorizer, script, _):
        assert await code(authorizer, header) == 401
    assert script.calls == []


async def test_reviews_are_cached_for_a_minute() -> None:
    async with authorizing(AUTHENTICATED, ALLOWED, AUTHENTICATED, reviewed(allowed=False)) as (authorizer, _, clock):
        clock.now = 1.0
        assert [await code(authorizer) for _ in range(10)] == [200] * 10
        clock.now = 60.9
        assert await code(authorizer) == 200
        clock.now = 61.0
        assert await code(authorizer) == 403


async def test_unknown_tokens_do_not_replace_an_allowed_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics_authorizer, "MAX_CACHED", 3)
    async with authorizing(AUTHENTICATED, ALLOWED, *[reviewed(authenticated=False)] * 9) as (authorizer, script, _):
        assert await code(authorizer) == 200
        assert [await code(authorizer, f"Bearer {number}") for number in range(9)] == [401] * 9
        assert await code(authorizer) == 200
    assert len(script.calls) == 11


async def test_denial_is_cached_beside_many_allowed_tokens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics_authorizer, "MAX_CACHED", 2)
    allowed = [AUTHENTICATED, ALLOWED]
    async with authorizing(*allowed, *allowed, reviewed(authenticated=False)) as (authorizer, script, _):
        assert [await code(authorizer, f"Bearer {number}") for number in range(2)] == [200, 200]
        assert [await code(authorizer, "Bearer unknown") for _ in range(3)] == [401] * 3
    assert len(script.calls) == 5


async def test_many_unknown_tokens_wait_for_few_reviews(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics_authorizer, "MAX_WAITING", 4)
    unknown = reviewed(authenticated=False)
    async with authorizing(*[unknown] * 4) as (authorizer, script, _):
        codes = await asyncio.gather(*(code(authorizer, f"Bearer {number}") for number in range(100)))
    assert sorted(codes) == [401] * 4 + [503] * 96
    assert len(script.calls) == 4


async def test_many_unknown_tokens_do_not_deny_a_known_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics_authorizer, "MAX_WAITING", 4)
    known, unknown = [AUTHENTICATED, ALLOWED], [reviewed(authenticated=False)] * 4
    async with authorizing(*known, *unknown, *known) as (authorizer, _, clock):
        assert await code(authorizer) == 200
        clock.now = 60.0
        flood = [code(authorizer, f"Bearer {number}") for number in range(100)]
        assert (await asyncio.gather(*flood, code(authorizer)))[-1] == 200


async def test_only_metrics_need_a_token() -> None:
    async with authorizing(AUTHENTICATED, ALLOWED) as (authorizer, _, _clock):
        listener = Probes("127.0.0.1", 0, healthy=str, ready=str, registry=CollectorRegistry(), authorizer=authorizer)
        async with listener, aiohttp.ClientSession("http://{}:{}".format(*listener.address)) as session:
            codes = {}
            for path in ("/healthz", "/readyz", "/metrics"):
                async with session.get(path) as answer:
                    codes[path] = answer.status
            async with session.get("/metrics", headers={"Authorization": "Bearer t"}) as answer:
                codes["with a token"] = answer.status
    assert codes == {"/healthz": 200, "/readyz": 200, "/metrics": 401, "with a token": 200}
