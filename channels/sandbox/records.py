"""The rows of a marketplace's books: listings, orders, their lines, and stock writes."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from msgspec import Struct, field

from channels.sandbox.clock import stamp

UNITS_MAX = 999_999_999


class Listing(Struct, kw_only=True):
    """One listing: `displayed` units, `price` whole yen. `by_channel`: the marketplace stocks it.

    `closed`: sold out whatever `displayed` says; `endless`: sold whatever `displayed` says.
    `extra` belongs to the marketplace's module.
    """

    key: str
    displayed: int
    price: int = 1000
    closed: bool = False
    by_channel: bool = False
    endless: bool = False
    changed_at: datetime
    created_at: datetime
    extra: dict[str, Any] = field(default_factory=dict)

    @property
    def buyable(self) -> int:
        """How many units a shopper can put in the basket."""
        if self.closed:
            return 0
        return UNITS_MAX if self.endless else max(self.displayed, 0)


class Line(Struct, kw_only=True):
    """One line of an order; `cancelled` and `shipped` are units of `quantity`."""

    line_ref: str
    key: str
    quantity: int
    price: int
    cancelled: int = 0
    shipped: int = 0


class Order(Struct, kw_only=True):
    """One order. `status` and `extra` belong to the marketplace's module."""

    ref: str
    placed_at: datetime
    lines: list[Line]
    status: Any = None
    changed_at: datetime
    cancelled_at: datetime | None = None
    cancelled_by: str | None = None
    cancel_code: str | None = None
    shipped_at: datetime | None = None
    restocked: bool = False
    by_channel: bool = False
    buyer_asked: bool = False
    extra: dict[str, Any] = field(default_factory=dict)

    @property
    def state(self) -> str:
        """`live`, `shipped` or `cancelled`."""
        if self.cancelled_at is not None:
            return "cancelled"
        return "live" if self.shipped_at is None else "shipped"


class Write(Struct, kw_only=True, frozen=True):
    """One stock write that took effect. `mode`: absolute, relative, hand, order-restock."""

    at: datetime
    key: str
    before: int
    after: int
    mode: str


class NotDisplayed(Exception):
    """A shopper wants more than the marketplace displays (or something it does not list)."""


class NotAllowed(Exception):
    """The order is not in a state for that, such as shipping a cancelled order."""


def listing_book(listing: Listing) -> dict[str, Any]:
    """A listing as JSON-ready values."""
    return {
        "key": listing.key,
        "displayed": listing.displayed,
        "closed": listing.closed,
        "by_channel": listing.by_channel,
    }


def write_book(write: Write) -> dict[str, Any]:
    """A stock write as JSON-ready values."""
    return {
        "at": stamp(write.at),
        "key": write.key,
        "before": write.before,
        "after": write.after,
        "mode": write.mode,
    }


def order_book(order: Order) -> dict[str, Any]:
    """An order with its lines as JSON-ready values."""
    return {
        "ref": order.ref,
        "placed_at": stamp(order.placed_at),
        "state": order.state,
        "by_channel": order.by_channel,
        "buyer_asked": order.buyer_asked,
        "cancelled_at": stamp(order.cancelled_at),
        "cancelled_by": order.cancelled_by,
        "cancel_code": order.cancel_code,
        "restocked": order.restocked,
        "shipped_at": stamp(order.shipped_at),
        "lines": [
            {
                "line_ref": line.line_ref,
                "key": line.key,
                "quantity": line.quantity,
                "cancelled": line.cancelled,
                "shipped": line.shipped,
                "price": line.price,
            }
            for line in order.lines
        ],
    }
