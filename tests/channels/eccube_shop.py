"""An EC-CUBE shop of the sandbox with our adapter in front of it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import msgspec
from redis.asyncio import Redis

from channels.base import Adapter, Pulled
from channels.eccube.adapter import EccubeCredentials, EccubeSettings, build
from channels.keep import Keep, Means, MemoryKeep
from inventory.vocabulary import OrderSeen, PushOutcome, QuantityPush
from tests.channels.sandbox_process import SandboxProcess

KIND = "eccube"
BRISK = {"order_visible_lag_seconds": 0.0, "calls_per_second": 100.0}


class Shop:
    """A sandbox, its adapters, and what a puller would remember between pulls."""

    def __init__(self, sandbox: SandboxProcess, redis: Redis, **settings: Any) -> None:
        self.sandbox = sandbox
        self.redis = redis
        self.keep: Keep = MemoryKeep()
        self._settings = {**BRISK, **settings}
        self._adapters: list[Adapter] = []
        self.adapter = self.connect()
        self.cursor: dict[str, Any] = {}
        self.seen: dict[str, str] = {}

    def connect(self, *, keep: Keep | None = None, **keys: str) -> Adapter:
        """Another adapter of the same shop, as another worker has it; other keys where given."""
        access = self.sandbox.access(KIND)
        adapter = build(
            channel_id=1,
            base_url=access["base_url"],
            settings=msgspec.convert({**access["settings"], **self._settings}, EccubeSettings),
            credentials=msgspec.convert({**access["credentials"], **keys}, EccubeCredentials),
            means=Means(redis=self.redis, keep=keep or self.keep),
        )
        self._adapters.append(adapter)
        return adapter

    def sold(self, lines: Mapping[str, int] | None = None) -> str:
        """A shopper buys."""
        return self.sandbox.buy(KIND, lines or {"MUG": 2})

    async def pull(self) -> Pulled:
        """One pull as the puller makes it: through JSON, with hints stored."""
        pulled = await self.adapter.pull_orders(self.cursor, seen=self.seen)
        self.cursor = json.loads(json.dumps(msgspec.to_builtins(pulled.cursor)))
        self.seen |= {order.order_ref: order.hint for order in pulled.orders}
        return pulled

    async def order(self, ref: str) -> OrderSeen:
        """An order that is there."""
        order = await self.adapter.read_order(ref)
        assert order is not None
        return order

    async def push(self, **numbers: int) -> list[PushOutcome]:
        """Set numbers."""
        return await self.adapter.push_quantities(
            [
                QuantityPush(channel_sku=sku, quantity=number, change=None, key="k")
                for sku, number in numbers.items()
            ]
        )

    async def aclose(self) -> None:
        """Close every adapter."""
        for adapter in self._adapters:
            await adapter.aclose()


@asynccontextmanager
async def opened(
    start_sandbox: Callable[..., SandboxProcess],
    redis: Redis,
    options: Mapping[str, Any] | None = None,
    **settings: Any,
) -> AsyncIterator[Shop]:
    """A shop with two items; `options` are the sandbox's, `settings` the adapter's."""
    sandbox = start_sandbox(eccube=options or {})
    sandbox.list_items(KIND, {"MUG": 10, "MUG-RED": 5})
    shop = Shop(sandbox, redis, **settings)
    await shop.adapter.budgets.fill()
    try:
        yield shop
    finally:
        await shop.aclose()


Opener = Callable[..., AbstractAsyncContextManager[Shop]]
