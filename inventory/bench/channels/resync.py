"""A whole resync against what the limit needs at least, and a sale that overtakes it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from msgspec import Struct

from inventory import resyncs
from inventory.bench.channels import sales
from inventory.bench.channels.bounds import BOUNDS
from inventory.bench.channels.sales import Sale
from inventory.bench.channels.shop import MIRROR, Article
from inventory.bench.channels.watch import Watch
from inventory.clock import Clock
from inventory.resyncs import Progress

LOOK_SECONDS = 1.0
SAY_SECONDS = 10.0
# The numbers of one call are written together; between two calls lies a second.
CALL_GAP = timedelta(seconds=0.3)


class Urgent(Struct, frozen=True, kw_only=True):
    """A sale in the middle of a resync: until its lower number stood on the resynced channel.

    From the moment at which the order was in the ledger. `calls` came to the marketplace in that
    time, that with the number included; None where a call carries one number only.
    """

    seconds: float
    calls: int | None


class Resync(Struct, frozen=True, kw_only=True):
    """Every number of a channel written once more. `seconds` is None where it did not end.

    `urgent` is None where nothing was sold meanwhile, or the sale was not shown.
    """

    listings: int
    seconds: float | None
    bound_seconds: float
    urgent: Urgent | None = None

    @property
    def against_bound(self) -> float | None:
        """How much longer it took than the limit allows."""
        return None if self.seconds is None else round(self.seconds / self.bound_seconds, 3)


async def measure(
    watch: Watch, kinds: Sequence[str], *, seconds: float, sells: Mapping[str, Article]
) -> dict[str, Resync]:
    """Push every number of these kinds once more, for so long at most; what was found by kind.

    When half of a kind's numbers are written, one unit of its article in `sells` is sold on another
    channel.
    """
    clock, before = Clock(), await watch.calls()
    for kind in kinds:
        async with watch.database.transaction() as session:
            await resyncs.start(session, kind, by="bench", now=clock.now())
    ends, said = time.monotonic() + seconds, time.monotonic()
    sold: dict[str, Sale] = {}
    while True:
        found = {kind: await _progress(watch, kind, clock) for kind in kinds}
        for kind in sells.keys() - sold.keys():
            if found[kind].done * 2 >= found[kind].total:
                sold[kind] = await sales.buy(watch, MIRROR[kind], sells[kind])
        if all(each.ended_at for each in found.values()) or time.monotonic() > ends:
            break
        if time.monotonic() - said > SAY_SECONDS:
            said = time.monotonic()
            watch.say("  " + "; ".join(_told(each) for each in found.values()))
        await asyncio.sleep(LOOK_SECONDS)
        watch.check()
    after = await watch.calls()
    urgent = await _urgent(watch, sold, sells)
    return {
        kind: Resync(
            listings=each.total,
            seconds=(each.ended_at - each.asked_at).total_seconds() if each.ended_at else None,
            bound_seconds=round(_least(kind, each.total, before, after), 1),
            urgent=urgent.get(kind),
        )
        for kind, each in found.items()
    }


async def _progress(watch: Watch, kind: str, clock: Clock) -> Progress:
    async with watch.database.sessions() as session:
        return await resyncs.progress(session, kind, clock.now())


def _told(found: Progress) -> str:
    left = "" if found.seconds_left is None else f", {found.seconds_left:.0f} s left"
    return f"{found.channel} {found.done:,} of {found.total:,}, {found.per_second:,.0f}/s{left}"


def _least(kind: str, total: int, before: Mapping[str, Any], after: Mapping[str, Any]) -> float:
    bound = BOUNDS[kind]
    if not bound.reads_again:
        return bound.push_seconds(total)
    used: int = after[kind][bound.push_limit]["used"] - before[kind][bound.push_limit]["used"]
    return used / bound.push_per_second


async def _urgent(
    watch: Watch, sold: Mapping[str, Sale], sells: Mapping[str, Article]
) -> dict[str, Urgent]:
    if not sold:
        return {}
    markets = (await watch.sandbox.get("/_sandbox/books"))["markets"]
    found = {}
    for kind, sale in sold.items():
        booked = (await sales.booked(watch.database, sale.kind)).get(sale.ref)
        key = sells[kind].listings[kind]
        if booked is None:
            continue
        shown = overtaken(markets[kind]["writes"], key, booked)
        if shown is not None:
            several = BOUNDS[kind].numbers_each > 1
            found[kind] = Urgent(seconds=shown.seconds, calls=shown.calls if several else None)
    return found


def overtaken(writes: Sequence[Mapping[str, Any]], key: str, booked: datetime) -> Urgent | None:
    """What came to a marketplace from `booked` until this listing's number fell."""
    calls, last = 0, booked - CALL_GAP
    for write in writes:
        at = datetime.fromisoformat(write["at"])
        if at < booked:
            continue
        if at - last >= CALL_GAP or not calls:
            calls += 1
        last = at
        if write["key"] == key and write["after"] < write["before"]:
            return Urgent(seconds=round((at - booked).total_seconds(), 3), calls=calls)
    return None
