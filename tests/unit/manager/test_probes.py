"""The probe listener, with well-behaved and hostile clients over real sockets."""

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
    """The problems that the probes report."""

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


async def _get(session: aiohttp.ClientSession, path: str, method: str = "GET") -> tuple[int, str]:
    async with session.request(method, path) as answer:
        return answer.status, await answer.text()


async def test_probes_answer_ok_without_problems(session: aiohttp.ClientSession) -> None:
    assert await _get(session, "/healthz") == (200, "ok\n")
    assert await _get(session, "/readyz") == (200, "ok\n")


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


async def test_failing_probe_names_the_problem(session: aiohttp.ClientSession, state: State) -> None:
    state.sick, state.busy = "failed: worker 3", "still listing: templates"
    assert await _get(session, "/healthz") == (503, "failed: worker 3\n")
    assert await _get(session, "/readyz") == (503, "still listing: templates\n")


async def test_metrics_are_prometheus_text(session: aiohttp.ClientSession) -> None:
    async with session.get("/metrics") as answer:
        assert answer.headers["Content-Type"].startswith("text/plain")
        assert "a_figure 7.0" in await answer.text()


async def test_metrics_are_open_metrics_on_request(session: aiohttp.ClientSession) -> None:
    headers = {"Accept": "application/openmetrics-text; version=1.0.0"}
    async with session.get("/metrics", headers=headers) as answer:
        assert answer.headers["Content-Type"].startswith("application/openmetrics-text")
        assert (await answer.text()).endswith("# EOF\n")


FORMS = {  # case: (Accept, Content-Type)
    "nothing": ("", "text/plain; version=0.0.4; charset=utf-8"),
    "text": ("text/plain;version=1.0.0;escaping=allow-utf-8", "text/plain; version=0.0.4; charset=utf-8"),
    "OpenMetrics": ("application/openmetrics-text", "application/openmetrics-text; version=1.0.0; charset=utf-8"),
    "OpenMetrics as Prometheus requests it": (
        "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,text/plain;version=0.0.4;q=0.2,*/*;q=0.1",
        "application/openmetrics-text; version=1.0.0; charset=utf-8",
    ),
    "an invalid version": (
        "application/openmetrics-text; version=1.a",
        "application/openmetrics-text; version=1.0.0; charset=utf-8",
    ),
}


@pytest.mark.parametrize(("accept", "content_type"), FORMS.values(), ids=FORMS)
async def test_metrics_format_follows_accept(accept: str, content_type: str, session: aiohttp.ClientSession) -> None:
    async with session.get("/metrics", headers={"Accept": accept}) as answer:
        assert (answer.status, answer.headers["Content-Type"]) == (200, content_type)


async def test_scrape_text_is_cached_per_format(
    session: aiohttp.ClientSession, listener: Probes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(probes, "SCRAPE_CACHE_SECONDS", 3600)
    collect, made = listener._registry.collect, []
    monkeypatch.setattr(listener._registry, "collect", lambda: made.append(1) or collect())
    for number in range(10):
        for accept in ("", f"application/openmetrics-text; version=1.0.{number}"):
            async with session.get("/metrics", headers={"Accept": accept}) as answer:
                assert "a_figure 7.0" in await answer.text()
    assert len(made) == 2


async def test_other_paths_are_not_found(session: aiohttp.ClientSession) -> None:
    for path in ("/", "/metrics/", "/healthz/x", "/%2e%2e/etc/passwd"):
        assert (await _get(session, path))[0] == 404


async def test_post_is_not_allowed(session: aiohttp.ClientSession) -> None:
    assert (await _get(session, "/healthz", "POST"))[0] == 405


async def test_incomplete_request_is_aborted_in_time(listener: Probes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probes, "CONNECTION_SECONDS", 0.05)
    async with _connected(listener) as (reader, writer):
        writer.write(b"GET /healthz HTT")
        assert await asyncio.wait_for(reader.read(), 5) == b""


async def test_idle_connections_do_not_block_new_ones(listener: Probes, session: aiohttp.ClientSession) -> None:
    async with AsyncExitStack() as idle:
        for _ in range(probes.MAX_CONNECTIONS + 10):
            await idle.enter_async_context(_connected(listener))
        assert await _get(session, "/healthz") == (200, "ok\n")


async def test_oversized_header_is_rejected(listener: Probes) -> None:
    async with _connected(listener) as (reader, writer):
        writer.write(b"GET /healthz HTTP/1.1\r\nX: " + b"a" * 100_000)
        assert b" 400 " in await asyncio.wait_for(reader.readline(), 5)


async def test_address_in_use_raises_os_error(listener: Probes) -> None:
    second = Probes(*listener.address, healthy=str, ready=str, registry=CollectorRegistry())
    with pytest.raises(OSError, match="address already in use"):
        await second.__aenter__()


MALFORMED: dict[str, bytes] = {
    "no HTTP": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
    "no version": b"GET /metrics\r\n\r\n",
    "an unknown version": b"GET /metrics HTTP/9.9\r\n\r\n",
    "an invalid method": b"G@T /metrics HTTP/1.1\r\n\r\n",
    "an invalid header": b"GET /metrics HTTP/1.1\r\nbad header\r\n\r\n",
    "two lengths": b"GET /metrics HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
    "an invalid length": b"POST /metrics HTTP/1.1\r\nContent-Length: x\r\n\r\n",
    "an invalid chunk": b"POST /metrics HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nzz\r\n",
    "an invalid host": b"GET /metrics HTTP/1.1\r\nHost: [::1\r\n\r\n",
    "an invalid URL": b"GET http://[::1/metrics HTTP/1.1\r\n\r\n",
    "an invalid path": b"GET //[/%zz HTTP/1.1\r\n\r\n",
    "an invalid port": b"GET http://a:99999999/ HTTP/1.1\r\n\r\n",
    "CONNECT": b"CONNECT a:99999999 HTTP/1.1\r\n\r\n",
    "an upgrade": b"GET /metrics HTTP/1.1\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n\x00\x01",
    "a header that is not UTF-8": b"GET /metrics HTTP/1.1\r\nAccept: \xff\xfe\r\n\r\n",
    "an invalid compression": b"POST /metrics HTTP/1.1\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc",
}


@pytest.mark.parametrize("sent", MALFORMED.values(), ids=MALFORMED)
async def test_malformed_request_is_not_logged(
    sent: bytes, listener: Probes, session: aiohttp.ClientSession, caplog: pytest.LogCaptureFixture
) -> None:
    async with _connected(listener) as (reader, writer):
        writer.write(sent)
        writer.write_eof()
        await asyncio.wait_for(reader.read(), 5)
    assert await _get(session, "/healthz") == (200, "ok\n")
    assert [record.getMessage() for record in caplog.records] == []


async def test_error_of_a_handler_is_logged(
    session: aiohttp.ClientSession, listener: Probes, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listener, "_registry", None)
    assert (await _get(session, "/metrics"))[0] == 500
    assert [record.levelname for record in caplog.records] == ["ERROR"]
