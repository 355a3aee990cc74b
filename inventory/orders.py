"""What a sale, a change, a cancellation and a shipment do to stock. Pure.

An order line remembers how many units were ordered, cancelled and shipped. What should be reserved
follows from these three numbers alone, so a cancellation that arrives before its order, or a
shipment before its sale, comes out right in any order of arrival. A line of a kit takes the parts
of the recipe as it was when the line was first told; they are what a cancellation gives back.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from inventory.booking.book import Book
from inventory.facts import CancellationReceived, ShipmentSeen


@dataclass(slots=True)
class Part:
    """Units of a line taken from one location."""

    reserved: int = 0
    shipped: int = 0


Parts = dict[int, dict[int, Part]]


@dataclass(slots=True)
class Line:
    """One order line, its recipe (SKU → units per unit of the line), and what it took where.

    `parts` is SKU → location → part.
    """

    line_ref: str
    sku_id: int | None = None
    listing_id: int | None = None
    ordered: int = 0
    cancelled: int = 0
    shipped: int = 0
    unit_price: int | None = None
    ended_at: datetime | None = None
    lowered: int = 0
    recipe: dict[int, int] = field(default_factory=dict)
    parts: Parts = field(default_factory=dict)

    def name_sku(self, sku_id: int, recipe: Mapping[int, int]) -> None:
        """Set the line's SKU: units once taken stay with theirs, whatever is said later."""
        if not self.parts:
            self.sku_id, self.recipe = sku_id, dict(recipe)

    def note_ordered(self, units: int) -> None:
        """Note how many units are ordered now, and how many fewer those are than ever before."""
        self.lowered = max(self.lowered + self.ordered - units, 0)
        self.ordered = units

    @property
    def open(self) -> int:
        """Units still promised to the buyer."""
        return max(self.ordered - self.cancelled - self.shipped, 0)


@dataclass(slots=True)
class Order:
    """An order as the ledger holds it; `id` None until it is written."""

    channel_id: int
    order_ref: str
    id: int | None = None
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
    past: bool = False
    lines: dict[str, Line] = field(default_factory=dict)

    @property
    def takes_stock(self) -> bool:
        """Whether our stock stands for it: not where the channel ships, nor for what was over."""
        return not (self.fulfilled_by_channel or self.past)

    def line(self, line_ref: str) -> Line:
        """The line, made at first mention."""
        return self.lines.setdefault(line_ref, Line(line_ref))


@dataclass(slots=True, frozen=True)
class SoldLine:
    """A line of a sale whose SKU and listing were found."""

    line_ref: str
    sku_id: int
    recipe: Mapping[int, int]
    listing_id: int | None
    quantity: int
    unit_price: int | None


def take_sale(
    order: Order, sold: Sequence[SoldLine], *, ordered_at: datetime, ship_by: datetime | None
) -> None:
    """Note what was ordered."""
    order.ordered_at = ordered_at
    order.ship_by = ship_by
    for told in sold:
        line = order.line(told.line_ref)
        line.name_sku(told.sku_id, told.recipe)
        line.listing_id = told.listing_id
        line.note_ordered(told.quantity)
        line.unit_price = told.unit_price
        line.ended_at = order.cancelled_at if order.cancelled else line.ended_at
        if order.shipped:  # it left before we were told what was ordered
            line.shipped += line.open


def take_cancellation(order: Order, fact: CancellationReceived, now: datetime) -> None:
    """Note what was cancelled: the whole order, or units of some lines."""
    if not fact.lines:
        end_order(order, by=fact.by, reason=fact.reason, now=now)
    elif not order.cancelled:
        order.cancelled_by, order.cancel_reason = fact.by, fact.reason
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


def end_order(order: Order, *, by: str | None, reason: str | None, now: datetime) -> None:
    """Note that the whole order ended; the first to say so is remembered."""
    if not order.cancelled:
        order.cancelled_by, order.cancel_reason, order.cancelled_at = by, reason, now
        for line in order.lines.values():
            line.ended_at = now
    order.cancelled = True


