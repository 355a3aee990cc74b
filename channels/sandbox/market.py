"""A marketplace's own books: what it displays, its orders, and every write it has accepted.

How a marketplace is added: a module with `build(services, **options) -> Market`, where the market
is a subclass of `Market` that sets `kind`, fills `self.routes` (see `wire.Route`), `self.limits`,
`credentials` and `settings` in its `__init__`, and overrides `refuse`, `authorize` and the hooks.
`server.MARKETS` lists the builders. In a `settings` text, `{base_url}` becomes the marketplace's
address. Everything runs on one event loop and handlers are plain functions, so nothing is locked.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from channels.sandbox import lists, records
from channels.sandbox.hooks import Hooks
from channels.sandbox.limits import Limit
from channels.sandbox.records import Line, Listing, NotAllowed, NotDisplayed, Order, Write
from channels.sandbox.services import Services
from channels.sandbox.wire import Answer, Call, Refusal, Route

__all__ = [
    "Line",
    "Listing",
    "Market",
    "NotAllowed",
    "NotDisplayed",
    "Order",
    "Services",
    "Write",
]


class Market(ABC):
    """One marketplace; see the module's first lines for how to build on it.

    Units never change but through `place`, `set_displayed`, `add_displayed` and `cancel`.
    """

    kind = ""
    visible_after_s = 1.0
    restocks_on_buyer_cancel = False
    buyer_cancel_code: str | None = None
    marketplace_cancel_code: str | None = None

    def __init__(self, services: Services) -> None:
        self.clock = services.clock
        self.faults = services.faults
        self.rng = services.rng
        self.listings: dict[str, Listing] = {}
        self.orders: dict[str, Order] = {}
        self.writes: list[Write] = []
        self.limits: list[Limit] = []
        self.routes: list[Route] = []
        self.credentials: dict[str, Any] = {}
        self.settings: dict[str, Any] = {}
        self.hooks: Hooks | None = None
        # What staff can do to an order beside shipping and cancelling it: name → what it does.
        self.actions: Mapping[str, Callable[[str], Order]] = {}
        # While true, writes and cancellations are accepted and do nothing (a fault).
        self.ignoring = False

    # What a marketplace's module overrides.

    def new_ref(self, placed_at: datetime) -> str:
        """The next order number."""
        return f"{self.kind}-{placed_at:%Y%m%d}-{len(self.orders) + 1:06d}"

    def new_line_ref(self, order_ref: str, position: int) -> str:
        """The reference of the `position`-th line (from 1) of a new order."""
        del order_ref
        return str(position)

    def initial_status(self) -> Any:
        """The status of an order just placed."""
        return "live"

    def on_place(self, order: Order) -> None:
        """Called once the order stands in the books."""
        del order

    def on_ship(self, order: Order) -> None:
        """Called once the order is marked shipped."""
        del order

    def on_cancel(self, order: Order) -> None:
        """Called once the order is marked cancelled."""
        del order

    def on_listing(self, listing: Listing) -> None:
        """Called for every new listing."""
        del listing

    def check_key(self, key: str) -> None:
        """Raise ValueError when the text cannot be a listing's key on this marketplace."""
        if not key:
            raise ValueError("a listing needs a key")

    @abstractmethod
    def refuse(self, refusal: Refusal, endpoint: str) -> Answer:
        """The marketplace's own words for a call that its front door turns away."""

    @abstractmethod
    def authorize(self, call: Call) -> Answer | None:
        """None for good credentials, else the marketplace's refusal."""

    async def aclose(self) -> None:
        """Stop sending webhooks: the sandbox ends."""
        if self.hooks is not None:
            await self.hooks.aclose()

    # Listings.

    def list_item(
        self, key: str, quantity: int, *, price: int = 1000, by_channel: bool = False
    ) -> Listing:
        """Put a listing up (or put it up anew). Raises ValueError for an impossible key."""
        self.check_key(key)
        now = self.clock.now()
        listing = Listing(
            key=key,
            displayed=quantity,
            price=price,
            by_channel=by_channel,
            changed_at=now,
            created_at=now,
        )
        self.listings[key] = listing
        self.on_listing(listing)
        return listing

    def set_displayed(self, key: str, quantity: int, mode: str = "absolute") -> None:
        """Write an absolute number. Raises KeyError for an unknown listing."""
        listing = self.listings[key]
        if self.ignoring:
            return
        now = self.clock.now()
        self.writes.append(
            Write(at=now, key=key, before=listing.displayed, after=quantity, mode=mode)
        )
        listing.displayed = quantity
        listing.changed_at = now

    def add_displayed(self, key: str, delta: int, mode: str = "relative") -> None:
        """Add to the number shown; the caller checks the marketplace's bounds first."""
        self.set_displayed(key, self.listings[key].displayed + delta, mode)

    # Orders.

    def place(
        self,
        lines: Sequence[tuple[str, int]],
        at: datetime | None = None,
        *,
        by_channel: bool = False,
    ) -> Order:
        """A shopper buys (key, units) pairs; the number shown falls at once, as on the real ones.

        Raises NotDisplayed, with nothing changed, when any line wants more than is displayed.
        """
        wanted = self._basket(lines)
        placed_at = at or self.clock.now()
        ref = self.new_ref(placed_at)
        order = Order(
            ref=ref,
            placed_at=placed_at,
            changed_at=placed_at,
            by_channel=by_channel or all(self.listings[key].by_channel for key in wanted),
            status=self.initial_status(),
            lines=[
                Line(
                    line_ref=self.new_line_ref(ref, position),
                    key=key,
                    quantity=quantity,
                    price=self.listings[key].price,
                )
                for position, (key, quantity) in enumerate(wanted.items(), start=1)
            ],
        )
        for key, quantity in wanted.items():
            self.listings[key].displayed -= quantity
            self.listings[key].changed_at = placed_at
        self.orders[ref] = order
        self.on_place(order)
        return order

    def _basket(self, lines: Sequence[tuple[str, int]]) -> dict[str, int]:
        wanted: dict[str, int] = {}
        for key, quantity in lines:
            wanted[key] = wanted.get(key, 0) + quantity
        for key, quantity in wanted.items():
            listing = self.listings.get(key)
            if listing is None or quantity < 1 or listing.buyable < quantity:
                raise NotDisplayed(f"{self.kind}: {quantity} of {key} are not displayed")
        if not wanted:
            raise NotDisplayed(f"{self.kind}: an empty basket")
        return wanted

    def cancel(self, ref: str, *, by: str, code: str | None, restock: bool = False) -> Order:
        """End a live or shipped order; `by` is buyer, seller or marketplace.

        `restock` puts the units not yet shipped back on display. Raises NotAllowed when it is
        cancelled already, KeyError when there is no such order.
        """
        order = self.orders[ref]
        if order.cancelled_at is not None:
            raise NotAllowed(f"{ref} is cancelled already")
        if self.ignoring:
            return order
        order.cancelled_at = order.changed_at = self.clock.now()
        order.cancelled_by, order.cancel_code, order.restocked = by, code, restock
        for line in order.lines:
            ended = line.quantity - line.cancelled - line.shipped
            line.cancelled += ended
            if restock and ended and line.key in self.listings:
                self.add_displayed(line.key, ended, "order-restock")
        self.on_cancel(order)
        return order

    def ship(self, ref: str) -> Order:
        """The store's staff mark the whole order as shipped on the marketplace's own screen.

        Raises NotAllowed unless the order is live, KeyError when there is no such order.
        """
        order = self.orders[ref]
        if order.state != "live":
            raise NotAllowed(f"{ref} is {order.state}")
        order.shipped_at = order.changed_at = self.clock.now()
        for line in order.lines:
            line.shipped = line.quantity - line.cancelled
        self.on_ship(order)
        return order

    def buyer_cancel(self, ref: str) -> Order:
        """The buyer cancels by the marketplace's own button."""
        self._needs_live(ref)
        return self.cancel(
            ref,
            by="buyer",
            code=self.buyer_cancel_code,
            restock=self.restocks_on_buyer_cancel,
        )

    def marketplace_cancel(self, ref: str) -> Order:
        """The marketplace itself ends the order (payment failed, fraud)."""
        self._needs_live(ref)
        return self.cancel(
            ref,
            by="marketplace",
            code=self.marketplace_cancel_code,
            restock=self.restocks_on_buyer_cancel,
        )

    def ask_cancel(self, ref: str) -> Order:
        """The buyer asks the shop to cancel; only the shop can then do it."""
        self._needs_live(ref)
        order = self.orders[ref]
        order.buyer_asked = True
        order.changed_at = self.clock.now()
        return order

    def visible_orders(self, endpoint: str) -> list[Order]:
        """Orders that can be seen now, oldest first (see `lists.visible`)."""
        return lists.visible(self, endpoint)

    def _needs_live(self, ref: str) -> None:
        if self.orders[ref].state != "live":
            raise NotAllowed(f"{ref} is {self.orders[ref].state}")

    # Books.

    def books(self) -> dict[str, Any]:
        """Everything this marketplace knows, as JSON-ready values."""
        return {
            "listings": [records.listing_book(listing) for listing in self.listings.values()],
            "orders": [records.order_book(order) for order in self.orders.values()],
            "writes": [records.write_book(write) for write in self.writes],
            "calls": self.calls(),
        }

    def calls(self) -> dict[str, dict[str, int]]:
        """Per limit: calls (or points) used and permitted since the start, and calls refused."""
        tick = self.clock.tick()
        return {
            limit.name: {
                "used": limit.used,
                "refused": limit.refused,
                "permitted": limit.permitted(tick),
            }
            for limit in self.limits
        }
