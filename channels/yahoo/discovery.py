"""The listings of a Yahoo! store, out of the file of its stock rows; pure."""

from __future__ import annotations

import csv
import io

from channels.base import BadAnswer
from channels.yahoo.mapping import channel_sku, is_code
from inventory.vocabulary import Danger, ListingSeen

# The names of the columns that are needed (upload and download format of stock data).
CODE, SUB_CODE, QUANTITY = "code", "sub-code", "quantity"
OVERDRAFT, CLOSE, NAME = "allow-overdraft", "stock-close", "name"


def listings_from(body: bytes) -> list[ListingSeen]:
    """Every row of the file (downloadSubmit, type 2) as a listing.

    The file's encoding is UNCONFIRMED; UTF-8 and CP932 are read. A row without a usable code is
    left out. Raises `BadAnswer` where the file has not the columns needed.
    """
    reader = csv.DictReader(io.StringIO(_text(body), newline=""))
    if not {CODE, SUB_CODE, QUANTITY} <= set(reader.fieldnames or ()):
        raise BadAnswer("downloadSubmit: a file without code, sub-code and quantity")
    rows = ({name: value or "" for name, value in row.items() if name} for row in reader)
    return [_listing(row) for row in rows if is_code(_sku(row))]


def _text(body: bytes) -> str:
    for encoding in ("utf-8-sig", "cp932"):
        try:
            return body.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise BadAnswer("downloadSubmit: a file in neither UTF-8 nor CP932")


def _sku(row: dict[str, str]) -> str:
    return channel_sku(row[CODE].strip(), row[SUB_CODE].strip())


def _listing(row: dict[str, str]) -> ListingSeen:
    item, sub, sku = row[CODE].strip(), row[SUB_CODE].strip(), _sku(row)
    quantity = row[QUANTITY].strip()
    return ListingSeen(
        channel_sku=sku,
        # Shops write the whole code of a variation as its sub code, or only what follows.
        codes=(sub, item + sub, f"{item}-{sub}") if sub else (item,),
        title=row.get(NAME, ""),
        quantity=int(quantity) if quantity.lstrip("-").isdecimal() else None,
        closed=row.get(CLOSE, "").strip() == "1",
        dangers=_dangers(row, sku),
    )


def _dangers(row: dict[str, str], sku: str) -> tuple[Danger, ...]:
    dangers = []
    if row.get(OVERDRAFT, "").strip() == "1":
        detail = "orders may exceed the stock（在庫数を超えた注文）: a number of 0 does not stop it"
        dangers.append(Danger(code="overdraft", detail=detail, channel_sku=sku))
    if not row[QUANTITY].strip():
        detail = "no number is set, which once meant unlimited stock"
        dangers.append(Danger(code="unlimited_stock", detail=detail, channel_sku=sku))
    return tuple(dangers)
