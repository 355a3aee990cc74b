"""What orders and reservations do to the book, decided in memory under the locks. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from inventory import facts as f
from inventory import observed, orders, past
from inventory.booking import stockroom
from inventory.booking.page import Hold, Page, Refusal
from inventory.facts import GRANTED, RECORDED, Outcome, Status


def decide(page: Page, fact: f.Fact) -> Outcome:
    """Book one fact. Raises `Refusal` for one that must leave nothing behind."""
    return DECIDE[type(fact)](page, fact)


def _sale(page: Page, fact: f.SaleReceived) -> Outcome:
    sold = page.sold(fact.channel_id, fact.lines)
    outcome = RECORDED
    order = page.order(fact.channel_id, fact.order_ref)
    orders.take_sale(order, sold, ordered_at=fact.occurred_at, ship_by=fact.ship_by)
    if fact.reservation_ref is not None:
        try:
            _free_held(page, fact, orders.wanted(order))
        except Refusal as refusal:  # the sale has happened all the same (L3)
            outcome = Outcome(status=Status.RECORDED, code=refusal.code, detail=str(refusal))
    page.settle(order)
    return outcome


def _free_held(page: Page, fact: f.SaleReceived, wanted: dict[int, int]) -> None:
    """Free the units of a hold for the order that is settled next: all, or those it `wanted`."""
    hold = _hold(page, fact.channel_id, fact.reservation_ref or "")
    for (sku_id, location_id), held in list(hold.parts.items()):
        units = min(held, wanted.get(sku_id, 0)) if fact.keep_rest else held
        wanted[sku_id] = wanted.get(sku_id, 0) - units
        _give_back(page, hold, sku_id, location_id, units)


def _give_back(page: Page, hold: Hold, sku_id: int, location_id: int, units: int) -> None:
    if not units:
        return
    hold.parts[sku_id, location_id] -= units
    if not hold.parts[sku_id, location_id]:
        del hold.parts[sku_id, location_id]
    page.changes.changed_holds[hold.fact_id] = hold
    page.book.post(sku_id, location_id, kind="release", reserved=-units)


def _hold(page: Page, channel_id: int, reservation_ref: str) -> Hold:
    hold = page.changes.holds.get((channel_id, reservation_ref))
    if hold is None:
        raise Refusal("unknown_reservation", f"no reservation {reservation_ref!r}")
    return hold


def _reserve(page: Page, fact: f.ReservationAsked) -> Outcome:
    pool = page.pool(fact.channel_id)
    asked: dict[int, int] = {}
    pots: dict[int, int] = {}
    kits: dict[int, int] = {}
    for line in fact.lines:
        sku, listing = page.find(fact.channel_id, line)
        if sku.recipe is None:
            asked[sku.id] = asked.get(sku.id, 0) + line.quantity
            pot = listing.preorder_units if listing else 0
            pots[sku.id] = min(pots.get(sku.id, pot), pot)
            continue
        kits[sku.id] = kits.get(sku.id, 0) + line.quantity
        for part_id, per_unit in sku.recipe:
            asked[part_id] = asked.get(part_id, 0) + line.quantity * per_unit
            pots[part_id] = 0
    for sku_id, units in asked.items():
        free = page.promisable(sku_id, pool, preorder_units=pots[sku_id])
        if free < units:
            return _refused(page, sku_id, units, free)
    for kit_id, units in kits.items():
        if (free := page.promisable_kits(kit_id, pool)) < units:
            return _refused(page, kit_id, units, free)
    _take(page, fact, asked, pool)
    return GRANTED


def _refused(page: Page, sku_id: int, asked: int, free: int) -> Outcome:
    detail = f"{page.skus_by_id[sku_id].code}: {asked} asked, {max(free, 0)} can be promised"
    return Outcome(status=Status.REFUSED, code="insufficient_stock", detail=detail)


def _take(
    page: Page, fact: f.ReservationAsked, asked: Mapping[int, int], pool: tuple[int, ...]
) -> None:
    parts: dict[tuple[int, int], int] = {}
    for number, (sku_id, units) in enumerate(asked.items()):
        for location_id, taken in page.book.split(sku_id, pool, units).items():
            parts[sku_id, location_id] = taken
            page.book.post(sku_id, location_id, kind="reserve", line=number, reserved=taken)
    hold = Hold(page.book.fact_id, fact.channel_id, fact.expires_at, parts)
    page.changes.holds[fact.channel_id, fact.fact_ref] = hold
    page.changes.new_holds.append(hold)


def _release(page: Page, fact: f.ReservationReleased) -> Outcome:
    hold = _hold(page, fact.channel_id, fact.reservation_ref)
    for (sku_id, location_id), units in list(hold.parts.items()):
        _give_back(page, hold, sku_id, location_id, units)
    return RECORDED


def _cancel(page: Page, fact: f.CancellationReceived) -> Outcome:
    order = page.order(fact.channel_id, fact.order_ref)
    orders.take_cancellation(order, fact, page.now)
    page.settle(order)
    return RECORDED


def _ship(page: Page, fact: f.ShipmentSeen) -> Outcome:
    order = page.order(fact.channel_id, fact.order_ref)
    orders.take_shipment(order, fact)
    page.settle(order)
    return RECORDED


def _observe(page: Page, fact: f.OrderObserved) -> Outcome:
    digest = f.content_hash(fact).to_bytes(8, "big", signed=True)
    held = page.changes.orders.get((fact.channel_id, fact.order.order_ref))
    if held is not None and held.digest == digest:
        return Outcome(status=Status.UNCHANGED)
    if held is not None and held.seen_at and fact.order.observed_at < held.seen_at:
        return Outcome(status=Status.OUTDATED)
    found = {}
    for channel_sku, (listing_id, code) in fact.listings.items():
        sku_id = page.sku(code).id
        found[channel_sku] = (listing_id, sku_id, page.recipe(sku_id))
    order = page.order(fact.channel_id, fact.order.order_ref)
    observed.take_snapshot(order, fact, found, page.now)
    order.revision += 1
    order.digest = digest
    first = order.revision == 1
    page.book.occurred_at = fact.order.ordered_at if first else fact.order.observed_at
    page.settle(order, shipped_at=fact.order.observed_at)
    return RECORDED


def _remember(page: Page, fact: f.PastOrder) -> Outcome:
    if (fact.channel_id, fact.order.order_ref) in page.changes.orders:
        return Outcome(status=Status.UNCHANGED)
    order = page.order(fact.channel_id, fact.order.order_ref)
    past.take_past(order, fact)
    order.revision = 1
    order.digest = f.content_hash(fact).to_bytes(8, "big", signed=True)
    return RECORDED


DECIDE: Mapping[type[f.Fact], Callable[[Page, Any], Outcome]] = {
    f.SaleReceived: _sale,
    f.CancellationReceived: _cancel,
    f.ShipmentSeen: _ship,
    f.OrderObserved: _observe,
    f.PastOrder: _remember,
    f.ReservationAsked: _reserve,
    f.ReservationReleased: _release,
    **stockroom.DECIDE,
}
