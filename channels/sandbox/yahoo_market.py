"""Yahoo! Shopping's books: the store, its listings and orders, and who may call what."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from typing import Any
from xml.etree import ElementTree as ET

from channels.sandbox.limits import DailyQuota, Limit, Spacing
from channels.sandbox.market import Listing, Market, NotAllowed, Order, Services
from channels.sandbox.wire import Answer, Call, Refusal, Route
from channels.sandbox.yahoo_door import Door
from channels.sandbox.yahoo_rules import YahooRules

JST = timezone(timedelta(hours=9))
CALLS_PER_DAY = 50_000
CODE_LETTERS_MAX = 99
XML = "application/xml; charset=UTF-8"
PATH = "/ShoppingWebService/V1/"
MAY, MAY_NOT = "1", "0"


class YahooMarket(Market):
    """One store at Yahoo! Shopping, as its store APIs show it."""

    kind = "yahoo"
    buyer_cancel_code = "100"
    marketplace_cancel_code = "170"

    def __init__(self, services: Services, rules: YahooRules) -> None:
        super().__init__(services)
        self.rules = rules
        self.visible_after_s = rules.visible_after_s
        self.restocks_on_buyer_cancel = rules.restocks_on_cancel
        self.seller_id = f"store-{self.rng.randrange(1000, 9999)}"
        self.waiting_stock: dict[str, int] = {}  # numbers of items not registered yet
        self.door = Door(rules, self.clock, seller_id=self.seller_id)
        self.settings = {"seller_id": self.seller_id, "auth_base_url": "{base_url}"}
        self.credentials = self.door.credentials
        self._day = DailyQuota("day", per_day=CALLS_PER_DAY, tick=self.clock.tick())
        self.limits = [self._day]
        self.actions = {
            "look": self._staff,
            "hold": lambda ref: self._staff(ref, OrderStatus=3),
            "begin-shipping": lambda ref: self._staff(ref, ShipStatus=2),
            "note-slip": lambda ref: self._staff(ref, Slip=f"5000{ref[-8:]}"),
            "mark-prank": lambda ref: self._staff(ref, Suspect=1),
            "lower": self._lower_by_hand,
        }

    def new_ref(self, placed_at: datetime) -> str:
        """`store-number`."""
        del placed_at
        return f"{self.seller_id}-{10_000_000 + len(self.orders) + 1}"

    def check_key(self, key: str) -> None:
        """`itemCode:subCode` or `itemCode`, 1-99 letters each (setStock item_code)."""
        if not is_code(key):
            raise ValueError(f"{key!r} is not itemCode:subCode of 1-99 [A-Za-z0-9-]")

    def initial_status(self) -> Any:
        """OrderStatus, PayStatus and so on are kept as Yahoo!'s own numbers."""
        return {"OrderStatus": 2, "PayStatus": 1, "ShipStatus": 1, "IsSeen": False, "Suspect": 0}

    def on_listing(self, listing: Listing) -> None:
        """Some listings let orders exceed their stock."""
        self.set_overdraft(listing, MAY if listing.key in self.rules.overdraft else MAY_NOT)

    def set_overdraft(self, listing: Listing, flag: str) -> None:
        """Let orders exceed the stock of a listing, or not."""
        listing.extra["overdraft"] = flag
        listing.endless = flag == MAY

    def on_ship(self, order: Order) -> None:
        """Staff send the goods: ShipStatus 3, with a slip number."""
        order.status |= {"ShipStatus": 3, "IsSeen": True, "Slip": f"5000{order.ref[-8:]}"}

    def on_cancel(self, order: Order) -> None:
        """OrderStatus 4 is final; reason 210 (out of stock) closes the items for sale."""
        order.status |= {"OrderStatus": 4}
        if order.cancel_code == "210":
            for line in order.lines:
                if line.key in self.listings:
                    self.listings[line.key].closed = True

    def buyer_cancel(self, ref: str) -> Order:
        """The buyer's own button, for 10 minutes after ordering."""
        age = (self.clock.now() - self.orders[ref].placed_at).total_seconds()
        if age > self.rules.buyer_cancel_s:
            raise NotAllowed(f"{ref}: the buyer's time to cancel is over")
        return super().buyer_cancel(ref)

    def lower(self, order: Order, line_ref: str, units: int) -> None:
        """Set the units of one line of an order; raises KeyError when it has no such line."""
        line = {line.line_ref: line for line in order.lines}[line_ref]
        taken = line.quantity - line.cancelled - units
        if self.ignoring:
            return
        line.cancelled += taken
        lowered = order.extra.setdefault("lowered", {})
        lowered[line_ref] = lowered.get(line_ref, 0) + taken
        order.changed_at = self.clock.now()
        if self.rules.restocks_on_cancel and line.key in self.listings:
            self.add_displayed(line.key, taken, "order-restock")

    def _lower_by_hand(self, ref: str) -> Order:
        """Staff take one unit off the first line."""
        order = self.orders[ref]
        line = order.lines[0]
        self.lower(order, line.line_ref, line.quantity - line.cancelled - 1)
        return self._staff(ref)

    def _staff(self, ref: str, **status: Any) -> Order:
        """Staff open an order on the store's own screen, and perhaps change its state."""
        order = self.orders[ref]
        if status and order.state != "live":
            raise NotAllowed(f"{ref} is {order.state}")
        order.status |= {"IsSeen": True, **status}
        if status:
            order.changed_at = self.clock.now()
        return order

    def stock_route(self, method: str, name: str, run: Callable[[Call], Answer]) -> Route:
        """A route of the stock family. Whether it wants the proof is a rule."""

        def proved(call: Call) -> Answer:
            if self.rules.stock_needs_proof and self.door.is_unproved_too_long(call):
                return error(401, "px-04102", "Session is over")
            return run(call)

        return self._route(method, name, proved)

    def order_route(self, method: str, name: str, run: Callable[[Call], Answer]) -> Route:
        """A route of the order family, which also wants the proof by public key."""

        def proved(call: Call) -> Answer:
            if self.door.is_unproved_too_long(call):
                return error(401, "px-04102", "Session is over")
            answer = run(call)
            if self.rules.tells_proof:
                status = "authorized" if self.door.proof_holds(call) else "unauthorized"
                answer.headers = {**answer.headers, "X-SWS-Authorize-Status": status}
            return answer

        return self._route(method, name, proved)

    def _route(self, method: str, name: str, run: Callable[[Call], Answer]) -> Route:
        """One call a second for one address, and 50,000 a day for the application."""
        spacing: Limit = Spacing(
            name, seconds=1.0, tick=self.clock.tick(), block_seconds=self.rules.block_s
        )
        self.limits.append(spacing)
        limits = [spacing, self._day]
        return Route(method=method, path=f"{PATH}{name}", endpoint=name, run=run, limits=limits)

    def authorize(self, call: Call) -> Answer | None:
        """`Authorization: Bearer` with a token that has not expired."""
        if self.door.knows(call):
            return None
        answer = error(401, "px-04101", "invalid_token")
        answer.headers = {"WWW-Authenticate": 'Bearer error="invalid_token"'}
        return answer

    def refuse(self, refusal: Refusal, endpoint: str) -> Answer:
        """Errors in the XML shape that all store APIs share."""
        del endpoint
        return error(
            *{
                Refusal.THROTTLED: (429, "px-04900", "Too many requests"),
                Refusal.UNAVAILABLE: (503, "ed-00001", "System error"),
                Refusal.MAINTENANCE: (503, "ed-00002", "Under maintenance"),
                Refusal.INSIDE: (200, "ed-00001", "System error"),
                Refusal.AUTH: (401, "px-04102", "Session is over"),
                Refusal.NOT_FOUND: (404, "px-04404", "Not found"),
                Refusal.METHOD: (405, "px-04405", "Method not allowed"),
                Refusal.TOO_LARGE: (413, "px-04413", "Request is too large"),
            }[refusal]
        )

    def books(self) -> dict[str, Any]:
        """Everything this marketplace knows, its door included."""
        return {**super().books(), "door": self.door.book()}


def is_code(key: str) -> bool:
    """Whether it is `itemCode` or `itemCode:subCode`: letters, digits, hyphens, 1-99 each."""
    parts = key.split(":")
    return len(parts) <= 2 and all(  # noqa: PLR2004  (item and sub code)
        1 <= len(part) <= CODE_LETTERS_MAX and part.isascii() and part.replace("-", "a").isalnum()
        for part in parts
    )


def error(status: int, code: str, text: str) -> Answer:
    """The `Error` shape."""
    root = ET.Element("Error")
    ET.SubElement(root, "Message").text = text
    ET.SubElement(root, "Code").text = code
    return xml(root, status=status)


def xml(root: ET.Element, *, status: int = 200) -> Answer:
    """An answer in XML."""
    body = ET.tostring(root, encoding="UTF-8", xml_declaration=True)
    return Answer(status=status, body=body, media_type=XML)
