"""How a marketplace lists its orders: which, in what order, and page by page, faults included."""

from __future__ import annotations

from collections.abc import MutableSequence, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from channels.sandbox.market import Market
    from channels.sandbox.records import Order

Row = TypeVar("Row")


def visible(market: Market, endpoint: str) -> list[Order]:
    """Orders that can be seen now, oldest first; some twice while that fault is on.

    An order that a fault held back counts as changed at the moment when it shows: a list by last
    change would otherwise never have it.
    """
    now = market.clock.now()
    horizon = now - timedelta(seconds=market.visible_after_s)
    late = timedelta(seconds=market.faults.amount("order_delay_s", endpoint))
    orders = []
    for order in market.orders.values():
        if order.placed_at > horizon:
            continue
        if order.placed_at > horizon - late:
            order.extra["held_back"] = True
            continue
        if order.extra.pop("held_back", False):
            order.extra["shown_at"] = order.changed_at = now
        orders.append(order)
    orders.sort(key=lambda order: (order.placed_at, order.ref))
    if market.faults.hit("repeat_orders", endpoint):
        orders = [order for order in orders for _ in range(2)]
    return orders


def page(
    market: Market, rows: Sequence[Row], endpoint: str, *, start: int, size: int
) -> tuple[list[Row], int]:
    """Rows from `start` (0 is the first) of a list that may have moved since, and how many it has.

    For a page after the first, `shift_pages` rows of the pages before have left the list; below 0
    so many have come in.
    """
    shift = int(market.faults.amount("shift_pages", endpoint)) if start else 0
    now = list(rows[shift:] if shift >= 0 else [*rows[:-shift], *rows])
    found = now[start : start + size]
    mix(market, found, endpoint)
    return found, len(now)


def mix(market: Market, rows: MutableSequence[Row], endpoint: str) -> None:
    """Put the rows of a page in no order while that fault is on."""
    if market.faults.hit("shuffle_orders", endpoint):
        market.rng.shuffle(rows)
