"""Webhooks of the sandbox: retried, lost, late, twice, forged; and the address they go to."""

from __future__ import annotations

import asyncio
import hmac
import json
from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from channels.sandbox.faults import Fault
from channels.sandbox.server import create_app
from tests.sandbox.hand_clock import client_of


class Receiver:
    """Takes webhooks on a port of its own and answers as it is told."""

    def __init__(self) -> None:
        self.statuses: list[int] = []
        self.got: list[tuple[dict[str, str], bytes]] = []
        self.url = ""
        self._more = asyncio.Condition()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One request."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        lines = [line.split(": ", 1) for line in head.split("\r\n")[1:] if line]
        headers = {name.lower(): value for name, value in lines}
        body = await reader.readexactly(int(headers["content-length"]))
        async with self._more:
            self.got.append((headers, body))
            self._more.notify_all()
        status = self.statuses.pop(0) if self.statuses else 200
        writer.write(
            f"HTTP/1.1 {status} X\r\ncontent-length: 0\r\nconnection: close\r\n\r\n".encode()
        )
        await writer.drain()
        writer.close()

    async def expect(self, count: int) -> list[tuple[dict[str, str], bytes]]:
        """Wait for so many requests."""
        async with asyncio.timeout(10), self._more:
            await self._more.wait_for(lambda: len(self.got) >= count)
        return self.got


@asynccontextmanager
async def opened(**options: Any) -> AsyncIterator[tuple[Any, Receiver, httpx.AsyncClient]]:
    """A Shopify shop that tells a receiver."""
    app = create_app(options={"shopify": {"hook_pause_s": 0.01, **options}})
    receiver = Receiver()
    server = await asyncio.start_server(receiver.serve, "127.0.0.1", 0)
    receiver.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/notices"
    async with client_of(app) as http:
        market = app.state.sandbox.markets["shopify"]
        market.list_item("MUG", 10)
        assert (await http.put("/_sandbox/shopify/hook", json={"url": receiver.url})).is_success
        try:
            yield market, receiver, http
        finally:
            await market.aclose()
            server.close()
            await server.wait_closed()


async def test_an_order_is_told_with_the_proof_of_its_raw_body() -> None:
    async with opened() as (market, receiver, _):
        order = market.place([("MUG", 2)])
        [(headers, body)] = await receiver.expect(1)

    secret = market.credentials["client_secret"].encode()
    signature = b64encode(hmac.digest(secret, body, "sha256")).decode()
    assert headers["x-shopify-hmac-sha256"] == signature
    assert headers["x-shopify-topic"] == "orders/create"
    told = json.loads(body)
    assert (told["id"], told["line_items"][0]["sku"]) == (int(order.ref), "MUG")


async def test_what_was_not_taken_is_sent_again_under_the_same_name() -> None:
    async with opened() as (market, receiver, http):
        receiver.statuses = [500, 401]
        market.place([("MUG", 1)])
        got = await receiver.expect(3)
        await asyncio.sleep(0.05)
        shown = (await http.get("/_sandbox/shopify/hook")).json()

    assert len({headers["x-shopify-webhook-id"] for headers, _ in got}) == 1
    assert len({body for _, body in got}) == 1
    assert [row["status"] for row in shown["sent"]] == [500, 401, 200]


async def test_retries_end() -> None:
    async with opened(hook_retries=2) as (market, receiver, _):
        receiver.statuses = [500] * 10
        market.place([("MUG", 1)])
        await receiver.expect(3)
        await asyncio.sleep(0.2)

    assert len(receiver.got) == 3


@pytest.mark.parametrize(
    ("knob", "value", "count"), [("lose_notices", 1.0, 0), ("repeat_notices", 1.0, 2)]
)
async def test_a_webhook_may_be_lost_or_come_twice(knob: str, value: float, count: int) -> None:
    async with opened() as (market, receiver, _):
        market.faults.replace({knob: Fault(value=value)})
        market.place([("MUG", 1)])
        await receiver.expect(count)
        await asyncio.sleep(0.1)

    assert len(receiver.got) == count


async def test_webhooks_may_be_late_and_out_of_order() -> None:
    async with opened() as (market, receiver, _):
        market.faults.replace({"shuffle_notices_s": Fault(value=0.3)})
        placed = [int(market.place([("MUG", 1)]).ref) for _ in range(8)]
        got = [json.loads(body)["id"] for _, body in await receiver.expect(8)]

    assert got != placed
    assert sorted(got) == placed


async def test_a_marketplace_without_webhooks_takes_no_address() -> None:
    async with opened() as (_, _, http):
        refused = await http.put("/_sandbox/rakuten/hook", json={"url": "http://127.0.0.1/"})

    assert refused.status_code == 400
