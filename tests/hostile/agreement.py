"""What must hold of every hostile night: of its raises at any time, and of the books at its end."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import select

from inventory.availability import Lane
from inventory.models import Listing, OrderLine, Push, PushRow, SalesOrder, Sku, StockLevel
from tests.workers.night import Night, is_absolute
from workers import sweep

# Channel, order, line and listing; units ordered, cancelled and shipped.
BookedLine = tuple[str, str, str, str, int, int, int]


async def agree(night: Night) -> None:
    """Every marketplace's books and the ledger say the same.

    Each order line is booked once, with the units that the marketplace has for it; each SKU has
    reserved what its open lines need; each listing shows what is left; every balance is the sum of
    its movements.
    """
    books = {kind: night.sandbox.books(kind) for kind in night.ids}
    assert await _booked(night) == _sold(books)
    levels = await _levels(night)
    listed = await _rows(
        night,
        select(Listing.channel_id, Listing.channel_sku, Sku.code).join(
            Sku, Sku.id == Listing.sku_id
        ),
    )
    kinds = {channel_id: kind for kind, channel_id in night.ids.items()}
    named = {(kinds[row.channel_id], row.channel_sku): row.code for row in listed}
    needed = dict.fromkeys(levels, 0)
    for kind, _, _, key, ordered, cancelled, shipped in _sold(books):
        needed[named[kind, key]] += ordered - cancelled - shipped
    assert {sku: reserved for sku, (_, reserved) in levels.items()} == needed
    shown = {
        (kind, row["key"]): row["displayed"]
        for kind, book in books.items()
        for row in book["listings"]
    }
    left = {sku: max(on_hand - reserved, 0) for sku, (on_hand, reserved) in levels.items()}
    assert shown == {listing: left[sku] for listing, sku in named.items()}
    assert await sweep.check(night.runtime) == 0


async def lawful(night: Night) -> None:
    """No raise went to an absolute channel before all that it had sold by the decision was booked.

    Judged by the marketplace's own books, and not by the watermark that we believed in (L7).
    """
    for kind, channel_id in night.ids.items():
        if not is_absolute(kind):
            continue
        recorded = {
            row.order_ref: row.recorded_at
            for row in await _rows(
                night,
                select(SalesOrder.order_ref, SalesOrder.recorded_at).where(
                    SalesOrder.channel_id == channel_id
                ),
            )
        }
        raises = await _rows(
            night,
            select(PushRow.decided_at, Push.sent_at)
            .join(Push, Push.id == PushRow.push_id)
            .where(Push.channel_id == channel_id, PushRow.lane == Lane.RAISE.value),
        )
        for order in night.sandbox.books(kind)["orders"]:
            placed_at, booked_at = (
                datetime.fromisoformat(order["placed_at"]),
                recorded.get(order["ref"]),
            )
            for row in raises:
                if placed_at <= row.decided_at:
                    assert booked_at is not None, (kind, order["ref"])
                    assert booked_at <= row.sent_at, (kind, order["ref"])


def _sold(books: dict[str, dict[str, Any]]) -> list[BookedLine]:
    return sorted(
        (
            kind,
            order["ref"],
            line["line_ref"],
            line["key"],
            line["quantity"],
            line["cancelled"],
            line["shipped"],
        )
        for kind, book in books.items()
        for order in book["orders"]
        for line in order["lines"]
    )


async def _booked(night: Night) -> list[BookedLine]:
    kinds = {channel_id: kind for kind, channel_id in night.ids.items()}
    rows = await _rows(
        night,
        select(
            SalesOrder.channel_id,
            SalesOrder.order_ref,
            OrderLine.line_ref,
            Listing.channel_sku,
            OrderLine.ordered,
            OrderLine.cancelled,
            OrderLine.shipped,
        )
        .join(OrderLine, OrderLine.order_id == SalesOrder.id)
        .join(Listing, Listing.id == OrderLine.listing_id),
    )
    return sorted((kinds[row[0]], *row[1:]) for row in rows)


async def _levels(night: Night) -> dict[str, tuple[int, int]]:
    """On hand and reserved by SKU, over all locations."""
    levels: dict[str, tuple[int, int]] = {}
    for code, on_hand, reserved in await _rows(
        night,
        select(Sku.code, StockLevel.on_hand, StockLevel.reserved).join(
            StockLevel, StockLevel.sku_id == Sku.id
        ),
    ):
        before = levels.get(code, (0, 0))
        levels[code] = (before[0] + on_hand, before[1] + reserved)
    return levels


async def _rows(night: Night, query: Any) -> list[Any]:
    async with night.runtime.database.sessions() as session:
        return list(await session.execute(query))
