"""A shop in memory behind the adapters' port: what it says of itself, its listings, its orders."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from channels.base import Adapter, Cancels, Capabilities, Discovered, History, Pulled, Write
from inventory.vocabulary import (
    CancelRequest,
    CancelState,
    Kind,
    ListingSeen,
    OrderSeen,
    PushOutcome,
    PushStatus,
    QuantityPush,
    Reading,
    Standing,
)
from tests.conftest import HandClock


class Plenty:
    """Budgets that never end."""

    async def fill(self) -> None:
        """They are full."""

    def burst(self, _: str) -> int:
        """One call at a time."""
        return 1


class FakeShop(Adapter):
    """A shop as its marketplace holds it. `errors` are raised by the next calls, one each."""

    def __init__(self, clock: HandClock) -> None:
        self.clock = clock
        self.says = Standing(account="my-shop")
        self.listings: list[ListingSeen] = []
        self.page_size = 2
        self.open_orders: list[OrderSeen] = []
        self.past: list[OrderSeen] = []
        self.errors: list[Exception] = []
        self.keeps: dict[str, str] = {}
        self.shown: dict[str, int] = {}
        self.pulls_until_complete = 1
        self.means: Any = None

    def build(self, **given: Any) -> FakeShop:
        """The adapter, as the registry makes it."""
        self.means = given["means"]
        return self

    @property
    def capabilities(self) -> Capabilities:
        """An absolute channel that can tell what it has."""
        return Capabilities(
            kind=Kind.RAKUTEN,
            write=Write.ABSOLUTE,
            writes=frozenset({Write.ABSOLUTE}),
            push_batch_max=100,
            read_batch_max=100,
            pull_seconds=0.0,
            pull_seconds_quiet=0.0,
            pull_endpoint="orders",
            cancels=Cancels.WHOLE,
            discovers=True,
        )

    @property
    def budgets(self) -> Any:
        """As many calls as one likes."""
        return Plenty()

    def _raise(self) -> None:
        if self.errors:
            raise self.errors.pop(0)

    async def standing(self) -> Standing:
        """What it says; tokens that it hands out are kept."""
        self._raise()
        for name, text in self.keeps.items():
            await self.means.keep.put(name, text)
        return self.says

    async def discover(self, cursor: dict[str, Any]) -> Discovered:
        """Some listings."""
        self._raise()
        start = cursor.get("start", 0)
        end = start + self.page_size
        return Discovered(
            listings=tuple(self.listings[start:end]),
            cursor={"start": end} if end < len(self.listings) else None,
            total=len(self.listings),
        )

    async def read_history(self, cursor: dict[str, Any], *, since: datetime) -> History:
        """Some past orders, oldest first."""
        self._raise()
        start = cursor.get("start", 0)
        end = start + self.page_size
        orders = [order for order in self.past if order.ordered_at >= since]
        found = tuple(orders[start:end])
        more = end < len(orders)
        until = found[-1].ordered_at if more else self.clock.now()
        return History(orders=found, cursor={"start": end} if more else None, until=until)

    async def pull_orders(self, cursor: dict[str, Any], *, seen: Mapping[str, str]) -> Pulled:
        """The open orders, complete after some pulls."""
        self._raise()
        self.pulls_until_complete -= 1
        now = self.clock.now()
        complete = self.pulls_until_complete <= 0
        return Pulled(
            orders=tuple(self.open_orders),
            cursor={"seen": len(seen)},
            watermark=now if complete else now - timedelta(days=14),
        )

    async def read_stock(self, channel_skus: Sequence[str]) -> list[Reading]:
        """What it shows."""
        return [Reading(channel_sku=sku, quantity=self.shown.get(sku)) for sku in channel_skus]

    async def push_quantities(self, pushes: Sequence[QuantityPush]) -> list[PushOutcome]:
        """It shows what it is told."""
        self.shown |= {push.channel_sku: push.quantity for push in pushes}
        done = PushStatus.ACCEPTED
        return [PushOutcome(channel_sku=push.channel_sku, status=done) for push in pushes]

    async def read_order(self, order_ref: str) -> OrderSeen | None:
        """An open order."""
        return next((each for each in self.open_orders if each.order_ref == order_ref), None)

    async def cancel_order(self, request: CancelRequest) -> str:
        """Nobody asks a shop that is only looked at."""
        raise AssertionError(request)

    async def cancel_state(self, order_ref: str, reference: str) -> CancelState:
        """See `cancel_order`."""
        raise AssertionError(order_ref, reference)

    async def aclose(self) -> None:
        """Nothing to close."""
