"""Yahoo! Shopping's setStock and getStock: numbers in comma lists, rows in XML."""

from __future__ import annotations

import re
from collections.abc import Sequence
from urllib.parse import parse_qsl
from xml.etree import ElementTree as ET

from channels.sandbox.wire import Answer, Call, Refused, Route
from channels.sandbox.yahoo_market import MAY_NOT, YahooMarket, error, is_code, xml

CODES_MAX = 1000
QUANTITY_MAX = 999_999_999
QUANTITY = re.compile(r"[+-]?\d{1,9}")
FIELDS_MAX = 20
MULTI_STATUS = 207


class StockApi:
    """setStock and getStock of one store; every code is `itemCode:subCode` or `itemCode`."""

    def __init__(self, market: YahooMarket) -> None:
        self._market = market

    def routes(self) -> list[Route]:
        """Both functions; each address has its own call a second."""
        return [
            self._market.stock_route("POST", "setStock", self.set_stock),
            self._market.stock_route("POST", "getStock", self.get_stock),
        ]

    def set_stock(self, call: Call) -> Answer:
        """Write up to 1000 numbers: bare is absolute, signed is relative; 207 when some failed."""
        form = self._form(call)
        codes = _codes(form)
        quantities = form.get("quantity", "").split(",")
        overdrafts = form["allow_overdraft"].split(",") if "allow_overdraft" in form else []
        if len(quantities) != len(codes):
            return error(400, "st-02105", "quantity: wrong number of values")
        if overdrafts and len(overdrafts) != len(codes):
            return error(400, "st-02107", "allow_overdraft: wrong number of values")
        rows: list[tuple[str, str, str]] = []
        for position, (code, quantity) in enumerate(zip(codes, quantities, strict=True)):
            overdraft = overdrafts[position] if overdrafts else None
            fault = self._fault(code, quantity, overdraft)
            value = fault or self._write(code, quantity, overdraft)
            if not fault and code in self._market.rules.unread:
                fault = value = "ed-10002"
            rows.append((code, fault, value))
        faults = [fault for _, fault, _ in rows if fault]
        if faults and len(rows) == 1:
            return error(400, faults[0], "the item was not updated")
        return _rows_answer(rows, status=MULTI_STATUS if faults else 200)

    def get_stock(self, call: Call) -> Answer:
        """Read up to 1000 numbers; Status 0 where there is no stock row."""
        codes = _codes(self._form(call))
        root = _result_set(len(codes))
        for code in codes:
            row = _code_row(root, code)
            listing = self._market.listings.get(code)
            waiting = self._market.waiting_stock.get(code)
            known = listing is not None or waiting is not None
            ET.SubElement(row, "Status").text = "1" if known else "0"
            if not known:
                continue
            quantity = (waiting or 0) if listing is None else listing.displayed
            overdraft = listing.extra["overdraft"] if listing else MAY_NOT
            closed = listing is not None and listing.closed
            ET.SubElement(row, "Quantity").text = str(quantity)
            ET.SubElement(row, "AllowOverdraft").text = overdraft
            ET.SubElement(row, "StockClose").text = str(int(closed))
        return xml(root)

    def _form(self, call: Call) -> dict[str, str]:
        media = call.headers.get("content-type", "").partition(";")[0].strip().lower()
        if media != "application/x-www-form-urlencoded":
            raise Refused(error(400, "ed-00003", "seller_id is required"))
        try:
            form = dict(
                parse_qsl(
                    call.body.decode("ascii"), keep_blank_values=True, max_num_fields=FIELDS_MAX
                )
            )
        except ValueError:
            raise Refused(error(400, "st-02101", "the form cannot be read")) from None
        if not form.get("seller_id"):
            raise Refused(error(400, "ed-00003", "seller_id is required"))
        if form["seller_id"] != self._market.seller_id:
            raise Refused(error(400, "ed-00004", "seller_id is unknown"))
        return form

    def _fault(self, code: str, quantity: str, overdraft: str | None) -> str:
        if not is_code(code):
            return "st-02101"
        if code in self._market.rules.refused:
            return "ed-10001"
        if not QUANTITY.fullmatch(quantity):
            return "st-02104"
        after = self._after(code, quantity)
        if abs(after) > QUANTITY_MAX or (after < 0 and not self._market.rules.negative_stock):
            return "st-02104"
        return "" if overdraft in {None, "0", "1"} else "st-02106"

    def _after(self, code: str, quantity: str) -> int:
        if quantity[0] not in "+-":
            return int(quantity)
        listing = self._market.listings.get(code)
        before = listing.displayed if listing else self._market.waiting_stock.get(code, 0)
        return before + int(quantity)

    def _write(self, code: str, quantity: str, overdraft: str | None) -> str:
        market, after = self._market, self._after(code, quantity)
        listing = market.listings.get(code)
        if listing is not None:
            mode = "relative" if quantity[0] in "+-" else "absolute"
            market.set_displayed(code, after, mode)
            if overdraft is None and market.rules.omitted_overdraft_resets:
                overdraft = MAY_NOT
            if overdraft is not None and not market.ignoring:
                market.set_overdraft(listing, overdraft)
        elif not market.ignoring:
            # Not an error: the number waits for the item to be registered.
            market.waiting_stock[code] = after
        return str(after)


def _codes(form: dict[str, str]) -> list[str]:
    codes = form.get("item_code", "").split(",")
    if codes == [""]:
        raise Refused(error(400, "st-02101", "item_code is required"))
    if len(codes) > CODES_MAX:
        raise Refused(error(400, "st-02102", "item_code: too many values"))
    if len(set(codes)) != len(codes):
        raise Refused(error(400, "st-02103", "item_code: the same value twice"))
    return codes


def _rows_answer(rows: Sequence[tuple[str, str, str]], *, status: int) -> Answer:
    root = _result_set(len(rows))
    for code, fault, value in rows:
        row = _code_row(root, code)
        ET.SubElement(row, "ErrorCode" if fault else "Quantity").text = value
    return xml(root, status=status)


def _result_set(count: int) -> ET.Element:
    return ET.Element(
        "ResultSet",
        totalResultsAvailable=str(count),
        totalResultsReturned=str(count),
        firstResultPosition="1",
    )


def _code_row(root: ET.Element, code: str) -> ET.Element:
    item, _, sub = code.partition(":")
    row = ET.SubElement(root, "Result")
    ET.SubElement(row, "ItemCode").text = item
    ET.SubElement(row, "SubCode").text = sub
    return row
