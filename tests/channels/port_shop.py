"""One shop of any kind: its sandbox, its adapter made as the workers make it, and full budgets."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import msgspec
from redis.asyncio import Redis

from channels import registry
from channels.base import Adapter, Pulled, RetryLater, Write
from channels.keep import Means, MemoryKeep
from inventory.vocabulary import (
    CancelRequest,
    CancelState,
    OrderSeen,
    PushOutcome,
    QuantityPush,
    Reading,
    Reason,
)
from tests.channels.sandbox_process import SandboxProcess

Answer = TypeVar("Answer")
KINDS = ("rakuten", "yahoo", "amazon", "shopify", "eccube")
PATIENCE_SECONDS = 25.0
LOOK_SECONDS = 0.1
# The sandbox's own delays, and the adapters' waits for them, are other tests' matter.
QUICK: Mapping[str, Mapping[str, Any]] = {
    "rakuten": {"visible_after_s": 0.0},
    "yahoo": {"visible_after_s": 0.0},
    "amazon": {"search_lag_s": 0.0, "pending_s": 0.0, "feed_s": 0.05},
    "shopify": {"visible_after_s": 0.0, "cancel_s": 0.05},
    "eccube": {},
}
BRISK: Mapping[str, Mapping[str, Any]] = {
    "rakuten": {"order_visible_lag_seconds": 0.0},
    "yahoo": {"order_visible_lag_seconds": 0.0},
    "amazon": {},
    "shopify": {"order_visible_lag_seconds": 0.0},
    "eccube": {"order_visible_lag_seconds": 0.0},
}


def sku(kind: str, name: str) -> str:
    """What a thing is called at a marketplace."""
    low = name.lower()
    return {"rakuten": f"{low}/x", "yahoo": f"{low}:x"}.get(kind, name)


class Shop:
    """What the contract asks of every shop."""

    def __init__(self, kind: str, sandbox: SandboxProcess, adapter: Adapter, redis: Redis) -> None:
        self.kind = kind
        self.sandbox = sandbox
        self.adapter = adapter
        self.redis = redis
        self.mug, self.tee, self.missing = (sku(kind, name) for name in ("MUG", "TEE", "NONE"))
        self.cursor: dict[str, Any] = {}
        self.seen: dict[str, str] = {}

    def number(self, channel_sku: str, quantity: int, key: str = "k-1") -> QuantityPush:
        """A number to show; a difference where that is how the channel writes."""
        relative = self.adapter.capabilities.write is Write.RELATIVE
        change = quantity - self.shown(channel_sku) if relative else None
        return QuantityPush(channel_sku=channel_sku, quantity=quantity, change=change, key=key)

    def shown(self, channel_sku: str) -> int:
        """What the marketplace displays; 0 for what it does not know."""
        return self.sandbox.displayed(self.kind).get(channel_sku, 0)

    async def push(self, *numbers: QuantityPush) -> list[PushOutcome]:
        """Write; waits for budgets as the workers do."""
        return await self.patiently(lambda: self.adapter.push_quantities(numbers))

    async def read(self, *channel_skus: str) -> list[Reading]:
        """Read back."""
        return await self.patiently(lambda: self.adapter.read_stock(channel_skus))

    async def order(self, ref: str) -> OrderSeen | None:
        """One order as it stands now."""
        return await self.patiently(lambda: self.adapter.read_order(ref))

    async def pull(self) -> Pulled:
        """One pull as the puller makes it: through JSON, with hints stored."""
        pulled = await self.patiently(lambda: self.adapter.pull_orders(self.cursor, seen=self.seen))
        self.cursor = json.loads(msgspec.json.encode(pulled.cursor))
        self.seen |= {order.order_ref: order.hint for order in pulled.orders}
        return pulled

    async def pulled(self, *refs: str) -> dict[str, list[OrderSeen]]:
        """Pull until all of these orders have come; every snapshot of each."""
        snapshots: dict[str, list[OrderSeen]] = {}
        ends = time.monotonic() + PATIENCE_SECONDS
        while not set(refs) <= snapshots.keys():
            assert time.monotonic() < ends, f"{self.kind}: {refs} did not come"
            for order in (await self.pull()).orders:
                snapshots.setdefault(order.order_ref, []).append(order)
            await asyncio.sleep(LOOK_SECONDS)
        return snapshots

    async def give_up(
        self, order: OrderSeen, *, units: tuple[tuple[str, int], ...] = ()
    ) -> CancelState:
        """Cancel an order, or units of it, as out of stock; read back until that has ended."""
        request = CancelRequest(
            order_ref=order.order_ref,
            line_refs=tuple(line.line_ref for line in order.lines),
            reason=Reason.OUT_OF_STOCK,
            units=units,
        )
        reference = await self.patiently(lambda: self.adapter.cancel_order(request))
        ends = time.monotonic() + PATIENCE_SECONDS
        while True:
            state = await self.patiently(
                lambda: self.adapter.cancel_state(order.order_ref, reference)
            )
            if state.confirmed or state.refused or time.monotonic() > ends:
                return state
            await asyncio.sleep(LOOK_SECONDS)

    async def patiently(self, call: Callable[[], Awaitable[Answer]]) -> Answer:
        """What a call answers once there is a budget for it, and the channel is ready."""
        ends = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                return await call()
            except RetryLater as later:
                if time.monotonic() > ends:
                    raise
                await asyncio.sleep(min(later.seconds, 1.0))


@asynccontextmanager
async def opened(
    kind: str,
    start_sandbox: Callable[..., SandboxProcess],
    redis: Redis,
    *,
    more: Sequence[str] = (),
) -> AsyncIterator[Shop]:
    """A shop with ten mugs, five tees and ten of each of `more` on display."""
    sandbox = start_sandbox(**{kind: QUICK[kind]})
    access = sandbox.access(kind)
    adapter = registry.build(
        kind,
        channel_id=1,
        base_url=access["base_url"],
        settings={**access["settings"], **BRISK[kind]},
        credentials=access["credentials"],
        means=Means(redis=redis, keep=MemoryKeep()),
    )
    shop = Shop(kind, sandbox, adapter, redis)
    sandbox.list_items(kind, {shop.mug: 10, shop.tee: 5, **dict.fromkeys(more, 10)})
    await adapter.budgets.fill()
    try:
        yield shop
    finally:
        await adapter.aclose()


def overrides(adapter: Adapter, method: str) -> bool:
    """Whether the adapter has a way of its own."""
    return getattr(type(adapter), method) is not getattr(Adapter, method)
