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
    """What searchOrder answers."""

    refs: list[str] | None = field(default=None, name="orderNumberList")
    pages: Pages | None = field(default=None, name="PaginationResponseModel")


class GetAnswer(Struct):
    """What getOrder answers; each order is decoded by itself, so that one cannot spoil the rest."""

    orders: list[msgspec.Raw] | None = field(default=None, name="OrderModelList")


class MessagesAnswer(Struct):
    """The part that all order functions share."""

    messages: list[Message] | None = field(default=None, name="MessageModelList")


class Gateway(Struct, rename="camel"):
    """`Results` of the gateway in front of all functions."""

    error_code: str = ""


class RowError(Struct):
    """An entry of `errors` (inventory functions)."""

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
