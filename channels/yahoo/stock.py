"""Numbers at Yahoo!: writing them by the thousand, reading them back, and taking units back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from channels.base import OutcomeUnknown, Rejected, RetryLater
from channels.yahoo import mapping
from channels.yahoo.client import YahooClient
from channels.yahoo.flags import Flags
from channels.yahoo.mapping import StockRow
from channels.yahoo.settings import Overdraft, YahooSettings
from channels.yahoo.xml import UNCLEAR
from inventory.vocabulary import PushOutcome, PushStatus, QuantityPush, Reading

# setStock and getStock, `item_code`: up to 1000 codes in one call.
ROWS_MAX = 1000
NO_OVERDRAFT = "0"
NO_ROW = StockRow(quantity=None)


class Numbers:
    """The numbers of one store."""

    def __init__(self, client: YahooClient, settings: YahooSettings, flags: Flags) -> None:
        self._client = client
        self._settings = settings
        self._flags = flags

    async def push(self, pushes: Sequence[QuantityPush]) -> list[PushOutcome]:
        """Set up to 1000 numbers; 207 is read row by row, a row left out is unknown.

        Yahoo! takes a number for an item that it does not know and lets it wait (setStock,
        "存在しない商品コード"). So a code that getStock shows without a stock row (Status 0) is
        refused here as `no_stock_row`, unless the settings say otherwise.
        """
        outcomes: dict[str, PushOutcome] = {}
        numbers: dict[str, int] = {}
        for push in pushes:
            sku = push.channel_sku
            if not mapping.is_code(sku):
                outcomes[sku] = _outcome(sku, PushStatus.REFUSED, "not_possible", "channel_sku")
            elif not 0 <= push.quantity <= mapping.QUANTITY_MAX:
                outcomes[sku] = _outcome(sku, PushStatus.REFUSED, "not_possible", "quantity")
            else:
                numbers[sku] = push.quantity
        if numbers:
            flags = await self._to_send(numbers)
            for sku in [sku for sku in numbers if flags is not None and sku not in flags]:
                detail = "getStock: Status 0, no such item or no stock set yet"
                outcomes[sku] = _outcome(sku, PushStatus.REFUSED, "no_stock_row", detail)
                del numbers[sku]
            outcomes |= await self._send(_texts(numbers), flags)
        return [outcomes[push.channel_sku] for push in pushes]

    async def read(self, channel_skus: Sequence[str]) -> list[Reading]:
        """Read up to 1000 numbers; None where there is no stock row. Says which are closed."""
        codes = [sku for sku in dict.fromkeys(channel_skus) if mapping.is_code(sku)]
        rows = await self._read(codes) if codes else {}
        readings = []
        for sku in channel_skus:
            row = rows.get(sku, NO_ROW)
            readings.append(Reading(channel_sku=sku, quantity=row.quantity, closed=row.closed))
        return readings

    async def take_back(self, push: QuantityPush) -> PushOutcome:
        """Take `-change` units by a relative number; refused where fewer are left.

        What Yahoo! does below zero is UNCONFIRMED. Where it goes there, the units are put back:
        below zero nothing is sold meanwhile. Raises `OutcomeUnknown` when that cannot be done.
        """
        sku, units = push.channel_sku, -(push.change or 0)
        if not mapping.is_code(sku) or not 0 < units <= mapping.QUANTITY_MAX:
            return _outcome(sku, PushStatus.REFUSED, "not_possible", "channel_sku or change")
        seen = await self._seen([sku])
        if seen.get(sku) != NO_OVERDRAFT:
            # Below zero such a listing would go on selling, so the units could not be put back.
            return _outcome(sku, PushStatus.REFUSED, "not_possible", "no stock row, or overdraft")
        flags = self._worded(seen)
        taken, row = await self._relative(sku, f"-{units}", flags)
        if taken.status is not PushStatus.ACCEPTED:
            return taken
        if row.quantity is None:
            raise OutcomeUnknown("setStock: an answer without the number that is left")
        if row.quantity >= 0:
            return taken
        back, _ = await self._relative(sku, f"+{units}", flags)
        if back.status is not PushStatus.ACCEPTED:
            raise OutcomeUnknown("setStock: below zero, and not put back")
        return _outcome(sku, PushStatus.REFUSED, "fewer_left", f"{row.quantity + units} were left")

    async def _relative(
        self, sku: str, change: str, flags: Mapping[str, str]
    ) -> tuple[PushOutcome, StockRow]:
        try:
            rows = await self._client.set_stock({sku: change}, overdrafts=_sent([sku], flags))
        except Rejected as refused:
            return _outcome(sku, PushStatus.REFUSED, _code(refused)), NO_ROW
        row = rows.get(sku)
        return _row_outcome(sku, row), row or NO_ROW

    async def _to_send(self, numbers: Mapping[str, int]) -> dict[str, str] | None:
        """The flag to send with each code that may be written; None: send none, write them all."""
        if self._settings.write_unregistered and self._settings.allow_overdraft != Overdraft.KEEP:
            return self._worded(dict.fromkeys(numbers, NO_OVERDRAFT))
        try:
            flags = await self._seen(list(numbers))
        except RetryLater:
            if any(numbers.values()):
                raise
            return None  # a zero stops sales and does not wait for a flag
        if self._settings.write_unregistered:
            flags = dict.fromkeys(numbers, NO_OVERDRAFT) | flags
        return self._worded(flags)

    def _worded(self, flags: Mapping[str, str]) -> dict[str, str]:
        if self._settings.allow_overdraft is Overdraft.KEEP:
            return dict(flags)
        refuses = self._settings.allow_overdraft is Overdraft.REFUSE
        return dict.fromkeys(flags, NO_OVERDRAFT if refuses else "")

    async def _seen(self, codes: Sequence[str]) -> dict[str, str]:
        """The flags that Yahoo! shows for those codes that have a stock row."""
        flags = await self._flags.recall(codes)
        new = [sku for sku in codes if sku not in flags]
        rows = await self._read(new) if new else {}
        return flags | {
            sku: row.overdraft or NO_OVERDRAFT for sku, row in rows.items() if row.known
        }

    async def _read(self, codes: Sequence[str]) -> dict[str, StockRow]:
        rows = await self._client.get_stock(codes)
        await self._flags.note(rows)
        return rows

    async def _send(
        self, numbers: Mapping[str, str], flags: Mapping[str, str] | None
    ) -> dict[str, PushOutcome]:
        if not numbers:
            return {}
        try:
            rows = await self._client.set_stock(numbers, overdrafts=_sent(list(numbers), flags))
        except Rejected as refused:
            if len(numbers) > 1:
                raise
            # A lone number that is refused comes as an error of the whole call.
            return {sku: _outcome(sku, PushStatus.REFUSED, _code(refused)) for sku in numbers}
        return {sku: _row_outcome(sku, rows.get(sku)) for sku in numbers}


def _texts(numbers: Mapping[str, int]) -> dict[str, str]:
    return {sku: str(number) for sku, number in numbers.items()}


def _sent(codes: Sequence[str], flags: Mapping[str, str] | None) -> list[str]:
    sent = [flags[code] for code in codes] if flags else []
    return sent if all(sent) else []


def _code(refused: Rejected) -> str:
    return str(refused).rpartition(" ")[2]


def _row_outcome(sku: str, row: StockRow | None) -> PushOutcome:
    if row is None:
        return _outcome(sku, PushStatus.UNKNOWN, "no_row")
    if not row.code:
        return _outcome(sku, PushStatus.ACCEPTED)
    if row.code in UNCLEAR:
        return _outcome(sku, PushStatus.UNKNOWN, row.code)
    return _outcome(sku, PushStatus.REFUSED, row.code)


def _outcome(sku: str, status: PushStatus, code: str = "", detail: str = "") -> PushOutcome:
    return PushOutcome(channel_sku=sku, status=status, code=code, detail=detail)
