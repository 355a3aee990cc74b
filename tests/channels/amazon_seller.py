"""An Amazon seller of the sandbox with our adapter in front of it."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import msgspec
from redis.asyncio import Redis

from channels.amazon.adapter import AmazonAdapter, AmazonCredentials, AmazonSettings, build
from channels.base import Adapter, Pulled
from channels.keep import Means, MemoryKeep
from inventory.vocabulary import CancelRequest, CancelState, OrderSeen, Reason
from tests.channels.amazon_contract import checked
from tests.channels.contracts import CONTRACTS, Recorder
from tests.channels.sandbox_process import SandboxProcess

QUICK = {"search_lag_s": 0.0, "pending_s": 0.0, "feed_s": 0.05}


class Seller:
    """A sandbox, an adapter for it with full budgets, and what tests repeat."""

    def __init__(self, sandbox: SandboxProcess, adapter: Adapter, redis: Redis) -> None:
        self.sandbox = sandbox
        self.adapter = adapter
        self.redis = redis
        self.cursor: dict[str, Any] = {}
        # Filled once the seller is closed: operation and status → how often.
        self.calls: Counter[tuple[str, int]] = Counter()

    async def refill(self) -> None:
        """Make all our budgets full again."""
        await self.redis.flushall()
        await self.adapter.budgets.fill()

    async def drain(self, endpoint: str, *, leave: int) -> None:
        """Spend calls of a budget until only so many are left."""
        for _ in range(self.adapter.budgets.burst(endpoint) - leave):
            await self.adapter.budgets.take(endpoint, longest_wait_seconds=0)

    def patience(self, seconds: float) -> None:
        """Wait at most so long for a budget."""
        assert isinstance(self.adapter, AmazonAdapter)
        self.adapter._client.http._longest_wait_seconds = seconds

    def sold(self, lines: Mapping[str, int] | None = None) -> str:
        """A shopper buys, and enough time passes for the search to show it (whole seconds)."""
        ref = self.sandbox.buy("amazon", lines or {"MUG-RED": 2})
        self.sandbox.move_clock(2)
        return ref

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
        """Submit a cancellation of the whole order."""
        lines = tuple(line["line_ref"] for line in self.sandbox.order("amazon", ref)["lines"])
        request = CancelRequest(order_ref=ref, line_refs=lines, reason=reason)
        return await self.adapter.cancel_order(request)

    async def settled(self, ref: str, feed_id: str) -> CancelState:
        """Ask until the cancellation is confirmed or refused."""
        for _ in range(60):
            state = await self.adapter.cancel_state(ref, feed_id)
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
) -> AsyncIterator[Seller]:
    """A seller with two listings; `options` are the sandbox's, `settings` the adapter's.

    At the end all calls of the test, and all answers, are checked against the published models,
    where those lie beside the repository.
    """
    sandbox = start_sandbox(amazon={**QUICK, **(options or {})})
    access = sandbox.access("amazon")
    adapter = build(
        channel_id=1,
        base_url=access["base_url"],
        settings=msgspec.convert({**access["settings"], **settings}, AmazonSettings),
        credentials=msgspec.convert(access["credentials"], AmazonCredentials),
        means=Means(redis=redis, keep=MemoryKeep()),
    )
    assert isinstance(adapter, AmazonAdapter)
    recorder = Recorder(adapter._client.http._client)
    await adapter.budgets.fill()
    sandbox.list_items("amazon", {"MUG-RED": 10, "MUG-BLUE": 5})
    seller = Seller(sandbox, adapter, redis)
    try:
        yield seller
    finally:
        await adapter.aclose()
    if CONTRACTS.is_dir():
        seller.calls = checked(recorder)


Opener = Callable[..., AbstractAsyncContextManager[Seller]]
