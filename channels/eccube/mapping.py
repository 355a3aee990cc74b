"""EC-CUBE's words to ours and back; pure, so that a composed payload is its whole test."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal, InvalidOperation
from enum import IntEnum

import msgspec

from channels.eccube import wire
from inventory.vocabulary import (
    Danger,
    ListingSeen,
    OrderLine,
    OrderSeen,
    PushOutcome,
    PushStatus,
    Reading,
)

# What an item sells whose stock has no bound: the greatest number that we keep.
UNLIMITED_UNITS = 1_000_000
GOODS = 1
SHOWN = 1
TEXT_CHARACTERS_MAX = 200


class Status(IntEnum):
    """EC-CUBE 4.3, Entity/Master/OrderStatus."""

    NEW = 1
    CANCEL = 3
    IN_PROGRESS = 4
    DELIVERED = 5
    PAID = 6
    PENDING = 7
    PROCESSING = 8
    RETURNED = 9


# With no status named, the search leaves out orders that are being paid for or put together.
ALL_STATUSES = [str(status.value) for status in Status]
SENT = frozenset({Status.DELIVERED, Status.RETURNED})


class Unreadable(ValueError):
    """A payload that does not say what the API promises; the text is safe to show."""


def order_ref_of(payload: object) -> str:
    """The order's id even where the rest cannot be read ("?" where there is none)."""
    found = payload.get("id") if isinstance(payload, dict) else None
    return str(found) if isinstance(found, (int, str)) and found != "" else "?"


def order_from(payload: object, *, observed_at: datetime, held: bool) -> OrderSeen | None:
    """An order with its goods, rows of one product code taken together.

    None for one that was never an order of ours: put together and not placed, or without goods.
    `held`: we know the order already, so that one which fell back from payment has ended.
    Raises Unreadable.
    """
    try:
        order = msgspec.convert(payload, wire.Order, strict=False)
        status = Status(int(order.OrderStatus.id)) if order.OrderStatus else Status.PROCESSING
    except (msgspec.ValidationError, ValueError) as error:
        raise Unreadable(str(error)[:TEXT_CHARACTERS_MAX]) from error
    goods = [item for item in order.OrderItems if _units(item.OrderItemType.id) == GOODS]
    if not goods or (status is Status.PROCESSING and not held):
        return None
    ended = status in {Status.CANCEL, Status.PROCESSING}
    return OrderSeen(
        order_ref=str(order.id),
        ordered_at=order.order_date or order.create_date,
        observed_at=observed_at,
        lines=_lines(goods, ended=ended, sent=status in SENT),
        hint=f"{status.name} {order.update_date.isoformat()}",
        cancelled=ended,
        cancellable=status in {Status.NEW, Status.IN_PROGRESS, Status.PAID},
    )


def _lines(goods: list[wire.OrderItem], *, ended: bool, sent: bool) -> tuple[OrderLine, ...]:
    units: dict[str, int] = {}
    prices: dict[str, int | None] = {}
    for item in goods:
        if not item.product_code:
            raise Unreadable("a row of goods has no product code")
        units[item.product_code] = units.get(item.product_code, 0) + _units(item.quantity)
        prices.setdefault(item.product_code, None if item.price is None else _units(item.price))
    if min(units.values()) < 0:
        raise Unreadable("a row has a negative quantity")
    return tuple(
        OrderLine(
            line_ref=code,
            channel_sku=code,
            quantity=quantity,
            cancelled=quantity if ended else 0,
            shipped=quantity if sent else 0,
            unit_price=prices[code],
        )
        for code, quantity in units.items()
        if quantity
    )


def reading_from(code: str, classes: list[wire.ProductClass]) -> Reading:
    """The number of a code; None where no item, or more than one, has it."""
    found = [one for one in classes if one.code == code]
    if len(found) != 1:
        return Reading(channel_sku=code, quantity=None)
    return Reading(channel_sku=code, quantity=_shown(found[0]))


def listing_from(product: wire.Product, one: wire.ProductClass) -> ListingSeen:
    """What can be bought of a product, as a listing known by its code."""
    code = one.code or ""
    choices = [choice.name for choice in (one.ClassCategory1, one.ClassCategory2) if choice]
    dangers: tuple[Danger, ...] = ()
    if one.stock_unlimited:
        detail = "its stock has no limit; the first number that we send makes it limited"
        dangers = (Danger(code="unlimited_stock", detail=detail, channel_sku=code),)
    return ListingSeen(
        channel_sku=code,
        codes=(code,),
        title=" ".join([product.name, *(name for name in choices if name)]),
        quantity=None if one.stock_unlimited else _shown(one),
        closed=product.Status is not None and _units(product.Status.id) != SHOWN,
        dangers=dangers,
    )


def outcome_from(code: str, wanted: int, payload: object, error: wire.Error | None) -> PushOutcome:
    """What one number's field says; a field without an answer is neither done nor failed."""
    if error is not None:
        status = PushStatus.UNKNOWN if wire.HIDDEN in error.message else PushStatus.REFUSED
        return _outcome(code, status, _code_of(error.message), error.message)
    stock = payload.get("stock") if isinstance(payload, Mapping) else None
    if stock is None or _units(stock) != wanted:
        return _outcome(code, PushStatus.UNKNOWN, "no_answer")
    return _outcome(code, PushStatus.ACCEPTED)


def _code_of(message: str) -> str:
    """UpdateProductStockMutation's own texts."""
    if "No ProductClass" in message:
        return "not_found"
    if "Multiple ProductClass" in message:
        return "duplicate_sku"
    return "internal_error" if wire.HIDDEN in message else "invalid"


def _outcome(code: str, status: PushStatus, reason: str = "", detail: str = "") -> PushOutcome:
    text = detail[:TEXT_CHARACTERS_MAX]
    return PushOutcome(channel_sku=code, status=status, code=reason, detail=text)


def _shown(one: wire.ProductClass) -> int:
    if one.stock_unlimited:
        return UNLIMITED_UNITS
    return _units(one.stock or 0)


def _units(number: wire.Number) -> int:
    """A whole number, however it was written. Raises Unreadable."""
    try:
        exact = Decimal(str(number))
    except InvalidOperation as error:
        raise Unreadable("a number cannot be read") from error
    if not exact.is_finite() or abs(exact) >= UNLIMITED_UNITS**2:
        raise Unreadable("a number cannot be read")
    return int(exact)
