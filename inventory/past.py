"""An order that was over before its channel was connected: kept for the metric only. Pure."""

from __future__ import annotations

from inventory.facts import PastOrder
from inventory.orders import Order, end_order


def take_past(order: Order, fact: PastOrder) -> None:
    """Note an order that was over before we came. Its lines name no SKU of ours.

    When it was cancelled no channel tells; it counts as of the day on which it was placed.
    """
    seen = fact.order
    order.past, order.ordered_at, order.seen_at = True, seen.ordered_at, seen.observed_at
    order.hint, order.ship_by = seen.hint, seen.ship_by
    order.buyer_asked_to_cancel = seen.buyer_asked_to_cancel
    order.cancellable = False
    order.fulfilled_by_channel = seen.fulfilled_by_channel
    for told in seen.lines:
        line = order.line(told.line_ref)
        line.note_ordered(told.quantity)
        line.cancelled, line.shipped = told.cancelled, told.shipped
        line.unit_price = told.unit_price
    by = seen.cancelled_by.value if seen.cancelled_by else None
    order.cancelled_by, order.cancel_reason = by, seen.cancel_reason
    if seen.cancelled:
        end_order(order, by=by, reason=seen.cancel_reason, now=seen.ordered_at)
