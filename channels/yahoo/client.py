"""Yahoo!'s store APIs as functions: numbers, orders, changes of orders, and files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from xml.etree.ElementTree import Element

import httpx
from msgspec import Struct

from channels.base import BadAnswer, RetryLater
from channels.yahoo import xml
from channels.yahoo.budgets import (
    DOWNLOAD_REQUEST,
    DOWNLOAD_SUBMIT,
    GET_STOCK,
    ORDER_CHANGE,
    ORDER_COUNT,
    ORDER_INFO,
    ORDER_LIST,
    SET_STOCK,
    STATUS_CHANGE,
)
from channels.yahoo.mapping import (
    INFO_FIELDS,
    JST,
    LIST_FIELDS,
    STAMP,
    Listed,
    MalformedOrder,
    StockRow,
    listed_from,
    stock_rows,
)
from channels.yahoo.wire import YahooWire

PAGE_ORDERS = 100
STOCK_FILE = "2"
FILE_NOT_READY = "pm-08003"
FILE_WAIT_SECONDS = 10.0


class Page(Struct, frozen=True):
    """A page of orderList. `problems`: (order_ref, what is wrong) of rows that cannot be read."""

    rows: list[Listed]
    total: int
    problems: list[tuple[str, str]]


class YahooClient:
    """One store's functions. Methods raise the errors of `channels.base`."""

    def __init__(self, wire: YahooWire) -> None:
        self.wire = wire

    async def set_stock(
        self, numbers: Mapping[str, str], *, overdrafts: Sequence[str] = ()
    ) -> dict[str, StockRow]:
        """Write up to 1000 numbers, bare ones absolutely, signed ones as a change.

        A row by code for all that the answer names. A single number that is refused is an error
        of the whole call (Rejected). `overdrafts` are the flags of the same codes, or none.
        """
        form = {"item_code": ",".join(numbers), "quantity": ",".join(numbers.values())}
        if overdrafts:
            form["allow_overdraft"] = ",".join(overdrafts)
        return stock_rows(await self.wire.stock("setStock", SET_STOCK, writes=True, **form))

    async def get_stock(self, codes: Sequence[str]) -> dict[str, StockRow]:
        """Read up to 1000 numbers; codes without a stock row have no quantity."""
        form = {"item_code": ",".join(codes)}
        return stock_rows(await self.wire.stock("getStock", GET_STOCK, writes=False, **form))

    async def count_orders(self) -> str:
        """What orderCount says, as one text: new orders not looked at, new pre-orders, held ones.

        It changes when an order comes in, and also when staff open one.
        """
        root = await self.wire.count("orderCount", ORDER_COUNT)
        counts = root.find("Result/Count")
        if counts is None:
            raise BadAnswer("orderCount: an answer without Count")
        return " ".join(f"{child.tag}={(child.text or '').strip()}" for child in counts)

    async def list_orders(self, begin: datetime, end: datetime, *, start: int) -> Page:
        """100 orders placed in a window of whole seconds, oldest first, from position `start`."""
        condition = {"OrderTimeFrom": _stamp(begin), "OrderTimeTo": _stamp(end)}
        return await self._list(condition, start=start)

    async def has_order(self, order_ref: str) -> bool:
        """Whether the store has such an order."""
        return (await self._list({"OrderId": order_ref}, start=1)).total > 0

    async def order_info(self, order_ref: str) -> Element:
        """One order's OrderInfo. Raises Rejected when Yahoo! refuses (no such order included)."""
        target = {"OrderId": order_ref, "Field": INFO_FIELDS}
        root = await self.wire.order("orderInfo", ORDER_INFO, {"Target": target})
        info = root.find("Result/OrderInfo")
        if info is None:
            raise BadAnswer("orderInfo: an answer without OrderInfo")
        return info

    async def cancel(self, order_ref: str, *, reason: str, point_fix: bool) -> None:
        """OrderStatus 4 for a whole order; it cannot be taken back.

        The reason is never left out: a blank one is recorded as 230, the store's other reasons.
        """
        words: xml.Words = {
            "Target": {"OrderId": order_ref, "IsPointFix": str(point_fix).lower()},
            "Order": {"OrderStatus": "4", "CancelReason": reason},
        }
        await self.wire.order("orderStatusChange", STATUS_CHANGE, words, writes=True)

    async def change_lines(self, order_ref: str, units: Sequence[tuple[str, int]]) -> None:
        """Set the Quantity of (LineId, units) lines of an order (orderChange)."""
        items = [{"LineId": line_ref, "Quantity": str(left)} for line_ref, left in units]
        words: xml.Words = {"Target": {"OrderId": order_ref}, "Order": {"Item": items}}
        await self.wire.order("orderChange", ORDER_CHANGE, words, writes=True)

    async def ask_stock_file(self) -> None:
        """Have the file of all stock rows made (downloadRequest, type 2)."""
        await self.wire.stock("downloadRequest", DOWNLOAD_REQUEST, writes=False, type=STOCK_FILE)

    async def stock_file(self) -> bytes:
        """The file of all stock rows as CSV (downloadSubmit); RetryLater until it is made."""
        response = await self.wire.file("downloadSubmit", DOWNLOAD_SUBMIT, type=STOCK_FILE)
        if response.is_success and not _is_markup(response):
            return response.content
        if FILE_NOT_READY.encode() in response.content:
            raise RetryLater(f"downloadSubmit: {FILE_NOT_READY}", seconds=FILE_WAIT_SECONDS)
        xml.answer(response, name="downloadSubmit")
        raise BadAnswer("downloadSubmit: an answer without a file")

    async def _list(self, condition: Mapping[str, str], *, start: int) -> Page:
        search: xml.Words = {
            "Result": str(PAGE_ORDERS),
            "Start": str(start),
            "Sort": "+order_time",
            "Condition": condition,
            "Field": LIST_FIELDS,
        }
        root = await self.wire.order("orderList", ORDER_LIST, {"Search": search})
        rows, problems = [], []
        for row in root.iter("OrderInfo"):
            try:
                rows.append(listed_from(row))
            except MalformedOrder as malformed:
                problems.append((row.findtext("OrderId") or "", str(malformed)))
        total = root.findtext("Search/TotalCount") or ""
        if not total.isdecimal():
            raise BadAnswer("orderList: an answer without TotalCount")
        return Page(rows, int(total), problems)

    async def aclose(self) -> None:
        """Close connections."""
        await self.wire.aclose()


def _is_markup(response: httpx.Response) -> bool:
    return response.content.lstrip()[:1] in {b"<", b"{"}


def _stamp(moment: datetime) -> str:
    return moment.astimezone(JST).strftime(STAMP)
