"""Amazon's words to ours and back; pure, so that a composed payload is its whole test."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal, InvalidOperation
from xml.etree.ElementTree import Element, SubElement, tostring

import msgspec
from defusedxml import ElementTree
from defusedxml.common import DefusedXmlException

from channels.amazon import wire
from inventory.vocabulary import (
    OrderLine,
    OrderSeen,
    Party,
    PushOutcome,
    PushStatus,
    Reading,
    Reason,
)

OWN_CHANNEL = "DEFAULT"
TEXT_CHARACTERS_MAX = 200
CANCELLED_BY = {"BUYER": Party.BUYER, "MERCHANT": Party.SELLER, "AMAZON": Party.MARKETPLACE}
# The order acknowledgement feed's CancelReason. NoInventory leaves the listing's number alone;
# with every other reason Amazon puts the units back (UNCONFIRMED under SP-API: read it back).
CANCEL_REASONS = {
    Reason.OUT_OF_STOCK: "NoInventory",
    Reason.BUYER_REQUEST: "BuyerCanceled",
}


class Unreadable(ValueError):
    """A payload that does not say what the API promises; the text is safe to show."""


def order_ref_of(payload: object) -> str:
    """The order's number even where the rest cannot be read ("?" where there is none)."""
    ref = payload.get("orderId") if isinstance(payload, dict) else None
    return ref if isinstance(ref, str) and ref else "?"


def order_from(
    payload: object,
    *,
    observed_at: datetime,
    pending_cancellable: bool = False,
    listed: bool = False,
) -> OrderSeen:
    """An order of Orders API 2026-01-01. Raises Unreadable.

    `listed`: from searchOrders, which shows orders as they stood a while ago, though never older
    than their last update. `cancellable`: what the acknowledgement feed would accept.
    """
    order = _wire_order(payload)
    status = order.fulfillment.fulfillment_status
    lines = tuple(_line(item, cancelled=status == "CANCELLED") for item in order.order_items)
    if not lines:
        raise Unreadable("the order has no items")
    by_channel = order.fulfillment.fulfilled_by == "AMAZON"
    asked = any(_asked(item) for item in order.order_items)
    cancelled_by, reason = _ending(order)
    window = order.fulfillment.ship_by_window
    return OrderSeen(
        order_ref=order.order_id,
        ordered_at=order.created_time,
        observed_at=max(observed_at, order.last_updated_time) if listed else observed_at,
        lines=lines,
        hint=_hint(order, lines, asked=asked),
        cancelled=status == "CANCELLED",
        cancelled_by=cancelled_by,
        cancel_reason=reason,
        buyer_asked_to_cancel=asked,
        cancellable=(
            (status == "UNSHIPPED" or (pending_cancellable and status == "PENDING"))
            and not by_channel
            and not any(line.shipped for line in lines)
        ),
        fulfilled_by_channel=by_channel,
        ship_by=window.latest_date_time if window else None,
    )


def is_pending(order: OrderSeen) -> bool:
    """Whether Amazon still waits for the buyer's payment (or for the day of release)."""
    return order.hint.startswith("PENDING")


def reading_from(channel_sku: str, item: wire.Item | None) -> Reading:
    """What a listing shows on the seller's own fulfilment channel.

    None where there is no such listing, and where Amazon stocks it: that number is not ours.
    """
    if item is None or not sold_by_us(item):
        return Reading(channel_sku=channel_sku, quantity=None)
    own = next(a for a in item.fulfillment_availability if _is_own(a))
    return Reading(channel_sku=channel_sku, quantity=own.quantity or 0)


def sold_by_us(item: wire.Item) -> bool:
    """Whether the seller ships this listing, and nobody else does.

    A quantity sent for a listing that Amazon stocks would make it the seller's to ship.
    """
    return bool(item.fulfillment_availability) and all(map(_is_own, item.fulfillment_availability))


def outcome_from(channel_sku: str, answer: wire.Submission) -> PushOutcome:
    """What a submission says: ACCEPTED is queued, INVALID is refused with its first error."""
    if answer.status == "ACCEPTED":
        return PushOutcome(channel_sku=channel_sku, status=PushStatus.ACCEPTED)
    worst = [issue for issue in answer.issues if issue.severity == "ERROR"] or answer.issues
    return PushOutcome(
        channel_sku=channel_sku,
        status=PushStatus.REFUSED,
        code=worst[0].code if worst else answer.status,
        detail=worst[0].message[:TEXT_CHARACTERS_MAX] if worst else "",
    )


