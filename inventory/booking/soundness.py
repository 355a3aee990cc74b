"""What is wrong with a fact as such, whatever the stock. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from msgspec import Struct

from inventory import facts as f
from inventory.facts import QUANTITY_MAX

PRICE_MAX = 1_000_000_000
QUANTITY_WRONG = f"a quantity must be from 1 to {QUANTITY_MAX}"


class Told(Struct, frozen=True, gc=False):
    """A fact with all that can be said about it without looking at stock."""

    fact: f.Fact
    problem: str | None
    content_hash: int


def look_at(fact: f.Fact) -> Told:
    """The fact with what is wrong with it, and the hash of its content."""
    problem = PROBLEM[type(fact)](fact) or _undated(fact)
    if problem is not None:
        return Told(fact, problem, 0)
    try:
        return Told(fact, None, f.content_hash(fact))
    except UnicodeEncodeError:
        return Told(fact, "a text has half a character in it", 0)


def _undated(fact: f.Fact) -> str | None:
    """What has no time zone cannot be compared with what has one."""
    if isinstance(fact, f.OrderObserved):
        zones = fact.order.ordered_at.tzinfo and fact.order.observed_at.tzinfo
    elif isinstance(fact, f.ReservationAsked) and fact.expires_at is not None:
        zones = fact.occurred_at.tzinfo and fact.expires_at.tzinfo
    else:
        zones = fact.occurred_at.tzinfo
    return "a time needs its time zone" if zones is None else None


def _wrong(*quantities: int) -> str | None:
    for quantity in quantities:
        if not 1 <= quantity <= QUANTITY_MAX:
            return QUANTITY_WRONG
    return None


def _quantity(fact: f.StockReceived | f.StockTransferred | f.TransferSent) -> str | None:
    return _wrong(fact.quantity)


def _units(fact: f.CancellationReceived | f.ShipmentSeen) -> str | None:
    return _wrong(*(line.quantity for line in fact.lines))


def _adjusted(fact: f.StockAdjusted) -> str | None:
    if (fact.change is None) == (fact.on_hand is None):
        return "give either change or on_hand"
    return _wrong(1 + (abs(fact.change or 0) if fact.on_hand is None else fact.on_hand))


def _counted(fact: f.StockCounted) -> str | None:
    return _wrong(1 + fact.on_hand)


def _arrived(fact: f.TransferArrived) -> str | None:
    return _wrong(fact.quantity + fact.missing, 1 + fact.quantity, 1 + fact.missing)


def _lines(fact: f.ReservationAsked | f.SaleReceived) -> str | None:
    lines = fact.lines
    if not lines or (len(lines) > 1 and len({line.line_ref for line in lines}) < len(lines)):
        return "an order has at least one line and each line_ref once"
    for line in lines:
        if not 1 <= line.quantity <= QUANTITY_MAX:
            return QUANTITY_WRONG
        if (line.sku is None) == (line.channel_sku is None):
            return "a line names either a SKU or a channel SKU"
    return None


def _order(fact: f.OrderObserved) -> str | None:
    lines = fact.order.lines
    if any((line.unit_price or 0) > PRICE_MAX for line in lines):
        return f"a price is at most {PRICE_MAX} yen"
    if len({line.line_ref for line in lines}) < len(lines):
        return "an order has each line_ref once"
    told = (units for line in lines for units in (line.quantity, line.cancelled, line.shipped))
    return _wrong(*(1 + units for units in told))


def _nothing(_: f.ReservationReleased | f.SupplyEnded) -> None:
    return None


PROBLEM: Mapping[type[f.Fact], Callable[[Any], str | None]] = {
    f.StockReceived: _quantity,
    f.StockAdjusted: _adjusted,
    f.StockCounted: _counted,
    f.StockOpened: _counted,
    f.StockTransferred: _quantity,
    f.TransferSent: _quantity,
    f.TransferArrived: _arrived,
    f.ReturnAccepted: _quantity,
    f.SupplyExpected: _quantity,
    f.SupplyEnded: _nothing,
    f.SaleReceived: _lines,
    f.CancellationReceived: _units,
    f.ShipmentSeen: _units,
    f.OrderObserved: _order,
    f.PastOrder: _order,
    f.ReservationAsked: _lines,
    f.ReservationReleased: _nothing,
}
