"""Facts in a few words, and a look at what they did."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from inventory.db import Database
from inventory.facts import (
    CancellationReceived,
    Fact,
    LineUnits,
    Outcome,
    ReservationAsked,
    SaleLine,
    SaleReceived,
    ShipmentSeen,
    Status,
    StockReceived,
)
from inventory.vocabulary import Party
from tests.factories import NOON


def received(ref: str, quantity: int, sku: str = "MUG", location: str | None = None) -> Fact:
    return StockReceived(
        channel_id=0, fact_ref=ref, occurred_at=NOON, sku=sku, quantity=quantity, location=location
    )


def sale(order_ref: str, quantity: int = 1, sku: str = "MUG", **more: Any) -> SaleReceived:
    lines = (SaleLine(line_ref="1", sku=sku, quantity=quantity),)
    return SaleReceived(
        channel_id=0,
        fact_ref=order_ref,
        order_ref=order_ref,
        occurred_at=NOON,
        lines=lines,
        **more,
    )


def cancel(order_ref: str, *units: LineUnits, ref: str = "c-1") -> CancellationReceived:
    return CancellationReceived(
        channel_id=0,
        fact_ref=ref,
        order_ref=order_ref,
        occurred_at=NOON,
        by=Party.BUYER,
        lines=units,
    )


def ship(order_ref: str, *units: LineUnits, ref: str = "s-1") -> ShipmentSeen:
    return ShipmentSeen(
        channel_id=0, fact_ref=ref, order_ref=order_ref, occurred_at=NOON, lines=units
    )


def ask(ref: str, quantity: int = 1) -> ReservationAsked:
    lines = (SaleLine(line_ref="1", sku="MUG", quantity=quantity),)
    return ReservationAsked(channel_id=0, fact_ref=ref, occurred_at=NOON, lines=lines)


async def levels(database: Database) -> dict[tuple[str, str], tuple[int, int]]:
    """(SKU, location) → (on hand, reserved), after proving that the movements add up to it."""
    pool = await database.pool()
    rows = await pool.fetch(
        "SELECT s.code, l.code, v.on_hand, v.reserved, v.revision,"
        " (SELECT coalesce(sum(on_hand_delta), 0) FROM movement m"
        "  WHERE m.sku_id = v.sku_id AND m.location_id = v.location_id),"
        " (SELECT coalesce(sum(reserved_delta), 0) FROM movement m"
        "  WHERE m.sku_id = v.sku_id AND m.location_id = v.location_id),"
        " (SELECT count(*) FROM movement m"
        "  WHERE m.sku_id = v.sku_id AND m.location_id = v.location_id)"
        " FROM stock_level v JOIN sku s ON s.id = v.sku_id JOIN location l ON l.id = v.location_id"
    )
    for _, _, on_hand, reserved, revision, moved, held, entries in rows:
        assert (on_hand, reserved, revision) == (moved, held, entries)
    return {(sku, location): (on_hand, reserved) for sku, location, on_hand, reserved, *_ in rows}


async def shortages(database: Database) -> dict[str, tuple[str, int, int]]:
    pool = await database.pool()
    rows = await pool.fetch(
        "SELECT s.code, o.state, o.shortage, o.shortage_max FROM oversell o"
        " JOIN sku s ON s.id = o.sku_id"
    )
    return {code: (state, shortage, most) for code, state, shortage, most in rows}


def statuses(outcomes: Sequence[Outcome]) -> list[Status]:
    return [outcome.status for outcome in outcomes]
