"""Cases of drift: opened by a reading that differs, closed by one that agrees."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from msgspec import Struct
from sqlalchemy import RowMapping, bindparam, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from inventory import alerts
from inventory.availability import Shown
from inventory.models import Drift
from inventory.reconcile.drift import Cause, Evidence, Pushed, Verdict, classify

LOOK_SECONDS = 60
PUSHES_MAX = 8
DAYS_BACK = 3
ALERT = "drift"
CLOSED_ALERT = "listing_closed_by_channel"

_PUSHES = text("""
SELECT r.listing_id, r.quantity, r.known_low, r.status, p.sent_at
FROM unnest(CAST(:ids AS int[])) AS l (id) CROSS JOIN LATERAL (
  SELECT x.* FROM push_row x WHERE x.listing_id = l.id AND x.status IN ('accepted', 'unknown')
  ORDER BY x.push_id DESC LIMIT :most
) r JOIN push p ON p.id = r.push_id
WHERE p.sent_at > :since ORDER BY r.listing_id, r.push_id DESC
""")
_CONFIRMED = text("""
SELECT listing_id, max(read_at) FROM reading WHERE listing_id = ANY(:ids) AND agrees
GROUP BY listing_id
""").bindparams(bindparam("ids"))
_NAMES = text("""
SELECT l.id, c.code AS channel, l.channel_sku, s.code AS sku
FROM listing l JOIN channel c ON c.id = l.channel_id JOIN sku s ON s.id = l.sku_id
WHERE l.id = ANY(:ids)
""").bindparams(bindparam("ids"))
_CLOSE = text("""
UPDATE drift SET closed_at = :now, look_at = NULL, story = story || :words
WHERE listing_id = ANY(:ids) AND closed_at IS NULL RETURNING listing_id, cause
""").bindparams(bindparam("ids"))
_OPEN = text("""
SELECT d.listing_id, d.cause, EXISTS (
  SELECT FROM early_sale e WHERE e.listing_id = d.listing_id) AS held