def cancellation_document(
    *, seller_id: str, order_ref: str, item_codes: Sequence[str], reason: Reason
) -> bytes:
    """The order acknowledgement that gives a whole order up; every item has to be listed."""
    root = Element("AmazonEnvelope")
    header = SubElement(root, "Header")
    SubElement(header, "DocumentVersion").text = "1.01"
    SubElement(header, "MerchantIdentifier").text = seller_id
    SubElement(root, "MessageType").text = "OrderAcknowledgement"
    message = SubElement(root, "Message")
    SubElement(message, "MessageID").text = "1"
    acknowledgement = SubElement(message, "OrderAcknowledgement")
    SubElement(acknowledgement, "AmazonOrderID").text = order_ref
    SubElement(acknowledgement, "StatusCode").text = "Failure"
    for code in item_codes:
        item = SubElement(acknowledgement, "Item")
        SubElement(item, "AmazonOrderItemCode").text = code
        SubElement(item, "CancelReason").text = CANCEL_REASONS[reason]
    document: bytes = tostring(root, encoding="UTF-8", xml_declaration=True)
    return document


def refusal_in(report: bytes) -> str | None:
    """Why a processing report refuses the feed's message, or None where it does not.

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


def _wire_order(payload: object) -> wire.Order:
    try:
        return msgspec.convert(payload, wire.Order)
    except msgspec.ValidationError as error:
        raise Unreadable(str(error)[:TEXT_CHARACTERS_MAX]) from error


def _line(item: wire.OrderItem, *, cancelled: bool) -> OrderLine:
    sku = item.product.seller_sku
    ordered, units = item.quantity_ordered, item.fulfillment or wire.ItemFulfillment()
    if not sku:
        raise Unreadable(f"item {item.order_item_id} names no seller SKU")
    shipped, still_open = units.quantity_fulfilled, units.quantity_unfulfilled
    # A cancelled order may show 0 units ordered, as the older orders API did (UNCONFIRMED here).
    if min(ordered, shipped, still_open) < 0 or shipped > ordered:
        raise Unreadable(f"item {item.order_item_id} has impossible quantities")
    # Units count as cancelled only on Amazon's own word; open ones may be missing while PENDING.
    ended = ordered - shipped if cancelled else 0
    if not cancelled and _executed(item) is not None:
        ended = max(ordered - shipped - still_open, 0)
    return OrderLine(
        line_ref=item.order_item_id,
        channel_sku=sku,
        quantity=ordered,
        cancelled=ended,
        shipped=shipped,
        unit_price=_yen(item.product.price),
    )


def _yen(price: wire.Price | None) -> int | None:
    if price is None or price.unit_price is None or price.unit_price.currency_code != "JPY":
        return None
    try:
        amount = Decimal(price.unit_price.amount)
    except InvalidOperation:
        return None
    return int(amount) if amount.is_finite() else None


def _asked(item: wire.OrderItem) -> bool:
    request = item.cancellation.cancellation_request if item.cancellation else None
    return request is not None and request.requester == "BUYER"


def _executed(item: wire.OrderItem) -> wire.CancellationExecution | None:
    return item.cancellation.cancellation_execution if item.cancellation else None


def _ending(order: wire.Order) -> tuple[Party | None, str | None]:
    """Who ended a cancelled order, and why, as the first item that says so."""
    executions = [one for item in order.order_items if (one := _executed(item)) is not None]
    if not executions or order.fulfillment.fulfillment_status != "CANCELLED":
        return None, None
    reason = executions[0].cancel_reason
    by = CANCELLED_BY.get(executions[0].cancelled_by or "")
    return by, None if reason is None else reason[:TEXT_CHARACTERS_MAX]


def _hint(order: wire.Order, lines: Sequence[OrderLine], *, asked: bool) -> str:
    """Everything that a change of the order would change, in short."""
    shipped, ended = sum(line.shipped for line in lines), sum(line.cancelled for line in lines)
    parts = [
        order.fulfillment.fulfillment_status,
        order.last_updated_time.isoformat(),
        f"{shipped}+{ended}/{sum(line.quantity for line in lines)}",
    ]
    return " ".join([*parts, *(["asked"] if asked else [])])


def _is_own(availability: wire.Availability) -> bool:
    return availability.fulfillment_channel_code == OWN_CHANNEL
