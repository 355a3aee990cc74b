"""Amazon's words to ours and back; pure, so that a composed payload is its whole test."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal, InvalidOperation

import msgspec

from channels.amazon import wire
from inventory.vocabulary import (
    OrderLine,
    OrderSeen,
    Party,
    PushOutcome,
    PushStatus,
    Reading,
)

OWN_CHANNEL = "DEFAULT"
TEXT_CHARACTERS_MAX = 200
CANCELLED_BY = {"BUYER": Party.BUYER, "MERCHANT": Party.SELLER, "AMAZON": Party.MARKETPLACE}


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
    """An order of Orders API 2026-01-01. Raises Unreadable. See `seen_from`."""
    return seen_from(
        wire_order(payload),
        observed_at=observed_at,
        pending_cancellable=pending_cancellable,
        listed=listed,
    )


def seen_from(
    order: wire.Order,
    *,
    observed_at: datetime,
    pending_cancellable: bool = False,
    listed: bool = False,
    hint: str | None = None,
) -> OrderSeen:
    """An order in our words. Raises Unreadable.

    `listed`: from a search, which shows orders as they stood a while ago, though never older than
    their last update. `cancellable`: what the acknowledgement feed would accept. `hint` where the
    list cannot tell what the items are.
    """
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
        hint=hint or _hint(order, lines, asked=asked),
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


def wire_order(payload: object) -> wire.Order:
    """The parts of an order that we read. Raises Unreadable."""
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


def buyer_asked(told: object) -> bool:
    """Whether Amazon itself says that the buyer asked for a cancellation (L10).

    It says so as text ("true", Orders API v0), as a boolean (ORDER_CHANGE notices) and as an
    object: `BuyerRequestedCancel` of v0, `cancellationRequest` of 2026-01-01, which counts only
    where the buyer is the requester. Whatever else is told is no request.
    """
    if isinstance(told, dict):
        flags = (told.get("IsBuyerRequestedCancel"), told.get("isBuyerRequestedCancel"))
        return told.get("requester") == "BUYER" or any(_is_true(flag) for flag in flags)
    return _is_true(told)


def _is_true(told: object) -> bool:
    return told is True or (isinstance(told, str) and told.strip().lower() == "true")


def _asked(item: wire.OrderItem) -> bool:
    return item.cancellation is not None and buyer_asked(item.cancellation.cancellation_request)


def _executed(item: wire.OrderItem) -> wire.CancellationExecution | None:
    return item.cancellation.cancellation_execution if item.cancellation else None


def _ending(order: wire.Order) -> tuple[Party | None, str | None]:
    """Who ended an order or units of it, and why, as the first item that says so.

    Of an order that lives on nothing is said where its items were ended by different parties.
    """
    executions = [one for item in order.order_items if (one := _executed(item)) is not None]
    agreed = len({(one.cancelled_by, one.cancel_reason) for one in executions}) == 1
    if not executions or not (agreed or order.fulfillment.fulfillment_status == "CANCELLED"):
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
