"""A Shopify shop of the sandbox with our adapter in front of it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import msgspec
from redis.asyncio import Redis

from channels.base import Adapter, Pulled
from channels.keep import Means, MemoryKeep
from channels.shopify.adapter import ShopifyCredentials, ShopifySettings, build
from inventory.vocabulary import CancelRequest, CancelState, OrderSeen, Reason
from tests.channels.sandbox_process import SandboxProcess

QUICK = {"visible_after_s": 0.0, "cancel_s": 0.05}


class Shop:
    """A sandbox, an adapter for it with a full bucket, and what tests repeat."""

    def __init__(self, sandbox: SandboxProcess, adapter: Adapter, redis: Redis) -> None:
        self.sandbox = sandbox
        self.adapter = adapter
        self.redis = redis
        self.cursor: dict[str, Any] = {}

    async def refill(self) -> None:
        """Make all our budgets full again."""
        await self.redis.flushall()
        await self.adapter.budgets.fill()

    def sold(self, lines: Mapping[str, int] | None = None) -> str:
        """A shopper buys."""
        return self.sandbox.buy("shopify", lines or {"MUG": 2})

    async def pull(self, *, seen: Mapping[str, str] | None = None) -> Pulled:
        """The next pull, with the cursor taken through JSON as the database does."""
        pulled = await self.adapter.pull_orders(self.cursor, seen=seen or {})
        self.cursor = json.loads(json.dumps(pulled.cursor))
        return pulled

    async def order(self, ref: str) -> OrderSeen:
        """An order that is there."""
        order = await self.adapter.read_order(ref)
        assert order is not None
        return order

    async def cancel(self, ref: str, reason: Reason = Reason.OUT_OF_STOCK) -> str:
        """Start the cancellation of the whole order."""
        lines = tuple(line["line_ref"] for line in self.sandbox.order("shopify", ref)["lines"])
        return await self.adapter.cancel_order(
            CancelRequest(order_ref=ref, line_refs=lines, reason=reason, note="case 42")
        )

    async def settled(self, ref: str, reference: str) -> CancelState:
        """Ask until the cancellation is confirmed or refused."""
        for _ in range(60):
            state = await self.adapter.cancel_state(ref, reference)
            if state.confirmed or state.refused:
                return state
            await asyncio.sleep(0.05)
        return state


@asynccontextmanager
async def opened(
    start_sandbox: Callable[..., SandboxProcess],
    redis: Redis,
    options: Mapping[str, Any] | None = None,
    **settings: Any,
) -> AsyncIterator[Shop]:
    """A shop with two listings; `options` are the sandbox's, `settings` the adapter's."""
    sandbox = start_sandbox(shopify={**QUICK, **(options or {})})
    access = sandbox.access("shopify")
    adapter = build(
        channel_id=1,
        base_url=access["base_url"],
        settings=msgspec.convert({**access["settings"], **settings}, ShopifySettings),
        credentials=msgspec.convert(access["credentials"], ShopifyCredentials),
        means=Means(redis=redis, keep=MemoryKeep()),
    )
    await adapter.budgets.fill()
    sandbox.list_items("shopify", {"MUG": 10, "MUG-RED": 5})
    try:
        yield Shop(sandbox, adapter, redis)
    finally:
        await adapter.aclose()


Opener = Callable[..., AbstractAsyncContextManager[Shop]]
