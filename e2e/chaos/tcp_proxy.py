"""A TCP proxy for the API server that can close all connections, suspend new ones, or delay responses."""

import asyncio
import json
from contextlib import suppress
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

PIECE = 65536  # bytes


class TCPProxy:
    """Carries bytes between a controller and the API server. An asynchronous context manager."""

    def __init__(self, url: str) -> None:
        self._there = urlsplit(url)
        self._open: set[asyncio.Task[None]] = set()  # one a connection
        self._server: asyncio.Server
        self._free = asyncio.Event()  # new connections are carried
        self._free.set()
        self.held = asyncio.Event()  # a connection waits to be carried
        self.delay = 0.0  # seconds before each piece of a response is carried

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        self.cut()
        await asyncio.gather(*self._open, return_exceptions=True)

    def cut(self) -> None:
        """End every connection that is open now."""
        for task in self._open:
            task.cancel()

    def hold(self) -> None:
        """Suspend new connections until `let_go`; open ones continue."""
        self._free.clear()
        self.held.clear()

    def let_go(self) -> None:
        """Resume suspended connections."""
        self._free.set()

    def through(self, kubeconfig: Path) -> Path:
        """Return a copy of a kubeconfig that leads through the wire; the server's certificate is for its host."""
        config = json.loads(kubeconfig.read_text())
        port = self._server.sockets[0].getsockname()[1]
        config["clusters"][0]["cluster"]["server"] = f"https://127.0.0.1:{port}"
        path = kubeconfig.with_name(f"{kubeconfig.name}-wire")
        path.touch(mode=0o600)
        path.write_text(json.dumps(config))
        return path

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._open.add(task)
        task.add_done_callback(self._open.discard)
        with suppress(OSError, asyncio.CancelledError):
            if not self._free.is_set():
                self.held.set()
                await self._free.wait()
            there_reader, there_writer = await asyncio.open_connection(self._there.hostname, self._there.port)
            try:
                async with asyncio.TaskGroup() as group:
                    group.create_task(self._carry(reader, there_writer, slow=False))
                    group.create_task(self._carry(there_reader, writer, slow=True))
            except* OSError:
                pass
            finally:
                there_writer.transport.abort()
        writer.transport.abort()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, slow: bool) -> None:
        """Carry bytes one way until their end; that ends the other way too."""
        while piece := await reader.read(PIECE):
            if slow and self.delay:
                await asyncio.sleep(self.delay)
            writer.write(piece)
            await writer.drain()
        raise ConnectionResetError
