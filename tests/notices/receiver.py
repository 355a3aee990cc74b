"""A webhook receiver on this machine that keeps what it is sent and answers as a test tells it."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self

REASON = "Said"


@dataclass(frozen=True)
class Request:
    """One request as it came over the wire; header names in small letters."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    server_name: str | None


@dataclass
class Receiver:
    """Answers each request with the next of `answers` (status, headers, body), the last repeated.

    While `hold` is set to an event, requests are read and left without an answer until it is set.
    """

    tls: ssl.SSLContext | None = None
    host: str = "127.0.0.1"
    answers: list[tuple[int, Mapping[str, str], bytes]] = field(
        default_factory=lambda: [(204, {}, b"")]
    )
    hold: asyncio.Event | None = None
    requests: list[Request] = field(default_factory=list)
    connections: int = 0
    at_once_most: int = 0
    _at_once: int = 0
    _came: asyncio.Condition = field(default_factory=asyncio.Condition)
    _server: asyncio.Server | None = None
    _names: dict[ssl.SSLObject, str | None] = field(default_factory=dict)

    async def __aenter__(self) -> Self:
        """Start listening on a port of the system's choice."""
        if self.tls is not None:
            self.tls.sni_callback = self._named
        self._server = await asyncio.start_server(self._serve, self.host, 0, ssl=self.tls)
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop, and let go of whoever is still held."""
        if self.hold is not None:
            self.hold.set()
        assert self._server is not None
        self._server.close()
        await self._server.wait_closed()

    @property
    def port(self) -> int:
        """Where it listens."""
        assert self._server is not None
        return int(self._server.sockets[0].getsockname()[1])

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}/hook"

    async def got(self, count: int) -> None:
        """Wait until this many requests have come."""
        async with self._came:
            await self._came.wait_for(lambda: len(self.requests) >= count)

    def _named(self, channel: ssl.SSLObject, name: str | None, _: ssl.SSLContext) -> None:
        self._names[channel] = name

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._at_once += 1
        self.at_once_most = max(self.at_once_most, self._at_once)
        try:
            await self._answer(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            self._at_once -= 1
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        method, path, _ = head[0].split(" ")
        pairs = [line.split(": ", 1) for line in head[1:] if line]
        headers = {name.lower(): value for name, value in pairs}
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        channel = writer.get_extra_info("ssl_object")
        async with self._came:
            self.requests.append(Request(method, path, headers, body, self._names.get(channel)))
            self._came.notify_all()
        if self.hold is not None:
            await self.hold.wait()
        status, told, content = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        lines = [f"HTTP/1.1 {status} {REASON}", f"content-length: {len(content)}"]
        lines += [f"{name}: {value}" for name, value in told.items()]
        writer.write("\r\n".join([*lines, "", ""]).encode() + content)
        await writer.drain()
