"""The answers of RMS WEB SERVICE as they are sent; what is not named here is never decoded."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Struct, field


class Message(Struct, rename="camel"):
    """An entry of MessageModelList (order functions)."""

    message_type: str = ""
    message_code: str = ""
    order_number: str | None = None


class Pages(Struct, rename="camel"):
    """PaginationResponseModel; all None when nothing was found."""

    total_records_amount: int | None = None
    total_pages: int | None = None


class SearchAnswer(Struct):
    """What searchOrder and searchOrderItem answer."""

    refs: list[str] | None = field(default=None, name="orderNumberList")
    pages: Pages | None = field(default=None, name="PaginationResponseModel")


class GetAnswer(Struct):
    """What getOrder and getOrderItem answer.

    Each order is decoded by itself, so that one cannot spoil the rest.
    """

    orders: list[msgspec.Raw] | None = field(default=None, name="OrderModelList")


class Head(Struct):
    """The part of an order by which it is told apart; the rest may be unreadable."""

    ref: str = field(default="", name="orderNumber")
    progress: int = field(default=0, name="orderProgress")


class MessagesAnswer(Struct):
    """The part that all order functions share."""

    messages: list[Message] | None = field(default=None, name="MessageModelList")


class Gateway(Struct, rename="camel"):
    """`Results` of the gateway in front of all functions."""

    error_code: str = ""


class RowError(Struct):
    """An entry of `errors` (inventory and item functions)."""

    code: str = ""
    metadata: dict[str, Any] | None = None


class ErrorAnswer(Struct):
    """Any of the three shapes of an error."""

    results: Gateway | None = field(default=None, name="Results")
    errors: list[RowError] | None = None
    messages: list[Message] | None = field(default=None, name="MessageModelList")


class StockRow(Struct, rename="camel"):
    """A row of bulk-get."""

    manage_number: str
    variant_id: str
    quantity: int


class StockAnswer(Struct):
    """What bulk-get answers."""

    inventories: list[StockRow]


class Variant(Struct, rename="camel"):
    """One SKU of an item. `back_order_flag`: orders are taken at stock 0."""

    merchant_defined_sku_id: str | None = None
    selector_values: dict[str, str] | None = None
    back_order_flag: bool | None = None
    hidden: bool | None = None


class Item(Struct, rename="camel"):
    """One item of items.search; a deleted one has nothing but its manageNumber.

    `unlimited_inventory_flag`: the item has no stock setting and sells without end.
    """

    manage_number: str
    item_number: str | None = None
    title: str | None = None
    hide_item: bool | None = None
    unlimited_inventory_flag: bool | None = None
    variants: dict[str, Variant] | None = None


class Result(Struct):
    """One hit of items.search."""

    item: Item | None = None


class ItemsAnswer(Struct, rename="camel"):
    """What items.search answers when it is asked with a cursorMark."""

    results: list[Result]
    next_cursor_mark: str | None = None


class LicenseAnswer(Struct, rename="camel"):
    """What license.expiryDate.get answers: the last second of the key, in Japan."""

    expiry_date: str
