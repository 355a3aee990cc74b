"""Amazon.co.jp by SP-API: login, orders, listings and feeds over one seller's books."""

from __future__ import annotations

from typing import Any

from channels.sandbox.amazon_base import AmazonMarket, Options
from channels.sandbox.amazon_feeds import FeedsApi
from channels.sandbox.amazon_listings import ListingsApi
from channels.sandbox.amazon_orders import OrdersApi
from channels.sandbox.market import Services
from channels.sandbox.wire import Route


def build(services: Services, **options: Any) -> AmazonMarket:
    """The marketplace with all its paths; `options` are those of `amazon_base.Options`."""
    market = AmazonMarket(services, Options(**options))
    market.routes = [
        Route(
            method="POST",
            path="/auth/o2/token",
            endpoint="token",
            run=market.login,
            open_door=True,
        ),
        *OrdersApi(market).routes(),
        *ListingsApi(market).routes(),
        *FeedsApi(market).routes(),
    ]
    return market
