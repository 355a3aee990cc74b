"""What each kind of fact does to the book, decided in memory under the locks. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from inventory import facts as f
from inventory import orders
from inventory.book import Book, Movement
from inventory.facts import Outcome, Status
from inventory.orders import Order

HOLD = "hold:"


class Refusal(Exception):
    """A fact that cannot be booked. It leaves nothing behind, not even its name."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code


@dataclass(slots=True)
class Page:
    """All that a batch of facts may read and change. Made by the ledger under its locks.

    `pools` has each channel's locations in the order in which its sales take stock; `held_back`
    each SKU's safety stock in units.
    """

    book: Book
    now: datetime
    sku_ids: Mapping[str, int]
    held_back: Mapping[int, tuple[int, int]]
    location_ids: Mapping[str, int]
    sellable: tuple[int, ...]
    pools: Mapping[int, tuple[int, ...]]
    orders: dict[tuple[int, str], Order] = field(default_factory=dict)
    changed_orders: dict[tuple[int, str], Order] = field(default_factory=dict)

    def sku(self, code: str) -> int:
        """The SKU's id. Refuses an unknown one."""
        if code not in self.sku_ids:
            raise Refusal("unknown_sku", f"no SKU {code!r}")
        return self.sku_ids[code]

    def location(self, code: str | None) -> int:
        """The location's id, the first sellable one for None. Refuses an unknown one."""
        if code is None:
            return self.sellable[0]
        if code not in self.location_ids:
            raise Refusal("unknown_location", f"no location {code!r}")
        return self.location_ids[code]

    def pool(self, channel_id: int) -> tuple[int, ...]:
        """The locations that feed a channel."""
        return self.pools.get(channel_id) or self.sellable

    def order(self, channel_id: int, order_ref: str) -> Order:
        """The order for changing, made at first mention."""
        key = (channel_id, order_ref)
        if key not in self.orders:
            self.orders[key] = Order(channel_id, order_ref)
        self.changed_orders[key] = self.orders[key]
        return self.orders[key]

    def settle(self, order: Order) -> list[Movement]:
        """Bring stock in line with the order."""
        return orders.settle(order, self.book, self.pool(order.channel_id))


def order_keys(fact: f.Fact) -> list[tuple[int, str]]:
    """The orders that a fact may change, so that they can be locked before."""
    match fact:
        case f.OrderObserved():
            return [(fact.channel_id, fact.order.order_ref)]
        case f.SaleReceived(reservation_ref=str(hold)):
            return [(fact.channel_id, fact.order_ref), (fact.channel_id, HOLD + hold)]
        case f.SaleReceived() | f.CancellationReceived() | f.ShipmentSeen():
            return [(fact.channel_id, fact.order_ref)]
        case f.ReservationAsked():
            return [(fact.channel_id, HOLD + fact.fact_ref)]
        case f.ReservationReleased():
            return [(fact.channel_id, HOLD + fact.reservation_ref)]
        case _:
            return []


def sku_codes(fact: f.Fact) -> list[str]:
    """The SKUs that a fact names."""
    match fact:
        case f.SaleReceived() | f.ReservationAsked():
            return [line.sku for line in fact.lines]
        case f.OrderObserved():
            return [sku for _, sku in fact.listings.values()]
        case f.StockReceived() | f.StockAdjusted() | f.StockTransferred() | f.ReturnAccepted():
            return [fact.sku]
        case _:
            return []


def decide(page: Page, fact: f.Fact) -> tuple[Outcome, list[Movement]]:
    """Book one fact. Raises `Refusal` for one that must leave nothing behind."""
    return DECIDE[type(fact)](page, fact)


def _cancel(page: Page, fact: f.CancellationReceived) -> tuple[Outcome, list[Movement]]:
    order = page.order(fact.channel_id, fact.order_ref)
    orders.take_cancellation(order, fact, page.now)
    return Outcome(status=Status.RECORDED), page.settle(order)


def _ship(page: Page, fact: f.ShipmentSeen) -> tuple[Outcome, list[Movement]]:
    order = page.order(fact.channel_id, fact.order_ref)
    orders.take_shipment(order, fact)
    return Outcome(status=Status.RECORDED), page.settle(order)


def _in(page: Page, fact: f.StockReceived | f.ReturnAccepted) -> tuple[Outcome, list[Movement]]:
    kind = "receive" if isinstance(fact, f.StockReceived) else "return"
    sku_id, location_id = page.sku(fact.sku), page.location(fact.location)
    movement = page.book.post(sku_id, location_id, kind=kind, on_hand=fact.quantity)
    return Outcome(status=Status.RECORDED), [movement]


def _adjust(page: Page, fact: f.StockAdjusted) -> tuple[Outcome, list[Movement]]:
    sku_id, location_id = page.sku(fact.sku), page.location(fact.location)
    level = page.book.level(sku_id, location_id)
    change = fact.on_hand - level.on_hand if fact.on_hand is not None else fact.change or 0
    if level.on_hand + change < 0:
        raise Refusal(
            "on_hand_below_zero", f"{level.on_hand} on hand, cannot be changed by {change}"
        )
    movement = page.book.post(
        sku_id, location_id, kind="adjust", on_hand=change, reason=fact.reason.value
    )
    return Outcome(status=Status.RECORDED), [movement]


