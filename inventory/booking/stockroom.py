"""What the warehouse's own work does to the book: receive, count, move, return, expect. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

from inventory import facts as f
from inventory.booking.page import DAMAGED, IN_TRANSIT, Count, Page, Refusal, Supply, Transfer
from inventory.facts import RECORDED, Condition, Outcome, Status

RECOUNT = "recount_wanted"
# A count further from the book than both is done again, by somebody who was not told the book.
RECOUNT_UNITS = 5
RECOUNT_PERCENT = 10
# How far another clock may run ahead of ours.
AHEAD = timedelta(minutes=1)


def _receive(page: Page, fact: f.StockReceived) -> Outcome:
    sku_id = page.stocked(fact.sku)
    if fact.supply_ref is None:
        page.book.post(sku_id, page.location(fact.location), kind="receive", on_hand=fact.quantity)
        return RECORDED
    supply = _supply(page, fact.supply_ref)
    if supply.sku_id != sku_id:
        raise Refusal("wrong_supply", f"{fact.supply_ref} is a supply of another SKU")
    where = page.location(fact.location) if fact.location else supply.location_id
    _change_supply(page, supply, received=supply.received + fact.quantity)
    page.book.post(sku_id, where, kind="receive", on_hand=fact.quantity)
    return RECORDED


def _adjust(page: Page, fact: f.StockAdjusted) -> Outcome:
    sku_id, location_id = page.stocked(fact.sku), page.location(fact.location)
    on_hand = page.book.level(sku_id, location_id).on_hand
    change = fact.on_hand - on_hand if fact.on_hand is not None else fact.change or 0
    if on_hand + change < 0:
        raise Refusal("on_hand_below_zero", f"{on_hand} on hand, cannot be changed by {change}")
    page.book.post(sku_id, location_id, kind="adjust", on_hand=change, reason=fact.reason.value)
    return RECORDED


def _count(page: Page, fact: f.StockCounted) -> Outcome:
    count, booked = _counted(page, fact)
    first = _first_count(page, fact.recount_of, count) if fact.recount_of else None
    if first is None and abs(count.difference) > _allowed(booked):
        count.state = "recount"
        _note_count(page, count)
        return Outcome(
            status=Status.RECORDED,
            code=RECOUNT,
            detail="far from the book; count once more, without looking at either number",
        )
    if first is not None:
        first.state = "superseded"
        _note_count(page, first)
    _apply(page, count)
    return RECORDED


def _apply(page: Page, count: Count) -> None:
    _note_count(page, count)
    page.book.post(
        count.sku_id,
        count.location_id,
        kind="adjust",
        on_hand=count.difference,
        reason=f"count: {count.reason}",
    )
    page.book.date(page.book.level(count.sku_id, count.location_id), count.counted_at)


def _open(page: Page, fact: f.StockOpened) -> Outcome:
    level = page.book.level(page.stocked(fact.sku), page.location(fact.location))
    if level.counted_at is not None or level.on_hand > 0:
        raise Refusal("stock_opened", "units of this SKU are in the book here: count them instead")
    count, _ = _counted(page, fact)
    _apply(page, count)
    return RECORDED


def _counted(page: Page, fact: f.StockCounted) -> tuple[Count, int]:
    """The count beside what the book says of its moment. Refuses one that comes too late."""
    sku_id, location_id = page.stocked(fact.sku), page.location(fact.location)
    level = page.book.level(sku_id, location_id)
    if fact.fact_ref in page.changes.counts:
        raise Refusal("name_taken", f"another channel has named a count {fact.fact_ref!r}")
    if fact.occurred_at > page.now + AHEAD:
        raise Refusal("bad_input", "nothing can be counted in the future")
    if level.counted_at is not None and fact.occurred_at <= level.counted_at:
        raise Refusal("counted_later", "a later count of this SKU here was applied already")
    booked = level.on_hand - page.moved_after(sku_id, location_id, fact.occurred_at)
    count = Count(
        count_ref=fact.fact_ref,
        sku_id=sku_id,
        location_id=location_id,
        counted=fact.on_hand,
        difference=fact.on_hand - booked,
        reason=fact.reason.value,
        state="applied",
        counted_at=fact.occurred_at,
    )
    return count, booked


def _allowed(booked: int) -> int:
    return max(RECOUNT_UNITS, abs(booked) * RECOUNT_PERCENT // 100)


def _first_count(page: Page, count_ref: str, second: Count) -> Count:
    first = page.changes.counts.get(count_ref)
    if first is None or first.state != "recount":
        raise Refusal("unknown_count", f"no count {count_ref!r} waits for a recount")
    if (first.sku_id, first.location_id) != (second.sku_id, second.location_id):
        raise Refusal("unknown_count", f"{count_ref} counted another SKU or location")
    if second.counted_at <= first.counted_at:
        raise Refusal("counted_later", "a recount comes after the count that it repeats")
    return first


def _note_count(page: Page, count: Count) -> None:
    page.changes.counts[count.count_ref] = count
    page.changes.changed_counts[count.count_ref] = count


def _transfer(page: Page, fact: f.StockTransferred) -> Outcome:
    sku_id, here, there = _route(page, fact)
    page.book.post(sku_id, here, kind="transfer", on_hand=-fact.quantity)
    page.book.post(sku_id, there, kind="transfer", on_hand=fact.quantity)
    return RECORDED


def _route(page: Page, fact: f.StockTransferred | f.TransferSent) -> tuple[int, int, int]:
    sku_id = page.stocked(fact.sku)
    here, there = page.location(fact.from_location), page.location(fact.to_location)
    if here == there:
        raise Refusal("same_location", "both locations are the same")
    if IN_TRANSIT in {fact.from_location, fact.to_location}:
        raise Refusal("same_location", f"{IN_TRANSIT} is where units are between two locations")
    on_hand = page.book.level(sku_id, here).on_hand
    if on_hand < fact.quantity:
        raise Refusal("insufficient_stock", f"{on_hand} on hand at {fact.from_location}")
    return sku_id, here, there


def _send(page: Page, fact: f.TransferSent) -> Outcome:
    sku_id, here, there = _route(page, fact)
    if fact.fact_ref in page.changes.transfers:
        raise Refusal("name_taken", f"another channel has named a transfer {fact.fact_ref!r}")
    transfer = Transfer(fact.fact_ref, sku_id, here, there, fact.quantity, fact.occurred_at)
    page.changes.transfers[fact.fact_ref] = transfer
    page.changes.changed_transfers[fact.fact_ref] = transfer
    page.book.post(sku_id, here, kind="transfer", on_hand=-fact.quantity)
    page.book.post(sku_id, page.location(IN_TRANSIT), kind="transfer", on_hand=fact.quantity)
    return RECORDED


def _arrive(page: Page, fact: f.TransferArrived) -> Outcome:
    transfer = page.changes.transfers.get(fact.transfer_ref)
    if transfer is None:
        raise Refusal("unknown_transfer", f"no transfer {fact.transfer_ref!r}")
    under_way = transfer.quantity - transfer.arrived - transfer.missing
    if fact.quantity + fact.missing > under_way:
        raise Refusal("insufficient_stock", f"{under_way} units of it are under way")
    between = page.location(IN_TRANSIT)
    transfer.arrived += fact.quantity
    transfer.missing += fact.missing
    page.changes.changed_transfers[fact.transfer_ref] = transfer
    if fact.quantity:
        page.book.post(transfer.sku_id, between, kind="transfer", on_hand=-fact.quantity)
        page.book.post(
            transfer.sku_id, transfer.to_location_id, kind="transfer", on_hand=fact.quantity
        )
    if fact.missing:
        page.book.post(
            transfer.sku_id,
            between,
            kind="adjust",
            on_hand=-fact.missing,
            reason=f.AdjustReason.LOSS.value,
        )
    return RECORDED


def _return(page: Page, fact: f.ReturnAccepted) -> Outcome:
    sku_id = page.stocked(fact.sku)
    if fact.condition is Condition.MISSING:
        return RECORDED
    sellable = fact.condition is Condition.SELLABLE
    code = fact.location or (None if sellable else DAMAGED)
    location_id = page.location(code)
    if not sellable and location_id in page.sellable:
        raise Refusal("location_sellable", "damaged units go to a location that is not sellable")
    page.book.post(
        sku_id, location_id, kind="return", on_hand=fact.quantity, reason=fact.condition.value
    )
    return RECORDED


def _expect(page: Page, fact: f.SupplyExpected) -> Outcome:
    sku_id, location_id = page.stocked(fact.sku), page.location(fact.location)
    supply = page.changes.supplies.get(fact.supply_ref)
    if supply is None:
        supply = Supply(fact.supply_ref, sku_id, location_id, 0, fact.due_on)
    if supply.sku_id != sku_id:
        raise Refusal("wrong_supply", f"{fact.supply_ref} is a supply of another SKU")
    if fact.quantity < supply.received:
        raise Refusal("wrong_supply", f"{supply.received} units of it were received already")
    supply.location_id, supply.due_on = location_id, fact.due_on
    _change_supply(page, supply, expected=fact.quantity, ended=False)
    return RECORDED


def _end_supply(page: Page, fact: f.SupplyEnded) -> Outcome:
    _change_supply(page, _supply(page, fact.supply_ref), ended=True)
    return RECORDED


def _supply(page: Page, supply_ref: str) -> Supply:
    supply = page.changes.supplies.get(supply_ref)
    if supply is None:
        raise Refusal("unknown_supply", f"no expected supply {supply_ref!r}")
    return supply


def _change_supply(
    page: Page,
    supply: Supply,
    *,
    expected: int | None = None,
    received: int | None = None,
    ended: bool | None = None,
) -> None:
    """Change a supply, and with it how many units of the SKU are outstanding."""
    before = supply.outstanding
    supply.expected = supply.expected if expected is None else expected
    supply.received = supply.received if received is None else received
    supply.ended = supply.ended if ended is None else ended
    change = supply.outstanding - before
    page.changes.outstanding[supply.sku_id] = page.outstanding(supply.sku_id) + change
    # Whoever waits for the SKU meanwhile has to see that more, or less, is expected.
    page.anchor({supply.sku_id})
    page.changes.supplies[supply.supply_ref] = supply
    page.changes.changed_supplies[supply.supply_ref] = supply


DECIDE: Mapping[type[f.Fact], Callable[[Page, Any], Outcome]] = {
    f.StockReceived: _receive,
    f.StockAdjusted: _adjust,
    f.StockCounted: _count,
    f.StockOpened: _open,
    f.StockTransferred: _transfer,
    f.TransferSent: _send,
    f.TransferArrived: _arrive,
    f.ReturnAccepted: _return,
    f.SupplyExpected: _expect,
    f.SupplyEnded: _end_supply,
}
