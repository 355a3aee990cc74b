"""Yahoo! Shopping's order APIs: count, list, read one, and change its state."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from xml.etree import ElementTree as ET

import defusedxml.ElementTree
from defusedxml import DefusedXmlException

from channels.sandbox.market import NotAllowed, Order
from channels.sandbox.wire import Answer, Call, Refused, Route
from channels.sandbox.yahoo_market import JST, YahooMarket, error, xml

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
BUYER_REASONS = frozenset({"100", "110", "120", "130", "140", "150", "160", "170", "180"})
STORE_REASONS = frozenset({"200", "210", "220", "230"})
REASON_WHEN_NONE = "230"
RESERVED, PROCESSING, HELD, CANCELLED, COMPLETED = range(1, 6)

# The single meanings of Yahoo!'s od9* codes are not published; these stand in for them.
BAD_REQUEST, NO_SUCH_ORDER, NOT_OPERABLE = "od91150", "od91060", "od90191"


class OrderApi:
    """The order functions of one store. All need the proof by public key."""

    def __init__(self, market: YahooMarket) -> None:
        self._market = market

    def routes(self) -> list[Route]:
        """orderCount, orderList, orderInfo and orderStatusChange."""
        return [
            self._market.order_route("GET", "orderCount", self.count),
            self._market.order_route("POST", "orderList", self.search),
            self._market.order_route("POST", "orderInfo", self.info),
            self._market.order_route("POST", "orderStatusChange", self.change_status),
        ]

    def count(self, call: Call) -> Answer:
        """New orders (state 2 or 1, not seen) and held ones."""
        if call.query.get("sellerId") != self._market.seller_id:
            return error(400, "px-14304", "no right on this seller")
        statuses = [order.status for order in self._market.visible_orders(call.endpoint)]
        unseen = [status["OrderStatus"] for status in statuses if not status["IsSeen"]]
        root = ET.Element("ResultSet")
        result = _under(root, "Result")
        _under(result, "Status", "OK")
        counts = _under(result, "Count")
        _under(counts, "NewOrder", unseen.count(PROCESSING))
        _under(counts, "NewReserve", unseen.count(RESERVED))
        _under(counts, "Holding", [status["OrderStatus"] for status in statuses].count(HELD))
        return xml(root)

    def search(self, call: Call) -> Answer:
        """Orders by id or time, with the fields asked for; no lines."""
        search = self._body(call).find("Search")
        if search is None:
            raise _wrong("Search is required")
        fields = _fields(search, LIST_FIELDS)
        hits = self._hits(search, call.endpoint)
        if (search.findtext("Sort") or "").startswith("-"):
            hits.reverse()
        start, amount = _number(search, "Start", 1), _number(search, "Result", RESULT_DEFAULT)
        if start < 1 or not 1 <= amount <= self._market.rules.result_max:
            raise _wrong("Start, Result")
        root = ET.Element("Result")
        _under(root, "Status", "OK")
        found = _under(root, "Search")
        _under(found, "TotalCount", len(hits))
        for index, order in enumerate(hits[start - 1 : start - 1 + amount], start=start):
            row = _under(found, "OrderInfo")
            _under(row, "Index", index)
            for field in fields:
                _under(row, field, self._value(order, field))
        return xml(root)

    def info(self, call: Call) -> Answer:
        """One order with the fields asked for."""
        target = self._target(self._body(call))
        fields = _fields(target, INFO_FIELDS)
        order = self._order(target, call.endpoint)
        root = ET.Element("ResultSet", totalResultsAvailable="1", totalResultsReturned="1")
        result = _under(root, "Result")
        _under(result, "Status", "OK")
        info = _under(result, "OrderInfo")
        for field in (*FLAT_FIELDS, *CANCEL_FIELDS, *BUYER_FIELDS):
            if field in fields:
                _under(info, field, self._value(order, field))
        for group, names in (("Pay", PAY_FIELDS), ("Ship", SHIP_FIELDS)):
            asked = [name for name in names if name in fields]
            if asked:
                part = _under(info, group)
                for name in asked:
                    _under(part, name, self._value(order, name))
        _items(info, order, fields)
        return xml(root)

    def change_status(self, call: Call) -> Answer:
        """Move an order to another OrderStatus; 4 (cancelled) is for ever, shipped or not."""
        body = self._body(call)
        target, change = self._target(body), body.find("Order")
        point_fix = target.findtext("IsPointFix")
        wanted = _number(change, "OrderStatus", 0)
        if change is None or point_fix not in {"true", "false"} or wanted not in range(1, 6):
            raise _wrong("IsPointFix, OrderStatus")
        if wanted == COMPLETED and point_fix != "true":
            raise _wrong("IsPointFix must be true for OrderStatus 5")
        order = self._order(target, call.endpoint)
        if order.status["OrderStatus"] == CANCELLED or order.status["Suspect"] == 1:
            return error(400, NOT_OPERABLE, "Cannot Be Operated : CancelOrder OrderStatus")
        if wanted == CANCELLED:
            self._cancel(order, change.findtext("CancelReason") or REASON_WHEN_NONE)
        elif not self._market.ignoring:
            order.status |= {"OrderStatus": wanted}
            order.changed_at = self._market.clock.now()
        order.status |= {"IsSeen": True}
        root = ET.Element("ResultSet", totalResultsAvailable="1", totalResultsReturned="1")
        _under(_under(root, "Result"), "Status", "OK")
        return xml(root)

    def _cancel(self, order: Order, reason: str) -> None:
        if reason not in BUYER_REASONS | STORE_REASONS:
            raise _wrong("CancelReason")
        by = "buyer" if reason in BUYER_REASONS else "seller"
        restock = self._market.rules.restocks_on_cancel
        try:
            self._market.cancel(order.ref, by=by, code=reason, restock=restock)
        except NotAllowed as refusal:
            raise Refused(error(400, NOT_OPERABLE, str(refusal))) from refusal

    def _hits(self, search: ET.Element, endpoint: str) -> list[Order]:
        condition = search.find("Condition")
        if condition is None:
            raise _wrong("Condition is required")
        named = {child.tag: (child.text or "").strip() for child in condition}
        if not {"OrderId", "OrderTime", "OrderTimeFrom", "OrderTimeTo"} & set(named):
            raise _wrong("Condition needs OrderId, OrderTime, OrderTimeFrom or OrderTimeTo")
        begin = _moment(named.get("OrderTimeFrom") or named.get("OrderTime"))
        end = _moment(named.get("OrderTimeTo") or named.get("OrderTime"))
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
        values = {
            "OrderId": order.ref,
            "Version": "1",
            "OrderTime": _jst(order.placed_at),
            "LastUpdateTime": _jst(order.changed_at),
            "CancelReason": order.cancel_code or "",
            "RefundStatus": "0",
            "ShipInvoiceNumber1": f"5000{order.ref[-8:]}" if order.shipped_at else "",
            "ShipDate": _jst(order.shipped_at)[:10] if order.shipped_at else "",
            "IsSeen": str(status["IsSeen"]).lower(),
            **BUYER_FIELDS,
        }
        return values.get(field, str(status.get(field, "")))

    def _order(self, target: ET.Element, endpoint: str) -> Order:
        ref = target.findtext("OrderId")
        for order in self._market.visible_orders(endpoint):
            if order.ref == ref:
                return order
        raise Refused(error(400, NO_SUCH_ORDER, "no such order"))

    def _target(self, body: ET.Element) -> ET.Element:
        target = body.find("Target")
        if target is None or not target.findtext("OrderId"):
            raise _wrong("Target/OrderId is required")
        return target

    def _body(self, call: Call) -> ET.Element:
        try:
            body: ET.Element = defusedxml.ElementTree.fromstring(call.body)
        except (ET.ParseError, DefusedXmlException, ValueError):
            raise _wrong("the body is not XML") from None
        if body.tag != "Req":
            raise _wrong("Req is required")
        if body.findtext("SellerId") != self._market.seller_id:
            raise Refused(error(400, "px-14304", "no right on this seller"))
        return body


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
            "Quantity": line.quantity,
            "OriginalNum": line.quantity,
            "UnitPrice": line.price,
        }
        row = _under(info, "Item")
        for field in asked:
            _under(row, field, values.get(field, ""))


def _fields(parent: ET.Element, known: frozenset[str]) -> list[str]:
    fields = [field.strip() for field in (parent.findtext("Field") or "").split(",")]
    if not set(fields) <= known:
        raise _wrong(f"Field: {', '.join(sorted(set(fields) - known))}")
    return fields


def _number(parent: ET.Element | None, name: str, default: int) -> int:
    text = parent.findtext(name) if parent is not None else None
    if text is None:
        return default
    if not text.strip().isdecimal():
        raise _wrong(name)
    return int(text)


def _moment(text: str | None) -> datetime | None:
    if not text:
        return None
    try:
        return datetime.strptime(text, "%Y%m%d%H%M%S").replace(tzinfo=JST)
    except ValueError:
        raise _wrong("OrderTime is YYYYMMDDHHMMSS") from None


def _jst(moment: datetime) -> str:
    return moment.astimezone(JST).isoformat(timespec="seconds")


def _under(parent: ET.Element, tag: str, value: Any = None) -> ET.Element:
    child = ET.SubElement(parent, tag)
    if value is not None:
        child.text = str(value)
    return child


def _wrong(text: str) -> Refused:
    return Refused(error(400, BAD_REQUEST, text))
