"""RMS RakutenPayOrderAPI and PurchaseItemAPI 2.0: search, read and cancel one shop's orders."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import msgspec

from channels.sandbox import lists
from channels.sandbox.market import NotAllowed, Order
from channels.sandbox.rakuten_market import (
    CANCEL_PENDING,
    CANCELLABLE,
    SHIPPED,
    RakutenMarket,
    json_body,
)
from channels.sandbox.rakuten_models import (
    CUSTOMER_REASONS,
    SHOP_REASONS,
    full_order,
    lean_order,
)
from channels.sandbox.wire import Answer, Call, Refused, Route

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+0900")
PAGE_MAX = 1000
PAGE_DEFAULT = 30
SPAN_DAYS_MAX = 63
DAYS_BACK_MAX = 730
READ_MAX = 100
VERSIONS = range(3, 11)
DATE_TYPES = range(1, 7)
SHIPPED_DATE, REPORT_DATE = 4, 5
PROGRESS = frozenset(range(100, 1000, 100))
RESTORE_SETTING, RESTORE_YES, RESTORE_NO = range(3)


class OrderApi:
    """The order functions that a stock service needs, in two services. One shared limit."""

    def __init__(self, market: RakutenMarket) -> None:
        self._market = market

    def routes(self) -> list[Route]:
        """Four functions of RakutenPayOrderAPI, and the two of PurchaseItemAPI."""
        return [
            Route(
                method="POST",
                path=f"/es/2.0/{service}/{name}/",
                endpoint=f"order-{name}",
                run=run,
                limits=[self._market.order_limit],
            )
            for service, name, run in (
                ("order", "searchOrder", self.search),
                ("order", "getOrder", self.get),
                ("order", "cancelOrder", self.cancel),
                ("order", "cancelOrderAfterShipping", self.cancel_shipped),
                ("purchaseItem", "searchOrderItem", self.search),
                ("purchaseItem", "getOrderItem", self.get_items),
            )
        ]

    def search(self, call: Call) -> Answer:
        """Order numbers by date and state, at most 1000 a page and 15,000 in all."""
        body = _body(call, "SEARCH_ORDER")
        begin, end = self._window(body)
        wanted = body.get("orderProgressList")
        if wanted is not None and not (isinstance(wanted, list) and set(wanted) <= PROGRESS):
            raise _wrong("SEARCH_ORDER", "011", "orderProgressList")
        hits = [
            order.ref
            for order in self._market.visible_orders(call.endpoint)
            if begin <= _dated(order, body["dateType"]) <= end
            and (not wanted or self._market.progress(order) in wanted)
        ]
        page, amount, descending = _paging(body)
        if descending:
            hits.reverse()
        hits = hits[: self._market.rules.search_hits_max]
        shown, total = lists.page(
            self._market, hits, call.endpoint, start=(page - 1) * amount, size=amount
        )
        pages = -(-total // amount)
        return _ok(
            "SEARCH_ORDER",
            "101" if hits else "102",
            orderNumberList=shown,
            PaginationResponseModel={
                "totalRecordsAmount": total or None,
                "totalPages": pages or None,
                "requestPage": page if hits else None,
            },
        )

    def get(self, call: Call) -> Answer:
        """Up to 100 orders in full; numbers that the shop does not have are left out."""
        body = _body(call, "GET_ORDER")
        refs, version = body.get("orderNumberList"), body.get("version")
        if not refs or version is None:
            raise _wrong("GET_ORDER", "009", "orderNumberList, version")
        if not isinstance(refs, list) or len(refs) > READ_MAX or version not in VERSIONS:
            raise _wrong("GET_ORDER", "011", "orderNumberList, version")
        return self._orders(
            call, refs, lambda order: full_order(self._market, order, version), version=version
        )

    def get_items(self, call: Call) -> Answer:
        """Up to 100 orders without their buyers (getOrderItem); it takes no version."""
        refs = _body(call, "GET_ORDER").get("orderNumberList")
        if not refs:
            raise _wrong("GET_ORDER", "009", "orderNumberList")
        if not isinstance(refs, list) or len(refs) > READ_MAX:
            raise _wrong("GET_ORDER", "011", "orderNumberList")
        return self._orders(call, refs, lambda order: lean_order(self._market, order))

    def _orders(
        self,
        call: Call,
        refs: list[Any],
        model: Callable[[Order], dict[str, Any]],
        **data: Any,
    ) -> Answer:
        visible = {order.ref: order for order in self._market.visible_orders(call.endpoint)}
        orders = [model(visible[ref]) for ref in refs if ref in visible]
        level = "INFO" if len(orders) == len(refs) else "WARNING"
        return _ok("GET_ORDER", "101", level=level, OrderModelList=orders, **data)

    def cancel(self, call: Call) -> Answer:
        """Apply for cancelling a whole order: states 100, 200 and 300 only."""
        return self._cancel(call, "CANCEL_ORDER", CANCELLABLE)

    def cancel_shipped(self, call: Call) -> Answer:
        """Cancel after shipping (goods came back): states 500 to 800."""
        return self._cancel(
            call, "CANCEL_ORDER_AFTER_SHIPPING", frozenset({SHIPPED, 600, 700, CANCEL_PENDING})
        )

    def _cancel(self, call: Call, name: str, allowed: frozenset[int]) -> Answer:
        body = _body(call, name)
        ref, restore = body.get("orderNumber"), body.get("inventoryRestoreType")
        reason = body.get("changeReasonDetailApply")
        if ref is None or restore is None or reason is None:
            raise _wrong(name, "009", "orderNumber, inventoryRestoreType, changeReasonDetailApply")
        if not isinstance(ref, str) or restore not in range(3):
            raise _wrong(name, "011", "orderNumber, inventoryRestoreType")
        if reason not in CUSTOMER_REASONS | SHOP_REASONS:
            raise _wrong(name, "011", "changeReasonDetailApply")
        order = self._market.orders.get(ref)
        if order is None or self._market.progress(order) not in allowed:
            # The real codes of these refusals are not published; 020 stands in for them.
            return _message(200, "ERROR", name, "020", orderNumber=ref)
        setting = self._market.restocks_on_buyer_cancel
        restock = restore == RESTORE_YES or (restore == RESTORE_SETTING and setting)
        by = "buyer" if reason in CUSTOMER_REASONS else "seller"
        try:
            self._market.cancel(ref, by=by, code=str(reason), restock=restock)
        except NotAllowed:
            return _message(200, "ERROR", name, "020", orderNumber=ref)
        return _message(200, "INFO", name, "101", orderNumber=ref)

    def _window(self, body: dict[str, Any]) -> tuple[datetime, datetime]:
        names = ("startDatetime", "endDatetime")
        if any(body.get(name) is None for name in ("dateType", *names)):
            raise _wrong("SEARCH_ORDER", "009", "dateType, startDatetime, endDatetime")
        if body["dateType"] not in DATE_TYPES:
            raise _wrong("SEARCH_ORDER", "011", "dateType")
        begin, end = (_time(body[name]) for name in names)
        if not timedelta() <= end - begin <= timedelta(days=SPAN_DAYS_MAX):
            raise _wrong("SEARCH_ORDER", "011", "at most 63 days between the two")
        if begin < self._market.clock.now() - timedelta(days=DAYS_BACK_MAX):
            raise _wrong("SEARCH_ORDER", "011", "startDatetime is more than 730 days ago")
        return begin, end


def _dated(order: Order, date_type: int) -> datetime:
    shipped_types = {SHIPPED_DATE, REPORT_DATE}
    moment = order.shipped_at if date_type in shipped_types else order.placed_at
    # Searches compare whole seconds; what never happened is before every window.
    return (moment or order.placed_at - timedelta(days=9999)).replace(microsecond=0)


def _time(text: Any) -> datetime:
    try:
        if isinstance(text, str) and TIME.fullmatch(text):
            return datetime.strptime(text, "%Y-%m-%dT%H:%M:%S%z")
    except ValueError:
        pass  # a month 13: the same answer as for a wrong form
    raise _wrong("SEARCH_ORDER", "011", "startDatetime, endDatetime")


def _paging(body: dict[str, Any]) -> tuple[int, int, bool]:
    model = body.get("PaginationRequestModel") or {}
    amount, page = model.get("requestRecordsAmount", PAGE_DEFAULT), model.get("requestPage", 1)
    if type(amount) is not int or type(page) is not int or not 1 <= amount <= PAGE_MAX or page < 1:
        raise _wrong("SEARCH_ORDER", "011", "PaginationRequestModel")
    sorting = model.get("SortModelList") or [{}]
    return page, amount, sorting[0].get("sortDirection", 1) == 2  # noqa: PLR2004  (descending)


def _body(call: Call, name: str) -> dict[str, Any]:
    return json_body(call, otherwise=_message(400, "ERROR", name, "011"))


def _wrong(name: str, number: str, text: str) -> Refused:
    return Refused(_message(400, "ERROR", name, number, text=text))


def _ok(name: str, number: str, *, level: str = "INFO", **data: Any) -> Answer:
    entry = {"messageType": level, "messageCode": f"ORDER_EXT_API_{name}_{level}_{number}"}
    return Answer(body=msgspec.json.encode({"MessageModelList": [entry], **data}))


def _message(
    status: int, level: str, name: str, number: str, *, text: str = "", **data: Any
) -> Answer:
    entry = {
        "messageType": level,
        "messageCode": f"ORDER_EXT_API_{name}_{level}_{number}",
        "message": text,
        **data,
    }
    return Answer(status=status, body=msgspec.json.encode({"MessageModelList": [entry]}))
