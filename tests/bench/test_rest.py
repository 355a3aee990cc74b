"""The light HTTP client, the null endpoint, and the real servers that are measured."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from inventory.bench import rest, several
from inventory.bench.stand import Stand
from inventory.bench.wire import Line, post_head
from inventory.errors import WrongState
from inventory.processes import Supervisor

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def served(serve: Serve) -> AsyncIterator[Line]:
    """A connection to a server that does as told."""
    ended = asyncio.Event()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await serve(reader, writer)
        finally:
            writer.close()
            await writer.wait_closed()
            ended.set()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    line = await Line.open(server.sockets[0].getsockname()[1])
    try:
        yield line
    finally:
        line.close()
        await ended.wait()
        server.close()
        await server.wait_closed()


async def test_answers_in_pieces_are_put_together() -> None:
    got: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for body in (b"first", b"the second"):
            got.append(await reader.readuntil(b"\r\n\r\n") + await reader.readexactly(2))
            writer.write(b"HTTP/1.1 201 Created\r\nContent-")
            await writer.drain()
            await asyncio.sleep(0.01)
            writer.write(b"Length: %d\r\nx-other: 1\r\n\r\n%b" % (len(body), body[:3]))
            await writer.drain()
            await asyncio.sleep(0.01)
            writer.write(body[3:])

    async with served(serve) as line:
        head = post_head("/v1/x", key="hk_k", port=80)
        assert await line.post(head, b"{}") == (201, b"first")
        assert await line.post(head, b"[]") == (201, b"the second")

    assert got[0].startswith(b"POST /v1/x HTTP/1.1\r\nhost: 127.0.0.1:80\r\n")
    assert b"authorization: Bearer hk_k\r\n" in got[0]
    assert got[0].endswith(b"content-length: 2\r\n\r\n{}")


async def test_a_lost_connection_is_said() -> None:
    async def serve(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")

    async with served(serve) as line:
        with pytest.raises(WrongState, match="ended the connection"):
            await line.post(post_head("/", key="k", port=80), b"{}")
        with pytest.raises(WrongState, match="was lost"):
            await line.post(post_head("/", key="k", port=80), b"{}")


async def test_an_answer_without_a_length_is_not_understood() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n")
        await writer.drain()
        await reader.read()

    async with served(serve) as line:
        with pytest.raises(WrongState, match="content-length"):
            await line.post(post_head("/", key="k", port=80), b"{}")


async def test_every_door_is_measured_on_the_real_servers(
    stand: Stand, starter: Supervisor, tmp_path: Path
) -> None:
    async with rest.open_doors(stand, starter, tmp_path) as (doors, api, null):
        held = await doors.reserve(api)
        nothing = await doors.do_nothing(null)
        adjusted = await doors.adjust(api)

    assert held.books.faults == ()
    assert nothing.books.facts == held.books.facts
    assert adjusted.books.faults == ()
    assert adjusted.books.facts - held.books.facts >= rest.BULK_CALLERS * rest.BULK_LINES


async def test_several_processes_sell_the_same_sku(
    stand: Stand, starter: Supervisor, tmp_path: Path
) -> None:
    sample = await several.sell(stand, starter, tmp_path, 2)

    assert sample.books.faults == ()
    assert sample.books.deadlocks == 0
    assert sample.reading.sales <= sample.books.facts
