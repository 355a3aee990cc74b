"""Shopify's words to ours and back; pure, so that a composed payload is its whole test."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any

import msgspec

from channels.shopify import wire
from inventory.vocabulary import (
    OrderLine,
    OrderSeen,
    Party,
    PushOutcome,
    PushStatus,
    Reason,
)

ORDER, LINE = "gid://shopify/Order/", "gid://shopify/LineItem/"
TEXT_CHARACTERS_MAX = 200
CANCEL_REASONS = {Reason.OUT_OF_STOCK: "INVENTORY", Reason.BUYER_REQUEST: "CUSTOMER"}
# Shopify keeps a reason and no actor; the reason names one.
CANCELLED_BY = {
    "CUSTOMER": Party.BUYER,
    "DECLINED": Party.MARKETPLACE,
    "FRAUD": Party.MARKETPLACE,
    "INVENTORY": Party.SELLER,
    "OTHER": Party.SELLER,
    "STAFF": Party.SELLER,
}
# Nothing has left, and no fulfilment service has begun (its request would have to end first).
NOTHING_SHIPPED = frozenset({"ON_HOLD", "OPEN", "REQUEST_DECLINED", "SCHEDULED", "UNFULFILLED"})
SHIPMENTS_THAT_COUNT = frozenset({"OPEN", "PENDING", "SUCCESS"})
# Whether these had an effect is not known; sent again with the same key they have one.
STALE = "CHANGE_FROM_QUANTITY_STALE"
UNDECIDED = frozenset({"IDEMPOTENCY_CONCURRENT_REQUEST", "SERVICE_UNAVAILABLE"})


class Unreadable(ValueError):
    """A payload that does not say what the API promises; the text is safe to show."""


def order_gid(order_ref: str) -> str:
    """The global id of an order; our reference is its number."""
    return f"{ORDER}{order_ref}"


def order_ref_of(payload: object) -> str:
    """The order's number even where the rest cannot be read ("?" where there is none)."""
    gid = payload.get("id") if isinstance(payload, dict) else None
    return gid.removeprefix(ORDER) if isinstance(gid, str) and gid else "?"


def listed_order(payload: object) -> wire.Listed:
    """What the list says of an order. Raises Unreadable."""
    try:
        return msgspec.convert(payload, wire.Listed)
    except msgspec.ValidationError as error:
        raise Unreadable(str(error)[:TEXT_CHARACTERS_MAX]) from error


def wire_order(payload: object) -> wire.Order:
    """An order with one page of lines. Raises Unreadable."""
    try:
        order = msgspec.convert(payload, wire.Order)
    except msgspec.ValidationError as error:
        raise Unreadable(str(error)[:TEXT_CHARACTERS_MAX]) from error
    if not order.id.startswith(ORDER):
        raise Unreadable("the order's id is not an order's")
    return order


def needs_shipments(order: wire.Order) -> bool:
    """Whether removed units of this order may have been shipped before: only shipments tell."""
    return (
        order.cancelled_at is None
        and order.display_fulfillment_status not in NOTHING_SHIPPED
        and any(line.current_quantity < line.quantity for line in order.line_items.nodes)
    )


def shipped_units(answer: wire.ShippedAnswer) -> dict[str, int]:
    """Line id → units in shipments that were not called off. Raises Unreadable."""
    units: dict[str, int] = {}
    for shipment in answer.order.fulfillments if answer.order else []:
        if shipment.fulfillment_line_items.page_info.has_next_page:
            raise Unreadable("a shipment has more lines than are read")
        if shipment.status in SHIPMENTS_THAT_COUNT:
            for row in shipment.fulfillment_line_items.nodes:
                units[row.line_item.id] = units.get(row.line_item.id, 0) + (row.quantity or 0)
    return units


def hint_of(order: wire.Order | wire.Listed) -> str:
    """State and last change, in whole seconds: a second change in the same one does not show."""
    state = "CANCELLED" if order.cancelled_at else order.display_fulfillment_status
    return f"{state} {order.updated_at.isoformat()}"


