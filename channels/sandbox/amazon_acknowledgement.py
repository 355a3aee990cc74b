"""The order acknowledgement feed: its XML read, each message judged, and the report written."""

from __future__ import annotations

from html import escape

from defusedxml import ElementTree
from defusedxml.common import DefusedXmlException
from msgspec import Struct

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


class Acknowledgement(Struct, kw_only=True, frozen=True):
    """One message: an order, Success or Failure, and (item code, cancel reason) per item."""

    message_id: str
    order_ref: str
    status: str
    items: tuple[tuple[str, str], ...]


class Verdict(Struct, kw_only=True, frozen=True):
    """What became of one message; `code` and `text` only where it was refused."""

    message: Acknowledgement
    code: str = ""
    text: str = ""


class Unreadable(Exception):
    """The document cannot be processed at all: the feed ends FATAL."""


def parse(document: bytes, *, seller_id: str) -> list[Acknowledgement]:
    """The messages of a feed document. Raises Unreadable."""
    try:
        root = ElementTree.fromstring(document, forbid_dtd=True)
    except (ElementTree.ParseError, DefusedXmlException, ValueError) as error:
        raise Unreadable("the document is not well-formed XML") from error
    if root.tag != "AmazonEnvelope":
        raise Unreadable("the document is not an AmazonEnvelope")
    if root.findtext("Header/MerchantIdentifier") != seller_id:
        raise Unreadable("MerchantIdentifier is not this seller's")
    if root.findtext("MessageType") != "OrderAcknowledgement":
        raise Unreadable("MessageType is not OrderAcknowledgement")
    messages = root.findall("Message")
    if not 1 <= len(messages) <= MESSAGES_MAX:
        raise Unreadable(f"a feed has 1 to {MESSAGES_MAX} messages")
    return [
        Acknowledgement(
            message_id=message.findtext("MessageID") or "",
            order_ref=message.findtext("OrderAcknowledgement/AmazonOrderID") or "",
            status=message.findtext("OrderAcknowledgement/StatusCode") or "",
            items=tuple(
                (item.findtext("AmazonOrderItemCode") or "", item.findtext("CancelReason") or "")
                for item in message.findall("OrderAcknowledgement/Item")
            ),
        )
        for message in messages
    ]


def report(feed_id: str, verdicts: list[Verdict]) -> bytes:
    """The ProcessingReport; its exact elements and codes are UNCONFIRMED under SP-API."""
    refused = [verdict for verdict in verdicts if verdict.code]
    results = "".join(
        "<Result>"
        f"<MessageID>{escape(verdict.message.message_id)}</MessageID>"
        "<ResultCode>Error</ResultCode>"
        f"<ResultMessageCode>{verdict.code}</ResultMessageCode>"
        f"<ResultDescription>{escape(verdict.text)}</ResultDescription>"
        "<AdditionalInfo>"
        f"<AmazonOrderID>{escape(verdict.message.order_ref)}</AmazonOrderID>"
        "</AdditionalInfo></Result>"
        for verdict in refused
    )
    text = (
        '<?xml version="1.0" encoding="UTF-8"?>'
        "<AmazonEnvelope><Header><DocumentVersion>1.02</DocumentVersion></Header>"
        "<MessageType>ProcessingReport</MessageType>"
        "<Message><MessageID>1</MessageID><ProcessingReport>"
        f"<DocumentTransactionID>{feed_id}</DocumentTransactionID>"
        "<StatusCode>Complete</StatusCode><ProcessingSummary>"
        f"<MessagesProcessed>{len(verdicts)}</MessagesProcessed>"
        f"<MessagesSuccessful>{len(verdicts) - len(refused)}</MessagesSuccessful>"
        f"<MessagesWithError>{len(refused)}</MessagesWithError>"
        "<MessagesWithWarning>0</MessagesWithWarning></ProcessingSummary>"
        f"{results}</ProcessingReport></Message></AmazonEnvelope>"
    )
    return text.encode()
