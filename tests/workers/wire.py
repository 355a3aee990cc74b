"""The wire between the adapters and the sandbox, which a test may hold or cut at one call."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
from msgspec import Struct

HEAD_BYTES_MAX = 64_000
HOP_HEADERS = frozenset({b"connection", b"keep-alive", b"transfer-encoding", b"content-length"})


class Request(Struct, frozen=True):
    """One HTTP request as it came over the wire."""

    method: str
    target: str
    headers: list[tuple[bytes, bytes]]
    body: bytes

    def mentions(self, text: str) -> bool:
        """Whether the address or the body contains this text."""
        return text in self.target or text.encode() in self.body


class Held:
    """One call that is stopped on its way: before the sandbox sees it, or before its answer."""

    def __init__(self) -> None:
        self.reached = asyncio.Event()
        self._go = asyncio.Event()

    async def wait(self) -> None:
        """Stand still until the test lets the call go on."""
        self.reached.set()
        await self._go.wait()

    def release(self) -> None:
        """Let the call go on."""
        self._go.set()


class Trap(Struct):
    """What happens to the next `calls` requests that mention `text`."""

    text: str
    calls: int = 1
    held: Held | None = None
    before: bool = True
    cut: bool = False

    def takes(self, request: Request, *, before: bool) -> bool:
        """Whether the trap snaps now; uses up one of its calls."""
        if self.calls < 1 or self.before is not before or not request.mentions(self.text):
            return False
        self.calls -= 1
        return True


class Cut(Exception):
    """The connection ends here without an answer."""


class Wire:
    """Passes requests on to the sandbox, one connection after another, unless a trap is set."""

    def __init__(self, target: str) -> None:
        self._http = httpx.AsyncClient(base_url=target, timeout=30, trust_env=False)
        self._traps: list[Trap] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self.url = ""

    def hold(self, text: str, *, before: bool = True) -> Held:
        """Stop the next call that mentions `text`: before it is done, or after it was done."""
        held = Held()
        self._traps.append(Trap(text=text, held=held, before=before))
        return held

    def cut(self, text: str, *, before: bool, calls: int = 1) -> None:
        """End the connection of the next calls, before they are done or after they were done."""
        self._traps.append(Trap(text=text, calls=calls, before=before, cut=True))

    def mend(self) -> None:
        """Remove all traps."""
        for trap in self._traps:
            if trap.held is not None:
                trap.held.release()
        self._traps.clear()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection of an adapter."""
        task = asyncio.current_task()
        if task is not None:
            self._tasks.add(task)
        try:
            while (request := await _read(reader)) is not None:
                writer.write(await self._answered(request))
                await writer.drain()
        except (Cut, httpx.HTTPError, ConnectionError, asyncio.CancelledError):
            # The adapter sees what it would see of a broken line: no answer.
            pass
        finally:
            writer.close()
            if task is not None:
                self._tasks.discard(task)

    async def _answered(self, request: Request) -> bytes:
        await self._sprung(request, before=True)
        response = await self._http.request(
            request.method, request.target, headers=request.headers, content=request.body
        )
        await self._sprung(request, before=False)
        lines = [f"HTTP/1.1 {response.status_code} {response.reason_phrase}".encode()]
        lines += [
            name + b": " + value
            for name, value in response.headers.raw
            if name.lower() not in HOP_HEADERS
        ]
        lines.append(f"content-length: {len(response.content)}".encode())
        return b"\r\n".join(lines) + b"\r\n\r\n" + response.content

    async def _sprung(self, request: Request, *, before: bool) -> None:
        for trap in self._traps:
            if not trap.takes(request, before=before):
                continue
            if trap.cut:
                raise Cut
            if trap.held is not None:
                await trap.held.wait()

    async def aclose(self) -> None:
        """End what is still open."""
        self.mend()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._http.aclose()


async def _read(reader: asyncio.StreamReader) -> Request | None:
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return None
    first, *lines = head[:-4].split(b"\r\n")
    method, target, _ = first.decode("ascii").split(" ")
    headers = []
    length = 0
    for line in lines:
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            length = int(value)
        if name.lower() not in HOP_HEADERS:
            headers.append((name, value.strip()))
    body = await reader.readexactly(length) if length else b""
    return Request(method, target, headers, body)


@asynccontextmanager
async def opened(target: str) -> AsyncIterator[Wire]:
    """A wire to this address, on a free port of this machine."""
    wire = Wire(target)
    server = await asyncio.start_server(wire.serve, "127.0.0.1", 0, limit=HEAD_BYTES_MAX)
    wire.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield wire
    finally:
        server.close()
        await wire.aclose()
        await server.wait_closed()
