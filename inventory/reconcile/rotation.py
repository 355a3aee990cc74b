"""Reading every listing's number back in turn: what is to be read next, and how far it is."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from msgspec import Struct
from sqlalchemy import bindparam, func, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from inventory.errors import NotFound, WrongState
from inventory.models import Channel, Listing, Rotation
from inventory.reconcile import drift_cases
from inventory.vocabulary import Kind

# A round begins no sooner than so long after the one before it began.
ROUND_SECONDS = 300
# What sells is read as often as this where the channel's orders are older than that.
HOT_SECONDS = 10
HOT_MINUTES = 10
WITHOUT_READING = (Kind.HOUSE.value, Kind.OWN_STORE.value)

KEEP_DAYS = 1
TIDY_MAX = 50_000

CASE, HOT, TURN = "case", "hot", "turn"


class Batch(Struct, frozen=True, kw_only=True):
    """Listings to be read in one call: (listing id, channel SKU). `why`: case, hot or turn."""

    why: str
    listings: tuple[tuple[int, str], ...]


class Round(Struct, frozen=True, kw_only=True):
    """How far a channel's round is. `asked_at` waits for a round that begins later than that."""

    channel: str
    listings: int
    readings: int
    began_at: datetime | None
    ended_from: datetime | None
    asked_at: datetime | None
    per_second: int | None
    failure: str | None


_NAMED = text("""
SELECT id, channel_sku FROM listing WHERE id = ANY(:ids) ORDER BY id
""").bindparams(bindparam("ids"))
# A number fresher than the orders tells of sales before they do.
_HOT = text("""
SELECT DISTINCT l.id, l.channel_sku
FROM sales_order b JOIN order_line o ON o.order_id = b.id JOIN listing s ON s.id = o.listing_id
JOIN listing l ON l.sku_id = s.sku_id AND l.channel_id = :channel
JOIN channel c ON c.id = l.channel_id
WHERE b.channel_id = ANY(ARRAY(SELECT id FROM channel)) AND b.ordered_at > :lately
  AND (c.watermark IS NULL OR c.watermark < :blind) AND NOT l.fulfilled_by_channel
  AND l.push_id IS NULL AND l.zero_push_id IS NULL
  AND (l.known_at IS NULL OR l.known_at < :blind) AND l.read_after IS NULL
ORDER BY l.id LIMIT :most
""")
_TURN = text("""
SELECT id, channel_sku FROM listing
WHERE channel_id = :channel AND id > :cursor AND NOT fulfilled_by_channel
ORDER BY id LIMIT :most
""")
# Due: a round that is under way, wanted or at its time; what sells; a case; a hold that has ended.
_DUE = text("""
SELECT c.id FROM channel c LEFT JOIN rotation r ON r.channel_id = c.id
WHERE c.kind <> ALL(:without) AND (r.due_at IS NULL OR r.due_at <= :now)
  AND EXISTS (SELECT FROM listing l WHERE l.channel_id = c.id)
  AND (r.began_at IS NOT NULL OR r.asked_at IS NOT NULL OR r.ended_from IS NULL
    OR r.ended_from <= :round
    OR (c.watermark IS NULL OR c.watermark < :blind) AND (r.hot_due_at IS NULL
      OR r.hot_due_at <= :now) AND EXISTS (
        SELECT FROM sales_order b WHERE b.channel_id = ANY(ARRAY(SELECT id FROM channel))
          AND b.ordered_at > :lately)
    OR EXISTS (SELECT FROM drift d JOIN listing l ON l.id = d.listing_id
      WHERE l.channel_id = c.id AND d.closed_at IS NULL AND d.look_at <= :now)
    OR EXISTS (SELECT FROM early_sale e JOIN listing l ON l.id = e.listing_id
      WHERE l.channel_id = c.id AND e.until <= c.watermark))
ORDER BY c.id
""")
_OLD_READINGS = text("""
DELETE FROM reading WHERE id IN (
  SELECT r.id FROM reading r WHERE r.agrees AND r.read_at < :old
    AND EXISTS (SELECT FROM reading n WHERE n.listing_id = r.listing_id AND n.read_at > r.read_at)
  ORDER BY r.read_at LIMIT :most)
""")
_OLD_WAITS = text("""
DELETE FROM drift WHERE id IN (
  SELECT id FROM drift WHERE closed_at < :old AND cause = 'order_not_pulled' LIMIT :most)
""")


def _moments(now: datetime) -> dict[str, datetime]:
    return {
        "now": now,
        "round": now - timedelta(seconds=ROUND_SECONDS),
        "blind": now - timedelta(seconds=HOT_SECONDS),
        "lately": now - timedelta(minutes=HOT_MINUTES),
    }


async def due(session: AsyncSession, now: datetime) -> list[int]:
    """Channels of which something is to be read back now, or a hold to be judged."""
    return list(await session.scalars(_DUE, _moments(now) | {"without": list(WITHOUT_READING)}))


