"""Yahoo! Shopping in the sandbox: one store with its token address, stock and order APIs."""

from __future__ import annotations

from typing import Any

from channels.sandbox.market import Market, Services
from channels.sandbox.yahoo_market import YahooMarket, YahooRules
from channels.sandbox.yahoo_orders import OrderApi
from channels.sandbox.yahoo_stock import StockApi


def build(services: Services, **options: Any) -> Market:
    """One Yahoo! store; `options` are those of `YahooRules`."""
    market = YahooMarket(services, YahooRules(**options))
    market.routes = [
        market.token_route(),
        *StockApi(market).routes(),
        *OrderApi(market).routes(),
    ]
    return market
