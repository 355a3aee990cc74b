"""Setting numbers that nobody is sure of: compared with a reading, never over what was sold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from msgspec import Struct

from channels.shopify.mapping import STALE
from inventory.vocabulary import PushOutcome, PushStatus, QuantityPush, Reading

TRIES = 4


class Row(Struct, frozen=True):
    """One write. `expected`: the number must still be that one; `attempt` tells repairs apart."""

    push: QuantityPush
    quantity: int
    expected: int | None
    attempt: str = ""


class Shelf(Protocol):
    """Reads numbers and writes rows, one answer for each in the same order."""

    async def read(self, channel_skus: Sequence[str]) -> list[Reading]:
        """The numbers there are now."""
        ...

    async def send(self, rows: Sequence[Row]) -> list[PushOutcome]:
        """Write."""
        ...


class Case(Struct):
    """One number on its way; `seen` is what the last reading said."""

    push: QuantityPush
    wanted: int
    seen: int | None = None
    outcome: PushOutcome | None = None

    def look(self, now: int | None) -> None:
        """Decide by a new reading: what was sold since the last one is not given back.

        A number that has risen meanwhile is somebody else's doing, and is left for a new decision.
        """
        if now is None:
            self._end(PushStatus.REFUSED, "not_stocked", "the item has no number at the location")
            return
        if self.seen is not None and now > self.seen:
            self._end(PushStatus.REFUSED, STALE, f"the number rose from {self.seen} to {now}")
            return
        if self.seen is not None:
            self.wanted = max(self.wanted - (self.seen - now), 0)
        self.seen = now
        if now == self.wanted:
            self._end(PushStatus.ACCEPTED)

    def hear(self, outcome: PushOutcome) -> None:
        """Take note of an answer; a stale comparison is tried again with a new reading."""
        if outcome.code != STALE:
            self.outcome = outcome

    def row(self, attempt: int) -> Row:
        """The write that would do it."""
        name = f"/{attempt}/{self.seen}/{self.wanted}"
        return Row(push=self.push, quantity=self.wanted, expected=self.seen, attempt=name)

    def _end(self, status: PushStatus, code: str = "", detail: str = "") -> None:
        sku = self.push.channel_sku
        self.outcome = PushOutcome(channel_sku=sku, status=status, code=code, detail=detail)


async def repaired(
    shelf: Shelf, pushes: Sequence[QuantityPush]
) -> Mapping[QuantityPush, PushOutcome]:
    """Read, and set as long as the reading still holds; where it does not, read again and decide.

    Nothing was written where the outcome is refused with `CHANGE_FROM_QUANTITY_STALE`.
    """
    cases = [Case(push, push.quantity) for push in pushes]
    for attempt in range(TRIES):
        waiting = [case for case in cases if case.outcome is None]
        if not waiting:
            break
        readings = await shelf.read([case.push.channel_sku for case in waiting])
        for case, reading in zip(waiting, readings, strict=True):
            case.look(reading.quantity)
        waiting = [case for case in waiting if case.outcome is None]
        rows = [case.row(attempt) for case in waiting]
        for case, outcome in zip(waiting, await shelf.send(rows), strict=True):
            case.hear(outcome)
    return {case.push: case.outcome or _still_stale(case.push) for case in cases}


def _still_stale(push: QuantityPush) -> PushOutcome:
    return PushOutcome(
        channel_sku=push.channel_sku,
        status=PushStatus.REFUSED,
        code=STALE,
        detail=f"the number changed {TRIES} times while it was being set",
    )
