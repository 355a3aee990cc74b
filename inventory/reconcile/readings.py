"""What channels say they show: which numbers must be read, and what a reading changes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from msgspec import Struct
from sqlalchemy import RowMapping, and_, bindparam, or_, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession

from inventory.availability import SHOWN_MAX, Lane
from inventory.listings import CLOSED_READ_SECONDS, Assessed, Margins, assess
from inventory.models import Listing
from inventory.publishing import frozen
from inventory.reconcile import drift_cases, early
from inventory.reconcile.drift_cases import Look, Odd
from inventory.reconcile.early import Fall
from inventory.vocabulary import Reading
from inventory.wanted import note

MISSING_READ_SECONDS = 60

# Of readings that agree the last one is kept; each that differs is.
_KEEP = text("""
WITH told AS (
  SELECT * FROM unnest(CAST(:id AS int[]), CAST(:quantity AS int[]), CAST(:closed AS bool[]),
    CAST(:low AS int[]), CAST(:high AS int[]), CAST(:agrees AS bool[]))
    AS t (listing_id, quantity, closed, low, high, agrees)
), kept AS (
  UPDATE reading r SET read_at = :now, quantity = t.quantity, expected_low = t.low,
    expected_high = t.high
  FROM told t CROSS JOIN LATERAL (
    SELECT x.id, x.agrees FROM reading x WHERE x.listing_id = t.listing_id
    ORDER BY x.read_at DESC, x.id DESC LIMIT 1
  ) last
  WHERE r.id = last.id AND last.agrees AND t.agrees RETURNING r.listing_id
)
INSERT INTO reading (listing_id, quantity, closed, expected_low, expected_high, agrees, read_at)
SELECT t.listing_id, t.quantity, t.closed, t.low, t.high, t.agrees, :now
FROM told t WHERE NOT EXISTS (SELECT FROM kept k WHERE k.listing_id = t.listing_id)
""")
_TAKE = text("""
UPDATE listing l SET closed_by_channel = n.closed, read_after = n.read_after, failure = n.failure,
  quantity_known = n.known, known_from = n.known_from, known_at = n.known_at
FROM unnest(CAST(:id AS int[]), CAST(:closed AS bool[]), CAST(:read_after AS timestamptz[]),
  CAST(:failure AS text[]), CAST(:known AS int[]), CAST(:known_from AS timestamptz[]),
  CAST(:known_at AS timestamptz[]))
  AS n (id, closed, read_after, failure, known, known_from, known_at)
WHERE l.id = n.id
""")
# A relative channel's listing that was read is done with: the difference goes by itself.
_READ_AGAIN = text("""
DELETE FROM resync_mark m USING channel c
WHERE c.id = m.channel_id AND c.relative AND m.listing_id = ANY(:ids) AND m.marked_at <= :asked_at
""").bindparams(bindparam("ids"))
_RESYNC_OVER = text("""
UPDATE resync r SET ended_at = :now WHERE r.ended_at IS NULL AND r.channel_id = :channel
  AND NOT EXISTS (SELECT FROM resync_mark m WHERE m.channel_id = r.channel_id)
""")
_IN_JOB = text("""
SELECT r.listing_id FROM push p JOIN push_row r ON r.push_id = p.id
WHERE p.channel_id = :channel AND p.ended_at IS NULL AND p.lane = 'bulk'
  AND r.listing_id = ANY(:ids)
""").bindparams(bindparam("ids"))


class Told(Struct, frozen=True, kw_only=True):
    """One answer beside what was expected when it was asked for."""

    listing: Assessed
    answer: Reading
    quantity: int | None
    agrees: bool

    @property
    def row(self) -> RowMapping:
        """The listing's row as it was locked."""
        return self.listing.row

    @property
    def quiet(self) -> bool:
        """Whether it changes nothing but the time at which the number is known."""
        certain = self.listing.shown is not None and self.listing.shown.low == self.quantity
        still = self.listing.target.lane is None and self.row["read_after"] is None
        return self.agrees and certain and still and not self.row["closed_by_channel"]


