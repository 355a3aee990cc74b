"""Amazon's Orders API 2026-01-01: searchOrders, which lags, getOrder, and perhaps cancelOrder."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from channels.sandbox.amazon_acts import cancel_by_seller, objection_to_cancel
from channels.sandbox.amazon_base import AmazonMarket, csv, errors, json_body, wire_time
from channels.sandbox.amazon_search import Asked, Search
from channels.sandbox.amazon_views import shown, view
from channels.sandbox.wire import Answer, Call, Refused, Route

INCLUDED = frozenset(
    [
        "BUYER",
        "RECIPIENT",
        "PROCEEDS",
        "EXPENSE",
        "PROMOTION",
        "CANCELLATION",
        "FULFILLMENT",
        "PACKAGES",
        "TAX",
        "PAYMENT",
        "FULFILLMENT_ORDERS",
    ]
)
# This seller's app has no role for buyers' data: asking for it is refused, not left out.
ROLE_NEEDED = frozenset({"BUYER", "RECIPIENT"})
WINDOW = ("createdAfter", "createdBefore", "lastUpdatedAfter", "lastUpdatedBefore")
CANCEL_CODES = {
    "NO_INVENTORY": "NoInventory",
    "BUYER_CANCELLED": "BuyerCanceled",
    "SHIPPING_ADDRESS_UNDELIVERABLE": "ShippingAddressUndeliverable",
    "CUSTOMER_EXCHANGE": "CustomerExchange",
    "PRICING_ERROR": "GeneralAdjustment",
}


class OrdersApi:
    """The operations, over one market's books. `rest_cancel` says whether cancelOrder is there."""

    def __init__(self, market: AmazonMarket) -> None:
        self._market = market
        self._search = Search(market)

    def routes(self) -> list[Route]:
        """The paths of this API."""
        base = "/orders/2026-01-01/orders"
        routes = [
            self._route("GET", base, "searchOrders", self.search),
            self._route("GET", f"{base}/{{orderId}}", "getOrder", self.get),
        ]
        if self._market.options.rest_cancel:
            path = f"{base}/{{orderId}}/cancellation"
            routes.append(self._route("PUT", path, "cancelOrder", self.cancel))
        return routes

    def _route(self, method: str, path: str, name: str, run: Callable[[Call], Answer]) -> Route:
        limit = self._market.buckets[name]
        return Route(method=method, path=path, endpoint=name, run=run, limits=[limit])

    def search(self, call: Call) -> Answer:
        """Orders changed or created in a window, oldest change first, a page at a time."""
        market, query = self._market, call.query
        market.check_marketplace(call, required=False)
        included = self._included(call)
        asked = Asked(
            window={name: query[name] for name in WINDOW if name in query},
            statuses=tuple(csv(query.get("fulfillmentStatuses", ""))),
            by=tuple(csv(query.get("fulfilledBy", ""))),
            size=query.get("maxResultsPerPage", ""),
            token=query.get("paginationToken"),
        )
        found = self._search.page(call, asked)
        body: dict[str, Any] = {"orders": [shown(seen, included) for seen in found.views]}
        before = "createdBefore" if found.created else "lastUpdatedBefore"
        body[before] = wire_time(found.as_of)
        if found.next_token is not None:
            body["pagination"] = {"nextToken": found.next_token}
        return market.answer(call, body)

    def get(self, call: Call) -> Answer:
        """One order as it stands now."""
        market = self._market
        included = self._included(call)
        order = market.orders.get(call.params["orderId"])
        seen = None if order is None else view(market, order, call.at)
        if seen is None:
            raise market.failed(call, 404, "NotFound", "The order was not found.")
        return market.answer(call, {"order": shown(seen, included)})

    def cancel(self, call: Call) -> Answer:
        """Give a whole order up: 202 without a body, or a 400 that says why not."""
        market = self._market
        reason = CANCEL_CODES.get(str(json_body(market, call).get("cancelReasonCode")))
        if reason is None:
            raise market.wrong(call, f"cancelReasonCode is one of {sorted(CANCEL_CODES)}.")
        order = market.orders.get(call.params["orderId"])
        if order is None:
            raise market.failed(call, 404, "NotFound", "The order was not found.")
        objection = objection_to_cancel(market, order)
        if objection is not None:
            raise market.wrong(call, objection)
        cancel_by_seller(market, order.ref, reason)
        answer = market.answer(call, None, status=202)
        answer.body = b""
        return answer

    def _included(self, call: Call) -> frozenset[str]:
        included = frozenset(csv(call.query.get("includedData", "")))
        if not included <= INCLUDED:
            raise self._market.wrong(call, f"includedData knows {sorted(INCLUDED)}.")
        if included & ROLE_NEEDED:
            raise Refused(errors(403, "Unauthorized", "Access to buyer data is denied."))
        return included
