"""Reads of the warehouse's own work: holds, expected supply, transfers under way, counts."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct, convert
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from inventory.errors import InventoryError

BIG = Annotated[int, Meta(ge=0, le=2**63 - 1)]
SupplyState = Literal["open", "late", "done"]
TransferState = Literal["under_way", "ended"]
CountState = Literal["applied", "recount", "superseded"]


class UnknownReservation(InventoryError):
    """The channel never asked for a reservation of this name."""

    code = "unknown_reservation"


class HeldUnits(Struct, frozen=True, kw_only=True):
    """Units of a SKU that are held at a location."""

    sku: str
    location: str
    quantity: int


class ReservationShown(Struct, frozen=True, kw_only=True):
    """A reservation as it is now: held, ended or refused; `expires_at` while it is held.

    What an order has taken of it is no longer held by it.
    """

    reservation_ref: str
    state: Literal["held", "ended", "refused"]
    asked_at: datetime
    expires_at: datetime | None
    held: tuple[HeldUnits, ...]


class SupplyRow(Struct, frozen=True, kw_only=True):
    """Units expected from a supplier (入荷予定); `outstanding` ones are still to come.

    `late`: due before today in Tokyo, and not all here. `ended`: nothing more will come.
    """

    supply_ref: str
    sku: str
    location: str
    expected: int
    received: int
    outstanding: int
    due_on: date
    late: bool
    ended: bool
    changed_at: datetime


class SupplyKey(Struct, frozen=True, array_like=True):
    """Where a page of supplies ended."""

    due_on: date
    id: BIG


class TransferRow(Struct, frozen=True, kw_only=True):
    """Units sent from one location to another; `under_way` have not arrived and are not missing."""

    transfer_ref: str
    sku: str
    from_location: str
    to_location: str
    quantity: int
    arrived: int
    missing: int
    under_way: int
    sent_at: datetime


class TransferKey(Struct, frozen=True, array_like=True):
    """Where a page of transfers ended."""

    done: bool
    id: BIG


class CountRow(Struct, frozen=True, kw_only=True):
    """A count (棚卸). `difference` is what was counted less what the book said of that moment.

    It is shown of counts that were applied only: who counts once more must not know the book.
    """

    id: int
    count_ref: str
    sku: str
    location: str
    counted: int
    difference: int | None
    reason: str
    state: CountState
    counted_at: datetime


_RESERVATION = text("""
SELECT f.outcome ->> 'status' AS refused, f.recorded_at, r.expires_at, s.code AS sku,
  l.code AS location, r.parts[n + 2] AS quantity
FROM fact f LEFT JOIN reservation r ON r.fact_id = f.id
LEFT JOIN LATERAL generate_series(1, cardinality(r.parts), 3) AS n ON true
LEFT JOIN sku s ON s.id = r.parts[n] LEFT JOIN location l ON l.id = r.parts[n + 1]
WHERE f.channel_id = :channel AND f.fact_ref = :ref AND f.kind = 'reserve'
ORDER BY s.code, l.code
""")
_SUPPLIES = text("""
SELECT i.id, i.supply_ref, s.code AS sku, l.code AS location, i.expected, i.received, i.due_on,
  i.ended, i.changed_at, o.outstanding, o.outstanding > 0 AND i.due_on < :today AS late
FROM inbound_supply i JOIN sku s ON s.id = i.sku_id JOIN location l ON l.id = i.location_id
CROSS JOIN LATERAL (
  SELECT CASE WHEN i.ended THEN 0 ELSE greatest(i.expected - i.received, 0) END AS outstanding
) o
WHERE (i.due_on, i.id) > (:due_on, :id) AND CASE cast(:state AS text)
  WHEN 'open' THEN o.outstanding > 0
  WHEN 'late' THEN o.outstanding > 0 AND i.due_on < :today
  WHEN 'done' THEN o.outstanding = 0
  ELSE true END
