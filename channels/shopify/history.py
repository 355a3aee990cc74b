"""Past orders of a Shopify shop, for the metrics only."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from channels.base import History
from channels.shopify import documents, mapping, wire
from channels.shopify.client import ShopifyClient
from channels.shopify.orders import Orders
from channels.shopify.settings import ShopifySettings
from inventory.vocabulary import OrderSeen


class Cursor(msgspec.Struct, frozen=True, kw_only=True):
    """Where the list goes on; `asked_at` is when its first page was asked for."""

    after: str
    asked_at: datetime


class Past:
    """One shop's past orders, oldest first."""

    def __init__(self, client: ShopifyClient, settings: ShopifySettings, orders: Orders) -> None:
        self._client = client
        self._settings = settings
        self._orders = orders

    async def read(self, cursor: dict[str, Any], *, since: datetime) -> History:
        """The next few orders placed since.

        Shopify leaves out orders older than about 60 days (the figure is UNCONFIRMED) unless the
        app has the scope `read_all_orders`; it does not say so. Orders that cannot be read are
        left out: the pull parks those that still matter.
        """
        at = msgspec.convert(cursor, Cursor) if cursor else None
        observed_at = datetime.now(UTC)
        asked_at = at.asked_at if at else observed_at
        answer = await self._client.ask(
            documents.HISTORY,
            wire.OrdersAnswer,
            points=documents.HISTORY_POINTS,
            query=f"created_at:>='{since.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}'",
            after=at.after if at else None,
        )
        found: list[OrderSeen] = []
        for payload in answer.orders.nodes:
            try:
                order = await self._orders.seen(payload, observed_at)
            except mapping.Unreadable:
                continue
            if order is not None:
                found.append(order)
        page = answer.orders.page_info
        if page.has_next_page and page.end_cursor is not None:
            following = msgspec.to_builtins(Cursor(after=page.end_cursor, asked_at=asked_at))
            until = found[-1].ordered_at if found else since
            return History(orders=tuple(found), cursor=following, until=until)
        lag = timedelta(seconds=self._settings.order_visible_lag_seconds)
        return History(orders=tuple(found), cursor=None, until=max(asked_at - lag, since))
