"""Rakuten Ichiba in the sandbox: one shop with its inventory and order APIs."""

from __future__ import annotations

from typing import Any

from channels.sandbox.market import Market, Services
from channels.sandbox.rakuten_inventory import InventoryApi
from channels.sandbox.rakuten_market import RakutenMarket, RakutenRules
from channels.sandbox.rakuten_orders import OrderApi


def build(services: Services, **options: Any) -> Market:
    """One Rakuten shop; `options` are those of `RakutenRules`."""
    market = RakutenMarket(services, RakutenRules(**options))
    market.routes = [*InventoryApi(market).routes(), *OrderApi(market).routes()]
    return market
