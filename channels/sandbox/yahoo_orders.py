"""Yahoo! Shopping's order APIs: count, list, and read one."""

from __future__ import annotations

from xml.etree import ElementTree as ET

from channels.sandbox import lists
from channels.sandbox.market import Order
from channels.sandbox.wire import Answer, Call, Route
from channels.sandbox.yahoo_market import YahooMarket, error, xml
from channels.sandbox.yahoo_words import (
    body_of,
    fields_of,
    jst,
    moment,
    number,
    order_of,
    target_of,
    under,
    wrong,
)

RESULT_DEFAULT = 10
LIST_FIELDS = frozenset(
    {"OrderId", "Version", "OrderTime", "LastUpdateTime", "OrderStatus", "PayStatus"}
    | {"ShipStatus", "IsSeen", "Suspect"}
)
FLAT_FIELDS = ("OrderId", "Version", "OrderStatus", "OrderTime", "LastUpdateTime", "Suspect")
CANCEL_FIELDS = ("CancelReason", "CancelReasonDetail")
PAY_FIELDS = ("PayStatus", "RefundStatus")
SHIP_FIELDS = ("ShipStatus", "ShipInvoiceNumber1", "ShipDate")
ITEM_FIELDS = ("LineId", "ItemId", "SubCode", "Quantity", "OriginalNum", "UnitPrice")
LEAD_TIME_FIELDS = ("LeadTimeText", "LeadTimeStart", "LeadTimeEnd")
# Every store may ask for its buyer's name; a client that keeps to what it needs does not.
BUYER_FIELDS = {"BillLastName": "見本", "BillFirstName": "花子", "ShipLastName": "見本"}
INFO_FIELDS = frozenset(
    (*FLAT_FIELDS, *CANCEL_FIELDS, *PAY_FIELDS, *SHIP_FIELDS, *ITEM_FIELDS, *LEAD_TIME_FIELDS)
) | set(BUYER_FIELDS)
RESERVED, PROCESSING, HELD = 1, 2, 3


class OrderApi:
    """The order functions of one store. All need the proof by public key."""

    def __init__(self, market: YahooMarket) -> None:
        self._market = market

    def routes(self) -> list[Route]:
        """orderCount, orderList and orderInfo."""
        return [
            self._market.order_route("GET", "orderCount", self.count),
            self._market.order_route("POST", "orderList", self.search),
            self._market.order_route("POST", "orderInfo", self.info),
        ]

    def count(self, call: Call) -> Answer:
        """New orders (state 2 or 1, not seen) and held ones."""
        if call.query.get("sellerId") != self._market.seller_id:
            return error(400, "px-14304", "no right on this seller")
        statuses = [order.status for order in self._market.visible_orders(call.endpoint)]
        unseen = [status["OrderStatus"] for status in statuses if not status["IsSeen"]]
        root = ET.Element("ResultSet")
        result = under(root, "Result")
        under(result, "Status", "OK")
        counts = under(result, "Count")
        under(counts, "NewOrder", unseen.count(PROCESSING))
        under(counts, "NewReserve", unseen.count(RESERVED))
        under(counts, "Holding", [status["OrderStatus"] for status in statuses].count(HELD))
        return xml(root)

    def search(self, call: Call) -> Answer:
        """Orders by id or time, with the fields asked for; no lines."""
        search = body_of(self._market, call).find("Search")
        if search is None:
            raise wrong("Search is required")
        fields = fields_of(search, LIST_FIELDS)
        hits = self._hits(search, call.endpoint)
        if (search.findtext("Sort") or "").startswith("-"):
            hits.reverse()
        start, amount = number(search, "Start", 1), number(search, "Result", RESULT_DEFAULT)
        if start < 1 or not 1 <= amount <= self._market.rules.result_max:
            raise wrong("Start, Result")
        root = ET.Element("Result")
        under(root, "Status", "OK")
        found = under(root, "Search")
        shown, total = lists.page(self._market, hits, call.endpoint, start=start - 1, size=amount)
        under(found, "TotalCount", total)
        for index, order in enumerate(shown, start=start):
            row = under(found, "OrderInfo")
            under(row, "Index", index)
            for field in fields:
                under(row, field, self._value(order, field))
        return xml(root)

    def info(self, call: Call) -> Answer:
        """One order with the fields asked for."""
        target = target_of(body_of(self._market, call))
        fields = fields_of(target, INFO_FIELDS)
        order = order_of(self._market, target, call.endpoint)
        root = ET.Element("ResultSet", totalResultsAvailable="1", totalResultsReturned="1")
        result = under(root, "Result")
        under(result, "Status", "OK")
        info = under(result, "OrderInfo")
        for field in (*FLAT_FIELDS, *CANCEL_FIELDS, *BUYER_FIELDS):
            if field in fields:
                under(info, field, self._value(order, field))
        for group, names in (("Pay", PAY_FIELDS), ("Ship", SHIP_FIELDS)):
            asked = [name for name in names if name in fields]
            if asked:
                part = under(info, group)
                for name in asked:
                    under(part, name, self._value(order, name))
        _items(info, order, fields)
        return xml(root)

    def _hits(self, search: ET.Element, endpoint: str) -> list[Order]:
        condition = search.find("Condition")
        if condition is None:
            raise wrong("Condition is required")
        named = {child.tag: (child.text or "").strip() for child in condition}
        if not {"OrderId", "OrderTime", "OrderTimeFrom", "OrderTimeTo"} & set(named):
            raise wrong("Condition needs OrderId, OrderTime, OrderTimeFrom or OrderTimeTo")
        begin = moment(named.get("OrderTimeFrom") or named.get("OrderTime"))
        end = moment(named.get("OrderTimeTo") or named.get("OrderTime"))
        hits = []
        for order in self._market.visible_orders(endpoint):
            second = order.placed_at.replace(microsecond=0)
            inside = (begin is None or begin <= second) and (end is None or second <= end)
            same = named.get("OrderId") in {None, order.ref}
            if inside and same and self._has_states(order, named):
                hits.append(order)
        return hits

    def _has_states(self, order: Order, named: dict[str, str]) -> bool:
        return all(
            self._value(order, field) in named[field].split(",")
            for field in ("OrderStatus", "PayStatus", "ShipStatus", "IsSeen")
            if field in named
        )

    def _value(self, order: Order, field: str) -> str:
        status = order.status
        values: dict[str, str] = {
            "OrderId": order.ref,
            "Version": "1",
            "OrderTime": jst(order.placed_at),
            "LastUpdateTime": jst(order.changed_at),
            "CancelReason": order.cancel_code or "",
            "RefundStatus": "0",
            "ShipInvoiceNumber1": str(status.get("Slip", "")),
            "ShipDate": jst(order.shipped_at)[:10] if order.shipped_at else "",
            "IsSeen": str(status["IsSeen"]).lower(),
            **BUYER_FIELDS,
        }
        return values.get(field, str(status.get(field, "")))


def _items(info: ET.Element, order: Order, fields: list[str]) -> None:
    asked = [field for field in (*ITEM_FIELDS, *LEAD_TIME_FIELDS) if field in fields]
    if not asked:
        return
    for line in order.lines:
        item, _, sub = line.key.partition(":")
        values = {
            "LineId": line.line_ref,
            "ItemId": item,
            "SubCode": sub,
            "Quantity": line.quantity - order.extra.get("lowered", {}).get(line.line_ref, 0),
            "OriginalNum": line.quantity,
            "UnitPrice": line.price,
        }
        row = under(info, "Item")
        for field in asked:
            under(row, field, values.get(field, ""))