async def due(
    session: AsyncSession, channel_id: int, *, most: int, now: datetime
) -> list[tuple[int, str]]:
    """Listings whose number must be read now: (listing id, channel SKU), the oldest wish first.

    None of them has a push on its way, so that the answer means something.
    """
    rows = await session.execute(
        select(Listing.id, Listing.channel_sku)
        .where(
            Listing.channel_id == channel_id,
            or_(Listing.read_after.is_not(None), Listing.lane == Lane.READ.value),
            Listing.push_id.is_(None),
            Listing.zero_push_id.is_(None),
            or_(
                Listing.read_after <= now,
                and_(Listing.lane == Lane.READ.value, Listing.read_after.is_(None)),
            ),
        )
        .order_by(Listing.read_after.asc().nulls_first(), Listing.id)
        .limit(most)
    )
    return [(listing_id, channel_sku) for listing_id, channel_sku in rows]


async def record(
    session: AsyncSession,
    listing_ids: Sequence[int],
    answers: Sequence[Reading],
    *,
    asked_at: datetime,
    margins: Margins,
    now: datetime,
) -> int:
    """Take readings asked for at `asked_at` as the numbers now known, and assess anew.

    A listing that was pushed to since `asked_at` keeps what the push told us. One that the channel
    does not have, or keeps closed, is read again after a minute. What differs from the number
    expected is held for orders to come and becomes a case of drift. How many differ.
    """
    by_sku = {answer.channel_sku: answer for answer in answers}
    assessed = await assess(session, listing_ids, margins=margins, now=now)
    told = [
        _told(each, by_sku[each.row["channel_sku"]])
        for each in assessed
        if each.row["channel_sku"] in by_sku
    ]
    if not told:
        return 0
    await _keep(session, told, now)
    news = [each for each in told if not _outrun(each.row, asked_at)]
    await _take(session, news, asked_at=asked_at, now=now)
    odd = await _judge(session, news, asked_at=asked_at, now=now)
    await _agree(session, news, margins=margins, now=now)
    return odd


async def _agree(
    session: AsyncSession, news: Sequence[Told], *, margins: Margins, now: datetime
) -> None:
    """Assess anew what is not quiet, and close the cases that these readings have ended."""
    loud = [each.row["id"] for each in news if not each.quiet]
    again = await assess(session, loud, margins=margins, now=now)
    await note(session, again, now)
    busy = {each.row["id"] for each in again if each.target.lane is not None}
    looks = [
        Look(
            listing_id=each.row["id"],
            there=each.quantity is not None,
            closed=each.answer.closed,
            was_closed=each.row["closed_by_channel"],
            agrees=each.agrees and each.row["id"] not in busy,
        )
        for each in news
    ]
    await drift_cases.agree(session, looks, now)


def _told(listing: Assessed, answer: Reading) -> Told:
    quantity = None if answer.quantity is None else min(answer.quantity, SHOWN_MAX)
    shown = listing.shown
    agrees = (
        shown is not None
        and quantity is not None
        and not answer.closed
        and shown.low <= quantity <= shown.high
    )
    return Told(listing=listing, answer=answer, quantity=quantity, agrees=agrees)


async def _keep(session: AsyncSession, told: Sequence[Told], now: datetime) -> None:
    shown = [each.listing.shown for each in told]
    columns = {
        "id": [each.row["id"] for each in told],
        "quantity": [each.quantity for each in told],
        "closed": [each.answer.closed for each in told],
        "low": [each.low if each else None for each in shown],
        "high": [each.high if each else None for each in shown],
        "agrees": [each.agrees for each in told],
    }
    await session.execute(_KEEP, columns | {"now": now})


