"""Looking on while the house works: calls at the marketplaces, and what is still to be written."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

from msgspec import Struct
from sqlalchemy import text

from inventory.bench.channels.bounds import BOUNDS, Bound
from inventory.db import Database
from inventory.demo.opening import Api
from inventory.processes import Supervisor

LOOK_SECONDS = 0.3
SAY_SECONDS = 10
SECONDS_LEAST = 5.0
Say = Callable[[str], None]
Calls = dict[str, dict[str, dict[str, int]]]

_WAITING = text("""
SELECT c.kind, (SELECT count(*) FROM stale_sku) AS marks,
  (SELECT count(*) FROM listing l WHERE l.channel_id = c.id
    AND l.revision_published < l.revision_wanted) AS stale,
  (SELECT count(*) FROM push p JOIN push_row r ON r.push_id = p.id
    WHERE p.channel_id = c.id AND r.status = 'accepted') AS sent
FROM channel c
""")


class Look(Struct, frozen=True):
    """One look: when, the calls so far, and by kind the numbers that wait and that were written.

    `marks`: SKUs whose numbers are to be worked out anew; all of them may then have to be written.
    """

    at: float
    calls: Calls
    marks: int
    waiting: dict[str, int]
    sent: dict[str, int]

    def left(self, kind: str) -> int:
        """Numbers that may still have to be written."""
        return self.waiting.get(kind, 0) + self.marks


class Watch:
    """The parts that looking takes."""

    def __init__(
        self, *, sandbox: Api, database: Database, supervisor: Supervisor, say: Say
    ) -> None:
        self.sandbox = sandbox
        self.database = database
        self.say = say
        self._supervisor = supervisor

    def check(self) -> None:
        """Raises `ProcessError` when a process of the house has ended."""
        self._supervisor.check()

    async def look(self) -> Look:
        """What is so now. Raises `ProcessError` when a process of the house has ended."""
        self.check()
        async with self.database.sessions() as session:
            rows = (await session.execute(_WAITING)).all()
        return Look(
            time.monotonic(),
            await self.calls(),
            rows[0].marks,
            {kind: stale for kind, _, stale, _ in rows},
            {kind: sent for kind, _, _, sent in rows},
        )

    async def calls(self) -> Calls:
        """Per kind and limit: used, permitted, refused."""
        found: Calls = await self.sandbox.get("/_sandbox/calls")
        return found

    async def until_worked_out(self, *, seconds: float) -> None:
        """Look on until every SKU's numbers are worked out, written or not, or for so long."""
        ends = time.monotonic() + seconds
        while (marks := (await self.look()).marks) and time.monotonic() < ends:
            self.say(f"  to be worked out: {marks:,}")
            await asyncio.sleep(SAY_SECONDS / 2)

    async def until_quiet(self, kinds: Sequence[str], what: str, *, seconds: float) -> list[Look]:
        """Look on until these kinds have nothing left to write, or for so long; every look."""
        ends = time.monotonic() + seconds
        looks: list[Look] = []
        said = 0.0
        while True:
            looks.append(await self.look())
            left = {kind: looks[-1].left(kind) for kind in kinds}
            if not any(left.values()) or time.monotonic() > ends:
                return looks
            if time.monotonic() - said > SAY_SECONDS:
                said = time.monotonic()
                self.say(f"  {what}: " + ", ".join(f"{kind} {n:,}" for kind, n in left.items()))
            await asyncio.sleep(LOOK_SECONDS)


class Backlog(Struct, frozen=True, kw_only=True):
    """What one kind made of a backlog. Rates are per second, of calls or points and of numbers.

    They count while at least a full call's numbers waited, for `seconds` in all. `budget_used` is
    the share of what was permitted in that time, with what was saved up before.
    """

    seconds: float
    used_per_second: float
    permitted_per_second: float
    numbers_per_second: float
    numbers_permitted_per_second: float
    budget_used: float
    left: int


def backlog(kind: str, looks: Sequence[Look]) -> Backlog | None:
    """Reckon from the looks; None where there was no backlog to speak of."""
    bound = BOUNDS[kind]
    # Between two looks nobody knows when a call came: only looks at which it had just come count.
    came = [
        late
        for early, late in pairwise(looks)
        if _used(late, kind, bound) > _used(early, kind, bound)
    ]
    spans = [
        (early, late) for early, late in pairwise(came) if late.waiting.get(kind, 0) >= bound.batch
    ]
    seconds = sum(late.at - early.at for early, late in spans)
    if seconds < SECONDS_LEAST:
        return None
    used = sum(_used(late, kind, bound) - _used(early, kind, bound) for early, late in spans)
    counted = spans[0][0].calls[kind][bound.push_limit]
    saved = min(bound.push_saved, counted["permitted"] - counted["used"])
    sent = sum(late.sent[kind] - early.sent[kind] for early, late in spans)
    return Backlog(
        seconds=round(seconds, 1),
        used_per_second=round(used / seconds, 3),
        permitted_per_second=bound.push_per_second,
        numbers_per_second=round(sent / seconds, 1),
        numbers_permitted_per_second=bound.numbers_per_second,
        budget_used=round(used / (saved + seconds * bound.push_per_second), 3),
        left=looks[-1].left(kind),
    )


def _used(look: Look, kind: str, bound: Bound) -> int:
    return look.calls[kind][bound.push_limit]["used"]


def refused(calls: Calls, kind: str) -> int:
    """Calls that the marketplace refused or counted as too many."""
    return sum(limit["refused"] for limit in calls[kind].values())


def limits(calls: Calls, kind: str) -> list[dict[str, Any]]:
    """All limits of a kind that were used at all, as the sandbox counted them at arrival."""
    return [
        {"limit": name, **counted}
        for name, counted in calls[kind].items()
        if counted["used"] or counted["refused"]
    ]
