"""What a sale, a change, a cancellation and a shipment do to stock. Pure.

An order line remembers how many units were ordered, cancelled and shipped. What should be reserved
follows from these three numbers alone, so a cancellation that arrives before its order, or a
shipment before its sale, comes out right in any order of arrival.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from inventory.book import Book, Movement
from inventory.facts import CancellationReceived, OrderObserved, SaleReceived, ShipmentSeen


@dataclass(slots=True)
class Part:
    """Units of a line taken from one location."""

    reserved: int = 0
    shipped: int = 0


@dataclass(slots=True)
class Line:
    """One order line and where its units were taken: location → part."""

    line_ref: str
    sku_id: int | None = None
    listing_id: int | None = None
    ordered: int = 0
    cancelled: int = 0
    shipped: int = 0
    unit_price: int | None = None
    ended_at: datetime | None = None
    parts: dict[int, Part] = field(default_factory=dict)

    def sku_of(self, sku_id: int) -> int:
        """The line's SKU: units once taken stay with theirs, whatever the listing says later."""
        return self.sku_id if self.parts and self.sku_id is not None else sku_id

    @property
    def open(self) -> int:
        """Units still promised to the buyer."""
        return max(self.ordered - self.cancelled - self.shipped, 0)


@dataclass(slots=True)
class Order:
    """An order (or a reservation) as the ledger holds it; `id` None until it is written."""

    channel_id: int
    order_ref: str
    id: int | None = None
    reservation: bool = False
    expires_at: datetime | None = None
    ordered_at: datetime | None = None
    seen_at: datetime | None = None
    revision: int = 0
    digest: bytes | None = None
    hint: str = ""
    cancelled: bool = False
    cancelled_by: str | None = None
    cancel_reason: str | None = None
    cancelled_at: datetime | None = None
    buyer_asked_to_cancel: bool = False
    cancellable: bool = True
    fulfilled_by_channel: bool = False
    ship_by: datetime | None = None
    shipped: bool = False
    lines: dict[str, Line] = field(default_factory=dict)

    def line(self, line_ref: str) -> Line:
        """The line, made at first mention."""
        return self.lines.setdefault(line_ref, Line(line_ref))


def take_sale(order: Order, fact: SaleReceived, sku_ids: dict[str, int]) -> None:
    """Note what was ordered."""
    order.ordered_at = fact.occurred_at
    order.ship_by = fact.ship_by
    for told in fact.lines:
        line = order.line(told.line_ref)
        line.sku_id = line.sku_of(sku_ids[told.sku])
        line.listing_id = told.listing_id
        line.ordered = told.quantity
        line.unit_price = told.unit_price
        line.ended_at = order.cancelled_at if order.cancelled else line.ended_at
        if order.shipped:  # it left before we were told what was ordered
            line.shipped += line.open


def take_cancellation(order: Order, fact: CancellationReceived, now: datetime) -> None:
    """Note what was cancelled: the whole order, or units of some lines."""
    if not fact.lines:
        end_order(order, by=fact.by, reason=fact.reason, now=now)
    for told in fact.lines:
        line = order.line(told.line_ref)
        line.cancelled += told.quantity
        line.ended_at = now


def take_shipment(order: Order, fact: ShipmentSeen) -> None:
    """Note what was shipped: all that is open, or units of some lines."""
    for told in fact.lines:
        order.line(told.line_ref).shipped += told.quantity
    if not fact.lines and not order.cancelled:
        order.shipped = True
        for line in order.lines.values():
            line.shipped += line.open


