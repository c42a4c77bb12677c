"""The probe listener, asked by good and by bad clients over real sockets."""

import asyncio
import errno
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import Any

import aiohttp
import pytest
from prometheus_client import CollectorRegistry, Gauge

from atmpl.manager import probes
from atmpl.manager.probes import Probes


class State:
    """What the probes are to say."""

    sick = ""
    busy = ""


@pytest.fixture
async def state() -> State:
    return State()


@pytest.fixture
async def listener(state: State) -> AsyncIterator[Probes]:
    registry = CollectorRegistry()
    Gauge("a_figure", "Some figure", registry=registry).set(7)
    async with Probes(
        "127.0.0.1", 0, healthy=lambda: state.sick, ready=lambda: state.busy, registry=registry
    ) as running:
        yield running


@pytest.fixture
async def session(listener: Probes) -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession("http://{}:{}".format(*listener.address)) as session:
        yield session


@asynccontextmanager
async def _connected(listener: Probes) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection(*listener.address)
    yield reader, writer
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()


async def _ask(session: aiohttp.ClientSession, path: str, method: str = "GET") -> tuple[int, str]:
    async with session.request(method, path) as answer:
        return answer.status, await answer.text()


async def test_all_is_well(session: aiohttp.ClientSession) -> None:
    assert await _ask(session, "/healthz") == (200, "ok\n")
    assert await _ask(session, "/readyz") == (200, "ok\n")


ADDRESSES = {"IPv4": "127.0.0.1", "IPv6": "::1"}


async def answers(host: str, port: int) -> bool:
    """Return True if the listener answers at an address."""
    try:
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"http://{f'[{host}]' if ':' in host else host}:{port}/healthz") as answer,
        ):
            return answer.status == 200
    except aiohttp.ClientConnectionError:
        return False


@pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="this machine has no IPv6")
@pytest.mark.parametrize(
    ("host", "families"), [("", {"IPv4", "IPv6"}), ("127.0.0.1", {"IPv4"}), ("::1", {"IPv6"}), ("0.0.0.0", {"IPv4"})]
)
async def test_listener_binds_the_families_of_its_host(host: str, families: set[str]) -> None:
    async with Probes(host, 0, healthy=str, ready=str, registry=CollectorRegistry()) as listener:
        port = listener.address[1]
        assert {family for family, address in ADDRESSES.items() if await answers(address, port)} == families


@pytest.mark.parametrize("reason", ["no IPv6 in the kernel", "IPv6 disabled by sysctl"])
async def test_listener_without_ipv6_binds_ipv4(reason: str, monkeypatch: pytest.MonkeyPatch) -> None:
    create = socket.create_server

    def without_ipv6(address: tuple[str, int], **options: Any) -> socket.socket:
        if options.get("family") == socket.AF_INET6:
            raise OSError(errno.EADDRNOTAVAIL, "Cannot assign requested address")
        return create(address, **options)

    monkeypatch.setattr(socket, "has_dualstack_ipv6", lambda: reason != "no IPv6 in the kernel")
    monkeypatch.setattr(socket, "create_server", without_ipv6)
    async with Probes("", 0, healthy=str, ready=str, registry=CollectorRegistry()) as listener:
        assert await answers("127.0.0.1", listener.address[1])


async def test_listener_reports_a_port_in_use() -> None:
    async with Probes("", 0, healthy=str, ready=str, registry=CollectorRegistry()) as first:
        with pytest.raises(OSError, match="in use"):
            await Probes("", first.address[1], healthy=str, ready=str, registry=CollectorRegistry()).__aenter__()


async def test_a_probe_that_fails_says_why(session: aiohttp.ClientSession, state: State) -> None:
    state.sick, state.busy = "died: worker 3", "still listing: templates"
    assert await _ask(session, "/healthz") == (503, "died: worker 3\n")
    assert await _ask(session, "/readyz") == (503, "still listing: templates\n")


