"""What each marketplace's limits allow, as the sandbox keeps them."""

from __future__ import annotations

import math
from collections.abc import Mapping

from msgspec import Struct


class Bound(Struct, frozen=True, kw_only=True):
    """The two limits of a kind that decide: where numbers are written, and where orders come in.

    Limits are named as in the sandbox's books, `per_second` is calls or points. `numbers_each` go
    in one call (or point), `batch` in a request at most, `orders_each` come with one.
    `listings` are pushed in a measurement: more than half a minute of what the limit allows.
    `push_saved` and `intake_saved` are calls (or points) that a limit lets one save up.
    `reads_again`: a resync reads what is there and writes only what differs.
    """

    push_limit: str
    push_per_second: float
    numbers_each: float
    batch: int
    listings: int
    push_saved: float = 0.0
    reads_again: bool = False
    intake_limit: str
    intake_per_second: float
    orders_each: float
    intake_saved: float = 0.0

    @property
    def numbers_per_second(self) -> float:
        """The most numbers that can be written in the long run."""
        return self.push_per_second * self.numbers_each

    @property
    def orders_per_second(self) -> float:
        """The most orders that can come in in the long run."""
        return self.intake_per_second * self.orders_each

    def push_seconds(self, listings: int) -> float:
        """How long writing so many numbers takes at least."""
        return math.ceil(listings / self.numbers_each) / self.push_per_second

    def drain_seconds(self, orders: float, *, saved: float) -> float:
        """How long reading so many orders takes at least, with calls (or points) saved up."""
        return max(orders / self.orders_each - saved, 0.0) / self.intake_per_second


BOUNDS: Mapping[str, Bound] = {
    # searchOrder and getOrder share one call a second: of a thousand orders a page of numbers,
    # then ten calls of a hundred orders.
    "rakuten": Bound(
        push_limit="bulk-upsert",
        push_per_second=1.0,
        numbers_each=400,
        batch=400,
        listings=20_000,
        intake_limit="order",
        intake_per_second=1.0,
        orders_each=1000 / 11,
    ),
    # orderInfo tells of one order.
    "yahoo": Bound(
        push_limit="setStock",
        push_per_second=1.0,
        numbers_each=1000,
        batch=1000,
        listings=40_000,
        intake_limit="orderInfo",
        intake_per_second=1.0,
        orders_each=1,
    ),
    # searchOrders tells of a hundred orders, once in three minutes; twenty calls can be saved up.
    "amazon": Bound(
        push_limit="patchListingsItem",
        push_per_second=5.0,
        numbers_each=1,
        batch=20,
        listings=300,
        push_saved=5,
        intake_limit="searchOrders",
        intake_per_second=0.0056,
        orders_each=100,
        intake_saved=20,
    ),
    # A number is a mutation of ten points. An order with one line is one point in the list and
    # five when it is read.
    "shopify": Bound(
        push_limit="graphql",
        push_per_second=100.0,
        numbers_each=0.1,
        batch=25,
        listings=500,
        push_saved=1000,
        reads_again=True,
        intake_limit="graphql",
        intake_per_second=100.0,
        orders_each=1 / 6,
        intake_saved=1000,
    ),
}
KINDS = tuple(BOUNDS)
