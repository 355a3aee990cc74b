"""A light HTTP/1.1 client for one address on this machine: one request after the other."""

from __future__ import annotations

import asyncio
import re
from typing import cast

from inventory.errors import WrongState

LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)\r\n", re.IGNORECASE)
HEAD_END = b"\r\n\r\n"
STATUS = slice(9, 12)


class Line(asyncio.Protocol):
    """One connection that is kept open. Answers must say how long they are."""

    def __init__(self) -> None:
        self._transport: asyncio.WriteTransport | None = None
        self._received = b""
        self._answer: asyncio.Future[tuple[int, bytes]] | None = None

    @classmethod
    async def open(cls, port: int) -> Line:
        """A connection to a port of this machine."""
        _, line = await asyncio.get_running_loop().create_connection(cls, "127.0.0.1", port)
        return line

    def close(self) -> None:
        """End the connection."""
        if self._transport is not None:
            self._transport.close()

    async def post(self, head: bytes, body: bytes) -> tuple[int, bytes]:
        """Send a body under a head made by `post_head`; the status and the body that came back.

        Raises `WrongState` when the connection is lost, or the answer is not understood.
        """
        if self._transport is None or self._transport.is_closing():
            raise WrongState("the connection to the server was lost")
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(b"%bcontent-length: %d\r\n\r\n%b" % (head, len(body), body))
        return await self._answer

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The connection stands."""
        # uvloop's transports behave as asyncio's and are not of their classes.
        self._transport = cast("asyncio.WriteTransport", transport)

    def data_received(self, data: bytes) -> None:
        """A part of an answer."""
        self._received += data
        end = self._received.find(HEAD_END)
        if end < 0 or self._answer is None or self._answer.done():
            return
        length = LENGTH.search(self._received, 0, end + 2)
        if length is None:
            self._answer.set_exception(WrongState("an answer without a content-length"))
            return
        first = end + len(HEAD_END)
        whole = first + int(length[1])
        if len(self._received) >= whole:
            status, body = int(self._received[STATUS]), self._received[first:whole]
            self._received = self._received[whole:]
            self._answer.set_result((status, body))

    def connection_lost(self, exc: Exception | None) -> None:
        """The server, or we, ended it."""
        self._transport = None
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(WrongState(f"the server ended the connection: {exc}"))


def post_head(path: str, *, key: str, port: int) -> bytes:
    """The head of a POST of JSON, but for its length."""
    return (
        f"POST {path} HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\n"
        f"authorization: Bearer {key}\r\ncontent-type: application/json\r\n"
    ).encode("ascii")