async def test_metrics_are_prometheus_text(session: aiohttp.ClientSession) -> None:
    async with session.get("/metrics") as answer:
        assert answer.headers["Content-Type"].startswith("text/plain")
        assert "a_figure 7.0" in await answer.text()


async def test_metrics_come_in_the_form_that_is_asked_for(session: aiohttp.ClientSession) -> None:
    asked = {"Accept": "application/openmetrics-text; version=1.0.0"}
    async with session.get("/metrics", headers=asked) as answer:
        assert answer.headers["Content-Type"].startswith("application/openmetrics-text")
        assert (await answer.text()).endswith("# EOF\n")


FORMS = {  # what is asked for, and what comes
    "nothing": ("", "text/plain; version=0.0.4; charset=utf-8"),
    "text": ("text/plain;version=1.0.0;escaping=allow-utf-8", "text/plain; version=0.0.4; charset=utf-8"),
    "OpenMetrics": ("application/openmetrics-text", "application/openmetrics-text; version=1.0.0; charset=utf-8"),
    "OpenMetrics as Prometheus asks for it": (
        "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,text/plain;version=0.0.4;q=0.2,*/*;q=0.1",
        "application/openmetrics-text; version=1.0.0; charset=utf-8",
    ),
    "a version that is none": (
        "application/openmetrics-text; version=1.a",
        "application/openmetrics-text; version=1.0.0; charset=utf-8",
    ),
}


@pytest.mark.parametrize(("asked", "comes"), FORMS.values(), ids=FORMS)
async def test_metrics_have_two_forms_whatever_is_asked_for(
    asked: str, comes: str, session: aiohttp.ClientSession
) -> None:
    async with session.get("/metrics", headers={"Accept": asked}) as answer:
        assert (answer.status, answer.headers["Content-Type"]) == (200, comes)


async def test_each_form_is_made_once_a_second_whoever_asks_for_the_other_meanwhile(
    session: aiohttp.ClientSession, listener: Probes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(probes, "FRESHNESS", 3600)
    collect, made = listener._registry.collect, []
    monkeypatch.setattr(listener._registry, "collect", lambda: made.append(1) or collect())
    for number in range(10):
        for accept in ("", f"application/openmetrics-text; version=1.0.{number}"):
            async with session.get("/metrics", headers={"Accept": accept}) as answer:
                assert "a_figure 7.0" in await answer.text()
    assert len(made) == 2


async def test_there_are_three_paths_and_no_more(session: aiohttp.ClientSession) -> None:
    for path in ("/", "/metrics/", "/healthz/x", "/%2e%2e/etc/passwd"):
        assert (await _ask(session, path))[0] == 404


async def test_nothing_can_be_sent(session: aiohttp.ClientSession) -> None:
    assert (await _ask(session, "/healthz", "POST"))[0] == 405


async def test_a_client_that_sends_half_a_request_is_cut_off(listener: Probes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probes, "LIFETIME", 0.05)
    async with _connected(listener) as (reader, writer):
        writer.write(b"GET /healthz HTT")
        assert await asyncio.wait_for(reader.read(), 5) == b""


async def test_clients_that_hold_their_connections_keep_nobody_out(
    listener: Probes, session: aiohttp.ClientSession
) -> None:
    async with AsyncExitStack() as idle:
        for _ in range(probes.CONNECTIONS + 10):
            await idle.enter_async_context(_connected(listener))
        assert await _ask(session, "/healthz") == (200, "ok\n")


async def test_a_header_without_end_is_refused(listener: Probes) -> None:
    async with _connected(listener) as (reader, writer):
        writer.write(b"GET /healthz HTTP/1.1\r\nX: " + b"a" * 100_000)
        assert b" 400 " in await asyncio.wait_for(reader.readline(), 5)


async def test_an_address_that_is_taken_is_an_os_error(listener: Probes) -> None:
    second = Probes(*listener.address, healthy=str, ready=str, registry=CollectorRegistry())
    with pytest.raises(OSError, match="address already in use"):
        await second.__aenter__()
