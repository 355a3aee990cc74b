"""The model of the warehouse's own work: receive, adjust, count, move, return, expect."""

from __future__ import annotations

from typing import Any

from inventory import facts as f
from tests.ledger.machine.state import Answer, Refused, State, Supply

RECORDED = Answer("recorded")
IN_TRANSIT, DAMAGED = "in-transit", "damaged"


def _stocked(state: State, sku: str) -> None:
    if sku not in state.catalogue.skus:
        raise Refused("unknown_sku")
    if state.catalogue.recipes.get(sku):
        raise Refused("kit_has_no_stock")


def _place(state: State, code: str | None) -> str:
    if code is None:
        return state.catalogue.sellable[0]
    if code not in state.catalogue.locations:
        raise Refused("unknown_location")
    return code


def receive(state: State, fact: f.StockReceived) -> Answer:
    _stocked(state, fact.sku)
    place = None
    if fact.supply_ref is not None:
        supply = _supply(state, fact.supply_ref)
        if supply.sku != fact.sku:
            raise Refused("wrong_supply")
        place = _place(state, fact.location or supply.location)
        supply.received += fact.quantity
    state.move(fact.sku, place or _place(state, fact.location), fact.quantity, fact.occurred_at)
    return RECORDED


def _supply(state: State, supply_ref: str) -> Supply:
    if supply_ref not in state.supplies:
        raise Refused("unknown_supply")
    return state.supplies[supply_ref]


def adjust(state: State, fact: f.StockAdjusted) -> Answer:
    _stocked(state, fact.sku)
    place = _place(state, fact.location)
    now = state.level(fact.sku, place).on_hand
    change = fact.on_hand - now if fact.on_hand is not None else int(fact.change or 0)
    if now + change < 0:
        raise Refused("on_hand_below_zero")
    state.move(fact.sku, place, change, fact.occurred_at)
    return RECORDED


def count(state: State, fact: f.StockCounted, now: Any, ahead: Any) -> Answer:
    _stocked(state, fact.sku)
    place = _place(state, fact.location)
    level = state.level(fact.sku, place)
    if fact.fact_ref in state.counts:
        raise Refused("name_taken")
    if fact.occurred_at > now + ahead:
        raise Refused("bad_input")
    if level.counted_at is not None and fact.occurred_at <= level.counted_at:
        raise Refused("counted_later")
    book = level.at(fact.occurred_at)
    difference = fact.on_hand - book
    noted = [fact.sku, place, fact.occurred_at, "applied", difference]
    if fact.recount_of:
        first = state.counts.get(fact.recount_of)
        if first is None or first[3] != "recount" or first[:2] != [fact.sku, place]:
            raise Refused("unknown_count")
        if fact.occurred_at <= first[2]:
            raise Refused("counted_later")
        first[3] = "superseded"
    elif abs(difference) > max(5, abs(book) // 10):
        state.counts[fact.fact_ref] = [*noted[:3], "recount", difference]
        return Answer("recorded", "recount_wanted")
    state.counts[fact.fact_ref] = noted
    level.counted, level.counted_at = fact.on_hand, fact.occurred_at
    state.touched.add(fact.sku)
    return RECORDED


def _route(state: State, fact: f.StockTransferred | f.TransferSent) -> None:
    _stocked(state, fact.sku)
    here, there = _place(state, fact.from_location), _place(state, fact.to_location)
    if here == there or IN_TRANSIT in {here, there}:
        raise Refused("same_location")
    if state.level(fact.sku, here).on_hand < fact.quantity:
        raise Refused("insufficient_stock")


def transfer(state: State, fact: f.StockTransferred) -> Answer:
    _route(state, fact)
    state.move(fact.sku, fact.from_location, -fact.quantity, fact.occurred_at)
    state.move(fact.sku, fact.to_location, fact.quantity, fact.occurred_at)
    return RECORDED


def send(state: State, fact: f.TransferSent) -> Answer:
    _route(state, fact)
    if fact.fact_ref in state.transfers:
        raise Refused("name_taken")
    state.move(fact.sku, fact.from_location, -fact.quantity, fact.occurred_at)
    state.move(fact.sku, IN_TRANSIT, fact.quantity, fact.occurred_at)
    state.transfers[fact.fact_ref] = [fact.sku, fact.to_location, fact.quantity, 0, 0]
    return RECORDED


def arrive(state: State, fact: f.TransferArrived) -> Answer:
    if fact.transfer_ref not in state.transfers:
        raise Refused("unknown_transfer")
    sent = state.transfers[fact.transfer_ref]
    sku, to, quantity, arrived, missing = sent
    if fact.quantity + fact.missing > quantity - arrived - missing:
        raise Refused("insufficient_stock")
    sent[3:] = [arrived + fact.quantity, missing + fact.missing]
    state.move(sku, IN_TRANSIT, -fact.quantity - fact.missing, fact.occurred_at)
    state.move(sku, to, fact.quantity, fact.occurred_at)
    return RECORDED


def take_back(state: State, fact: f.ReturnAccepted) -> Answer:
    _stocked(state, fact.sku)
    if fact.condition is f.Condition.MISSING:
        return RECORDED
    sellable = fact.condition is f.Condition.SELLABLE
    place = _place(state, fact.location or (None if sellable else DAMAGED))
    if not sellable and place in state.catalogue.sellable:
        raise Refused("location_sellable")
    state.move(fact.sku, place, fact.quantity, fact.occurred_at)
    return RECORDED


def expect(state: State, fact: f.SupplyExpected) -> Answer:
    _stocked(state, fact.sku)
    place = _place(state, fact.location)
    supply = state.supplies.get(fact.supply_ref) or Supply(fact.sku, place, 0)
    if supply.sku != fact.sku or fact.quantity < supply.received:
        raise Refused("wrong_supply")
    supply.location, supply.expected, supply.ended = place, fact.quantity, False
    state.supplies[fact.supply_ref] = supply
    state.touched.add(fact.sku)
    return RECORDED


def end_supply(state: State, fact: f.SupplyEnded) -> Answer:
    supply = _supply(state, fact.supply_ref)
    supply.ended = True
    state.touched.add(supply.sku)
    return RECORDED


TELL: dict[type[Any], Any] = {
    f.StockReceived: receive,
    f.StockAdjusted: adjust,
    f.StockTransferred: transfer,
    f.TransferSent: send,
    f.TransferArrived: arrive,
    f.ReturnAccepted: take_back,
    f.SupplyExpected: expect,
    f.SupplyEnded: end_supply,
}