ORDER BY i.due_on, i.id LIMIT :most
""")
_TRANSFERS = text("""
SELECT t.id, t.transfer_ref, s.code AS sku, a.code AS from_location, b.code AS to_location,
  t.quantity, t.arrived, t.missing, t.quantity - t.arrived - t.missing AS under_way, t.sent_at
FROM transfer t JOIN sku s ON s.id = t.sku_id
JOIN location a ON a.id = t.from_location_id JOIN location b ON b.id = t.to_location_id
WHERE (t.arrived + t.missing >= t.quantity, -t.id) > (:done, -cast(:id AS bigint))
  AND CASE cast(:state AS text)
    WHEN 'under_way' THEN t.arrived + t.missing < t.quantity
    WHEN 'ended' THEN t.arrived + t.missing >= t.quantity
    ELSE true END
ORDER BY t.arrived + t.missing >= t.quantity, t.id DESC LIMIT :most
""")
_COUNTS = text("""
SELECT c.id, c.count_ref, s.code AS sku, l.code AS location, c.counted,
  CASE c.state WHEN 'applied' THEN c.difference END AS difference, c.reason, c.state, c.counted_at
FROM stock_count c JOIN sku s ON s.id = c.sku_id JOIN location l ON l.id = c.location_id
WHERE c.id < :before AND (cast(:state AS text) IS NULL OR c.state = :state)
ORDER BY c.id DESC LIMIT :most
""")


async def reservation(
    session: AsyncSession, channel_id: int, reservation_ref: str
) -> ReservationShown:
    """A reservation and what it holds now. Raises `UnknownReservation`."""
    values = {"channel": channel_id, "ref": reservation_ref}
    rows = (await session.execute(_RESERVATION, values)).all()
    if not rows:
        raise UnknownReservation(f"no reservation {reservation_ref!r}")
    held = tuple(
        HeldUnits(sku=row.sku, location=row.location, quantity=row.quantity)
        for row in rows
        if row.quantity is not None
    )
    return ReservationShown(
        reservation_ref=reservation_ref,
        state="refused" if rows[0].refused else "held" if held else "ended",
        asked_at=rows[0].recorded_at,
        expires_at=rows[0].expires_at,
        held=held,
    )


async def supplies(
    session: AsyncSession,
    *,
    today: date,
    state: SupplyState | None,
    after: SupplyKey | None,
    limit: int,
) -> list[tuple[SupplyKey, SupplyRow]]:
    """Expected supply, soonest first, each with its own key; `today` is the day in Tokyo."""
    after = after or SupplyKey(date.min, 0)
    values: dict[str, Any] = {"today": today, "state": state, "most": limit}
    rows = await session.execute(_SUPPLIES, values | {"due_on": after.due_on, "id": after.id})
    return [
        (SupplyKey(row["due_on"], row["id"]), convert(dict(row), SupplyRow))
        for row in rows.mappings()
    ]


async def transfers(
    session: AsyncSession,
    *,
    state: TransferState | None,
    after: TransferKey | None,
    limit: int,
) -> list[tuple[TransferKey, TransferRow]]:
    """Transfers, each with its own key: those under way first, then the others; newest first."""
    after = after or TransferKey(done=False, id=2**63 - 1)
    values: dict[str, Any] = {"state": state, "most": limit}
    rows = await session.execute(_TRANSFERS, values | {"done": after.done, "id": after.id})
    return [
        (TransferKey(row["under_way"] <= 0, row["id"]), convert(dict(row), TransferRow))
        for row in rows.mappings()
    ]


async def counts(
    session: AsyncSession, *, state: CountState | None, before_id: int, limit: int
) -> list[CountRow]:
    """Counts, newest first, of one state if given."""
    values = {"state": state, "before": before_id, "most": limit}
    rows = await session.execute(_COUNTS, values)
    return [convert(dict(row), CountRow) for row in rows.mappings()]
