"""Calls and streams: what is sent, what is received, and that nothing waits forever."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web

from atmpl.controller.cluster import UnavailableError
from atmpl.kube.auth import APIEndpoint, CredentialsError, tls_context
from atmpl.kube.client import CONNECT_TIMEOUT_SECONDS, KubeClient
from atmpl.kube.response import error_from
from atmpl.version import __version__
from tests.support import virtual_clock
from tests.support.certificates import Authority, needs_openssl
from tests.support.scripted_server import FixedCredentials, Script, connected, found, serving, silent, status, stream
from tests.support.virtual_clock import virtual

LINES = "application/json"


async def hang(request: web.Request) -> web.StreamResponse:
    await asyncio.sleep(1e6)
    return web.Response()


@asynccontextmanager
async def mute() -> AsyncIterator[str]:
    """The address of a server that accepts connections and sends nothing."""
    server = await asyncio.get_running_loop().create_server(asyncio.Protocol, "127.0.0.1", 0)
    async with server:
        yield "{}:{}".format(*server.sockets[0].getsockname())


async def opened(connection: KubeClient) -> None:
    """Open a stream and close it."""
    async with connection.stream("/a", {}, LINES, 70):
        pass


# --- metrics


@virtual
async def test_calls_are_observed_with_method_and_code() -> None:
    observed: list[tuple[str, str]] = []

    def observe(method: str, code: str, seconds: float) -> None:
        assert seconds >= 0
        observed.append((method, code))

    script = Script(status(429, "TooManyRequests"), stream())
    async with serving(script) as url, KubeClient(FixedCredentials(url), observe) as client:
        await client.call("PATCH", "/a")
        await opened(client)
    async with KubeClient(FixedCredentials("http://127.0.0.1:1"), observe) as client:
        for call in (client.call("GET", "/a"), opened(client)):
            with pytest.raises(UnavailableError):
                await call
    assert observed == [("PATCH", "429"), ("WATCH", "200"), ("GET", "<error>"), ("WATCH", "<error>")]


# --- requests and responses


@virtual
async def test_call_sends_the_request_and_returns_the_response() -> None:
    script = Script(status(429, "TooManyRequests", "later", **{"Retry-After": "7"}))
    async with (
        serving(script) as url,
        KubeClient(FixedCredentials(url, headers={"Authorization": "Bearer t"})) as connection,
    ):
        answer = await connection.call(
            "PATCH",
            "/a/b.c",
            query={"q": "x y/&="},
            body=b"{}",
            headers={"Content-Type": "application/merge-patch+json"},
        )
    [call] = script.calls
    assert (call.method, call.path, call.query, call.body) == ("PATCH", "/a/b.c", {"q": "x y/&="}, b"{}")
    assert call.headers["Authorization"] == "Bearer t"
    assert call.headers["Content-Type"] == "application/merge-patch+json"
    assert call.headers["User-Agent"] == f"atmpl/{__version__}"
    assert (answer.status, answer.retry_after) == (429, "7")
    error = error_from(answer)
    assert isinstance(error, UnavailableError)
    assert (str(error), error.retry_after) == ("429 TooManyRequests", 7)


@virtual
async def test_client_keeps_connections_and_no_cookies() -> None:
    peers: list[object] = []

    async def act(request: web.Request) -> web.Response:
        assert request.transport is not None
        peers.append(request.transport.get_extra_info("peername"))
        assert "Cookie" not in request.headers
        return web.Response(headers={"Set-Cookie": "a=b"})

    async with connected(Script(*[act] * 5)) as connection:
        for _ in range(5):
            await connection.call("GET", "/a")
    assert len(set(peers)) == 1


@virtual
async def test_calls_and_streams_use_separate_connections() -> None:
    script = Script()
    script.acts = [silent(script)] * 20 + [found({})] * 60
    async with connected(script) as connection, AsyncExitStack() as streams:
        for _ in range(20):
            response = await streams.enter_async_context(connection.stream("/s", {}, LINES, 1e6))
            assert response.status == 200
        answers = await asyncio.gather(*(connection.call("GET", "/a") for _ in range(60)))
    assert {answer.status for answer in answers} == {200}


@virtual
async def test_401_invalidates_the_credentials() -> None:
    script = Script(status(401, "Unauthorized"), status(401, "Unauthorized"), status(403, "Forbidden"))
    async with serving(script) as url, KubeClient(credentials := FixedCredentials(url)) as connection:
        assert (await connection.call("GET", "/a")).status == 401
        async with connection.stream("/a", {}, LINES, 5) as response:
            assert response.status == 401
        assert credentials.renewed == 2
        await connection.call("GET", "/a")
        assert credentials.renewed == 2


@virtual
async def test_client_without_credentials_sends_nothing() -> None:
    class MissingCredentials:
        async def endpoint(self) -> APIEndpoint:
            raise CredentialsError("the token is gone")

        async def invalidate(self, rejected: APIEndpoint) -> None: ...

        async def namespace(self) -> str:
            return ""

    async with KubeClient(MissingCredentials()) as connection:
        with pytest.raises(UnavailableError, match="the token is gone"):
            await connection.call("GET", "/a")
        with pytest.raises(UnavailableError, match="the token is gone"):
            await opened(connection)


# --- timeouts


@virtual
async def test_call_without_a_response_times_out() -> None:
    async with connected(Script(hang)) as connection:
        began = virtual_clock.now()
        with pytest.raises(UnavailableError):
            await connection.call("GET", "/a")
        assert virtual_clock.now() - began == pytest.approx(30, abs=1)


@virtual
async def test_call_with_an_endless_response_times_out() -> None:
    async def drip(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        for _ in range(1000):
            await response.write(b" ")
            await asyncio.sleep(1)
        return response

    async with connected(Script(drip)) as connection:
        began = virtual_clock.now()
        with pytest.raises(UnavailableError):
            await connection.call("GET", "/a")
        assert virtual_clock.now() - began == pytest.approx(30, abs=1)


@virtual
async def test_silent_stream_times_out() -> None:
    script = Script()
    script.acts = [silent(script, b"{}\n"), stream(*[b"{}\n"] * 3)]
    async with connected(script) as connection:
        began = virtual_clock.now()
        with pytest.raises(TimeoutError):
            async with connection.stream("/a", {}, LINES, 70) as response:
                await response.read()
        assert virtual_clock.now() - began == pytest.approx(70, abs=1)
        async with connection.stream("/a", {}, LINES, 70) as response:
            assert await response.read() == b"{}\n" * 3


@pytest.mark.parametrize("kind", ["call", "stream"])
@pytest.mark.parametrize("through", ["a proxy", "TLS"])
def test_connection_attempt_times_out(kind: str, through: str) -> None:
    @virtual
    async def test() -> None:
        async with mute() as address:
            proxied = FixedCredentials("https://api.test", proxy=f"http://{address}", tls=ssl.create_default_context())
            direct = FixedCredentials(f"https://{address}", tls=ssl.create_default_context())
            async with KubeClient(proxied if through == "a proxy" else direct) as connection:
                began = virtual_clock.now()
                with pytest.raises(UnavailableError):
                    await (connection.call("GET", "/a") if kind == "call" else opened(connection))
                assert virtual_clock.now() - began <= CONNECT_TIMEOUT_SECONDS + 1

    test()


@virtual
async def test_closed_port_is_unavailable() -> None:
    async with serving(Script()) as url:
        pass
    async with KubeClient(FixedCredentials(url)) as connection:
        with pytest.raises(UnavailableError):
            await connection.call("GET", "/a")
        with pytest.raises(UnavailableError):
            await opened(connection)


ADDRESSES = ("ftp://a.test", "nonsense", "https://", "http://a.test:99999999")


@pytest.mark.parametrize("server", ADDRESSES)
async def test_invalid_address_is_unavailable(server: str) -> None:
    async with KubeClient(FixedCredentials(server)) as connection:
        with pytest.raises(UnavailableError):
            await connection.call("GET", "/a")
        with pytest.raises(UnavailableError):
            await opened(connection)


# --- cancelled


@virtual
async def test_cancelled_call_closes_its_connection() -> None:
    script = Script()
    script.acts = [hang, silent(script, b"{}\n")]
    async with connected(script) as connection:

        async def watch() -> None:
            async with connection.stream("/a", {}, LINES, 70) as response:
                await response.read()

        for work in (connection.call("GET", "/a"), watch()):
            task = asyncio.ensure_future(work)
            await asyncio.sleep(1)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task


# --- TLS


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@needs_openssl
async def test_client_verifies_ca_and_server_name(authority: Authority, tmp_path: Path) -> None:
    certificate, key = authority.sign("me")

    def trusting(authority: Authority) -> ssl.SSLContext:
        context = tls_context(authority.certificate.read_bytes())  # as the credentials make it
        context.load_cert_chain(certificate, key)
        return context

    script = Script(found({}), stream(b"{}\n"))
    async with serving(script, authority.server()) as url:
        async with KubeClient(FixedCredentials(url, tls=trusting(authority), tls_name="server.test")) as connection:
            assert (await connection.call("GET", "/a")).ok
            async with connection.stream("/a", {}, LINES, 5) as response:
                assert await response.read() == b"{}\n"
        wrong = {
            "another name": FixedCredentials(url, tls=trusting(authority), tls_name="other.test"),
            "another authority": FixedCredentials(url, tls=trusting(Authority(tmp_path)), tls_name="server.test"),
        }
        for credentials in wrong.values():
            async with KubeClient(credentials) as connection:
                with pytest.raises(UnavailableError):
                    await connection.call("GET", "/a")
    assert len(script.calls) == 2


# --- proxies


@pytest.mark.parametrize("name", ["HTTP_PROXY", "http_proxy", "ALL_PROXY"])
def test_client_ignores_proxies_of_the_environment(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "http://127.0.0.1:1")

    @virtual
    async def test() -> None:
        async with connected(Script(found({}))) as connection:
            assert (await connection.call("GET", "/a")).ok

    test()


@virtual
async def test_proxy_password_is_sent_only_to_the_proxy() -> None:
    script = Script(found({}), found({}))
    async with serving(script) as url:
        proxy = url.replace("http://", "http://me:secret@")
        async with KubeClient(FixedCredentials("http://api.test", proxy=proxy)) as connection:
            assert (await connection.call("GET", "/a")).ok
    assert script.calls[0].headers["Proxy-Authorization"].startswith("Basic ")
    assert script.calls[0].headers["Host"] == "api.test"
