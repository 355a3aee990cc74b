"""The documents of Amazon's feeds and their reports, to and from our words; pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from xml.etree.ElementTree import Element, SubElement, tostring

import msgspec
from defusedxml import ElementTree
from defusedxml.common import DefusedXmlException

from channels.amazon import wire
from channels.amazon.mapping import TEXT_CHARACTERS_MAX, Unreadable
from inventory.vocabulary import PushOutcome, PushStatus, QuantityPush, Reason

# The order acknowledgement feed's CancelReason. NoInventory leaves the listing's number alone;
# with every other reason Amazon puts the units back (UNCONFIRMED under SP-API: read it back).
CANCEL_REASONS = {
    Reason.OUT_OF_STOCK: "NoInventory",
    Reason.BUYER_REQUEST: "BuyerCanceled",
}
# The payment adjustment feed's AdjustmentReason for units that are not sent.
ADJUSTMENT_REASONS = {
    Reason.OUT_OF_STOCK: "NoInventory",
    Reason.BUYER_REQUEST: "CustomerCancel",
}
# cancelOrder's cancelReasonCode (Orders API 2026-01-01, where it is offered).
REST_REASONS = {
    Reason.OUT_OF_STOCK: "NO_INVENTORY",
    Reason.BUYER_REQUEST: "BUYER_CANCELLED",
}


class Adjusted(msgspec.Struct, frozen=True, kw_only=True):
    """Units of one item that are not sent, and what they cost together, yen."""

    item_code: str
    units: int
    amount: int


def quantity_patch(quantity: int) -> dict[str, Any]:
    """The patch that sets a number; alike in patchListingsItem and in the listings feed."""
    value = {"fulfillment_channel_code": "DEFAULT", "quantity": quantity}
    return {"op": "merge", "path": "/attributes/fulfillment_availability", "value": [value]}


def cancellation_document(
    *, seller_id: str, order_ref: str, item_codes: Sequence[str], reason: Reason
) -> bytes:
    """The order acknowledgement that gives a whole order up; every item has to be listed."""
    root, acknowledgement = _envelope(seller_id, "OrderAcknowledgement", order_ref)
    SubElement(acknowledgement, "StatusCode").text = "Failure"
    for code in item_codes:
        item = SubElement(acknowledgement, "Item")
        SubElement(item, "AmazonOrderItemCode").text = code
        SubElement(item, "CancelReason").text = CANCEL_REASONS[reason]
    return _text(root)


def adjustment_document(
    *, seller_id: str, order_ref: str, items: Sequence[Adjusted], reason: Reason
) -> bytes:
    """The payment adjustment that gives back the money for units that are not sent.

    The price goes as one Principal component, tax included as Japan's prices are; the document's
    exact elements are UNCONFIRMED under SP-API (the setting `part_cancel` is off by itself).
    """
    root, adjustment = _envelope(seller_id, "OrderAdjustment", order_ref)
    for one in items:
        item = SubElement(adjustment, "AdjustedItem")
        SubElement(item, "AmazonOrderItemCode").text = one.item_code
        SubElement(item, "AdjustmentReason").text = ADJUSTMENT_REASONS[reason]
        component = SubElement(SubElement(item, "ItemPriceAdjustments"), "Component")
        SubElement(component, "Type").text = "Principal"
        SubElement(component, "Amount", currency="JPY").text = str(one.amount)
        SubElement(item, "QuantityCancelled").text = str(one.units)
    return _text(root)


def _envelope(seller_id: str, kind: str, order_ref: str) -> tuple[Element, Element]:
    root = Element("AmazonEnvelope")
    header = SubElement(root, "Header")
    SubElement(header, "DocumentVersion").text = "1.01"
    SubElement(header, "MerchantIdentifier").text = seller_id
    SubElement(root, "MessageType").text = kind
    message = SubElement(root, "Message")
    SubElement(message, "MessageID").text = "1"
    body = SubElement(message, kind)
    SubElement(body, "AmazonOrderID").text = order_ref
    return root, body


def _text(root: Element) -> bytes:
    document: bytes = tostring(root, encoding="UTF-8", xml_declaration=True)
    return document


def refusal_in(report: bytes) -> str | None:
    """Why an XML processing report refuses the feed's message, or None where it does not.

    The report's exact elements are UNCONFIRMED under SP-API, so only the count of errors and the
    first Result marked Error are read. Raises Unreadable where neither can be found.
    """
    try:
        root = ElementTree.fromstring(report, forbid_dtd=True)
    except (ElementTree.ParseError, DefusedXmlException, ValueError) as error:
        raise Unreadable("the processing report is not XML") from error
    results = [one for one in root.iter("Result") if one.findtext("ResultCode") == "Error"]
    if results:
        code = results[0].findtext("ResultMessageCode") or "error"
        text = results[0].findtext("ResultDescription") or ""
        return f"{code} {text}".strip()[:TEXT_CHARACTERS_MAX]
    counted = next(iter(root.iter("MessagesWithError")), None)
    if counted is None or not (counted.text or "").strip().isdecimal():
        raise Unreadable("the processing report counts no messages")
    return "refused without a stated reason" if int(counted.text or "0") else None


def listings_document(*, seller_id: str, pushes: Sequence[QuantityPush]) -> bytes:
    """A JSON_LISTINGS_FEED document; its messages are numbered from 1 in the pushes' order."""
    messages = [
        {
            "messageId": number,
            "sku": push.channel_sku,
            "operationType": "PATCH",
            "productType": "PRODUCT",
            "patches": [quantity_patch(push.quantity)],
        }
        for number, push in enumerate(pushes, start=1)
    ]
    header = {"sellerId": seller_id, "version": "2.0", "issueLocale": "ja_JP"}
    return msgspec.json.encode({"header": header, "messages": messages})


