"""What an end does to the window that it belongs to, where that is not the one that ends now.

Amazon's rate goes by the day of the order, so an order that Amazon itself ended, seven days after
its ship-by date, lies before the window of today: only the week of its own is made worse.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec
from msgspec import Struct
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from inventory import penalties
from inventory.clock import JST
from inventory.models import Channel
from inventory.penalties import GivenUp, Metric
from inventory.penalty_record import counted, words
from inventory.reasons import Rule

NOTED_MAX = 20


class OwnWindow(Struct, frozen=True, kw_only=True):
    """The window that an end belongs to, and its metric before and after, by all that is known.

    A rolling window is the last one that holds the end. `said` is the same in one sentence.
    """

    since: datetime
    until: datetime
    before: Metric
    after: Metric
    said: str


async def change(
    session: AsyncSession, channel: Channel, this: GivenUp, rule: Rule, now: datetime
) -> OwnWindow | None:
    """None where the end weighs nothing, or lies in the window that ends now.

    Raises `SettingWrong`.
    """
    rules = counted.rules_of(channel)
    if rules is None or not rule.weighs:
        return None
    until = penalties.own_window_end(rules, this, now=now)
    if until is None:
        return None
    ended = await counted.ended(session, channel.id, rules, until)
    entered = [each.given_up for each in ended if each.entered]
    stages = [entered, [*entered, this]]
    before, after = await counted.metrics(session, channel, rules, stages, until, known_at=now)
    since = penalties.window_start(rules, until)
    return OwnWindow(
        since=since,
        until=until,
        before=before,
        after=after,
        said=_said(since, until, before, after),
    )


def shown(found: OwnWindow | None) -> dict[str, Any] | None:
    """As it is put on record."""
    return None if found is None else msgspec.to_builtins(found)


def _said(since: datetime, until: datetime, before: Metric, after: Metric) -> str:
    return (
        "it lies outside of the window that ends now, whose metric it leaves as it is; in its own,"
        f" {_day(since)} to {_day(until)}, {words.change(before, after)}"
    )


def _day(moment: datetime) -> str:
    return f"{moment.astimezone(JST):%Y-%m-%d %H:%M}"


_NOTES = text("""
SELECT order_ref, part, own_window ->> 'said' AS said FROM penalty_entry
WHERE channel_id = :channel AND own_window IS NOT NULL
  AND ended_at >= :since AND ended_at < :until
ORDER BY ended_at DESC, id DESC LIMIT :most
""")


async def notes(
    session: AsyncSession, channel_id: int, *, since: datetime, until: datetime
) -> list[str]:
    """One sentence for each end of the period that lies outside; the newest 20, newest first."""
    values = {"channel": channel_id, "since": since, "until": until, "most": NOTED_MAX}
    return [
        f"{row.order_ref}{f', part {row.part}' if row.part else ''}: {row.said}"
        for row in await session.execute(_NOTES, values)
    ]
