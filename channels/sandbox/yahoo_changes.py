"""Yahoo! Shopping's changes of orders: orderStatusChange and orderChange."""

from __future__ import annotations

from xml.etree import ElementTree as ET

from channels.sandbox.market import NotAllowed, Order
from channels.sandbox.wire import Answer, Call, Route
from channels.sandbox.yahoo_market import YahooMarket
from channels.sandbox.yahoo_words import (
    body_of,
    done,
    not_operable,
    number,
    order_of,
    target_of,
    wrong,
)

BUYER_REASONS = frozenset({"100", "110", "120", "130", "140", "150", "160", "170", "180"})
STORE_REASONS = frozenset({"200", "210", "220", "230"})
REASON_WHEN_NONE = "230"
# Read only: it follows from an end at another service.
FROM_ELSEWHERE = "400"
KNOWN_REASONS = BUYER_REASONS | STORE_REASONS | {FROM_ELSEWHERE}
HELD, CANCELLED, COMPLETED = 3, 4, 5
STATUS_MAX = 5
UNITS_MAX = 999
PRANK = 1


class ChangeApi:
    """The functions that change an order of one store."""

    def __init__(self, market: YahooMarket) -> None:
        self._market = market

    def routes(self) -> list[Route]:
        """Both functions; they need the proof by public key."""
        return [
            self._market.order_route("POST", "orderStatusChange", self.change_status),
            self._market.order_route("POST", "orderChange", self.change),
        ]

    def change_status(self, call: Call) -> Answer:
        """Move an order to another OrderStatus; 4 (cancelled) is for ever, shipped or not."""
        body = body_of(self._market, call)
        target, change = target_of(body), body.find("Order")
        point_fix = target.findtext("IsPointFix")
        wanted = number(change, "OrderStatus", 0)
        if change is None or point_fix not in {"true", "false"} or not 1 <= wanted <= STATUS_MAX:
            raise wrong("IsPointFix, OrderStatus")
        if wanted == COMPLETED and point_fix != "true":
            raise wrong("IsPointFix must be true for OrderStatus 5")
        order = order_of(self._market, target, call.endpoint)
        _check_operable(order)
        if wanted == CANCELLED:
            self._cancel(order, change.findtext("CancelReason") or REASON_WHEN_NONE)
        elif not self._market.ignoring:
            order.status |= {"OrderStatus": wanted}
            order.changed_at = self._market.clock.now()
        order.status |= {"IsSeen": True}
        return done()

    def change(self, call: Call) -> Answer:
        """Set the Quantity of lines of an order; nothing is changed where one cannot be."""
        body = body_of(self._market, call)
        order = order_of(self._market, target_of(body), call.endpoint)
        items = body.findall("Order/Item")
        if not items:
            raise wrong("Order/Item is required")
        _check_operable(order)
        if order.status["OrderStatus"] == HELD:
            raise not_operable("an order on hold cannot be edited")
        wanted = [self._wanted(order, item) for item in items]
        for line_ref, units in wanted:
            self._market.lower(order, line_ref, units)
        order.status |= {"IsSeen": True}
        return done()

    def _wanted(self, order: Order, item: ET.Element) -> tuple[str, int]:
        line_ref, units = item.findtext("LineId") or "", number(item, "Quantity", -1)
        least = 0 if self._market.rules.line_to_zero else 1
        if line_ref not in {line.line_ref for line in order.lines}:
            raise wrong("LineId")
        if not least <= units <= UNITS_MAX:
            raise wrong("Quantity")
        return line_ref, units

    def _cancel(self, order: Order, reason: str) -> None:
        if reason not in BUYER_REASONS | STORE_REASONS:
            raise wrong("CancelReason")
        try:
            self.cancel_on_screen(order.ref, code=reason)
        except NotAllowed as refusal:
            raise not_operable(str(refusal)) from refusal

    def cancel_on_screen(self, ref: str, *, code: str) -> Order:
        """Staff end an order, shipped or under suspicion or not; 400 is another service's doing.

        Raises NotAllowed when it is cancelled already.
        """
        by = "buyer" if code in BUYER_REASONS else "seller"
        by = "marketplace" if code == FROM_ELSEWHERE else by
        restock = self._market.rules.restocks_on_cancel
        return self._market.cancel(ref, by=by, code=code, restock=restock)


def _check_operable(order: Order) -> None:
    if order.status["OrderStatus"] == CANCELLED or order.status["Suspect"] == PRANK:
        raise not_operable("Cannot Be Operated : CancelOrder OrderStatus")
