"""Yahoo! Shopping in the sandbox: one store with its token address, stock and order APIs."""

from __future__ import annotations

from typing import Any

import msgspec

from channels.sandbox.market import Market, Services
from channels.sandbox.staff import cancel_actions
from channels.sandbox.yahoo_changes import KNOWN_REASONS, ChangeApi
from channels.sandbox.yahoo_files import FileApi
from channels.sandbox.yahoo_market import YahooMarket
from channels.sandbox.yahoo_orders import OrderApi
from channels.sandbox.yahoo_rules import YahooRules
from channels.sandbox.yahoo_stock import StockApi


def build(services: Services, **options: Any) -> Market:
    """One Yahoo! store; `options` are those of `YahooRules`."""
    market = YahooMarket(services, msgspec.convert(options, YahooRules))
    changes = ChangeApi(market)
    market.actions = {**market.actions, **cancel_actions(KNOWN_REASONS, changes.cancel_on_screen)}
    market.routes = [
        *market.door.routes(),
        *StockApi(market).routes(),
        *FileApi(market).routes(),
        *OrderApi(market).routes(),
        *changes.routes(),
    ]
    return market
