"""Amazon's Orders API 2026-01-01: searchOrders, which lags, and getOrder, which does not."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any
from zlib import crc32

from msgspec import Struct

from channels.sandbox.amazon_base import (
    MARKETPLACE_ID,
    AmazonMarket,
    csv,
    errors,
    moment,
    wire_time,
)
from channels.sandbox.market import Line, Order
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
PAGE_MAX = 100
TOKEN_LIFE = timedelta(hours=24)
BEFORE_AGE = timedelta(minutes=2)
TOKENS_MAX = 1000
SHIP_BY = timedelta(days=3)
CANCELLED_BY = {"buyer": "BUYER", "seller": "MERCHANT", "marketplace": "AMAZON"}
# What a page token binds; the page size and the data sets may change between pages.
BOUND = (
    "createdAfter",
    "createdBefore",
    "lastUpdatedAfter",
    "lastUpdatedBefore",
    "fulfillmentStatuses",
    "marketplaceIds",
    "fulfilledBy",
)


class Paging(Struct, kw_only=True, frozen=True):
    """Where a page token continues: the same question, seen at the same moment."""

    asked: tuple[str, ...]
    as_of: datetime
    start: int
    expires_at: datetime


class View(Struct, kw_only=True, frozen=True):
    """An order as it stood at one moment."""

    order: Order
    status: str
    updated_at: datetime
    asked: bool
    cancelled: bool
    shipped: bool


class OrdersApi:
    """The two operations, over one market's books."""

    def __init__(self, market: AmazonMarket) -> None:
        self._market = market
        self._tokens: dict[str, Paging] = {}

    def routes(self) -> list[Route]:
        """The paths of this API."""
        base = "/orders/2026-01-01/orders"
        return [self._route(base, "searchOrders"), self._route(f"{base}/{{orderId}}", "getOrder")]

    def _route(self, path: str, name: str) -> Route:
        run: dict[str, Callable[[Call], Answer]] = {
            "searchOrders": self.search,
            "getOrder": self.get,
        }
        limit = self._market.buckets[name]
        return Route(method="GET", path=path, endpoint=name, run=run[name], limits=[limit])

    def search(self, call: Call) -> Answer:
        """Orders changed or created in a window, oldest change first, a page at a time."""
        market = self._market
        market.check_marketplace(call, required=False)
        included = self._included(call)
        size = self._page_size(call)
        self._check_window(call)
        paging = self._paging(call)
        orders = list(self._matching(call, paging.as_of))
        end = paging.start + size
        body: dict[str, Any] = {
            "orders": [_shown(view, included) for view in orders[paging.start : end]]
        }
        body["createdBefore" if "createdAfter" in call.query else "lastUpdatedBefore"] = wire_time(
            paging.as_of
        )
        if end < len(orders):
            body["pagination"] = {"nextToken": self._next_token(call, paging, end)}
        return market.answer(call, body)

    def get(self, call: Call) -> Answer:
        """One order as it stands now."""
        market = self._market
        included = self._included(call)
        order = market.orders.get(call.params["orderId"])
        view = None if order is None else self.view(order, call.at)
        if view is None:
            raise market.failed(call, 404, "NotFound", "The order was not found.")
        return market.answer(call, {"order": _shown(view, included)})

    def view(self, order: Order, as_of: datetime) -> View | None:
        """The order as it stood at `as_of`; None before it was placed."""
        if order.placed_at > as_of:
            return None
        asked_at = order.extra.get("asked_at")
        pending_until = self._market.pending_until(order)
        events = [order.placed_at, pending_until, order.shipped_at, order.cancelled_at, asked_at]
        past = [event for event in events if event is not None and event <= as_of]
        cancelled = order.cancelled_at is not None and order.cancelled_at <= as_of
        shipped = order.shipped_at is not None and order.shipped_at <= as_of
        status = "UNSHIPPED" if pending_until <= as_of else "PENDING"
        if cancelled or shipped:
            status = "CANCELLED" if cancelled else "SHIPPED"
        return View(
            order=order,
            status=status,
            updated_at=max(past).replace(microsecond=0),
            asked=asked_at is not None and asked_at <= as_of,
            cancelled=cancelled,
            shipped=shipped,
        )

    def _matching(self, call: Call, as_of: datetime) -> Iterator[View]:
        query = call.query
        statuses, by = csv(query.get("fulfillmentStatuses", "")), csv(query.get("fulfilledBy", ""))
        by_update = "lastUpdatedAfter" in query
        after = _time(query.get("lastUpdatedAfter") or query.get("createdAfter"))
        before = _time(query.get("lastUpdatedBefore") or query.get("createdBefore")) or as_of
        views = [
            view
            for order in self._market.visible_orders(call.endpoint)
            if (view := self.view(order, as_of)) is not None
        ]
        for view in sorted(views, key=lambda view: (view.updated_at, view.order.ref)):
            at = view.updated_at if by_update else view.order.placed_at.replace(microsecond=0)
            if (
                (after is None or after <= at <= before)
                and (not statuses or view.status in statuses)
                and (not by or _fulfilled_by(view.order) in by)
            ):
                yield view

    def _included(self, call: Call) -> frozenset[str]:
        included = frozenset(csv(call.query.get("includedData", "")))
        if not included <= INCLUDED:
            raise self._market.wrong(call, f"includedData knows {sorted(INCLUDED)}.")
        if included & ROLE_NEEDED:
            raise Refused(errors(403, "Unauthorized", "Access to buyer data is denied."))
        return included

    def _page_size(self, call: Call) -> int:
        text = call.query.get("maxResultsPerPage", str(PAGE_MAX))
        if not text.isdecimal() or not 1 <= int(text) <= PAGE_MAX:
            raise self._market.wrong(call, f"maxResultsPerPage is from 1 to {PAGE_MAX}.")
        return int(text)

    def _check_window(self, call: Call) -> None:
        query, wrong = call.query, self._market.wrong
        if ("createdAfter" in query) == ("lastUpdatedAfter" in query):
            raise wrong(call, "Give exactly one of createdAfter and lastUpdatedAfter.")
        kind, other = ("created", "lastUpdated")
        if "lastUpdatedAfter" in query:
            kind, other = other, kind
        if f"{other}Before" in query:
            raise wrong(call, f"{other}Before does not go with {kind}After.")
        after = moment(query[f"{kind}After"])
        if after is None:
            raise wrong(call, f"{kind}After must be an ISO 8601 time.")
        if f"{kind}Before" in query:
            before = moment(query[f"{kind}Before"])
            if before is None or not after <= before <= call.at - BEFORE_AGE:
                raise wrong(call, f"{kind}Before must be a time at least two minutes ago.")

    def _paging(self, call: Call) -> Paging:
        asked = _asked(call)
        lag = timedelta(seconds=self._market.options.search_lag_s)
        fresh = Paging(
            asked=asked,
            as_of=(call.at - lag).replace(microsecond=0),
            start=0,
            expires_at=call.at + TOKEN_LIFE,
        )
        text = call.query.get("paginationToken")
        if text is None:
            return fresh
        known = self._tokens.get(text)
        if known is None or known.asked != asked or known.expires_at < call.at:
            raise self._market.wrong(call, "paginationToken is invalid or has expired.")
        return known

    def _next_token(self, call: Call, paging: Paging, start: int) -> str:
        if len(self._tokens) >= TOKENS_MAX:
            self._tokens.pop(next(iter(self._tokens)))
        text = self._market.secret(40)
        self._tokens[text] = Paging(
            asked=_asked(call),
            as_of=paging.as_of,
            start=start,
            expires_at=call.at + TOKEN_LIFE,
        )
        return text


