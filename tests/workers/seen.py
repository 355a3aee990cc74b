"""What can be seen of a night: the marketplaces' books and the rows of the house."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Select, select

from inventory.models import (
    Alert,
    Cancellation,
    Channel,
    InboundEvent,
    Listing,
    OrderLine,
    Push,
    PushRow,
    SalesOrder,
    Sku,
    StockLevel,
)
from inventory.vocabulary import Kind
from tests.channels.sandbox_process import SandboxProcess
from workers import sweep
from workers.runtime import Runtime

KINDS = ("rakuten", "yahoo", "amazon", "shopify")
# EC-CUBE has stories of its own.
SANDBOXED = (*KINDS, "eccube")


def channel_sku(kind: str, sku: str) -> str:
    """What a SKU is called at a marketplace."""
    low = sku.lower()
    names = {"rakuten": f"{low}/x", "yahoo": f"{low}:x", "amazon": f"{sku}-A"}
    return names.get(kind, f"S-{sku}")


def is_absolute(kind: str) -> bool:
    """Whether the marketplace's numbers can only be overwritten."""
    return kind != Kind.SHOPIFY


class Seen:
    """Looks, never touches. `ids` are the channels connected so far, by kind."""

    def __init__(self, runtime: Runtime, sandbox: SandboxProcess) -> None:
        self.runtime = runtime
        self.sandbox = sandbox
        self.ids: dict[str, int] = {}

    def shown(self, sku: str = "MUG") -> dict[str, int]:
        """What every marketplace displays."""
        return {
            kind: self.sandbox.displayed(kind)[channel_sku(kind, sku)]
            for kind in self.ids
            if kind in SANDBOXED
        }

    def writes(self, kind: str, sku: str = "MUG") -> list[tuple[int, int]]:
        """Every write that took effect at a marketplace: (before, after)."""
        key = channel_sku(kind, sku)
        books = self.sandbox.books(kind)["writes"]
        return [(row["before"], row["after"]) for row in books if row["key"] == key]

    async def stock(self, sku: str = "MUG") -> tuple[int, int]:
        """On hand and reserved."""
        query = select(StockLevel).join(Sku, Sku.id == StockLevel.sku_id).where(Sku.code == sku)
        [level] = await self.rows(query)
        return level.on_hand, level.reserved

    async def channel(self, kind: str) -> Channel:
        """A channel's row."""
        row: Channel
        [row] = await self.rows(select(Channel).where(Channel.id == self.ids[kind]))
        return row

    async def listing(self, kind: str, sku: str = "MUG") -> Listing:
        """A listing's row."""
        row: Listing
        [row] = await self.rows(
            select(Listing).where(
                Listing.channel_id == self.ids[kind],
                Listing.channel_sku == channel_sku(kind, sku),
            )
        )
        return row

    async def order(self, kind: str, ref: str) -> SalesOrder | None:
        """An order's row, if it is recorded."""
        named = (SalesOrder.channel_id == self.ids[kind], SalesOrder.order_ref == ref)
        found = await self.rows(select(SalesOrder).where(*named))
        return found[0] if found else None

    async def events(self, kind: str) -> list[InboundEvent]:
        """What a channel told us, in order."""
        query = select(InboundEvent).where(InboundEvent.channel_id == self.ids[kind])
        return await self.rows(query.order_by(InboundEvent.id))

    async def push_ends(self, kind: str) -> list[str]:
        """What became of every number sent to a channel, in order."""
        return [
            row.status
            for row in await self.rows(
                select(PushRow)
                .join(Push, Push.id == PushRow.push_id)
                .where(Push.channel_id == self.ids[kind])
                .order_by(Push.id)
            )
        ]

    async def cancellation(self, kind: str, ref: str) -> Cancellation | None:
        """The cancellation of an order, if there is one."""
        found = await self.rows(
            select(Cancellation)
            .join(SalesOrder, SalesOrder.id == Cancellation.order_id)
            .where(SalesOrder.order_ref == ref, SalesOrder.channel_id == self.ids[kind])
        )
        return found[0] if found else None

    async def alerts(self) -> set[tuple[str, str]]:
        """What the watch finds worth an alert now: (kind, subject) of all that are open."""
        await sweep.watch(self.runtime)
        found = await self.rows(select(Alert).where(Alert.state == "open"))
        return {(alert.kind, alert.subject) for alert in found}

    async def units_sold(self) -> int:
        """Units of all recorded orders."""
        return sum(line.ordered for line in await self.rows(select(OrderLine)))

    async def rows(self, query: Select[Any]) -> list[Any]:
        """What a query finds."""
        async with self.runtime.database.sessions() as session:
            return list(await session.scalars(query))
