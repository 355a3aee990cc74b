"""The warehouse moves stock, and the buyers' team looks at its alerts."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import select

from inventory import alerts
from inventory.alerting import beat as alert_beat
from inventory.alerting.rules import NewRule, add_rule
from inventory.alerting.suppliers import BuyingRow, SupplierTerms, put_supplier, put_terms
from inventory.alerting.teams import TeamTerms, put_team
from inventory.db import Database
from inventory.facts import AdjustReason, StockAdjusted, StockReceived, SupplyExpected
from inventory.ledger import Ledger
from inventory.models import Alert, Message, Sku
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

    async def look(self, now: datetime = NOON) -> int:
        """What the publishing worker does for every stale SKU."""
        async with self.database.transaction() as session:
            sku_ids = list(await session.scalars(select(Sku.id)))
            return await alerts.evaluate(session, sku_ids, now)

    async def team(self, code: str, **terms: Any) -> None:
        """Add a team, or change it."""
        async with self.database.transaction() as session:
            await put_team(session, code, TeamTerms(**terms), by="mori", now=NOON)

    async def terms(self, *skus: str, **terms: Any) -> None:
        """Say how these SKUs are bought."""
        rows = [BuyingRow(sku=sku, **terms) for sku in skus]
        async with self.database.transaction() as session:
            await put_terms(session, rows, by="mori", now=NOON)

    async def supplier(self, code: str, **terms: Any) -> None:
        """Add a supplier, or change it."""
        async with self.database.transaction() as session:
            await put_supplier(session, code, SupplierTerms(**terms), by="mori", now=NOON)

    async def pace(self, per_day: float, sku: str = "MUG") -> None:
        """Let a SKU have sold so much a day."""
        pool = await self.database.pool()
        await pool.execute(
            "INSERT INTO sku_pace (sku_id, sold, days, per_day, since, until)"
            " SELECT id, 0, 28, $1, '2026-10-24', '2026-11-21' FROM sku WHERE code = $2"
            " ON CONFLICT (sku_id) DO UPDATE SET per_day = excluded.per_day",
            per_day,
            sku,
        )

    async def expect(self, units: int, due_on: date, sku: str = "MUG") -> None:
        """Let a supplier promise units."""
        self._moves += 1
        name = f"po-{self._moves}"
        await self.ledger.apply(
            [
                SupplyExpected(
                    channel_id=0,
                    fact_ref=name,
                    occurred_at=NOON,
                    supply_ref=name,
                    sku=sku,
                    quantity=units,
                    due_on=due_on,
                )
            ]
        )

    async def beat(self, now: datetime) -> int:
        """What the watch does by the clock."""
        return await alert_beat.work(self.database, now)

    async def open_id(self, kind: str = "low_stock") -> int:
        """The number of the open alert of a kind."""
        async with self.database.sessions() as session:
            query = select(Alert.id).where(Alert.state == "open", Alert.kind == kind)
            return (await session.scalars(query)).one()

    async def rule(
        self, level: int | None, sku: str | None = "MUG", *, margin: int | None = 0, **more: Any
    ) -> int:
        """Watch a level; its margin is 0 unless given, None is what it is by default."""
        new = NewRule(level=level, sku=sku, clear_margin=margin, **more)
        async with self.database.transaction() as session:
            return await add_rule(session, new, by="mori", now=NOON)

    async def held(self) -> list[tuple[str, str, Any, Any]]:
        """(state, subject, available, level) of every low-stock alert, oldest first."""
        async with self.database.transaction() as session:
            rows = await session.scalars(select(Alert).order_by(Alert.id))
            return [
                (row.state, row.subject, row.detail.get("available"), row.detail.get("level"))
                for row in rows
            ]


async def told(database: Database) -> list[tuple[str, dict[str, Any]]]:
    """(event, data) of every message said, oldest first, those too that a newer one replaced."""
    async with database.transaction() as session:
        rows = await session.scalars(select(Message).order_by(Message.id))
        return [(row.event, row.body) for row in rows]
