"""A sale night: four shops at the sandbox, connected to a house whose workers do as we say."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any
from uuid import uuid4

import msgspec
from sqlalchemy import text, update

from channels.base import Adapter
from inventory import catalogue, connections, publishing
from inventory.app import check_by_adapter
from inventory.catalogue import ListingRow, NewSku
from inventory.connections import NewChannel
from inventory.doorbell import Doorbell
from inventory.facts import AdjustReason, Fact, StockAdjusted, StockReceived
from inventory.models import Channel, SalesOrder
from tests.channels.sandbox_process import SandboxProcess
from tests.workers.seen import KINDS, SANDBOXED, Seen, channel_sku, is_absolute
from tests.workers.wire import Wire
from workers import desk, pull, push
from workers.runtime import Runtime

__all__ = ["KINDS", "PUSHES", "Night", "channel_sku", "is_absolute"]

PATIENCE_SECONDS = 15.0
LOOK_SECONDS = 0.05
BY = "mori"
# The adapters' own settings, so that a story need not wait for what a real night has time for.
BRISK: Mapping[str, dict[str, Any]] = {
    "rakuten": {"order_visible_lag_seconds": 0.0},
    "yahoo": {"order_visible_lag_seconds": 0.0, "list_seconds": 0.0},
    "amazon": {},
    "shopify": {"order_visible_lag_seconds": 0.0},
    "eccube": {"order_visible_lag_seconds": 0.0},
}


class Bell(Doorbell):
    """Writes down what was rung for; nobody comes."""

    def __init__(self) -> None:
        self.rings: list[tuple[Any, ...]] = []

    def ring(self, name: str, *args: Any) -> None:
        """Remember the ring."""
        self.rings.append((name, *args))


# What only a kind's writes of numbers mention on the wire.
PUSHES = {
    "rakuten": "bulk-upsert",
    "yahoo": "setStock",
    "amazon": "patches",
    "shopify": "@idempotent",
}


class Night(Seen):
    """The house, its shops, and the words in which the stories are told."""

    def __init__(self, runtime: Runtime, sandbox: SandboxProcess, wire: Wire) -> None:
        super().__init__(runtime, sandbox)
        self.wire = wire
        self._bell = Bell()
        runtime.doorbell = self._bell

    @property
    def rings(self) -> list[tuple[Any, ...]]:
        """What was rung for so far."""
        return self._bell.rings

    # Before the night.

    async def connect(
        self, kind: str, *, settings: Mapping[str, Any] | None = None, **more: Any
    ) -> None:
        """Connect a shop by way of the wire; its desk decides by itself unless told otherwise.

        `settings` are more settings of the adapter, `more` of the channel.
        """
        access = {"base_url": "", "settings": {}, "credentials": {}}
        if kind in SANDBOXED:
            known = msgspec.json.encode(self.sandbox.access(kind)).decode()
            access = msgspec.json.decode(known.replace(self.sandbox.url, self.wire.url))
            access["settings"] |= BRISK[kind] | dict(settings or {})
        base = {"code": kind, "kind": kind, "desk_policy": "auto", "live": True}
        new = msgspec.convert({**base, **access, **more}, NewChannel)
        async with self.runtime.database.transaction() as session:
            channel = await connections.connect(
                session,
                new,
                vault=self.runtime.vault,
                check=check_by_adapter,
                by=BY,
                now=self.runtime.clock.now(),
            )
            self.ids[kind] = channel.id

    async def add(self, sku: str, units: int, *, kinds: Sequence[str] | None = None) -> None:
        """A new SKU with units on hand, listed on these channels."""
        async with self.runtime.database.transaction() as session:
            now = self.runtime.clock.now()
            await catalogue.create_sku(session, NewSku(code=sku), by=BY, now=now)
        await self.receive(sku, units)
        for kind in self.ids if kinds is None else kinds:
            await self.list_sku(kind, sku)

    async def list_sku(self, kind: str, sku: str, **rules: Any) -> None:
        """Tell the house which listing of a channel is this SKU."""
        row = ListingRow(channel_sku=channel_sku(kind, sku), sku=sku, **rules)
        async with self.runtime.database.transaction() as session:
            now = self.runtime.clock.now()
            await catalogue.put_listings(session, self.ids[kind], [row], by=BY, now=now)

    async def open(
        self,
        *kinds: str,
        units: int = 10,
        skus: Sequence[str] = ("MUG",),
        **channel: Any,
    ) -> None:
        """Connect shops that display what there is; pull, and read their numbers back."""
        for kind in kinds or KINDS:
            await self.connect(kind, **channel)
            keys = {channel_sku(kind, sku): units for sku in skus}
            self.sandbox.list_items(kind, keys)
        for sku in skus:
            await self.add(sku, units)
        await self.pull_all()
        await self.round()
        await self.long_ago()

    async def long_ago(self) -> None:
        """Let the numbers be a minute old, and ours: no sale is near the time of their writing."""
        await self.execute(
            "UPDATE listing SET known_from = known_from - interval '1 minute',"
            " known_at = known_at - interval '1 minute',"
            " published_at = known_at - interval '1 minute', quantity_published = quantity_known"
        )

    # What buyers and staff do.

    def buy(self, kind: str, units: int = 1, sku: str = "MUG") -> str:
        """A shopper buys what is displayed."""
        return self.sandbox.buy(kind, {channel_sku(kind, sku): units})

    def reopen(self, kind: str, units: int, sku: str = "MUG") -> None:
        """Staff open a closed listing on the marketplace's own screen."""
        edit = {"key": channel_sku(kind, sku), "quantity": units, "closed": False}
        self.sandbox._json("POST", f"/_sandbox/{kind}/hand-edit", edit)

    async def receive(self, sku: str, units: int) -> None:
        """Units arrive."""
        await self.tell(StockReceived(**self._named(), sku=sku, quantity=units))

    async def damage(self, units: int, sku: str = "MUG") -> None:
        """Units break."""
        reason = AdjustReason.DAMAGE
        await self.tell(StockAdjusted(**self._named(), sku=sku, reason=reason, change=-units))

    async def tell(self, fact: Fact) -> None:
        """Tell the ledger a fact, which it must take."""
        [outcome] = await self.runtime.ledger.apply([fact])
        assert outcome.status == "recorded", outcome

    def _named(self) -> dict[str, Any]:
        now = self.runtime.clock.now()
        return {"channel_id": 0, "fact_ref": uuid4().hex, "occurred_at": now}

    # What workers do.

    async def adapter(self, kind: str) -> Adapter:
        """The production adapter of a shop."""
        return await self.runtime.adapter(self.ids[kind])

    async def pull_all(self) -> None:
        """One pull of every channel, in which Amazon shows what was before."""
        if "amazon" in self.ids:
            await self.full_second()
        await asyncio.gather(*(self.pull(kind) for kind in self.ids if kind in SANDBOXED))

    async def pull(self, kind: str) -> int:
        """One pull; how many snapshots were new."""
        count, _ = await pull.pull_once(self.runtime, self.ids[kind])
        return count

    async def pulled(self, kind: str, ref: str) -> SalesOrder:
        """Pull until an order is recorded."""
        return await self.pulled_until(kind, ref, lambda _: True)

    async def pulled_until(
        self, kind: str, ref: str, holds: Callable[[SalesOrder], bool]
    ) -> SalesOrder:
        """Pull until something holds of an order."""
        ends = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < ends:
            order = await self.order(kind, ref)
            if order is not None and holds(order):
                return order
            if kind == "amazon":
                # Its search shows what was before the last full second, and is not for wasting.
                await self.full_second()
            await self.pull(kind)
        raise AssertionError(f"{kind} {ref} did not come to that")

    async def round(self) -> None:
        """One push round: what every number should be, then whatever waits to be sent or read."""
        await push.refresh(self.runtime)
        async with self.runtime.database.sessions() as session:
            waiting = await push.waiting(session, self.runtime.clock.now())
        await asyncio.gather(*(self.do(*work) for work in waiting))

    async def rounds(self, count: int) -> None:
        """Push rounds, the pauses between tries left out."""
        for _ in range(count):
            await self.patience()
            await self.round()

    async def sender_dies(self, kind: str, *, zero: bool = False) -> None:
        """A worker takes the numbers of a channel to be sent, and is never heard of again."""
        await push.refresh(self.runtime)
        async with self.runtime.database.transaction() as session:
            claim = await publishing.claim(
                session,
                self.ids[kind],
                zero=zero,
                most=100,
                margins=self.runtime.margins,
                now=self.runtime.clock.now(),
            )
        assert claim is not None
        await self.execute("UPDATE push SET sent_at = sent_at - interval '2 minutes'")

    async def agree(self, quantity: int, sku: str = "MUG") -> None:
        """Pull and push until every marketplace shows this number, which none may ever pass."""

        async def agreed() -> bool:
            await self.pull_all()
            await self.rounds(1)
            shown = set(self.shown(sku).values())
            assert max(shown) <= quantity, shown
            return shown == {quantity}

        await self.until(agreed)

    async def do(self, task: str, arguments: Sequence[Any] = ()) -> int:
        """Do one piece of publishing as a worker would."""
        works: dict[str, Callable[..., Awaitable[int]]] = {"push": push.push, "read": push.read}
        return await works[task](self.runtime, *arguments)

    async def rested(self) -> None:
        """The minutes have passed in which every call budget fills up; a second is waited for."""
        await asyncio.sleep(1.1)
        await self.runtime.redis.flushall()
        for kind in self.ids.keys() & set(SANDBOXED):
            await (await self.adapter(kind)).budgets.fill()

    async def desk_until(self, holds: Callable[[], Awaitable[bool]]) -> None:
        """Let the desk work, waiting for no answer longer than it takes, until something holds."""

        async def done() -> bool:
            await self.patience()
            await desk.work(self.runtime)
            return await holds()

        await self.until(done)

    async def until(self, holds: Callable[[], Awaitable[bool]]) -> None:
        """Look again and again until something holds."""
        ends = time.monotonic() + PATIENCE_SECONDS
        while not await holds():
            assert time.monotonic() < ends, "it did not come to that"
            await asyncio.sleep(LOOK_SECONDS)

    async def patience(self) -> None:
        """All waiting that workers imposed on themselves is over."""
        await self.execute("UPDATE listing SET not_before = NULL WHERE not_before IS NOT NULL")
        await self.execute("UPDATE listing SET read_after = now() WHERE read_after > now()")
        await self.execute("UPDATE listing SET reassess_at = now() WHERE reassess_at > now()")
        await self.execute("UPDATE cancellation SET due_at = now() WHERE due_at > now()")

    async def full_second(self) -> None:
        """A new second begins: marketplaces cut order times off to the second."""
        await asyncio.sleep(1.0 - time.time() % 1.0)

    async def set_channel(self, kind: str, **values: Any) -> None:
        """Change a channel's row behind everyone's back."""
        async with self.runtime.database.transaction() as session:
            mine = update(Channel).where(Channel.id == self.ids[kind])
            await session.execute(mine.values(**values))

    async def execute(self, statement: str) -> None:
        """Turn a screw by hand."""
        async with self.runtime.database.transaction() as session:
            await session.execute(text(statement))
