"""The XML feeds on orders: each message read, judged and done, and the report written."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from xml.etree.ElementTree import Element

from defusedxml import ElementTree
from defusedxml.common import DefusedXmlException
from msgspec import Struct

from channels.sandbox.amazon_acts import (
    adjust,
    cancel_by_seller,
    objection_to_adjust,
    objection_to_cancel,
)
from channels.sandbox.amazon_base import AmazonMarket

CANCEL_REASONS = frozenset(
    [
        "NoInventory",
        "ShippingAddressUndeliverable",
        "CustomerExchange",
        "BuyerCanceled",
        "GeneralAdjustment",
        "CarrierCreditDecision",
        "RiskAssessmentInformationNotValid",
        "CarrierCoverageFailure",
        "CustomerReturn",
        "MerchandiseNotReceived",
    ]
)
MESSAGES_MAX = 10_000


# What the payment adjustment feed knows (AdjustmentReason).
ADJUSTMENT_REASONS = frozenset(
    [
        "NoInventory",
        "CustomerReturn",
        "GeneralAdjustment",
        "CouldNotShip",
        "DifferentItem",
        "Abandoned",
        "CustomerCancel",
        "PriceError",
        "ProductOutofStock",
        "CustomerAddressIncorrect",
        "Exchange",
        "Other",
        "CarrierCreditDecision",
        "RiskAssessmentInformationNotValid",
        "CarrierCoverageFailure",
        "TransactionRecord",
        "Undeliverable",
        "RefusedDelivery",
    ]
)


class Verdict(Struct, kw_only=True, frozen=True):
    """What became of one message; `text` only where it was refused."""

    message_id: str
    order_ref: str
    text: str | None


class Unreadable(Exception):
    """The document cannot be processed at all: the feed ends FATAL."""


def acknowledged(market: AmazonMarket, document: bytes, *, ignored: bool) -> bytes:
    """POST_ORDER_ACKNOWLEDGEMENT_DATA: Failure gives a whole order up. Raises Unreadable."""
    verdicts = []
    for message in _messages(market, document, "OrderAcknowledgement"):
        body = message.find("OrderAcknowledgement")
        ref = _text(body, "AmazonOrderID")
        items = [] if body is None else body.findall("Item")
        told = {_text(item, "AmazonOrderItemCode"): _text(item, "CancelReason") for item in items}
        status = _text(body, "StatusCode")
        text = _objection(market, ref, status, told)
        if text is None and status == "Failure" and not ignored:
            cancel_by_seller(market, ref, next(iter(told.values())))
        verdicts.append(Verdict(message_id=_text(message, "MessageID"), order_ref=ref, text=text))
    return _report(verdicts)


def adjusted(market: AmazonMarket, document: bytes, *, ignored: bool) -> bytes:
    """POST_PAYMENT_ADJUSTMENT_DATA: QuantityCancelled takes units out. Raises Unreadable."""
    verdicts = []
    for message in _messages(market, document, "OrderAdjustment"):
        body = message.find("OrderAdjustment")
        ref = _text(body, "AmazonOrderID")
        items = [] if body is None else body.findall("AdjustedItem")
        reasons = {_text(item, "AdjustmentReason") for item in items}
        given = {_text(item, "AmazonOrderItemCode"): _units(item) for item in items}
        order = market.orders.get(ref)
        if order is None:
            text: str | None = "The order does not exist."
        elif len(reasons) != 1 or not reasons <= ADJUSTMENT_REASONS:
            text = "AdjustmentReason is missing or not known."
        else:
            text = objection_to_adjust(order, given)
        if order is not None and text is None and not ignored:
            adjust(order, given, reasons.pop(), at=market.clock.now())
            market.tell(order, "Order Status Change")
        verdicts.append(Verdict(message_id=_text(message, "MessageID"), order_ref=ref, text=text))
    return _report(verdicts)


def _messages(market: AmazonMarket, document: bytes, kind: str) -> list[Element]:
    try:
        root = ElementTree.fromstring(document, forbid_dtd=True)
    except (ElementTree.ParseError, DefusedXmlException, ValueError) as error:
        raise Unreadable("the document is not well-formed XML") from error
    if root.tag != "AmazonEnvelope":
        raise Unreadable("the document is not an AmazonEnvelope")
    if root.findtext("Header/MerchantIdentifier") != market.seller_id:
        raise Unreadable("MerchantIdentifier is not this seller's")
    if root.findtext("MessageType") != kind:
        raise Unreadable(f"MessageType is not {kind}")
    messages: list[Element] = root.findall("Message")
    if not 1 <= len(messages) <= MESSAGES_MAX:
        raise Unreadable(f"a feed has 1 to {MESSAGES_MAX} messages")
    return messages


def _text(element: Element | None, name: str) -> str:
    return "" if element is None else element.findtext(name) or ""


def _units(item: Element) -> int:
    text = _text(item, "QuantityCancelled")
    return int(text) if text.isdecimal() else 0


def _objection(market: AmazonMarket, ref: str, status: str, told: Mapping[str, str]) -> str | None:
    order = market.orders.get(ref)
    if order is None:
        return "The order does not exist."
    if status not in {"Success", "Failure"}:
        return "StatusCode must be Success or Failure."
    if status == "Success":
        return None
    reasons, wrong = set(told.values()), objection_to_cancel(market, order)
    if wrong is None and set(told) != {line.line_ref for line in order.lines}:
        wrong = "Every item of the order must be listed."
    if wrong is None and (len(reasons) != 1 or not reasons <= CANCEL_REASONS):
        wrong = "CancelReason is missing or not known."
    return wrong


def _report(verdicts: list[Verdict]) -> bytes:
    """The ProcessingReport; its exact elements and codes are UNCONFIRMED under SP-API."""
    refused = [verdict for verdict in verdicts if verdict.text is not None]
    results = "".join(
        "<Result>"
        f"<MessageID>{escape(verdict.message_id)}</MessageID>"
        "<ResultCode>Error</ResultCode>"
        "<ResultMessageCode>18028</ResultMessageCode>"
        f"<ResultDescription>{escape(verdict.text or '')}</ResultDescription>"
        "<AdditionalInfo>"
        f"<AmazonOrderID>{escape(verdict.order_ref)}</AmazonOrderID>"
        "</AdditionalInfo></Result>"
        for verdict in refused
    )
    text = (
        '<?xml version="1.0" encoding="UTF-8"?>'
        "<AmazonEnvelope><Header><DocumentVersion>1.02</DocumentVersion></Header>"
        "<MessageType>ProcessingReport</MessageType>"
        "<Message><MessageID>1</MessageID><ProcessingReport>"
        "<DocumentTransactionID>1</DocumentTransactionID>"
        "<StatusCode>Complete</StatusCode><ProcessingSummary>"
        f"<MessagesProcessed>{len(verdicts)}</MessagesProcessed>"
        f"<MessagesSuccessful>{len(verdicts) - len(refused)}</MessagesSuccessful>"
        f"<MessagesWithError>{len(refused)}</MessagesWithError>"
        "<MessagesWithWarning>0</MessagesWithWarning></ProcessingSummary>"
        f"{results}</ProcessingReport></Message></AmazonEnvelope>"
    )
    return text.encode()
