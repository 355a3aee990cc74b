"""What Yahoo!'s order functions share: reading a request, and writing an answer, in XML."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from xml.etree import ElementTree as ET

import defusedxml.ElementTree
from defusedxml import DefusedXmlException

from channels.sandbox.market import Order
from channels.sandbox.wire import Answer, Call, Refused
from channels.sandbox.yahoo_market import JST, YahooMarket, error, xml

# The single meanings of Yahoo!'s od9* codes are not published; these stand in for them.
BAD_REQUEST, NO_SUCH_ORDER, NOT_OPERABLE = "od91150", "od91060", "od90191"
MEDIA = {"application/xml", "text/xml"}


def body_of(market: YahooMarket, call: Call) -> ET.Element:
    """The `Req` of a call. Raises Refused for what is none, or is for another store."""
    media = call.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media not in MEDIA:
        raise wrong("Content-Type is application/xml")
    try:
        body: ET.Element = defusedxml.ElementTree.fromstring(call.body)
    except (ET.ParseError, DefusedXmlException, ValueError):
        raise wrong("the body is not XML") from None
    if body.tag != "Req":
        raise wrong("Req is required")
    if body.findtext("SellerId") != market.seller_id:
        raise Refused(error(400, "px-14304", "no right on this seller"))
    return body


def target_of(body: ET.Element) -> ET.Element:
    """The `Target` with its OrderId."""
    target = body.find("Target")
    if target is None or not target.findtext("OrderId"):
        raise wrong("Target/OrderId is required")
    return target


def order_of(market: YahooMarket, target: ET.Element, endpoint: str) -> Order:
    """The order that a `Target` names."""
    ref = target.findtext("OrderId")
    for order in market.visible_orders(endpoint):
        if order.ref == ref:
            return order
    raise Refused(error(400, NO_SUCH_ORDER, "no such order"))


def fields_of(parent: ET.Element, known: frozenset[str]) -> list[str]:
    """The names in `Field`, all of them known."""
    fields = [field.strip() for field in (parent.findtext("Field") or "").split(",")]
    if not set(fields) <= known:
        raise wrong(f"Field: {', '.join(sorted(set(fields) - known))}")
    return fields


def number(parent: ET.Element | None, name: str, default: int) -> int:
    """A whole number, or the default where it is left out."""
    text = parent.findtext(name) if parent is not None else None
    if text is None:
        return default
    if not text.strip().isdecimal():
        raise wrong(name)
    return int(text)


def moment(text: str | None) -> datetime | None:
    """A time as orderList takes it."""
    if not text:
        return None
    try:
        return datetime.strptime(text, "%Y%m%d%H%M%S").replace(tzinfo=JST)
    except ValueError:
        raise wrong("OrderTime is YYYYMMDDHHMMSS") from None


def jst(at: datetime) -> str:
    """A time as answers show it."""
    return at.astimezone(JST).isoformat(timespec="seconds")


def under(parent: ET.Element, tag: str, value: Any = None) -> ET.Element:
    """A new element."""
    child = ET.SubElement(parent, tag)
    if value is not None:
        child.text = str(value)
    return child


def done() -> Answer:
    """The answer to a change that was made."""
    root = ET.Element("ResultSet", totalResultsAvailable="1", totalResultsReturned="1")
    under(under(root, "Result"), "Status", "OK")
    return xml(root)


def wrong(text: str) -> Refused:
    """The refusal of a request that is not as it should be."""
    return Refused(error(400, BAD_REQUEST, text))


def not_operable(text: str) -> Refused:
    """The refusal of a change that the order's state does not permit."""
    return Refused(error(400, NOT_OPERABLE, text))
