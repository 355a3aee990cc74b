"""Writing Rakuten's numbers: hundreds in a call, and none of them held up by a bad one."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from msgspec import Struct

from channels.base import ChannelError, OutcomeUnknown
from channels.rakuten.answers import RowsRefused
from channels.rakuten.client import RakutenClient
from channels.rakuten.mapping import QUANTITY_MAX, split_sku
from inventory.vocabulary import PushOutcome, PushStatus, QuantityPush

# Calls of one batch that was refused, at one a second; what is left then is read back (L8).
CALLS_MAX = 24
NOT_POSSIBLE = "not_possible"
REPEATED = "repeated"
SOLD = "sold"
# InventoryAPI: the number would leave 0-99,999; RELATIVE for a SKU without a stock record.
OUT_OF_BOUNDS, NO_RECORD = "IE0117", "IE0500"


class Row(Struct, frozen=True):
    """One number of a batch, with its place among what was asked for."""

    place: int
    push: QuantityPush
    manage: str
    variant: str

    @property
    def wire(self) -> tuple[str, str, int]:
        """As bulk-upsert takes it."""
        return self.manage, self.variant, self.push.quantity

    @property
    def key(self) -> tuple[str, str]:
        """By what Rakuten knows the SKU."""
        return self.manage, self.variant


async def push_rows(client: RakutenClient, pushes: Sequence[QuantityPush]) -> list[PushOutcome]:
    """Set up to 400 numbers from 0 to 99,999; one outcome for each, in the same order.

    A SKU given twice is sent once, its second number refused: one call must not hold it twice
    (IE1102). Raises whatever the first call raises, `RowsRefused` excepted.
    """
    batch = Batch(client)
    rows: list[Row] = []
    known: set[tuple[str, str]] = set()
    for place, push in enumerate(pushes):
        key = split_sku(push.channel_sku)
        if key is None:
            batch.refuse(place, push, NOT_POSSIBLE, "channel_sku")
        elif not 0 <= push.quantity <= QUANTITY_MAX:
            batch.refuse(place, push, NOT_POSSIBLE, "quantity")
        elif key in known:
            batch.refuse(place, push, REPEATED, "the same SKU is in this batch already")
        else:
            known.add(key)
            rows.append(Row(place, push, *key))
    await batch.send(rows)
    return [batch.outcomes[place] for place in range(len(pushes))]


class Batch:
    """One batch on its way. `outcomes` are by place."""

    def __init__(self, client: RakutenClient) -> None:
        self._client = client
        self.outcomes: dict[int, PushOutcome] = {}
        # Places of rows that an answer named, and whether one of those went through after all.
        self._named: set[int] = set()
        self._misled = False

    def refuse(self, place: int, push: QuantityPush, code: str, detail: str = "") -> None:
        """Note that a number was not written."""
        self.outcomes[place] = _outcome(push, PushStatus.REFUSED, code, detail)

    async def send(self, rows: Sequence[Row]) -> None:
        """Send all; what is refused as a whole goes again in parts, until the bad rows stand alone.

        A bulk answers for all its rows at once, and whether a refused one wrote the good ones is
        UNCONFIRMED: absolute numbers may be sent twice.
        """
        parts = deque([list(rows)] if rows else [])
        calls = 0
        while parts and calls < CALLS_MAX:
            part = parts.popleft()
            calls += 1
            try:
                await self._client.bulk_upsert([row.wire for row in part])
            except RowsRefused as refused:
                parts.extend(await self._after(part, refused))
            except ChannelError as error:
                if calls == 1:
                    raise
                # An earlier call may have written them: only a reading can tell.
                self._note(part, PushStatus.UNKNOWN, error.code)
                break
            else:
                self._misled = self._misled or any(row.place in self._named for row in part)
                self._note(part, PushStatus.ACCEPTED)
        for part in parts:
            self._note(part, PushStatus.UNKNOWN, OutcomeUnknown.code)

    async def _after(self, part: list[Row], refused: RowsRefused) -> list[list[Row]]:
        """The parts in which to send a refused one again."""
        if len(part) == 1:
            [row] = part
            self.refuse(row.place, row.push, ", ".join(dict.fromkeys(refused.codes)))
            return []
        named = [part[position] for position in sorted(refused.rows)]
        if named and len(named) < len(part) and not self._misled:
            places = {row.place for row in named}
            self._named |= places
            return [named, [row for row in part if row.place not in places]]
        if not named:
            part = await self._unwritten(part)
        middle = -(-len(part) // 2)
        return [half for half in (part[:middle], part[middle:]) if half]

    async def _unwritten(self, part: list[Row]) -> list[Row]:
        """Read back a refused part that names no row: what shows its number needs no more calls."""
        try:
            shown = await self._client.bulk_get([row.key for row in part])
        except ChannelError:
            return part
        self._note(
            [row for row in part if shown.get(row.key) == row.push.quantity], PushStatus.ACCEPTED
        )
        return [row for row in part if shown.get(row.key) != row.push.quantity]

    def _note(self, rows: Sequence[Row], status: PushStatus, code: str = "") -> None:
        for row in rows:
            self.outcomes[row.place] = _outcome(row.push, status, code)


async def take_back(client: RakutenClient, push: QuantityPush) -> PushOutcome:
    """Take `-change` units from one number, in a call of its own (RELATIVE, upsert 2.0).

    Refused with `sold` where fewer are left (IE0117), with `IE0500` where there is no stock record
    yet. Raises `OutcomeUnknown` when no answer came: sent again it would take twice.
    """
    key, change = split_sku(push.channel_sku), push.change
    if key is None:
        return _outcome(push, PushStatus.REFUSED, NOT_POSSIBLE, "channel_sku")
    if change is None or not -QUANTITY_MAX <= change < 0:
        return _outcome(push, PushStatus.REFUSED, NOT_POSSIBLE, "change")
    try:
        await client.add(*key, change)
    except RowsRefused as refused:
        if OUT_OF_BOUNDS in refused.codes:
            detail = f"{OUT_OF_BOUNDS}: fewer than {-change} are left"
            return _outcome(push, PushStatus.REFUSED, SOLD, detail)
        detail = "no stock record, send a number first" if NO_RECORD in refused.codes else ""
        code = ", ".join(dict.fromkeys(refused.codes))
        return _outcome(push, PushStatus.REFUSED, code, detail)
    return _outcome(push, PushStatus.ACCEPTED)


def _outcome(
    push: QuantityPush, status: PushStatus, code: str = "", detail: str = ""
) -> PushOutcome:
    return PushOutcome(channel_sku=push.channel_sku, status=status, code=code, detail=detail)
