"""Rakuten's words and ours; pure. Only what stock needs is decoded, buyers' data never is (L13)."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime

import msgspec
from msgspec import Struct, field

from inventory.vocabulary import OrderLine, OrderSeen, Party, Reason

LIVE_PROGRESS = (100, 200, 300, 400)
CANCELLABLE_PROGRESS = frozenset({100, 200, 300})
SHIPPED_PROGRESS = frozenset({500, 600, 700})
CANCELLED_PROGRESS = frozenset({800, 900})
KNOWN_PROGRESS = {*LIVE_PROGRESS, *SHIPPED_PROGRESS, *CANCELLED_PROGRESS}

# ChangeReasonModel changeType: cancel applied, fixed, completed.
CANCEL_CHANGES = frozenset({0, 1, 2})
PARTIES = {0: Party.SELLER, 1: Party.BUYER}

# RakutenPayOrderAPI cancelOrder, changeReasonDetailApply: 8 is out of stock, 1 the buyer's wish.
REASON_CODES = {Reason.OUT_OF_STOCK: 8, Reason.BUYER_REQUEST: 1}

QUANTITY_MAX = 99_999
KEY_BYTES_MAX = 32
KEY_LETTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-")


class MalformedOrder(Exception):
    """An order that cannot be read; the text says what is wrong."""


class Sku(Struct):
    """SkuModel (getOrder version 7 and later, getOrderItem)."""

    variant_id: str | None = field(default=None, name="variantId")


class Item(Struct, rename="camel"):
    """ItemModel: one line of a package."""

    item_detail_id: int
    manage_number: str | None
    units: int
    price: int | None = None
    delete_item_flag: int | None = None
    skus: list[Sku] | None = field(default=None, name="SkuModelList")


class Shipping(Struct, rename="camel"):
    """ShippingModel: a parcel of a package."""

    shipping_number: str | None = None
    shipping_date: str | None = None


class Package(Struct):
    """PackageModel: what goes to one address."""

    basket_id: int = field(name="basketId")
    items: list[Item] = field(name="ItemModelList")
    shippings: list[Shipping] | None = field(default=None, name="ShippingModelList")


class Change(Struct, rename="camel"):
    """ChangeReasonModel: a change or cancellation and who wanted it."""

    change_id: int
    change_type: int | None = None
    change_reason: int | None = None
    change_reason_detail: int | None = None


class Order(Struct):
    """OrderModel, as far as stock is concerned.

    getOrderItem has neither parcels nor changes nor deleted lines; both have the shop's report that
    everything was shipped.
    """

    order_number: str = field(name="orderNumber")
    order_progress: int = field(name="orderProgress")
    order_datetime: str = field(name="orderDatetime")
    packages: list[Package] = field(name="PackageModelList")
    shipped_datetime: str | None = field(default=None, name="shippingCmplRptDatetime")
    changes: list[Change] | None = field(default=None, name="ChangeReasonModelList")


def order_from(raw: bytes | msgspec.Raw, *, observed_at: datetime) -> OrderSeen:
    """One OrderModel of getOrder (version 7 and later) or getOrderItem as we see it.

    Raises MalformedOrder, naming the field but no value of it.
    """
    try:
        order = msgspec.json.decode(raw, type=Order)
        ordered_at = datetime.fromisoformat(order.order_datetime)
    except (msgspec.DecodeError, ValueError) as error:
        raise MalformedOrder(_without_values(error)) from error
    if ordered_at.tzinfo is None or order.order_progress not in KNOWN_PROGRESS:
        raise MalformedOrder(f"orderDatetime or orderProgress {order.order_progress}")
    lines = [_line(order, package, item) for package in order.packages for item in package.items]
    if not lines or len({line.line_ref for line in lines}) != len(lines):
        raise MalformedOrder("no lines, or two with the same ids")
    cancelled = order.order_progress in CANCELLED_PROGRESS
    change = _cancel_change(order) if cancelled else None
    return OrderSeen(
        order_ref=order.order_number,
        ordered_at=ordered_at.astimezone(UTC),
        observed_at=observed_at,
        lines=tuple(lines),
        hint=_hint(order, lines),
        cancelled=cancelled,
        cancelled_by=PARTIES.get(_or_none(change.change_reason)) if change else None,
        cancel_reason=_text(change.change_reason_detail) if change else None,
        cancellable=order.order_progress in CANCELLABLE_PROGRESS and not _has_parcel(order),
    )


def is_live(hint: str) -> bool:
    """Whether a stored hint is of an order that was neither shipped nor cancelled."""
    return not hint.startswith(("shipped:", "cancelled:"))


def progress_of(hint: str) -> int:
    """The orderProgress in a stored hint, 0 where it has none."""
    digits = hint.split(":")[1:2]
    return int(digits[0]) if digits and digits[0].isdigit() else 0


def ordered_day(order_ref: str) -> datetime | None:
    """The first moment of the day in an order number (`shop-YYYYMMDD-number`, Asia/Tokyo)."""
    parts = order_ref.split("-")
    try:
        return datetime.strptime(f"{parts[1]}+0900", "%Y%m%d%z")
    except (IndexError, ValueError):
        return None


def split_sku(channel_sku: str) -> tuple[str, str] | None:
    """`manageNumber/variantId` in its two parts, None when it cannot be that (InventoryAPI 2.0)."""
    manage, slash, variant = channel_sku.partition("/")
    for part in (manage, variant):
        if not slash or not 1 <= len(part) <= KEY_BYTES_MAX or not set(part) <= KEY_LETTERS:
            return None
    return manage.lower(), variant


def _line(order: Order, package: Package, item: Item) -> OrderLine:
    if not item.manage_number or item.units < 0:
        raise MalformedOrder(f"item {item.item_detail_id}: manageNumber or units")
    variants = [sku.variant_id for sku in item.skus or [] if sku.variant_id]
    if len(variants) > 1:
        raise MalformedOrder(f"item {item.item_detail_id}: {len(variants)} SKUs on one line")
    # An order from before the shop's SKU migration names no variant: the person who maps it sees.
    channel_sku = "/".join([item.manage_number.lower(), *variants])
    deleted = item.delete_item_flag == 1
    shipped = not deleted and _is_shipped(order, package)
    cancelled = deleted or (order.order_progress in CANCELLED_PROGRESS and not shipped)
    return OrderLine(
        line_ref=f"{package.basket_id}/{item.item_detail_id}",
        channel_sku=channel_sku,
        quantity=item.units,
        cancelled=item.units if cancelled else 0,
        shipped=item.units if shipped else 0,
        # Totals not settled yet are -9999.
        unit_price=item.price if item.price is not None and item.price >= 0 else None,
    )


def _is_shipped(order: Order, package: Package) -> bool:
    # A change (400) or a cancellation (800, 900) may come after the units have left.
    if order.order_progress in SHIPPED_PROGRESS or order.shipped_datetime:
        return True
    return any(shipping.shipping_date for shipping in package.shippings or [])


def _has_parcel(order: Order) -> bool:
    return any(
        shipping.shipping_date or shipping.shipping_number
        for package in order.packages
        for shipping in package.shippings or []
    )


def _cancel_change(order: Order) -> Change | None:
    changes = [change for change in order.changes or [] if change.change_type in CANCEL_CHANGES]
    return max(changes, key=lambda change: change.change_id, default=None)


def _hint(order: Order, lines: Sequence[OrderLine]) -> str:
    state = "live"
    if order.order_progress in CANCELLED_PROGRESS:
        state = "cancelled"
    elif all(line.shipped + line.cancelled == line.quantity for line in lines):
        state = "shipped"
    content = msgspec.json.encode([*lines, _has_parcel(order)])
    digest = hashlib.blake2b(content, digest_size=4).hexdigest()
    return f"{state}:{order.order_progress}:{digest}"


def _without_values(error: Exception) -> str:
    # msgspec names the expected type and the path; a date's own text is no buyer data.
    return str(error)[:200]


def _or_none(number: int | None) -> int:
    return -1 if number is None else number


def _text(number: int | None) -> str | None:
    return None if number is None else str(number)