FROM drift d WHERE d.listing_id = ANY(:ids) AND d.closed_at IS NULL
""").bindparams(bindparam("ids"))


class Odd(Struct, frozen=True, kw_only=True):
    """A reading that may differ from what was expected."""

    listing_id: int
    shown: int | None
    closed: bool
    expected: Shown | None
    seen_all: bool


class Look(Struct, frozen=True, kw_only=True):
    """What a reading says to the cases of its listing. `agrees`: and nothing is to be sent."""

    listing_id: int
    there: bool
    closed: bool
    was_closed: bool
    agrees: bool

    def ends(self, cause: str, *, held: bool) -> bool:
        """Whether a case of this cause is over; `held`: its orders are still waited for."""
        if cause == Cause.MAPPING_ERROR:
            return self.there
        if cause == Cause.CLOSED_LISTING:
            return not self.closed
        return self.agrees and not held


async def agree(session: AsyncSession, looks: Sequence[Look], now: datetime) -> None:
    """Close the cases that these readings have ended."""
    by_id = {look.listing_id: look for look in looks}
    found = await session.execute(_OPEN, {"ids": sorted(by_id)})
    over = [each for each, cause, held in found if by_id[each].ends(cause, held=held)]
    await close(session, over, now=now)
    opened = sorted(look.listing_id for look in looks if look.was_closed and not look.closed)
    if opened:
        for row in (await session.execute(_NAMES, {"ids": opened})).mappings():
            await alerts.close(session, kind=CLOSED_ALERT, subject=_subject(row), now=now)


async def judge(
    session: AsyncSession, odd: Sequence[Odd], *, read_at: datetime, now: datetime
) -> None:
    """Open or go on with the cases of these readings; alert a person where one is needed."""
    ids = sorted(each.listing_id for each in odd)
    if not ids:
        return
    pushes, confirmed = await _pushes(session, ids, read_at), await _confirmed(session, ids)
    for each in sorted(odd, key=lambda one: one.listing_id):
        sent = pushes.get(each.listing_id, ())
        newest = next((push.sent_at for push in sent if push.accepted), None)
        agreed = confirmed.get(each.listing_id)
        evidence = Evidence(
            shown=each.shown,
            closed=each.closed,
            expected=each.expected,
            seen_all=each.seen_all,
            pushes=sent,
            confirmed=newest is not None and agreed is not None and agreed > newest,
        )
        verdict = classify(evidence)
        if verdict is not None:
            await _note(session, each, verdict, read_at=read_at, now=now)


async def _pushes(
    session: AsyncSession, ids: Sequence[int], before: datetime
) -> Mapping[int, tuple[Pushed, ...]]:
    since = before - timedelta(days=DAYS_BACK)
    rows = await session.execute(_PUSHES, {"ids": ids, "most": PUSHES_MAX, "since": since})
    found: dict[int, tuple[Pushed, ...]] = {}
    for listing_id, quantity, known_low, status, sent_at in rows:
        if sent_at >= before:
            continue
        push = Pushed(
            quantity=quantity, before=known_low, sent_at=sent_at, accepted=status == "accepted"
        )
        found[listing_id] = (*found.get(listing_id, ()), push)
    return found


async def _confirmed(session: AsyncSession, ids: Sequence[int]) -> dict[int, datetime]:
    return dict((await session.execute(_CONFIRMED, {"ids": ids})).all())


async def _note(
    session: AsyncSession, odd: Odd, verdict: Verdict, *, read_at: datetime, now: datetime
) -> None:
    values: dict[str, Any] = {
        "cause": verdict.cause.value,
        "story": verdict.story,
        "shown": odd.shown,
        "expected_low": odd.expected.low if odd.expected else None,
        "expected_high": odd.expected.high if odd.expected else None,
        "read_at": read_at,
        "last_seen": now,
        "look_at": now + timedelta(seconds=LOOK_SECONDS),
    }
    case = insert(Drift).values(listing_id=odd.listing_id, first_seen=now, **values)
    again = case.on_conflict_do_update(
        index_elements=["listing_id"],
        index_where=text("closed_at IS NULL"),
        set_=values | {"times": Drift.times + 1},
    ).returning(Drift.times)
    times = (await session.scalars(again)).one()
    if verdict.alarms(times):
        [row] = (await session.execute(_NAMES, {"ids": [odd.listing_id]})).mappings()
        await _alarm(session, row, values, now)


async def _alarm(
    session: AsyncSession, row: RowMapping, values: Mapping[str, Any], now: datetime
) -> None:
    names = ("cause", "story", "shown", "expected_low", "expected_high")
    detail = {name: row[name] for name in ("channel", "channel_sku", "sku")}
    detail |= {name: values[name] for name in names}
    closed = values["cause"] == Cause.CLOSED_LISTING
    kind = CLOSED_ALERT if closed else ALERT
    await alerts.fire(session, kind=kind, subject=_subject(row), detail=detail, now=now)


def _subject(row: RowMapping) -> str:
    return f"listing:{row['channel']}/{row['channel_sku']}"


async def close(
    session: AsyncSession, listing_ids: Collection[int], *, words: str = "", now: datetime
) -> int:
    """Close the open cases of these listings, and their alerts; how many."""
    ids = sorted(listing_ids)
    if not ids:
        return 0
    tail = f" — {words}" if words else ""
    closed = (await session.execute(_CLOSE, {"ids": ids, "now": now, "words": tail})).all()
    if closed:
        gone = sorted(listing_id for listing_id, _ in closed)
        for row in (await session.execute(_NAMES, {"ids": gone})).mappings():
            await alerts.close(session, kind=ALERT, subject=_subject(row), now=now)
    return len(closed)


async def due(session: AsyncSession, channel_id: int, *, most: int, now: datetime) -> list[int]:
    """Listings with an open case that are to be read again, the longest waiting first."""
    rows = await session.scalars(
        select(Drift.listing_id)
        .where(Drift.closed_at.is_(None), Drift.look_at <= now, text(_OF_CHANNEL))
        .params(channel=channel_id)
        .order_by(Drift.look_at)
        .limit(most)
    )
    return list(rows)


_OF_CHANNEL = """EXISTS (SELECT FROM listing l WHERE l.id = drift.listing_id
  AND l.channel_id = :channel AND l.push_id IS NULL AND l.zero_push_id IS NULL)"""