def take_snapshot(
    order: Order, fact: OrderObserved, sku_ids: dict[str, int], now: datetime
) -> None:
    """Make the order's numbers those that the channel shows; a line it no longer shows is 0."""
    seen = fact.order
    order.ordered_at = seen.ordered_at
    order.seen_at = seen.observed_at
    order.hint = seen.hint
    order.buyer_asked_to_cancel = seen.buyer_asked_to_cancel
    order.cancellable = seen.cancellable
    order.fulfilled_by_channel = seen.fulfilled_by_channel
    order.ship_by = seen.ship_by
    shown = {line.line_ref for line in seen.lines}
    for line_ref, line in order.lines.items():
        if line_ref not in shown:
            line.ordered = line.shipped
    for told in seen.lines:
        if told.channel_sku not in fact.listings:
            continue
        listing_id, sku = fact.listings[told.channel_sku]
        line = order.line(told.line_ref)
        line.sku_id, line.listing_id = line.sku_of(sku_ids[sku]), listing_id
        if told.cancelled > line.cancelled:
            line.ended_at = now
        line.ordered, line.cancelled, line.shipped = told.quantity, told.cancelled, told.shipped
        line.unit_price = told.unit_price
    if seen.cancelled:
        by = seen.cancelled_by.value if seen.cancelled_by else None
        end_order(order, by=by, reason=seen.cancel_reason, now=now)
    else:
        order.cancelled = False


def end_order(order: Order, *, by: str | None, reason: str | None, now: datetime) -> None:
    """Note that the whole order ended; the first to say so is remembered."""
    if not order.cancelled:
        order.cancelled_by, order.cancel_reason, order.cancelled_at = by, reason, now
        for line in order.lines.values():
            line.ended_at = now
    order.cancelled = True


def settle(order: Order, book: Book, pool: Sequence[int]) -> list[Movement]:
    """Move stock until it agrees with the order's lines; the entries that do so.

    Units are reserved in the order of `pool`, the remainder at its first location; they are
    shipped and released from where they were taken. An order that the channel fulfils itself
    leaves our stock alone.
    """
    if order.fulfilled_by_channel:
        return []
    movements: list[Movement] = []
    for number, line in enumerate(order.lines.values()):
        if line.sku_id is None:
            continue
        movements += _settle_shipped(line, book, pool, number)
        wanted = 0 if order.cancelled else line.open
        change = wanted - sum(part.reserved for part in line.parts.values())
        movements += _settle_reserved(line, book, pool, number, change)
    return movements


def _settle_shipped(line: Line, book: Book, pool: Sequence[int], number: int) -> list[Movement]:
    units = line.shipped - sum(part.shipped for part in line.parts.values())
    if units == 0:
        return []
    takes: list[tuple[int, int, int]] = []  # location, units shipped, of which were reserved
    if units < 0:
        for location_id, part in line.parts.items():
            back = min(part.shipped, -units)
            takes.append((location_id, -back, 0))
            units += back
    else:
        for location_id, part in line.parts.items():
            sent = min(part.reserved, units)
            takes.append((location_id, sent, sent))
            units -= sent
        if units:
            takes.append((pool[0], units, 0))
    return _ship(line, book, number, takes)


def _ship(line: Line, book: Book, number: int, takes: list[tuple[int, int, int]]) -> list[Movement]:
    merged: dict[int, tuple[int, int]] = {}
    for location_id, sent, reserved in takes:
        before = merged.get(location_id, (0, 0))
        merged[location_id] = (before[0] + sent, before[1] + reserved)
    movements = []
    for location_id, (sent, reserved) in merged.items():
        if not sent:
            continue
        part = line.parts.setdefault(location_id, Part())
        part.shipped += sent
        part.reserved -= reserved
        movements.append(
            book.post(
                _sku(line), location_id, kind="ship", line=number, on_hand=-sent, reserved=-reserved
            )
        )
    return movements


def _settle_reserved(
    line: Line, book: Book, pool: Sequence[int], number: int, change: int
) -> list[Movement]:
    takes: dict[int, int] = {}
    if change > 0:
        for location_id in pool:
            takes[location_id] = min(max(book.level(_sku(line), location_id).available, 0), change)
            change -= takes[location_id]
        takes[pool[0]] += change
    for location_id, part in reversed(line.parts.items()):
        if change < 0:
            takes[location_id] = -min(part.reserved, -change)
            change -= takes[location_id]
    movements = []
    for location_id, units in takes.items():
        if not units:
            continue
        line.parts.setdefault(location_id, Part()).reserved += units
        kind = "reserve" if units > 0 else "release"
        movements.append(book.post(_sku(line), location_id, kind=kind, line=number, reserved=units))
    return movements


def _sku(line: Line) -> int:
    if line.sku_id is None:
        raise ValueError(f"line {line.line_ref} has no SKU yet")
    return line.sku_id
