"""Pushing every listing of a channel once more: a mark on each, in the lowest lane, newest wins."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from msgspec import Struct
from msgspec.structs import replace
from sqlalchemy import bindparam, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from inventory import audit
from inventory.availability import Lane, target_again
from inventory.errors import NotFound, WrongState
from inventory.listings import Assessed, Margins, assess, overwritten
from inventory.models import Channel, Resync
from inventory.publishing import RESYNC, Claim, frozen, take
from inventory.vocabulary import Kind
from inventory.wanted import note

# A number that could not go (its listing sells, and its barrier has not passed) is looked at again.
WAIT_SECONDS = 3
# What a relative channel shows is read, not written again; a reading that fails is asked for anew.
READ_SECONDS = 60
RATE_SECONDS = 60


class Progress(Struct, frozen=True, kw_only=True):
    """How far a resync is. `per_second` is of the last minute, `seconds_left` reckoned by it.

    `waiting`: listings that cannot go yet, as they sell faster than their number could be proven.
    """

    channel: str
    total: int
    done: int
    waiting: int
    per_second: float
    seconds_left: float | None
    asked_by: str
    asked_at: datetime
    ended_at: datetime | None
    frozen: bool


_MARK = text("""
INSERT INTO resync_mark (channel_id, listing_id, marked_at)
SELECT l.channel_id, l.id, :now FROM listing l
WHERE l.channel_id = :channel AND NOT l.fulfilled_by_channel AND NOT l.closed_by_channel
ORDER BY l.id
ON CONFLICT (channel_id, listing_id) DO UPDATE SET marked_at = excluded.marked_at, not_before = NULL
""")
_PROGRESS = text("""
SELECT c.code AS channel, r.total, r.asked_by, r.asked_at, r.ended_at, c.frozen,
  (SELECT count(*) FROM resync_mark m WHERE m.channel_id = c.id AND r.ended_at IS NULL) AS marks,
  (SELECT count(*) FROM resync_mark m WHERE m.channel_id = c.id AND r.ended_at IS NULL
    AND m.not_before > :now) AS waiting,
  (SELECT count(*) FROM push p JOIN push_row w ON w.push_id = p.id
    WHERE p.channel_id = c.id AND p.sent_at >= greatest(r.asked_at, CAST(:since AS timestamptz))
      AND p.sent_at <= coalesce(r.ended_at, :now) AND w.status = 'accepted') AS lately
