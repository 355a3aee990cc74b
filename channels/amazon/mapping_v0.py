"""Orders API v0 in the shapes of 2026-01-01, so that one reader serves both; pure."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal, InvalidOperation

import msgspec

from channels.amazon import wire
from channels.amazon.mapping import TEXT_CHARACTERS_MAX, Unreadable, buyer_asked
from channels.amazon.wire_v0 import HeaderV0, ItemV0, MoneyV0

# v0's words for an order's state. InvoiceUnconfirmed: everything has been shipped, only the
# invoice is missing.
STATUS = {
    "PendingAvailability": "PENDING_AVAILABILITY",
    "Pending": "PENDING",
    "Unshipped": "UNSHIPPED",
    "PartiallyShipped": "PARTIALLY_SHIPPED",
    "Shipped": "SHIPPED",
    "InvoiceUnconfirmed": "SHIPPED",
    "Canceled": "CANCELLED",
    "Unfulfillable": "UNFULFILLABLE",
}
FULFILLED_BY = {"AFN": "AMAZON", "MFN": "MERCHANT"}


def order_ref_of(payload: object) -> str:
    """The order's number even where the rest cannot be read ("?" where there is none)."""
    ref = payload.get("AmazonOrderId") if isinstance(payload, dict) else None
    return ref if isinstance(ref, str) and ref else "?"


def header_from(payload: object) -> HeaderV0:
    """An order without its items. Raises Unreadable."""
    try:
        return msgspec.convert(payload, HeaderV0)
    except msgspec.ValidationError as error:
        raise Unreadable(str(error)[:TEXT_CHARACTERS_MAX]) from error


def hint_of(header: HeaderV0) -> str:
    """Everything that a change of the order would change, as far as a list of orders tells."""
    shipped, still_open = header.number_of_items_shipped, header.number_of_items_unshipped
    changed = header.last_update_date.isoformat()
    return f"{_status(header)} {changed} {shipped}/{shipped + still_open}"


def order_from(header: HeaderV0, items: Sequence[ItemV0]) -> wire.Order:
    """The order as 2026-01-01 would show it; v0 never says who cancelled, or why."""
    return wire.Order(
        order_id=header.amazon_order_id,
        created_time=header.purchase_date,
        last_updated_time=header.last_update_date,
        order_items=[_item(item) for item in items],
        fulfillment=wire.OrderFulfillment(
            fulfillment_status=_status(header),
            fulfilled_by=FULFILLED_BY.get(header.fulfillment_channel or ""),
            ship_by_window=wire.ShipByWindow(latest_date_time=header.latest_ship_date),
        ),
    )


def _status(header: HeaderV0) -> str:
    return STATUS.get(header.order_status, header.order_status[:TEXT_CHARACTERS_MAX])


def _item(item: ItemV0) -> wire.OrderItem:
    request = {"requester": "BUYER"} if buyer_asked(item.buyer_requested_cancel) else None
    ordered, shipped = item.quantity_ordered, item.quantity_shipped
    return wire.OrderItem(
        order_item_id=item.order_item_id,
        quantity_ordered=ordered,
        product=wire.Product(
            seller_sku=item.seller_sku, price=_unit_price(item.item_price, ordered)
        ),
        fulfillment=wire.ItemFulfillment(
            quantity_fulfilled=shipped, quantity_unfulfilled=ordered - shipped
        ),
        cancellation=wire.Cancellation(cancellation_request=request),
    )


def _unit_price(total: MoneyV0 | None, units: int) -> wire.Price | None:
    """The price of one unit: v0 tells that of all units together."""
    if total is None or units < 1:
        return None
    try:
        amount = Decimal(total.amount) / units
    except InvalidOperation:
        return None
    money = wire.Money(amount=str(amount), currency_code=total.currency_code)
    return wire.Price(unit_price=money)
