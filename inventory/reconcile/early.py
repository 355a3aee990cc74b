"""Sales that a channel's number tells of before its orders do: held, until the orders are here.

What is held counts as reserved wherever the SKU is offered (`inventory.recipes.EARLY`).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from msgspec import Struct
from sqlalchemy import bindparam, text
from sqlalchemy.ext.asyncio import AsyncSession

from inventory.availability import Shown
from inventory.catalogue import mark_stale
from inventory.reconcile import drift_cases
from inventory.reconcile.drift import Cause
from inventory.reconcile.drift_cases import Odd

# Channels state order times in whole seconds, cut off.
GRAIN = timedelta(seconds=1)


class Fall(Struct, frozen=True, kw_only=True):
    """A number that fell by `units` between two readings, seen sales included."""

    listing_id: int
    sku_id: int
    units: int
    since: datetime
    until: datetime


_HOLD = text("""
INSERT INTO early_sale (listing_id, since, until, units)
SELECT * FROM unnest(CAST(:listing_id AS int[]), CAST(:since AS timestamptz[]),
  CAST(:until AS timestamptz[]), CAST(:units AS int[]))
ON CONFLICT DO NOTHING
""")
# Order times are cut off: here an order counts as seen wherever its second touches the time.
_PASSED = text("""
SELECT e.listing_id, e.until, e.units - coalesce((
    SELECT sum(o.ordered) FROM order_line o WHERE o.listing_id = e.listing_id
      AND o.ordered_at > e.since - CAST(:grain AS interval) AND o.ordered_at <= e.until), 0)
    AS missing, l.sku_id, d.shown, d.expected_low, d.expected_high, d.read_at
FROM early_sale e JOIN listing l ON l.id = e.listing_id JOIN channel c ON c.id = l.channel_id
LEFT JOIN drift d ON d.listing_id = e.listing_id AND d.closed_at IS NULL AND d.cause = :cause
WHERE c.id = :channel AND c.watermark >= e.until ORDER BY e.listing_id, e.until
FOR UPDATE OF e SKIP LOCKED
""")
_DROP = text("""
DELETE FROM early_sale e
USING unnest(CAST(:ids AS int[]), CAST(:until AS timestamptz[])) AS n (id, until)
WHERE e.listing_id = n.id AND e.until = n.until
""")
_WAITING = text("""
SELECT DISTINCT listing_id FROM early_sale WHERE listing_id = ANY(:ids)
""").bindparams(bindparam("ids"))


async def hold(session: AsyncSession, falls: Sequence[Fall], now: datetime) -> None:
    """Hold the units of these falls, and have the other channels' numbers worked out anew."""
    if not falls:
        return
    names = ("listing_id", "since", "until", "units")
    await session.execute(_HOLD, {name: [getattr(each, name) for each in falls] for name in names})
    await mark_stale(session, [each.sku_id for each in falls], now)


async def settle(session: AsyncSession, channel_id: int, now: datetime) -> int:
    """Judge the holds that the watermark has passed: their orders are here, or there are none.

    What is left unexplained is a matter for `drift`. How many holds ended.
    """
    which = {"channel": channel_id, "grain": GRAIN, "cause": Cause.ORDER_NOT_PULLED.value}
    passed = list((await session.execute(_PASSED, which)).mappings())
    if not passed:
        return 0
    ends = {"ids": [row["listing_id"] for row in passed], "until": [row["until"] for row in passed]}
    await session.execute(_DROP, ends)
    odd = {
        row["listing_id"]: Odd(
            listing_id=row["listing_id"],
            shown=row["shown"],
            closed=False,
            expected=Shown(low=row["expected_low"], high=row["expected_high"]),
            seen_all=True,
        )
        for row in passed
        if row["missing"] > 0 and row["expected_low"] is not None
    }
    read_at = max(row["until"] for row in passed)
    await drift_cases.judge(session, list(odd.values()), read_at=read_at, now=now)
    waiting = set(await session.scalars(_WAITING, {"ids": ends["ids"]}))
    explained = {row["listing_id"] for row in passed if row["read_at"]} - odd.keys() - waiting
    await drift_cases.close(session, explained, words="its orders are here", now=now)
    await mark_stale(session, [row["sku_id"] for row in passed], now)
    return len(passed)
