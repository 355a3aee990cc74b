"""Builds rows for tests; nothing is saved here (see the `save` fixture)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from factory.base import Factory
from factory.declarations import Sequence

from inventory.models import Channel, Listing, Sku, StockLevel
from inventory.vocabulary import OrderLine, OrderSeen

NOON = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


class SkuFactory(Factory[Sku]):
    """A SKU without safety stock."""

    class Meta:
        """What is built."""

        model = Sku

    code = Sequence(lambda number: f"SKU-{number}")


class ChannelFactory(Factory[Channel]):
    """A connected Rakuten shop with nothing set."""

    class Meta:
        """What is built."""

        model = Channel

    code = Sequence(lambda number: f"shop-{number}")
    kind = "rakuten"


class StockLevelFactory(Factory[StockLevel]):
    """Ten units at the first location, made behind the ledger's back: only for tests of reads."""

    class Meta:
        """What is built."""

        model = StockLevel

    location_id = 1
    on_hand = 10


class ListingFactory(Factory[Listing]):
    """A listing of which nothing is known yet."""

    class Meta:
        """What is built."""

        model = Listing

    channel_sku = Sequence(lambda number: f"channel-sku-{number}")


def order_seen(order_ref: str = "o-1", **changes: Any) -> OrderSeen:
    """An order for two units of MUG at noon, as a channel shows it."""
    values: dict[str, Any] = {
        "order_ref": order_ref,
        "ordered_at": NOON,
        "observed_at": NOON,
        "lines": (line(),),
    }
    return OrderSeen(**(values | changes))


def line(channel_sku: str = "R-MUG", quantity: int = 2, **changes: Any) -> OrderLine:
    """One line of an order."""
    values: dict[str, Any] = {"line_ref": "1", "channel_sku": channel_sku, "quantity": quantity}
    return OrderLine(**(values | changes))
