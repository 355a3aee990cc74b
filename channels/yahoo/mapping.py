"""Yahoo!'s words and ours; pure. Only fields without buyers' data are asked for (L13)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from xml.etree import ElementTree as ET

from msgspec import Struct

from inventory.vocabulary import OrderLine, OrderSeen, Party, Reason

JST = timezone(timedelta(hours=9))

LIST_FIELDS = "OrderId,OrderTime,OrderStatus,PayStatus,ShipStatus"
INFO_FIELDS = (
    "OrderId,OrderTime,OrderStatus,Suspect,CancelReason,PayStatus,ShipStatus,"
    "ShipInvoiceNumber1,ShipDate,LineId,ItemId,SubCode,Quantity,OriginalNum,UnitPrice"
)

# OrderStatus 1 reserved, 2 processing, 3 held, 4 cancelled, 5 completed.
HELD, CANCELLED, COMPLETED = "3", "4", "5"
KNOWN_STATUS = frozenset("12345")
CANCELLABLE_STATUS = frozenset("123")
# ShipStatus 0 not allowed yet, 1 allowed, 2 under way, 3 shipped, 4 arrived.
NOT_SENT = frozenset({"", "0", "1"})
SENT = frozenset({"3", "4"})
PRANK = "1"

# orderStatusChange, CancelReason: 210 is out of stock, 100 the buyer's wish.
REASON_CODES = {Reason.OUT_OF_STOCK: "210", Reason.BUYER_REQUEST: "100"}
# 1xx is the buyer's side, 2xx the store's; 400 (read only) follows from another service.
PARTIES = {"1": Party.BUYER, "2": Party.SELLER, "4": Party.MARKETPLACE}

QUANTITY_MAX = 999_999_999
CODE_LETTERS_MAX = 99
STAMP = "%Y%m%d%H%M%S"


class MalformedOrder(Exception):
    """An order that cannot be read; the text says what is wrong."""


class StockRow(Struct, frozen=True):
    """A row of setStock or getStock. `quantity` is None where there is no number.

    `known`: the code has a stock row (Status 1). `overdraft`: the flag that lets orders exceed
    the stock, "0" or "1", "" where the answer has none. `code` is the row's error.
    """

    quantity: int | None
    closed: bool = False
    code: str = ""
    known: bool = False
    overdraft: str = ""


class Listed(Struct, frozen=True, kw_only=True):
    """An order as orderList shows it; `hint` is the one that the whole order would have."""

    order_ref: str
    ordered_at: datetime
    hint: str


def listed_from(row: ET.Element) -> Listed:
    """One OrderInfo of orderList. Raises MalformedOrder."""
    ordered_at = moment(row.findtext("OrderTime") or "")
    order_ref = row.findtext("OrderId") or ""
    if not order_ref:
        raise MalformedOrder("no OrderId")
    return Listed(order_ref=order_ref, ordered_at=ordered_at, hint=_hint(row, ordered_at))


def order_from(info: ET.Element, *, observed_at: datetime) -> OrderSeen:
    """One OrderInfo of orderInfo as we see it. Raises MalformedOrder."""
    listed = listed_from(info)
    cancelled = _text(info, "OrderStatus") == CANCELLED
    lines = [_line(info, item, cancelled=cancelled) for item in info.iter("Item")]
    if not lines or len({line.line_ref for line in lines}) != len(lines):
        raise MalformedOrder("no lines, or two with the same LineId")
    reason = _text(info, "CancelReason") if cancelled else ""
    return OrderSeen(
        order_ref=listed.order_ref,
        ordered_at=listed.ordered_at,
        observed_at=observed_at,
        lines=tuple(lines),
        hint=listed.hint,
        cancelled=cancelled,
        cancelled_by=PARTIES.get(reason[:1]),
        cancel_reason=reason or None,
        cancellable=_is_cancellable(info),
    )


def seen_from(listed: Listed, *, observed_at: datetime) -> OrderSeen:
    """An order as a list shows it: how it stands, without its lines."""
    state = state_of(listed.hint)
    return OrderSeen(
        order_ref=listed.order_ref,
        ordered_at=listed.ordered_at,
        observed_at=observed_at,
        lines=(),
        hint=listed.hint,
        cancelled=state == "cancelled",
        cancellable=state == "live" and not is_on_its_way(listed.hint),
    )


def moment(text: str) -> datetime:
    """A time as Yahoo! writes it, ISO or YYYYMMDDHHMMSS, in Japan where it names no offset.

    Which of the two an address uses is UNCONFIRMED, so both are read. Raises MalformedOrder.
    """
    try:
        if text.isdecimal():
            return datetime.strptime(text, STAMP).replace(tzinfo=JST).astimezone(UTC)
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise MalformedOrder(f"OrderTime {text[:40]!r}") from error
    return (found if found.tzinfo is not None else found.replace(tzinfo=JST)).astimezone(UTC)


def state_of(hint: str) -> str:
    """`live`, `shipped` or `cancelled` of a stored hint; live for an unknown one."""
    state = hint.partition(":")[0]
    return state if state in {"shipped", "cancelled"} else "live"


def is_held(hint: str) -> bool:
    """Whether the order of a stored hint is on hold (OrderStatus 3)."""
    return hint.partition(":")[2].startswith(f"{HELD}.")


def is_on_its_way(hint: str) -> bool:
    """Whether the order of a stored hint is being shipped, or was (ShipStatus 2, 3, 4)."""
    return hint.partition("@")[0].rpartition(".")[2] not in NOT_SENT


def ordered_at_of(hint: str) -> datetime | None:
    """When the order of a stored hint was placed, None for a hint of other making."""
    try:
        return moment(hint.rpartition("@")[2])
    except MalformedOrder:
        return None


def channel_sku(item_code: str, sub_code: str) -> str:
    """The name of a listing: `item_code:sub_code`, or `item_code` alone."""
    return f"{item_code}:{sub_code}" if sub_code else item_code


def stock_rows(root: ET.Element) -> dict[str, StockRow]:
    """The rows of a setStock or getStock answer, by channel SKU."""
    rows = {}
    for row in root.iter("Result"):
        quantity = (row.findtext("Quantity") or "").strip()
        known = row.findtext("Status") != "0"
        number = known and quantity.lstrip("-").isdecimal()
        rows[channel_sku(row.findtext("ItemCode") or "", row.findtext("SubCode") or "")] = StockRow(
            quantity=int(quantity) if number else None,
            closed=row.findtext("StockClose") == "1",
            code=(row.findtext("ErrorCode") or "").strip(),
            known=known,
            overdraft=(row.findtext("AllowOverdraft") or "").strip(),
        )
    return rows


def is_code(channel_sku: str) -> bool:
    """Whether it can be `item_code` or `item_code:sub_code` (setStock: 1-99 [A-Za-z0-9-] each)."""
    item, colon, sub = channel_sku.partition(":")
    return all(
        1 <= len(part) <= CODE_LETTERS_MAX and part.isascii() and part.replace("-", "a").isalnum()
        for part in ((item, sub) if colon else (item,))
    )


def _line(info: ET.Element, item: ET.Element, *, cancelled: bool) -> OrderLine:
    item_id, sub_code = item.findtext("ItemId") or "", item.findtext("SubCode") or ""
    line_ref, quantity = item.findtext("LineId") or "", item.findtext("Quantity") or ""
    if not item_id or not line_ref or not quantity.isdecimal():
        raise MalformedOrder(f"line {line_ref[:20]!r}: LineId, ItemId or Quantity")
    units = int(quantity)
    # What was ordered at first; a line that the store has lowered since shows fewer units.
    first = item.findtext("OriginalNum") or ""
    ordered = max(int(first), units) if first.isdecimal() else units
    shipped = _is_shipped(info)
    price = item.findtext("UnitPrice") or ""
    return OrderLine(
        line_ref=line_ref,
        channel_sku=channel_sku(item_id, sub_code),
        quantity=ordered,
        cancelled=ordered - (units if shipped or not cancelled else 0),
        shipped=units if shipped else 0,
        unit_price=int(price) if price.isdecimal() else None,
    )


def _is_shipped(info: ET.Element) -> bool:
    # A completed order has left the house, whatever its ShipStatus says.
    return _text(info, "ShipStatus") in SENT or _text(info, "OrderStatus") == COMPLETED


def _is_cancellable(info: ET.Element) -> bool:
    # Yahoo! itself cancels a shipped order without a word: these conditions are our own guard.
    return (
        _text(info, "OrderStatus") in CANCELLABLE_STATUS
        and _text(info, "ShipStatus") in NOT_SENT
        and not _text(info, "ShipInvoiceNumber1")
        and not _text(info, "ShipDate")
        and _text(info, "Suspect") != PRANK
    )


def _hint(row: ET.Element, ordered_at: datetime) -> str:
    status, pay, ship = (_text(row, name) for name in ("OrderStatus", "PayStatus", "ShipStatus"))
    if status not in KNOWN_STATUS:
        raise MalformedOrder(f"OrderStatus {status[:20]!r}")
    state = "live"
    if status == CANCELLED:
        state = "cancelled"
    elif _is_shipped(row):
        state = "shipped"
    return f"{state}:{status}.{pay}.{ship}@{ordered_at.astimezone(JST).strftime(STAMP)}"


def _text(info: ET.Element, name: str) -> str:
    # The groups around the fields (Pay, Ship, Detail) are not relied on.
    found = next(info.iter(name), None)
    return "" if found is None or found.text is None else found.text.strip()