def skus_in(document: bytes) -> list[str]:
    """The SKUs of a listings feed document of ours, in the order of its messages.

    Raises Unreadable.
    """
    try:
        messages = msgspec.json.decode(document, type=wire.ListingsFeed).messages
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Unreadable("the feed's own document cannot be read") from error
    return [one.sku for one in sorted(messages, key=lambda one: one.message_id)]


def outcomes_in(report: bytes, skus: Sequence[str]) -> list[PushOutcome]:
    """What a listings feed's report says of each message (listings feed processing report v2).

    A message with an ERROR is refused, one without is accepted. Where the report speaks of an
    error and names no message, or counts fewer messages than were sent, the silent ones are in
    doubt. Raises Unreadable.
    """
    try:
        read = msgspec.json.decode(report, type=wire.ListingsReport)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Unreadable("the processing report cannot be read") from error
    errors = [issue for issue in read.issues if issue.severity == "ERROR"]
    told = {issue.message_id: issue for issue in reversed(errors) if issue.message_id}
    whole = next((issue for issue in errors if not issue.message_id), None)
    silent = _silent(read.summary, whole, told, len(skus))
    return [
        _refused(sku, told[number]) if number in told else _outcome(sku, silent)
        for number, sku in enumerate(skus, start=1)
    ]


def _silent(
    summary: wire.ListingsSummary,
    whole: wire.FeedIssue | None,
    told: Mapping[int, wire.FeedIssue],
    sent: int,
) -> tuple[PushStatus, str, str]:
    """What became of the messages that no issue names."""
    if whole is not None and not summary.messages_accepted:
        return PushStatus.REFUSED, whole.code, whole.message[:TEXT_CHARACTERS_MAX]
    if whole is not None or summary.messages_accepted + len(told) < sent:
        return PushStatus.UNKNOWN, "report_incomplete", "the report does not speak of it"
    return PushStatus.ACCEPTED, "", ""


def _refused(sku: str, issue: wire.FeedIssue) -> PushOutcome:
    return PushOutcome(
        channel_sku=sku,
        status=PushStatus.REFUSED,
        code=issue.code or "error",
        detail=issue.message[:TEXT_CHARACTERS_MAX],
    )


def _outcome(sku: str, told: tuple[PushStatus, str, str]) -> PushOutcome:
    status, code, detail = told
    return PushOutcome(channel_sku=sku, status=status, code=code, detail=detail)
