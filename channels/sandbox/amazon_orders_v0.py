"""Amazon's Orders API v0: orders without items, items by a call of their own; gone in 2027."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from channels.sandbox.amazon_base import AmazonMarket, csv, wire_time
from channels.sandbox.amazon_search import Asked, Search
from channels.sandbox.amazon_views import STATUS_V0, View, item_v0, shown_v0, view
from channels.sandbox.wire import Answer, Call, Route

WINDOW = {
    "CreatedAfter": "createdAfter",
    "CreatedBefore": "createdBefore",
    "LastUpdatedAfter": "lastUpdatedAfter",
    "LastUpdatedBefore": "lastUpdatedBefore",
}
CHANNELS = {"AFN": "AMAZON", "MFN": "MERCHANT"}
ITEMS_PAGE = 100


class OrdersV0Api:
    """The three reading operations that stock needs."""

    def __init__(self, market: AmazonMarket) -> None:
        self._market = market
        self._search = Search(market)

    def routes(self) -> list[Route]:
        """The paths of this API."""
        base = "/orders/v0/orders"
        order = f"{base}/{{orderId}}"
        return [
            self._route(base, "getOrdersV0", self.search),
            self._route(order, "getOrderV0", self.get),
            self._route(f"{order}/orderItems", "getOrderItemsV0", self.items),
        ]

    def _route(self, path: str, name: str, run: Callable[[Call], Answer]) -> Route:
        limit = self._market.buckets[name]
        return Route(method="GET", path=path, endpoint=name, run=run, limits=[limit])

    def search(self, call: Call) -> Answer:
        """Orders changed or created in a window, without their items."""
        market, query = self._market, call.query
        if market.settings["marketplace_id"] not in csv(query.get("MarketplaceIds", "")):
            raise market.wrong(call, "MarketplaceIds must name a marketplace of this seller.")
        names = {theirs: ours for ours, theirs in STATUS_V0.items()}
        asked = Asked(
            window={name: query[given] for given, name in WINDOW.items() if given in query},
            statuses=tuple(names.get(one, one) for one in csv(query.get("OrderStatuses", ""))),
            by=tuple(CHANNELS.get(one, one) for one in csv(query.get("FulfillmentChannels", ""))),
            size=query.get("MaxResultsPerPage", ""),
            token=query.get("NextToken"),
        )
        found = self._search.page(call, asked)
        payload: dict[str, Any] = {"Orders": [shown_v0(seen) for seen in found.views]}
        before = "CreatedBefore" if found.created else "LastUpdatedBefore"
        payload[before] = wire_time(found.as_of)
        if found.next_token is not None:
            payload["NextToken"] = found.next_token
        return market.answer(call, {"payload": payload})

    def get(self, call: Call) -> Answer:
        """One order as it stands now, without its items."""
        return self._market.answer(call, {"payload": shown_v0(self._seen(call))})

    def items(self, call: Call) -> Answer:
        """The items of one order."""
        seen = self._seen(call)
        given = call.query.get("NextToken", "0")
        if not given.isdecimal():
            raise self._market.wrong(call, "NextToken is invalid.")
        lines = seen.order.lines[int(given) : int(given) + ITEMS_PAGE]
        payload: dict[str, Any] = {
            "AmazonOrderId": seen.order.ref,
            "OrderItems": [item_v0(line, seen) for line in lines],
        }
        if int(given) + ITEMS_PAGE < len(seen.order.lines):
            payload["NextToken"] = str(int(given) + ITEMS_PAGE)
        return self._market.answer(call, {"payload": payload})

    def _seen(self, call: Call) -> View:
        order = self._market.orders.get(call.params["orderId"])
        seen = None if order is None else view(self._market, order, call.at)
        if seen is None:
            raise self._market.failed(call, 404, "NotFound", "The order was not found.")
        return seen
