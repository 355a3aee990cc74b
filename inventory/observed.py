"""An order's numbers made those of a snapshot: what its channel shows of it at one moment. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from inventory.facts import OrderObserved
from inventory.orders import Order, end_order
from inventory.vocabulary import OrderSeen

Found = Mapping[str, tuple[int, int, Mapping[int, int]]]


def take_snapshot(order: Order, fact: OrderObserved, found: Found, now: datetime) -> None:
    """Make the order's numbers those that the channel shows; a line it no longer shows is 0.

    `found` is channel SKU → listing id, SKU id and recipe of those that we know.
    """
    seen = fact.order
    order.ordered_at = seen.ordered_at
    order.seen_at = seen.observed_at
    order.hint = seen.hint
    order.buyer_asked_to_cancel = seen.buyer_asked_to_cancel
    order.cancellable = seen.cancellable
    order.fulfilled_by_channel = seen.fulfilled_by_channel
    order.ship_by = seen.ship_by
    moved = _renamed(order, seen, found)
    shown = {line.line_ref for line in seen.lines}
    for line_ref, line in order.lines.items():
        if line_ref not in shown:
            line.note_ordered(line.shipped)
    for told in seen.lines:
        if told.channel_sku not in found:
            continue
        listing_id, sku_id, recipe = found[told.channel_sku]
        line = order.line(told.line_ref)
        line.name_sku(sku_id, recipe)
        line.listing_id = listing_id
        if told.cancelled > line.cancelled:
            line.ended_at = now
        line.note_ordered(told.quantity)
        line.cancelled, line.shipped = told.cancelled, told.shipped
        line.unit_price = told.unit_price
    for line_ref, units in moved.items():
        order.lines[line_ref].lowered -= min(units, order.lines[line_ref].lowered)
    by = seen.cancelled_by.value if seen.cancelled_by else None
    if seen.cancelled:
        end_order(order, by=by, reason=seen.cancel_reason, now=now)
    else:
        # Of a part that ended; the end of the whole order is told by its own.
        order.cancelled, order.cancelled_by, order.cancel_reason = False, by, seen.cancel_reason


def _renamed(order: Order, seen: OrderSeen, found: Found) -> dict[str, int]:
    """Units by line that go on under a line not shown before: they moved, and have not ended.

    Rakuten names a line by its parcel as well, and a person may put it into another one.
    """
    new: dict[int, int] = {}
    for told in seen.lines:
        if told.line_ref not in order.lines and told.channel_sku in found:
            listing_id = found[told.channel_sku][0]
            new[listing_id] = new.get(listing_id, 0) + told.quantity - told.cancelled
    shown = {told.line_ref: told.quantity for told in seen.lines}
    moved: dict[str, int] = {}
    for line_ref, line in order.lines.items():
        listing_id = line.listing_id or 0
        fewer = line.ordered - shown.get(line_ref, line.shipped)
        moved[line_ref] = min(max(fewer, 0), new.get(listing_id, 0))
        new[listing_id] = new.get(listing_id, 0) - moved[line_ref]
    return moved
