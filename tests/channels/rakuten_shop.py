"""A Rakuten shop of the sandbox with our adapter in front of it."""

from __future__ import annotations

from typing import Any

import msgspec
from redis.asyncio import Redis

from channels.base import (
    Adapter,
    Pulled,
)
from channels.keep import Means, MemoryKeep
from channels.rakuten.adapter import RakutenCredentials, RakutenSettings, build
from inventory.vocabulary import (
    PushOutcome,
    QuantityPush,
)
from tests.channels.sandbox_process import SandboxProcess

KIND = "rakuten"
MUG, TEE, CAP = "mug/blue", "tee-001/M", "cap/x"


class Shop:
    """A sandbox, its adapter, and what a puller would remember between pulls."""

    def __init__(self, sandbox: SandboxProcess, redis: Redis, **settings: Any) -> None:
        self.sandbox, self.redis = sandbox, redis
        sandbox.list_items(KIND, {MUG: 5, TEE: 3, CAP: 9})
        self.adapter = self.connect(**settings)
        self.cursor: dict[str, Any] = {}
        self.seen: dict[str, str] = {}

    def connect(self, *, key: str | None = None, **settings: Any) -> Adapter:
        """Another adapter of the same shop; its first pull searches two months and not six."""
        settings = {"open_order_days": 60, **settings}
        access = self.sandbox.access(KIND)
        credentials = access["credentials"] | ({"license_key": key} if key else {})
        return build(
            channel_id=1,
            base_url=access["base_url"],
            settings=RakutenSettings(**settings),
            credentials=msgspec.convert(credentials, RakutenCredentials),
            means=Means(redis=self.redis, keep=MemoryKeep()),
        )

    async def pull(self) -> Pulled:
        """One pull as the puller makes it: through JSON, with hints stored."""
        pulled = await self.adapter.pull_orders(self.cursor, seen=self.seen)
        self.cursor = msgspec.json.decode(msgspec.json.encode(pulled.cursor))
        self.seen |= {order.order_ref: order.hint for order in pulled.orders}
        return pulled

    async def push(self, **quantities: int) -> list[PushOutcome]:
        """Push numbers; names are MUG, TEE and CAP."""
        skus = {"MUG": MUG, "TEE": TEE, "CAP": CAP}
        return await self.adapter.push_quantities(
            [
                QuantityPush(channel_sku=skus.get(sku, sku), quantity=n, change=None, key="k")
                for sku, n in quantities.items()
            ]
        )

    def buy(self, **lines: int) -> str:
        """A shopper buys; names are MUG, TEE and CAP."""
        skus = {"MUG": MUG, "TEE": TEE, "CAP": CAP}
        return self.sandbox.buy(KIND, {skus[sku]: n for sku, n in lines.items()})