def promised(order: Order, line: Line) -> int:
    """Units of a line that our stock stands for: none once the order has ended."""
    return 0 if order.cancelled or not order.takes_stock else line.open


def wanted(order: Order) -> dict[int, int]:
    """SKU → units that the order has yet to take, promised or shipped."""
    units: dict[int, int] = {}
    for line in order.lines.values():
        shipped = line.shipped if order.takes_stock else 0
        for sku_id, per_unit in line.recipe.items():
            parts = line.parts.get(sku_id, {}).values()
            taken = sum(part.reserved + part.shipped for part in parts)
            more = (promised(order, line) + shipped) * per_unit - taken
            units[sku_id] = units.get(sku_id, 0) + max(more, 0)
    return units


def settle(
    order: Order, book: Book, pool: Sequence[int], *, shipped_at: datetime | None = None
) -> None:
    """Move stock until it agrees with the order's lines.

    Units are reserved in the order of `pool`, the remainder at its first location; they are
    shipped from where they were taken, in the same order, and released the other way round. An
    order that the channel fulfils itself ships none of ours, nor does one that is past.
    `shipped_at` is when what was shipped left the shelf.
    """
    for number, (_, line) in enumerate(sorted(order.lines.items())):
        for sku_id, per_unit in line.recipe.items():
            taken = _Taken(book, sku_id, number, line.parts.setdefault(sku_id, {}), pool)
            if order.takes_stock:
                taken.settle_shipped(line.shipped * per_unit, shipped_at)
            taken.settle_reserved(promised(order, line) * per_unit)
        line.parts = {sku_id: parts for sku_id, parts in line.parts.items() if parts}


@dataclass(slots=True)
class _Taken:
    """What one line took of one SKU: location → part."""

    book: Book
    sku_id: int
    number: int
    parts: dict[int, Part]
    pool: Sequence[int]

    def in_order(self) -> list[tuple[int, Part]]:
        """The parts in the order of the pool; those from elsewhere come last."""
        if len(self.parts) <= 1:
            return list(self.parts.items())
        rank = {location_id: number for number, location_id in enumerate(self.pool)}
        return sorted(self.parts.items(), key=lambda item: (rank.get(item[0], len(rank)), item[0]))

    def settle_shipped(self, wanted: int, at: datetime | None) -> None:
        """Ship, or take back, until `wanted` units have been shipped in all."""
        units = wanted - sum(part.shipped for part in self.parts.values())
        for location_id, part in self.in_order():
            if units < 0:
                back = min(part.shipped, -units)
                self._ship(location_id, -back, 0, at)
                units += back
            elif units > 0:
                sent = min(part.reserved, units)
                self._ship(location_id, sent, sent, at)
                units -= sent
        if units:
            self._ship(self.pool[0], units, 0, at)

    def _ship(self, location_id: int, sent: int, reserved: int, at: datetime | None) -> None:
        if not sent:
            return
        part = self.parts.setdefault(location_id, Part())
        part.shipped += sent
        part.reserved -= reserved
        self.book.post(
            self.sku_id,
            location_id,
            kind="ship",
            line=self.number,
            on_hand=-sent,
            reserved=-reserved,
            at=at,
        )

    def settle_reserved(self, wanted: int) -> None:
        """Reserve, or release, until `wanted` units are reserved in all."""
        change = wanted - sum(part.reserved for part in self.parts.values())
        takes = self.book.split(self.sku_id, self.pool, change) if change > 0 else {}
        for location_id, part in reversed(self.in_order()):
            if change < 0:
                takes[location_id] = -min(part.reserved, -change)
                change -= takes[location_id]
        for location_id, units in takes.items():
            if not units:
                continue
            self.parts.setdefault(location_id, Part()).reserved += units
            self.book.post(
                self.sku_id,
                location_id,
                kind="reserve" if units > 0 else "release",
                line=self.number,
                reserved=units,
            )
