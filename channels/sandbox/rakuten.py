"""Rakuten Ichiba in the sandbox: one shop with its inventory, order, item and license APIs."""

from __future__ import annotations

from functools import partial
from typing import Any

import msgspec

from channels.sandbox.market import Market, NotAllowed, Order, Services
from channels.sandbox.rakuten_inventory import InventoryApi
from channels.sandbox.rakuten_items import ShopApi
from channels.sandbox.rakuten_market import CANCELLABLE, SHIPPED, RakutenMarket, RakutenRules
from channels.sandbox.rakuten_models import CUSTOMER_REASONS, SHOP_REASONS
from channels.sandbox.rakuten_orders import OrderApi
from channels.sandbox.staff import cancel_actions


def build(services: Services, **options: Any) -> Market:
    """One Rakuten shop; `options` are those of `RakutenRules`."""
    market = RakutenMarket(services, msgspec.convert(options, RakutenRules))
    market.routes = [
        *InventoryApi(market).routes(),
        *OrderApi(market).routes(),
        *ShopApi(market).routes(),
    ]
    codes = map(str, CUSTOMER_REASONS | SHOP_REASONS)
    market.actions = {**market.actions, **cancel_actions(codes, partial(_cancel_in_rms, market))}
    return market


def _cancel_in_rms(market: RakutenMarket, ref: str, *, code: str) -> Order:
    """Staff end an order in RMS, shipped or not; reasons of the customer's make it the buyer's.

    As inventoryRestoreType 2: nothing goes back on sale. Raises NotAllowed in any other state.
    """
    order = market.orders[ref]
    if market.progress(order) not in CANCELLABLE | {SHIPPED}:
        raise NotAllowed(f"{ref} is in {market.progress(order)}")
    by = "buyer" if int(code) in CUSTOMER_REASONS else "seller"
    return market.cancel(ref, by=by, code=code)