async def next_batch(
    session: AsyncSession, channel_id: int, *, most: int, now: datetime
) -> Batch | None:
    """What to read next: open cases, then what sells, then the next listings of the round."""
    cases = await drift_cases.due(session, channel_id, most=most, now=now)
    if cases:
        rows = await session.execute(_NAMED, {"ids": cases})
        return Batch(why=CASE, listings=_pairs(rows))
    await session.execute(insert(Rotation).values(channel_id=channel_id).on_conflict_do_nothing())
    turn = await session.get_one(Rotation, channel_id, with_for_update=True)
    which: dict[str, Any] = {"channel": channel_id, "most": most, **_moments(now)}
    if turn.hot_due_at is None or turn.hot_due_at <= now:
        hot = _pairs(await session.execute(_HOT, which))
        turn.hot_due_at = now + timedelta(seconds=HOT_SECONDS)
        if hot:
            return Batch(why=HOT, listings=hot)
    if turn.began_at is None and not _begins(turn, now):
        return None
    rows = await session.execute(_TURN, which | {"cursor": turn.cursor})
    found = _pairs(rows)
    if not found:
        _end(turn)
        return None
    return Batch(why=TURN, listings=found)


def _pairs(rows: Any) -> tuple[tuple[int, str], ...]:
    return tuple((listing_id, channel_sku) for listing_id, channel_sku in rows)


def _begins(turn: Rotation, now: datetime) -> bool:
    fresh = turn.ended_from is not None and turn.ended_from > now - timedelta(seconds=ROUND_SECONDS)
    if fresh and turn.asked_at is None:
        return False
    turn.began_at, turn.cursor, turn.readings = now, 0, 0
    return True


def _end(turn: Rotation) -> None:
    turn.ended_from, turn.began_at, turn.cursor = turn.began_at, None, 0
    if turn.asked_at is not None and turn.ended_from and turn.asked_at <= turn.ended_from:
        turn.asked_at = None


async def done(session: AsyncSession, channel_id: int, batch: Batch) -> None:
    """These were read; the round goes on behind them."""
    values: dict[str, Any] = {"failure": None}
    if batch.why == TURN:
        values["cursor"] = batch.listings[-1][0]
        values["readings"] = Rotation.readings + len(batch.listings)
    query = update(Rotation).where(Rotation.channel_id == channel_id)
    await session.execute(query.values(values))


async def postpone(
    session: AsyncSession, channel_id: int, *, seconds: float, failure: str | None, now: datetime
) -> None:
    """Leave the channel alone for a time. A budget that is used up is no failure."""
    values: dict[str, Any] = {"due_at": now + timedelta(seconds=seconds)}
    if failure is not None:
        values["failure"] = failure[:500]
    turn = insert(Rotation).values(channel_id=channel_id, **values)
    await session.execute(turn.on_conflict_do_update(index_elements=["channel_id"], set_=values))


async def tidy(session: AsyncSession, now: datetime) -> int:
    """Forget readings that agreed and are not the last, and waits for orders that came; how many.

    Readings that differed are kept, as are the cases of drift that they made.
    """
    old = {"old": now - timedelta(days=KEEP_DAYS), "most": TIDY_MAX}
    gone = 0
    for statement in (_OLD_READINGS, _OLD_WAITS):
        done = await session.execute(statement, old)
        gone += int(done.rowcount)  # type: ignore[attr-defined]  # every DML result has it
    return gone


async def ask(
    session: AsyncSession, code: str | None, *, per_second: int | None, now: datetime
) -> list[str]:
    """Ask for a round of a channel, or of all that are read; their codes.

    `per_second` is from then on the most readings a second, 0 for what the read budget gives, None
    leaves it. Raises `NotFound`; `WrongState` where a channel's numbers are not read at all.
    """
    query = select(Channel).where(Channel.kind.not_in(WITHOUT_READING)).order_by(Channel.id)
    channels: Sequence[Channel] = list(await session.scalars(query))
    if code is not None:
        kind = await session.scalar(select(Channel.kind).where(Channel.code == code))
        if kind is None:
            raise NotFound(f"no channel {code!r}")
        if kind in WITHOUT_READING:
            raise WrongState(f"{code!r} has no numbers that could be read back")
        channels = [channel for channel in channels if channel.code == code]
    values: dict[str, Any] = {"asked_at": now}
    if per_second is not None:
        values["per_second"] = per_second or None
    for channel in channels:
        wish = insert(Rotation).values(channel_id=channel.id, **values)
        await session.execute(
            wish.on_conflict_do_update(index_elements=["channel_id"], set_=values)
        )
    return [channel.code for channel in channels]


async def rounds(session: AsyncSession, codes: Sequence[str]) -> list[Round]:
    """How far the rounds of these channels are, by channel."""
    listed = (
        select(func.count())
        .where(Listing.channel_id == Channel.id, Listing.fulfilled_by_channel.is_(False))
        .scalar_subquery()
    )
    rows = await session.execute(
        select(Channel.code, listed, Rotation)
        .join(Rotation, Rotation.channel_id == Channel.id)
        .where(Channel.code.in_(codes))
        .order_by(Channel.id)
    )
    return [
        Round(
            channel=code,
            listings=listings,
            readings=turn.readings,
            began_at=turn.began_at,
            ended_from=turn.ended_from,
            asked_at=turn.asked_at,
            per_second=turn.per_second,
            failure=turn.failure,
        )
        for code, listings, turn in rows
    ]


async def per_second(session: AsyncSession, channel_id: int) -> int | None:
    """The most readings a second of a channel; None for what its read budget gives."""
    query = select(Rotation.per_second).where(Rotation.channel_id == channel_id)
    return await session.scalar(query)