def _transfer(page: Page, fact: f.StockTransferred) -> tuple[Outcome, list[Movement]]:
    sku_id = page.sku(fact.sku)
    here, there = page.location(fact.from_location), page.location(fact.to_location)
    if here == there:
        raise Refusal("same_location", "both locations are the same")
    on_hand = page.book.level(sku_id, here).on_hand
    if on_hand < fact.quantity:
        raise Refusal("insufficient_stock", f"{on_hand} on hand at {fact.from_location}")
    return Outcome(status=Status.RECORDED), [
        page.book.post(sku_id, here, kind="transfer", on_hand=-fact.quantity),
        page.book.post(sku_id, there, kind="transfer", on_hand=fact.quantity),
    ]


def _sale(page: Page, fact: f.SaleReceived) -> tuple[Outcome, list[Movement]]:
    for line in fact.lines:
        page.sku(line.sku)
    movements: list[Movement] = []
    outcome = Outcome(status=Status.RECORDED)
    if fact.reservation_ref is not None:
        try:
            movements = _end_hold(page, fact.channel_id, fact.reservation_ref)
        except Refusal as refusal:  # the sale has happened all the same (L3)
            outcome = Outcome(status=Status.RECORDED, code=refusal.code, detail=str(refusal))
    order = page.order(fact.channel_id, fact.order_ref)
    orders.take_sale(order, fact, dict(page.sku_ids))
    taken = page.settle(order)
    for movement in taken:  # the hold's entries have the same lines, kinds differ
        movement.line += len(movements)
    return outcome, [*movements, *taken]


def _reserve(page: Page, fact: f.ReservationAsked) -> tuple[Outcome, list[Movement]]:
    pool = page.pool(fact.channel_id)
    asked: dict[int, int] = {}
    for line in fact.lines:
        sku_id = page.sku(line.sku)
        asked[sku_id] = asked.get(sku_id, 0) + line.quantity
    for line in fact.lines:
        sku_id = page.sku(line.sku)
        free = promisable(page, sku_id, pool)
        if free < asked[sku_id]:
            detail = f"{line.sku}: {asked[sku_id]} asked, {max(free, 0)} can be promised"
            return Outcome(status=Status.REFUSED, code="insufficient_stock", detail=detail), []
    order = page.order(fact.channel_id, HOLD + fact.fact_ref)
    order.reservation, order.expires_at = True, fact.expires_at
    for line in fact.lines:
        held = order.line(line.line_ref)
        held.sku_id, held.ordered = page.sku(line.sku), held.ordered + line.quantity
    return Outcome(status=Status.GRANTED), page.settle(order)


def promisable(page: Page, sku_id: int, pool: tuple[int, ...]) -> int:
    """Available to promise: what is available in the pool less the SKU's safety stock."""
    available = page.book.available(sku_id, pool)
    units, percent = page.held_back.get(sku_id, (0, 0))
    return available - max(units, -(-max(available, 0) * percent // 100))


def _release(page: Page, fact: f.ReservationReleased) -> tuple[Outcome, list[Movement]]:
    movements = _end_hold(page, fact.channel_id, fact.reservation_ref)
    return Outcome(status=Status.RECORDED), movements


def _end_hold(page: Page, channel_id: int, reservation_ref: str) -> list[Movement]:
    if (channel_id, HOLD + reservation_ref) not in page.orders:
        raise Refusal("unknown_reservation", f"no reservation {reservation_ref!r}")
    hold = page.order(channel_id, HOLD + reservation_ref)
    orders.end_order(hold, by=None, reason=None, now=page.now)
    return page.settle(hold)


def _observe(page: Page, fact: f.OrderObserved) -> tuple[Outcome, list[Movement]]:
    digest = f.content_hash(fact)
    held = page.orders.get((fact.channel_id, fact.order.order_ref))
    if held is not None and held.digest == digest:
        return Outcome(status=Status.UNCHANGED), []
    if held is not None and held.seen_at and fact.order.observed_at < held.seen_at:
        return Outcome(status=Status.OUTDATED), []
    order = page.order(fact.channel_id, fact.order.order_ref)
    orders.take_snapshot(order, fact, dict(page.sku_ids), page.now)
    order.revision += 1
    order.digest = digest
    return Outcome(status=Status.RECORDED), page.settle(order)


DECIDE: Mapping[type[f.Fact], Callable[[Page, Any], tuple[Outcome, list[Movement]]]] = {
    f.StockReceived: _in,
    f.ReturnAccepted: _in,
    f.StockAdjusted: _adjust,
    f.StockTransferred: _transfer,
    f.SaleReceived: _sale,
    f.CancellationReceived: _cancel,
    f.ShipmentSeen: _ship,
    f.OrderObserved: _observe,
    f.ReservationAsked: _reserve,
    f.ReservationReleased: _release,
}
