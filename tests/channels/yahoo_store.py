"""A Yahoo! store of the sandbox with our adapter in front of it."""

from __future__ import annotations

from typing import Any

import msgspec
from redis.asyncio import Redis

from channels.base import (
    Adapter,
    Pulled,
)
from channels.keep import Keep, Means, MemoryKeep
from channels.yahoo.adapter import YahooCredentials, YahooSettings, build
from inventory.vocabulary import (
    PushOutcome,
    QuantityPush,
)
from tests.channels.sandbox_process import SandboxProcess

KIND = "yahoo"
MUG, TEE, CAP = "mug", "tee-001:m-blk", "cap:x"


class Store:
    """A sandbox, its adapter, and what a puller would remember between pulls."""

    def __init__(self, sandbox: SandboxProcess, redis: Redis, **settings: Any) -> None:
        self.sandbox, self.redis, self.keep = sandbox, redis, MemoryKeep()
        sandbox.list_items(KIND, {MUG: 5, TEE: 3, CAP: 50})
        self.adapter = self.connect(**settings)
        self.cursor: dict[str, Any] = {}
        self.seen: dict[str, str] = {}

    def connect(
        self, keys: dict[str, str] | None = None, *, keep: Keep | None = None, **settings: Any
    ) -> Adapter:
        """Another adapter of the same store, as another worker has it; with other keys if given."""
        access = self.sandbox.access(KIND)
        return build(
            channel_id=2,
            base_url=access["base_url"],
            settings=msgspec.convert(access["settings"] | settings, YahooSettings),
            credentials=msgspec.convert(access["credentials"] | (keys or {}), YahooCredentials),
            means=Means(redis=self.redis, keep=keep or self.keep),
        )

    async def pull(self) -> Pulled:
        """One pull as the puller makes it: through JSON, with hints stored."""
        pulled = await self.adapter.pull_orders(self.cursor, seen=self.seen)
        self.cursor = msgspec.json.decode(msgspec.json.encode(pulled.cursor))
        self.seen |= {order.order_ref: order.hint for order in pulled.orders}
        return pulled

    async def push(self, *numbers: tuple[str, int]) -> list[PushOutcome]:
        """Push numbers."""
        return await self.adapter.push_quantities(
            [QuantityPush(channel_sku=sku, quantity=n, change=None, key="k") for sku, n in numbers]
        )

    def calls(self, name: str) -> int:
        """How many calls of one function Yahoo! has let through."""
        used: int = self.sandbox.books(KIND)["calls"][name]["used"]
        return used

    def buy(self, sku: str = CAP, units: int = 1) -> str:
        """A shopper buys one listing."""
        return self.sandbox.buy(KIND, {sku: units})
