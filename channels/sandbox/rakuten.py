"""Rakuten Ichiba in the sandbox: one shop with its inventory, order, item and license APIs."""

from __future__ import annotations

from typing import Any

import msgspec

from channels.sandbox.market import Market, Services
from channels.sandbox.rakuten_inventory import InventoryApi
from channels.sandbox.rakuten_items import ShopApi
from channels.sandbox.rakuten_market import RakutenMarket, RakutenRules
from channels.sandbox.rakuten_orders import OrderApi


def build(services: Services, **options: Any) -> Market:
    """One Rakuten shop; `options` are those of `RakutenRules`."""
    market = RakutenMarket(services, msgspec.convert(options, RakutenRules))
    market.routes = [
        *InventoryApi(market).routes(),
        *OrderApi(market).routes(),
        *ShopApi(market).routes(),
    ]
    return market
