"""The model of sales: orders, cancellations, shipments, snapshots, holds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec

from inventory import facts as f
from tests.ledger.machine.state import NO_TIME, Answer, Key, Line, Order, Refused, State

RECORDED = Answer("recorded")


def sale(state: State, fact: f.SaleReceived) -> Answer:
    told = [(line, _sku(state, fact.channel_id, line)) for line in fact.lines]
    order = state.orders.setdefault((fact.channel_id, fact.order_ref), Order())
    for each, sku in told:
        line = order.lines.setdefault(each.line_ref, Line())
        _name(state, line, sku)
        line.ordered = each.quantity
        if order.shipped:
            line.shipped += line.open
    answer = RECORDED
    if fact.reservation_ref is not None:
        hold = state.holds.get((fact.channel_id, fact.reservation_ref))
        if hold is None:
            answer = Answer("recorded", "unknown_reservation")
        else:
            _fulfil(state, order, hold, keep_rest=fact.keep_rest)
    _settle(state, fact.channel_id, order, fact.occurred_at)
    return answer


def _sku(state: State, channel_id: int, line: f.SaleLine) -> str:
    if line.channel_sku is not None:
        if (channel_id, line.channel_sku) not in state.catalogue.listings:
            raise Refused("unknown_listing")
        return state.catalogue.listings[channel_id, line.channel_sku]
    if line.sku not in state.catalogue.skus:
        raise Refused("unknown_sku")
    return str(line.sku)


def _name(state: State, line: Line, sku: str) -> None:
    """Units once taken stay with their SKU and their recipe, whatever is said later."""
    if not line.taken:
        line.sku, line.recipe = sku, state.catalogue.parts(sku)


def _fulfil(state: State, order: Order, hold: dict[Key, int], *, keep_rest: bool) -> None:
    lacks: dict[str, int] = {}
    for line in order.lines.values():
        for sku, per_unit in _recipe(state, line).items():
            places = line.taken.get(sku, {}).values()
            has = sum(reserved + shipped for reserved, shipped in places)
            wants = _promised(order, line) + (0 if order.theirs else line.shipped)
            lacks[sku] = lacks.get(sku, 0) + max(wants * per_unit - has, 0)
    for (sku, place), held in list(hold.items()):
        units = min(held, lacks.get(sku, 0)) if keep_rest else held
        lacks[sku] = lacks.get(sku, 0) - units
        hold[sku, place] -= units
        if units:
            state.promise(sku, place, -units)
        if not hold[sku, place]:
            del hold[sku, place]


def _promised(order: Order, line: Line) -> int:
    return 0 if order.cancelled or order.theirs else line.open


def _recipe(state: State, line: Line) -> dict[str, int]:
    """As it was when the first unit was taken; today's where none was."""
    if not line.taken and line.sku:
        line.recipe = state.catalogue.parts(line.sku)
    return line.recipe


def cancel(state: State, fact: f.CancellationReceived) -> Answer:
    order = state.orders.setdefault((fact.channel_id, fact.order_ref), Order())
    for told in fact.lines:
        order.lines.setdefault(told.line_ref, Line()).cancelled += told.quantity
    order.cancelled |= not fact.lines
    _settle(state, fact.channel_id, order, fact.occurred_at)
    return RECORDED


def ship(state: State, fact: f.ShipmentSeen) -> Answer:
    order = state.orders.setdefault((fact.channel_id, fact.order_ref), Order())
    for told in fact.lines:
        order.lines.setdefault(told.line_ref, Line()).shipped += told.quantity
    if not fact.lines and not order.cancelled:
        order.shipped = True
        for line in order.lines.values():
            line.shipped += line.open
    _settle(state, fact.channel_id, order, fact.occurred_at)
    return RECORDED


def observe(state: State, fact: f.OrderObserved) -> Answer:
    seen = fact.order
    content = (msgspec.structs.replace(seen, observed_at=NO_TIME), dict(fact.listings))
    before = state.orders.get((fact.channel_id, seen.order_ref))
    if before is not None and before.seen is not None:
        if before.seen[0] == content:
            return Answer("unchanged")
        if seen.observed_at < before.seen[1]:
            return Answer("outdated")
    if any(sku not in state.catalogue.skus for _, sku in fact.listings.values()):
        raise Refused("unknown_sku")
    order = state.orders.setdefault((fact.channel_id, seen.order_ref), Order())
    for line_ref, line in order.lines.items():
        if line_ref not in {told.line_ref for told in seen.lines}:
            line.ordered = line.shipped
    for told in seen.lines:
        if told.channel_sku in fact.listings:
            line = order.lines.setdefault(told.line_ref, Line())
            _name(state, line, fact.listings[told.channel_sku][1])
            line.ordered, line.cancelled, line.shipped = told.quantity, told.cancelled, told.shipped
    order.cancelled, order.theirs = seen.cancelled, seen.fulfilled_by_channel
    order.seen = (content, seen.observed_at)
    order.revision += 1
    _settle(state, fact.channel_id, order, seen.observed_at)
    return RECORDED