FROM resync r JOIN channel c ON c.id = r.channel_id
WHERE r.channel_id = :channel ORDER BY r.id DESC LIMIT 1
""")
# What is stale goes by its own lane, before all of these. Mark by mark, so that the marks that are
# left say how far to look: joined as a whole, all listings before the first mark would be read.
_DUE = text("""
SELECT l.id, m.marked_at FROM resync_mark m CROSS JOIN LATERAL (
  SELECT id FROM listing WHERE id = m.listing_id
    AND push_id IS NULL AND zero_push_id IS NULL AND revision_published >= revision_wanted
    AND (not_before IS NULL OR not_before <= :now) OFFSET 0 FOR NO KEY UPDATE SKIP LOCKED
) l
WHERE m.channel_id = :channel AND (m.not_before IS NULL OR m.not_before <= :now)
ORDER BY m.listing_id LIMIT :most
""")
_WAIT = text("""
UPDATE resync_mark SET not_before = :until WHERE channel_id = :channel AND listing_id = ANY(:ids)
""").bindparams(bindparam("ids"))
_DROP = text("""
DELETE FROM resync_mark WHERE channel_id = :channel AND listing_id = ANY(:ids)
""").bindparams(bindparam("ids"))
_READ = text("""
UPDATE listing SET read_after = :now WHERE id = ANY(:ids) AND read_after IS NULL
""").bindparams(bindparam("ids"))


async def start(session: AsyncSession, code: str, *, by: str, now: datetime) -> int:
    """Mark every listing of a channel to be pushed again; how many. Asking again begins anew.

    Raises `NotFound`; `WrongState` for the house itself, which lists nothing.
    """
    channel = await session.scalar(select(Channel).where(Channel.code == code))
    if channel is None:
        raise NotFound(f"no channel {code!r}")
    if channel.kind == Kind.HOUSE:
        raise WrongState("the house itself lists nothing")
    marked = await session.execute(_MARK, {"channel": channel.id, "now": now})
    total = int(marked.rowcount)  # type: ignore[attr-defined]  # every DML result has it
    values = {"total": total, "asked_by": by, "asked_at": now, "ended_at": None if total else now}
    wish = insert(Resync).values(channel_id=channel.id, **values)
    await session.execute(
        wish.on_conflict_do_update(
            index_elements=["channel_id"], index_where=text("ended_at IS NULL"), set_=values
        )
    )
    detail = {"channel": code, "listings": total}
    audit.note(session, by=by, action="channel.resync", detail=detail, now=now)
    return total


async def under_way(session: AsyncSession, code: str) -> bool:
    """Whether a resync of the channel has not ended yet."""
    query = select(Resync.id).join(Channel, Channel.id == Resync.channel_id)
    open_ = query.where(Channel.code == code, Resync.ended_at.is_(None))
    return await session.scalar(open_) is not None


async def progress(session: AsyncSession, code: str, now: datetime) -> Progress:
    """How far the last resync of a channel is. Raises `NotFound` where there was none."""
    channel_id = await session.scalar(select(Channel.id).where(Channel.code == code))
    since = now - timedelta(seconds=RATE_SECONDS)
    found = await session.execute(_PROGRESS, {"channel": channel_id, "now": now, "since": since})
    row = found.mappings().one_or_none()
    if row is None:
        raise NotFound(f"no resync of {code!r}")
    began = max(since, row["asked_at"])
    seconds = ((row["ended_at"] or now) - began).total_seconds()
    rate = row["lately"] / seconds if seconds > 0 else 0.0
    return Progress(
        channel=row["channel"],
        total=row["total"],
        done=max(row["total"] - row["marks"], 0),
        waiting=row["waiting"],
        per_second=round(rate, 1),
        seconds_left=round(row["marks"] / rate, 1) if rate else None if row["marks"] else 0.0,
        asked_by=row["asked_by"],
        asked_at=row["asked_at"],
        ended_at=row["ended_at"],
        frozen=row["frozen"],
    )


async def claim(
    session: AsyncSession, channel_id: int, *, most: int, margins: Margins, now: datetime
) -> Claim | None:
    """Take up to `most` marked numbers that are in sync as far as we know, to be sent once more.

    Called when nothing waits in the other lanes. Those found to be stale go by their own lane.
    """
    looking = not await frozen(session, channel_id)
    while looking:
        taken, looking = await _claim_some(session, channel_id, most, margins, now)
        if taken is not None:
            return taken
    return None


async def _claim_some(
    session: AsyncSession, channel_id: int, most: int, margins: Margins, now: datetime
) -> tuple[Claim | None, bool]:
    """What may go of the next `most` marks, and whether there were any."""
    which = {"channel": channel_id, "now": now, "most": most}
    due: dict[int, datetime] = dict((await session.execute(_DUE, which)).all())
    if not due:
        return None, False
    assessed = await assess(session, list(due), margins=margins, now=now)
    await note(session, assessed, now)
    gone = [each for each in assessed if each.row["closed_by_channel"]]
    in_sync = [each for each in assessed if each.target.lane is None and each.shown is not None]
    ready = [again for each in in_sync if (again := _again(each, due[each.row["id"]])) is not None]
    taken = {each.row["id"] for each in (*ready, *gone)}
    await session.execute(_DROP, {"channel": channel_id, "ids": [each.row["id"] for each in gone]})
    await _wait(
        session, channel_id, [each for each in assessed if each.row["id"] not in taken], now
    )
    claimed = await take(session, channel_id, ready, lane=RESYNC, now=now, decided_at=due)
    return claimed, True


def _again(listing: Assessed, marked_at: datetime) -> Assessed | None:
    """The listing with the number to be sent once more, None where that must wait."""
    row, shown = listing.row, listing.shown
    if shown is None or row["relative"]:
        return None
    if not overwritten(row):
        lane = Lane.LOWER if listing.target.wanted else Lane.ZERO
        return replace(listing, target=replace(listing.target, lane=lane))
    target = target_again(
        listing.target.wanted,
        shown,
        lower_margin=listing.blind.since_known,
        raise_margin=listing.blind.since_watermark,
        passed=row["watermark"] is not None and row["watermark"] > marked_at,
    )
    return None if target.lane is None else replace(listing, target=target)


async def _wait(
    session: AsyncSession, channel_id: int, listings: Sequence[Assessed], now: datetime
) -> None:
    """Look at these again later; on a relative channel their numbers are read meanwhile."""
    reads = [each.row["id"] for each in listings if each.row["relative"]]
    others = [each.row["id"] for each in listings if not each.row["relative"]]
    for ids, seconds in ((reads, READ_SECONDS), (others, WAIT_SECONDS)):
        until = now + timedelta(seconds=seconds)
        if ids:
            await session.execute(_WAIT, {"channel": channel_id, "ids": ids, "until": until})
    if reads:
        await session.execute(_READ, {"ids": reads, "now": now})