def order_from(
    order: wire.Order,
    lines: Sequence[wire.LineItem],
    *,
    observed_at: datetime,
    shipped: Mapping[str, int] | None = None,
) -> OrderSeen | None:
    """An order with all of its lines; None where none of them is listed. Raises Unreadable.

    Lines without a variant and a SKU (tips, custom items) are nobody's stock and are left out.
    `shipped` overrides what the lines say, where shipments had to be read.
    """
    seen = tuple(
        _line(line, shipped=shipped, cancelled=order.cancelled_at is not None)
        for line in lines
        if line.sku or line.variant
    )
    if not seen:
        return None
    cancelled = order.cancelled_at is not None
    return OrderSeen(
        order_ref=order.id.removeprefix(ORDER),
        ordered_at=order.created_at,
        observed_at=observed_at,
        lines=seen,
        hint=hint_of(order),
        cancelled=cancelled,
        cancelled_by=CANCELLED_BY.get(order.cancel_reason or "") if cancelled else None,
        cancel_reason=order.cancel_reason if cancelled else None,
        cancellable=(
            not cancelled
            and order.display_fulfillment_status in NOTHING_SHIPPED
            and not any(line.shipped for line in seen)
        ),
    )


def sku_query(channel_skus: Sequence[str]) -> str:
    """A search for these SKUs; it may find more, so what it finds has to be compared."""
    return " OR ".join(f'sku:"{_escaped(sku)}"' for sku in channel_skus)


def change_input(*, delta: int, item_id: str, location_id: str, uri: str) -> dict[str, Any]:
    """The input of a change, which is right whatever was sold meanwhile.

    `changeFromQuantity` has to be named from 2026-04 on; null says that no check is wanted.
    """
    place = {"inventoryItemId": item_id, "locationId": location_id, "changeFromQuantity": None}
    return {**_shared(uri), "changes": [{**place, "delta": delta}]}


def set_input(
    *, quantity: int, expected: int | None, item_id: str, location_id: str, uri: str
) -> dict[str, Any]:
    """The input of an absolute number, taken only while `expected` is what is there.

    None (no check) is for a zero alone, which is safe whatever was sold meanwhile (L7).
    """
    place = {"inventoryItemId": item_id, "locationId": location_id, "changeFromQuantity": expected}
    return {**_shared(uri), "quantities": [{**place, "quantity": quantity}]}


def _shared(uri: str) -> dict[str, Any]:
    return {"name": "available", "reason": "correction", "referenceDocumentUri": uri}


def outcome_from(channel_sku: str, payload: object) -> PushOutcome:
    """What one write's field says; a field without an answer is neither done nor failed."""
    try:
        errors = msgspec.convert(payload, wire.WritePayload).user_errors
    except msgspec.ValidationError:
        return _outcome(channel_sku, PushStatus.UNKNOWN, "no_answer")
    if not errors:
        return _outcome(channel_sku, PushStatus.ACCEPTED)
    code = errors[0].code or "INVALID"
    status = PushStatus.UNKNOWN if code in UNDECIDED else PushStatus.REFUSED
    return _outcome(channel_sku, status, code, errors[0].message)


def told(errors: Sequence[wire.UserError]) -> str:
    """A mutation's refusals in one line."""
    text = "; ".join(f"{error.code or 'INVALID'} {error.message}" for error in errors)
    return text[:TEXT_CHARACTERS_MAX]


def _outcome(sku: str, status: PushStatus, code: str = "", detail: str = "") -> PushOutcome:
    text = detail[:TEXT_CHARACTERS_MAX]
    return PushOutcome(channel_sku=sku, status=status, code=code, detail=text)


def _line(line: wire.LineItem, *, shipped: Mapping[str, int] | None, cancelled: bool) -> OrderLine:
    """`quantity` = open + shipped + ended; units returned after shipping stay shipped."""
    if not line.sku:
        raise Unreadable(f"line {line.id} has a variant without a SKU")
    # Whether removed units still count as unfulfilled is UNCONFIRMED; here they never do.
    still_open = 0 if cancelled else min(line.unfulfilled_quantity, line.current_quantity)
    left = line.current_quantity - still_open if shipped is None else shipped.get(line.id, 0)
    ended = line.quantity - still_open - left
    if min(line.quantity, still_open, left, ended) < 0:
        raise Unreadable(f"line {line.id} has impossible quantities")
    return OrderLine(
        line_ref=line.id.removeprefix(LINE),
        channel_sku=line.sku,
        quantity=line.quantity,
        cancelled=ended,
        shipped=left,
        unit_price=_yen(line.original_unit_price_set),
    )


def _yen(price: wire.MoneyBag | None) -> int | None:
    if price is None or price.shop_money.currency_code != "JPY":
        return None
    try:
        amount = Decimal(price.shop_money.amount)
    except InvalidOperation:
        return None
    return int(amount) if amount.is_finite() else None


def _escaped(sku: str) -> str:
    return sku.replace("\\", "\\\\").replace('"', '\\"')
