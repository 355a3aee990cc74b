"""Slow jobs that carry very many numbers at once: first publish and resync of what does not sell.

A bulk job holds up nobody: a listing whose number changes meanwhile is pushed by itself, and as
the job's older number may land after it, every listing of the job is read back when it is over.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from msgspec.structs import replace
from sqlalchemy import and_, bindparam, or_, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession

from inventory import outcomes as ends
from inventory.availability import Lane, target_again
from inventory.listings import Assessed, Margins, assess
from inventory.models import Push
from inventory.publishing import BULK, Claim, done_again, frozen, take
from inventory.vocabulary import PushOutcome
from inventory.wanted import note

# Fewer than this go by themselves sooner than a job begins.
LEAST = 500
# A job is made up within ten minutes; handed in, it goes on without us, for so long at most.
LOST_SECONDS = 600
JOB_SECONDS_MAX = 4 * 3600

# Marked for a resync and in sync, or never published at all.
_FIT = """
FROM listing l JOIN channel c ON c.id = l.channel_id
LEFT JOIN resync_mark m ON m.listing_id = l.id AND (m.not_before IS NULL OR m.not_before <= :now)
WHERE l.channel_id = :channel AND l.push_id IS NULL AND l.zero_push_id IS NULL
  AND (l.not_before IS NULL OR l.not_before <= :now) AND l.quantity_known IS NOT NULL
  AND l.quantity_wanted > 0 AND CASE WHEN l.revision_published >= l.revision_wanted
    THEN m.listing_id IS NOT NULL
    ELSE l.published_at IS NULL AND (l.lane = 'lower'
      OR l.lane = 'raise' AND c.watermark > coalesce(l.raise_since, :now)) END
"""
_ENOUGH = text(f"SELECT count(*) FROM (SELECT {_FIT} LIMIT :most) fit")  # noqa: S608 -- constant
_DUE = text(f"""
SELECT l.id, m.marked_at {_FIT} AND l.id > :after
ORDER BY l.id LIMIT :most FOR NO KEY UPDATE OF l SKIP LOCKED
""")
_WAIT = text("""
UPDATE resync_mark SET not_before = :until WHERE channel_id = :channel AND listing_id = ANY(:ids)
""").bindparams(bindparam("ids"))


async def open_jobs(session: AsyncSession, channel_id: int) -> list[Push]:
    """The pushes of the channel's bulk job under way; those of one job have one reference."""
    query = select(Push).where(
        Push.channel_id == channel_id, Push.lane == BULK, Push.ended_at.is_(None)
    )
    return list(await session.scalars(query.order_by(Push.id)))


async def worth_it(session: AsyncSession, channel_id: int, now: datetime) -> bool:
    """Whether so many numbers wait that do not sell that a job is quicker than single calls."""
    if await frozen(session, channel_id):
        return False
    which = {"channel": channel_id, "now": now, "most": LEAST}
    return bool(await session.scalar(_ENOUGH, which) == LEAST)


async def gather(
    session: AsyncSession,
    channel_id: int,
    *,
    after: int,
    most: int,
    margins: Margins,
    now: datetime,
) -> tuple[Claim | None, int]:
    """Up to `most` numbers for a job as a push of their own, and the last listing looked at.

    It goes on from the listing after `after`; 0 is the end. Neither a zero nor a listing of which
    anything was sold lately is among them.
    """
    which = {"channel": channel_id, "now": now, "most": most, "after": after}
    due: dict[int, datetime | None] = dict((await session.execute(_DUE, which)).all())
    if not due:
        return None, 0
    assessed = await assess(session, list(due), margins=margins, now=now)
    await note(session, assessed, now)
    ready = [fit for each in assessed if (fit := _fit(each, due[each.row["id"]])) is not None]
    marks = {listing_id: marked for listing_id, marked in due.items() if marked is not None}
    claim = await take(session, channel_id, ready, lane=BULK, now=now, decided_at=marks)
    until = now + timedelta(seconds=JOB_SECONDS_MAX)
    ids = [each.row["id"] for each in ready]
    await session.execute(_WAIT, {"channel": channel_id, "ids": ids, "until": until})
    return claim, max(due)


def _fit(listing: Assessed, marked_at: datetime | None) -> Assessed | None:
    """The listing as it goes into a job, None where it must go by itself."""
    row, target, shown = listing.row, listing.target, listing.shown
    if row["sold_lately"] or listing.early or shown is None or row["relative"]:
        return None
    if target.lane is None and marked_at is not None:
        passed = row["watermark"] is not None and row["watermark"] > marked_at
        target = target_again(
            target.wanted,
            shown,
            lower_margin=listing.blind.since_known,
            raise_margin=listing.blind.since_watermark,
            passed=passed,
        )
    since = row["raise_since"]
    if target.lane is Lane.RAISE and since is not None:
        # The barrier has passed, and the wish has not grown since.
        grown = target.wanted > (row["quantity_wanted"] or 0)
        return None if grown or row["watermark"] <= since else listing
    return replace(listing, target=target) if target.lane is Lane.LOWER else None


async def handed_in(session: AsyncSession, push_ids: Sequence[int], reference: str) -> None:
    """Note the channel's name for the job that carries these pushes."""
    await session.execute(update(Push).where(Push.id.in_(push_ids)).values(reference=reference))


async def lost(session: AsyncSession, now: datetime) -> list[int]:
    """Pushes of jobs that were never handed in, or never ended: nobody knows what was applied."""
    forgotten, overdue = (now - timedelta(seconds=n) for n in (LOST_SECONDS, JOB_SECONDS_MAX))
    query = select(Push.id).where(
        Push.ended_at.is_(None),
        Push.lane == BULK,
        or_(
            and_(Push.reference.is_(None), Push.sent_at < forgotten),
            Push.sent_at < overdue,
        ),
    )
    return list(await session.scalars(query))


async def finish(
    session: AsyncSession,
    push_id: int,
    outcomes: Sequence[PushOutcome],
    *,
    now: datetime,
    failure: str | None = None,
) -> None:
    """Record what became of a job's push, and have all its numbers read back.

    Where another number was wanted or sent meanwhile, nobody knows which one came last.
    """
    push = await session.get(Push, push_id, with_for_update=True)
    if push is None or push.ended_at is not None:
        return
    push.ended_at, push.failure = now, failure
    await session.flush()
    by_sku = {outcome.channel_sku: outcome for outcome in outcomes}
    sent = await ends.load(session, push_id)
    for each in sent:
        _end(each, by_sku.get(each.channel_sku), push, now)
    await ends.save(session, push_id, sent)
    await done_again(session, push, sent, now)
    left = {"channel": push.channel_id, "ids": [each.id for each in sent], "until": now}
    await session.execute(_WAIT, left)


def _end(each: ends.Sent, outcome: PushOutcome | None, push: Push, now: datetime) -> None:
    busy = each.push_id is not None or each.zero_push_id is not None
    sent_since = each.known_from is not None and each.known_from >= push.sent_at
    moved = busy or sent_since or each.revision_wanted > each.revision
    if outcome is None:
        each.unsent(push.failure, wait_seconds=0, now=now)
        return
    each.hear(outcome, push.sent_at, now)
    if moved:
        each.forget(now)
    elif each.read_after is None:
        each.read_after = now
