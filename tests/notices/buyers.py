"""The warehouse moves stock, and the buyers' team looks at its alerts."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select

from inventory import alerts
from inventory.db import Database
from inventory.facts import AdjustReason, StockAdjusted, StockReceived
from inventory.ledger import Ledger
from inventory.models import Alert, Delivery, Sku
from tests.factories import NOON


class Buyers:
    """The warehouse moves stock of MUG, and the buyers' team looks at its alerts."""

    def __init__(self, database: Database, ledger: Ledger) -> None:
        self.database, self.ledger = database, ledger
        self._moves = 0

    async def move(self, change: int, sku: str = "MUG") -> None:
        """Receive units, or find some damaged; without looking at the alerts."""
        self._moves += 1
        name: dict[str, Any] = {
            "channel_id": 0,
            "fact_ref": f"m-{self._moves}",
            "occurred_at": NOON,
            "sku": sku,
        }
        if change > 0:
            await self.ledger.apply([StockReceived(**name, quantity=change)])
        else:
            await self.ledger.apply(
                [StockAdjusted(**name, reason=AdjustReason.DAMAGE, change=change)]
            )

    async def look(self) -> int:
        """What the publishing worker does for every stale SKU."""
        async with self.database.transaction() as session:
            sku_ids = list(await session.scalars(select(Sku.id)))
            return await alerts.evaluate(session, sku_ids, NOON)

    async def rule(self, level: int, sku: str | None = "MUG") -> int:
        async with self.database.transaction() as session:
            return (await alerts.add_rule(session, sku=sku, level=level, now=NOON)).id

    async def held(self) -> list[tuple[str, str, Any, Any]]:
        """(state, subject, available, level) of every low-stock alert, oldest first."""
        async with self.database.transaction() as session:
            rows = await session.scalars(select(Alert).order_by(Alert.id))
            return [
                (row.state, row.subject, row.detail.get("available"), row.detail.get("level"))
                for row in rows
            ]


async def told(database: Database) -> list[tuple[str, dict[str, Any]]]:
    """(event, data) of every message, oldest first."""
    async with database.transaction() as session:
        rows = await session.scalars(select(Delivery).order_by(Delivery.id))
        return [(row.event, row.body) for row in rows]
