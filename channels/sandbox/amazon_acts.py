"""What a seller can do to an Amazon order: give it up, ship a part of it, adjust the rest."""

from __future__ import annotations

from datetime import datetime

from channels.sandbox.amazon_base import AmazonMarket
from channels.sandbox.market import NotAllowed, Order

NO_RESTOCK = "NoInventory"
# Only cancelOrder's enum has a word for it; how the order shows it then is UNCONFIRMED.
PRICE_WAS_WRONG = "PRICING_ERROR"
PART_UNITS_MIN = 2


def objection_to_cancel(market: AmazonMarket, order: Order) -> str | None:
    """Why the whole order may not be given up, or None."""
    pending = market.pending_until(order) > market.clock.now()
    objections = {
        "The order is fulfilled by Amazon.": order.by_channel,
        "The order is cancelled already.": order.cancelled_at is not None,
        "The order has been confirmed as shipped.": (
            order.shipped_at is not None or "part_shipped_at" in order.extra
        ),
        "The order is still pending.": pending and not market.options.cancel_pending,
    }
    return next((text for text, holds in objections.items() if holds), None)


def cancel_by_seller(market: AmazonMarket, ref: str, reason: str) -> None:
    """Give an order up; with any other reason than NoInventory the units are displayed again."""
    market.cancel(ref, by="seller", code=reason, restock=reason != NO_RESTOCK)


def cancel_in_seller_central(market: AmazonMarket, ref: str, *, code: str) -> Order:
    """Staff end an order in Manage Orders. Raises NotAllowed where Seller Central would not."""
    order = market.orders[ref]
    objection = objection_to_cancel(market, order)
    if objection is not None:
        raise NotAllowed(f"{ref}: {objection}")
    cancel_by_seller(market, ref, code)
    return order


def ship_part(market: AmazonMarket, ref: str) -> Order:
    """Staff confirm everything but the last unit of the last item as shipped.

    Raises NotAllowed for an order of one unit, or one that is not live.
    """
    order = market.orders[ref]
    if order.state != "live" or sum(line.quantity for line in order.lines) < PART_UNITS_MIN:
        raise NotAllowed(f"{ref} has no part to ship")
    for line in order.lines:
        line.shipped = line.quantity - line.cancelled
    order.lines[-1].shipped -= 1
    order.extra["part_shipped_at"] = order.changed_at = market.clock.now()
    market.tell(order, "Order Status Change")
    return order


def adjust_rest(market: AmazonMarket, ref: str) -> Order:
    """Staff give back the money of what was not shipped of an order, as out of stock.

    Raises NotAllowed unless a part of it is confirmed as shipped.
    """
    order = market.orders[ref]
    rest = {line.line_ref: line.quantity - line.cancelled - line.shipped for line in order.lines}
    given = {line_ref: units for line_ref, units in rest.items() if units}
    objection = objection_to_adjust(order, given)
    if objection is not None or not given:
        raise NotAllowed(f"{ref}: {objection or 'nothing is open'}")
    adjust(order, given, NO_RESTOCK, at=market.clock.now())
    market.tell(order, "Order Status Change")
    return order


def objection_to_adjust(order: Order, given: dict[str, int]) -> str | None:
    """Why these units (item → units) may not be given up by payment adjustment, or None."""
    lines = {line.line_ref: line for line in order.lines}
    still_open = {ref: line.quantity - line.cancelled - line.shipped for ref, line in lines.items()}
    shipped = order.shipped_at is not None or "part_shipped_at" in order.extra
    objections = {
        "The order is fulfilled by Amazon.": order.by_channel,
        "The order is cancelled already.": order.cancelled_at is not None,
        "Nothing of the order has been confirmed as shipped.": not shipped,
        "An item is not of this order.": not set(given) <= set(lines),
        "QuantityCancelled is more than is open.": any(
            not 0 < units <= still_open.get(ref, 0) for ref, units in given.items()
        ),
    }
    return next((text for text, holds in objections.items() if holds), None)


def adjust(order: Order, given: dict[str, int], reason: str, *, at: datetime) -> None:
    """Take units out of an order that has been shipped in part; nothing is displayed again."""
    for line in order.lines:
        line.cancelled += given.get(line.line_ref, 0)
    order.extra |= {"adjusted_at": at, "adjusted_reason": reason}
    order.changed_at = at
    if all(line.quantity == line.shipped + line.cancelled for line in order.lines):
        order.shipped_at = at
