"""Amazon.co.jp by SP-API: login, orders, listings, feeds and a queue over one seller's books."""

from __future__ import annotations

from functools import partial
from typing import Any

from channels.sandbox.amazon_acknowledgement import CANCEL_REASONS
from channels.sandbox.amazon_acts import (
    PRICE_WAS_WRONG,
    adjust_rest,
    cancel_in_seller_central,
    ship_part,
)
from channels.sandbox.amazon_base import AmazonMarket, Options
from channels.sandbox.amazon_feeds import FeedsApi
from channels.sandbox.amazon_listings import ListingsApi
from channels.sandbox.amazon_orders import OrdersApi
from channels.sandbox.amazon_orders_v0 import OrdersV0Api
from channels.sandbox.amazon_queue import QueueApi
from channels.sandbox.amazon_views import lapse
from channels.sandbox.market import Services
from channels.sandbox.staff import cancel_actions
from channels.sandbox.wire import Route


def build(services: Services, **options: Any) -> AmazonMarket:
    """The marketplace with all its paths; `options` are those of `amazon_base.Options`."""
    market = AmazonMarket(services, Options(**options))
    listings = ListingsApi(market)
    market.actions = {
        "ship-part": partial(ship_part, market),
        "adjust-rest": partial(adjust_rest, market),
        "lapse": partial(lapse, market),
        **cancel_actions(
            CANCEL_REASONS | {PRICE_WAS_WRONG}, partial(cancel_in_seller_central, market)
        ),
    }
    market.routes = [
        Route(
            method="POST",
            path="/auth/o2/token",
            endpoint="token",
            run=market.login,
            open_door=True,
        ),
        *OrdersApi(market).routes(),
        *OrdersV0Api(market).routes(),
        *listings.routes(),
        *FeedsApi(market, listings).routes(),
    ]
    if market.options.queue:
        market.routes += QueueApi(market).routes()
    return market