def _settle(state: State, channel_id: int, order: Order, at: datetime) -> None:
    pool = state.catalogue.pool(channel_id)
    for _, line in sorted(order.lines.items()):
        for sku, per_unit in _recipe(state, line).items():
            parts = line.taken.get(sku, {})
            if not order.theirs:
                _ship_until(state, sku, parts, line.shipped * per_unit, pool, at)
            _reserve_until(state, sku, parts, _promised(order, line) * per_unit, pool)
            if parts:
                line.taken[sku] = parts


def _places(state: State, parts: dict[str, Any], pool: Sequence[str]) -> list[str]:
    """The order of the pool; places that are no longer in it come last."""
    order = [*pool, *(code for code in state.catalogue.locations if code not in pool)]
    return [place for place in order if place in parts]


def _ship_until(
    state: State,
    sku: str,
    parts: dict[str, list[int]],
    wanted: int,
    pool: Sequence[str],
    at: datetime,
) -> None:
    more = wanted - sum(shipped for _, shipped in parts.values())
    for place in _places(state, parts, pool):
        part = parts[place]
        units = min(part[0], more) if more > 0 else -min(part[1], -more)
        if units:
            part[1] += units
            state.move(sku, place, -units, at)
            more -= units
        if units > 0:
            part[0] -= units
            state.promise(sku, place, -units)
    if more:
        parts.setdefault(pool[0], [0, 0])[1] += more
        state.move(sku, pool[0], -more, at)


def _reserve_until(
    state: State, sku: str, parts: dict[str, list[int]], wanted: int, pool: Sequence[str]
) -> None:
    more = wanted - sum(reserved for reserved, _ in parts.values())
    takes = state.places(sku, pool, more) if more > 0 else {}
    for place in reversed(_places(state, parts, pool)):
        if more < 0:
            takes[place] = -min(parts[place][0], -more)
            more -= takes[place]
    for place, units in takes.items():
        if units:
            parts.setdefault(place, [0, 0])[0] += units
            state.promise(sku, place, units)


def reserve(state: State, fact: f.ReservationAsked) -> Answer:
    pool = state.catalogue.pool(fact.channel_id)
    wanted: dict[str, int] = {}
    kits: dict[str, int] = {}
    pots: dict[str, list[int]] = {}
    for line in fact.lines:
        sku = _sku(state, fact.channel_id, line)
        is_kit = bool(state.catalogue.recipes.get(sku))
        if is_kit:
            kits[sku] = kits.get(sku, 0) + line.quantity
        pot = state.catalogue.pots.get((fact.channel_id, line.channel_sku or ""), 0)
        # The parts of a kit are not sold ahead. Their order is that of the catalogue.
        parts = state.catalogue.parts(sku, line.quantity)
        for part in [code for code in state.catalogue.skus if code in parts]:
            wanted[part] = wanted.get(part, 0) + parts[part]
            pots.setdefault(part, []).append(0 if is_kit else pot)
    enough = all(_promisable(state, sku, pool, min(pots[sku])) >= n for sku, n in wanted.items())
    if not enough or any(_whole(state, kit, pool) < n for kit, n in kits.items()):
        return Answer("refused", "insufficient_stock")
    hold: dict[Key, int] = {}
    for sku, units in wanted.items():
        for place, taken in state.places(sku, pool, units).items():
            hold[sku, place] = taken
            state.promise(sku, place, taken)
    state.holds[fact.channel_id, fact.fact_ref] = hold
    return Answer("granted")


def _held_back(state: State, sku: str, units: int) -> int:
    fixed, percent = state.catalogue.skus[sku]
    return max(fixed, math.ceil(max(units, 0) * percent / 100))


def _promisable(state: State, sku: str, pool: Sequence[str], pot: int) -> int:
    free = state.available(sku, pool)
    return free - _held_back(state, sku, free) + min(pot, state.to_come(sku))


def _whole(state: State, kit: str, pool: Sequence[str]) -> int:
    """The most whole kits that their parts, each for itself, can be promised for."""
    parts = state.catalogue.parts(kit)
    whole = min(_promisable(state, sku, pool, 0) // per_kit for sku, per_kit in parts.items())
    return whole - _held_back(state, kit, whole)


def release(state: State, fact: f.ReservationReleased) -> Answer:
    hold = state.holds.get((fact.channel_id, fact.reservation_ref))
    if hold is None:
        raise Refused("unknown_reservation")
    for (sku, place), units in hold.items():
        state.promise(sku, place, -units)
    hold.clear()
    return RECORDED


TELL: dict[type[Any], Any] = {
    f.SaleReceived: sale,
    f.CancellationReceived: cancel,
    f.ShipmentSeen: ship,
    f.OrderObserved: observe,
    f.ReservationAsked: reserve,
    f.ReservationReleased: release,
}
