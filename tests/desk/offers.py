"""Orders and shops as the cost model sees them, for tests without a database."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from inventory import penalties
from inventory.desk.costs import Offer, Shop
from inventory.desk.prices import prices_of
from inventory.penalties import Standing
from inventory.vocabulary import Kind

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
LONG_AGO = NOW - timedelta(days=900)


def shop(
    channel_id: int,
    kind: Kind,
    *,
    orders: int = 0,
    counted: int = 0,
    metrics: dict[str, Any] | None = None,
    **prices: Any,
) -> Shop:
    """A shop with so many orders in its window, and so many of them counted already."""
    dated = {"as_of": "2026-11-20"}
    return Shop(
        channel_id=channel_id,
        code=kind.value,
        kind=kind,
        rules=penalties.rules_of(kind, metrics | dated if metrics else {}),
        prices=prices_of(kind, prices | dated if prices else {}),
        standing=Standing(orders=orders, counted=counted),
        known_from=LONG_AGO,
    )


def offer(order_id: int, channel_id: int, *, minutes_old: int = 0, **more: Any) -> Offer:
    """An order of one unit worth 1,000 yen that weighs, placed so many minutes ago."""
    values: dict[str, Any] = {
        "order_id": order_id,
        "channel_id": channel_id,
        "order_ref": f"o-{order_id}",
        "ordered_at": NOW - timedelta(minutes=minutes_old),
        "units": 1,
        "value_yen": 1000,
        "weighs": True,
    }
    return Offer(**(values | more))