async def _take(
    session: AsyncSession, news: Sequence[Told], *, asked_at: datetime, now: datetime
) -> None:
    if not news:
        return
    rows = [_taken(each, asked_at=asked_at, now=now) for each in news]
    await session.execute(_TAKE, {name: [row[name] for row in rows] for name in rows[0]})
    channel_id, ids = news[0].row["channel_id"], [each.row["id"] for each in news]
    gone = await session.execute(_READ_AGAIN, {"ids": ids, "asked_at": asked_at})
    if gone.rowcount:  # type: ignore[attr-defined]  # every DML result has it
        await session.execute(_RESYNC_OVER, {"channel": channel_id, "now": now})


def _taken(told: Told, *, asked_at: datetime, now: datetime) -> dict[str, Any]:
    """The listing's new columns."""
    row, closed = told.row, told.answer.closed
    values = {"id": row["id"], "closed": closed, "read_after": None, "failure": None}
    if closed:
        values["read_after"] = now + timedelta(seconds=CLOSED_READ_SECONDS)
        values["failure"] = (
            "the channel keeps this listing sold out until a person reopens it there"
        )
    if told.quantity is None:
        values["failure"] = "the channel has no such listing"
        values["read_after"] = now + timedelta(seconds=MISSING_READ_SECONDS)
        old = (row["quantity_known"], row["known_from"], row["known_at"])
        return values | dict(zip(("known", "known_from", "known_at"), old, strict=True))
    return values | {"known": told.quantity, "known_from": asked_at, "known_at": now}


def _outrun(row: RowMapping, asked_at: datetime) -> bool:
    """Whether a push since we asked makes the answer old news: on its way, taken, or in doubt."""
    if row["push_id"] is not None or row["zero_push_id"] is not None:
        return True
    moments = (row["known_from"], row["published_at"], row["read_after"])
    return any(moment is not None and moment > asked_at for moment in moments)


async def _judge(
    session: AsyncSession, news: Sequence[Told], *, asked_at: datetime, now: datetime
) -> int:
    """Hold what fell, open cases for what differs; how many differ.

    While publishing is stopped, numbers differ because a person wants it so.
    """
    differ = [each for each in news if not each.agrees]
    if not differ or await frozen(session, differ[0].row["channel_id"]):
        return 0
    which = {"channel": differ[0].row["channel_id"], "ids": [each.row["id"] for each in differ]}
    in_job = set(await session.scalars(_IN_JOB, which))
    differ = [each for each in differ if each.row["id"] not in in_job]
    falls = [fall for each in differ if (fall := _fall(each, asked_at)) is not None]
    await early.hold(session, falls, now)
    odd = [
        Odd(
            listing_id=each.row["id"],
            shown=each.quantity,
            closed=each.answer.closed,
            expected=each.listing.shown,
            seen_all=_seen_all(each.row, asked_at),
        )
        for each in differ
    ]
    await drift_cases.judge(session, odd, read_at=asked_at, now=now)
    return len(odd)


def _seen_all(row: RowMapping, asked_at: datetime) -> bool:
    return row["watermark"] is not None and row["watermark"] >= asked_at


def _fall(told: Told, asked_at: datetime) -> Fall | None:
    """What was sold there for all we know, where the number is fresher than the orders."""
    row, shown = told.row, told.listing.shown
    if shown is None or told.quantity is None or told.answer.closed or told.quantity >= shown.low:
        return None
    if _seen_all(row, asked_at) or row["known_from"] >= asked_at:
        return None
    return Fall(
        listing_id=row["id"],
        sku_id=row["sku_id"],
        units=row["quantity_known"] - told.quantity,
        since=row["known_from"],
        until=asked_at,
    )


async def failed(session: AsyncSession, listing_ids: Sequence[int], words: str) -> None:
    """Note why these listings' numbers could not be read."""
    await session.execute(
        update(Listing).where(Listing.id.in_(listing_ids)).values(failure=words[:500])
    )