def _asked(call: Call) -> tuple[str, ...]:
    return tuple(call.query.get(name, "") for name in BOUND)


def _time(text: str | None) -> datetime | None:
    return moment(text) if text else None


def _fulfilled_by(order: Order) -> str:
    return "AMAZON" if order.by_channel else "MERCHANT"


def _shown(view: View, included: frozenset[str]) -> dict[str, Any]:
    order = view.order
    body: dict[str, Any] = {
        "orderId": order.ref,
        "createdTime": wire_time(order.placed_at),
        "lastUpdatedTime": wire_time(view.updated_at),
        "salesChannel": {
            "channelName": "AMAZON",
            "marketplaceId": MARKETPLACE_ID,
            "marketplaceName": "Amazon.co.jp",
        },
        "orderItems": [_item(line, view, included) for line in order.lines],
    }
    if "FULFILLMENT" in included:
        body["fulfillment"] = {
            "fulfillmentStatus": view.status,
            "fulfilledBy": _fulfilled_by(order),
            "shipByWindow": {
                "earliestDateTime": wire_time(order.placed_at),
                "latestDateTime": wire_time(order.placed_at + SHIP_BY),
            },
        }
    return body


def _item(line: Line, view: View, included: frozenset[str]) -> dict[str, Any]:
    product: dict[str, Any] = {"asin": f"B0{crc32(line.key.encode()):08X}"}
    product["sellerSku"] = line.key
    if view.status != "PENDING":
        product["price"] = {"unitPrice": {"amount": str(line.price), "currencyCode": "JPY"}}
    body: dict[str, Any] = {
        "orderItemId": line.line_ref,
        "quantityOrdered": line.quantity,
        "product": product,
    }
    if "FULFILLMENT" in included:
        shipped = line.shipped if view.shipped else 0
        open_units = 0 if view.cancelled else line.quantity - shipped
        body["fulfillment"] = {"quantityFulfilled": shipped, "quantityUnfulfilled": open_units}
    if "CANCELLATION" in included and (cancellation := _cancellation(view)):
        body["cancellation"] = cancellation
    return body


def _cancellation(view: View) -> dict[str, Any]:
    body: dict[str, Any] = {}
    if view.asked:
        body["cancellationRequest"] = {"requester": "BUYER", "cancelReason": "Ordered by mistake"}
    if view.cancelled:
        body["cancellationExecution"] = {
            "cancelledBy": CANCELLED_BY[view.order.cancelled_by or "marketplace"],
            "cancelReason": view.order.cancel_code or "",
        }
    return body
