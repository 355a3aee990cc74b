"""From a wanted number to a published one: claim, send, record. One push in flight per listing.

The newest number wins (L6): it is computed when a push is claimed, never queued. Only a zero may
overtake a push that is still on its way; it is sent again once that push has ended.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from msgspec import Struct
from msgspec.structs import replace
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from inventory import outcomes as ends
from inventory.availability import Lane, taken_back
from inventory.listings import Assessed, Margins, assess, overwritten
from inventory.models import Channel, Listing, Push, PushRow, Switch
from inventory.vocabulary import PushOutcome, PushStatus, QuantityPush
from inventory.wanted import note

LOST_SECONDS = 60
ZERO, NUMBER, RESYNC, BULK = "zero", "number", "resync", "bulk"


class Claim(Struct, frozen=True, kw_only=True):
    """A batch of numbers to send to one channel.

    `lane`: `zero`, `number`, `resync` (not urgent at all) or `bulk`. `takes_back`: the one number
    in it goes as a guarded decrement.
    """

    push_id: int
    channel_id: int
    lane: str
    sent_at: datetime
    pushes: tuple[QuantityPush, ...]
    takes_back: bool = False


# One lane's numbers in the order of `ix_listing_stale`, so that a hundred thousand of them are not
# sorted for each batch. A number that was never published may be one of as many: what sells goes
# before it. What is in a bulk job goes by itself only where another number is wanted meanwhile.
_DUE = text("""
SELECT l.id FROM listing l JOIN channel c ON c.id = l.channel_id
WHERE l.channel_id = :channel AND l.lane = :lane AND l.revision_published < l.revision_wanted
  AND (l.not_before IS NULL OR l.not_before <= :now)
  AND l.zero_push_id IS NULL AND (:lane = 'zero' OR l.push_id IS NULL)
  AND (:lane <> 'raise' OR c.watermark > coalesce(l.raise_since, :now)
    OR c.relative AND c.watermark > l.known_at)
  AND NOT EXISTS (SELECT FROM push p JOIN push_row r ON r.push_id = p.id
    WHERE p.channel_id = :channel AND p.ended_at IS NULL AND p.lane = 'bulk'
      AND r.listing_id = l.id AND r.revision >= l.revision_wanted)
ORDER BY l.quantity_published IS NULL, l.wanted_at NULLS FIRST, l.id LIMIT :most
FOR NO KEY UPDATE OF l SKIP LOCKED
""")
_TAKE = {
    True: text("UPDATE listing SET zero_push_id = :push WHERE id = ANY(:ids)"),
    False: text("UPDATE listing SET push_id = :push WHERE id = ANY(:ids)"),
}
_ROWS = text("""
INSERT INTO push_row (push_id, listing_id, quantity, change, lane, revision, stock_revision,
  decided_at, watermark, known_low, unseen)
SELECT :push, n.id, n.quantity, n.change, n.lane, l.revision_wanted, n.stock_revision,
  n.decided_at, n.watermark, n.known_low, n.unseen
FROM unnest(CAST(:id AS int[]), CAST(:quantity AS int[]), CAST(:change AS int[]),
  CAST(:lane AS text[]), CAST(:stock_revision AS bigint[]), CAST(:decided_at AS timestamptz[]),
  CAST(:watermark AS timestamptz[]), CAST(:known_low AS int[]), CAST(:unseen AS int[]))
  AS n (id, quantity, change, lane, stock_revision, decided_at, watermark, known_low, unseen)
JOIN listing l ON l.id = n.id
""")
# Whatever was pushed since the wish is pushed again; a resync without marks is over.
_UNMARK = text("""
DELETE FROM resync_mark m USING unnest(CAST(:ids AS int[])) AS n (id)
WHERE m.listing_id = n.id AND m.marked_at <= :since
""")
_RESYNC_OVER = text("""
UPDATE resync r SET ended_at = :now WHERE r.ended_at IS NULL AND r.channel_id = :channel
  AND NOT EXISTS (SELECT FROM resync_mark m WHERE m.channel_id = r.channel_id)
""")


async def frozen(session: AsyncSession, channel_id: int) -> bool:
    """Whether publishing is stopped for this channel or for the whole house."""
    house = await session.scalar(select(Switch.value).where(Switch.name == "frozen"))
    own = await session.scalar(select(Channel.frozen).where(Channel.id == channel_id))
    return bool(own) or bool(house and house.get("on"))


async def claim(
    session: AsyncSession,
    channel_id: int,
    *,
    zero: bool,
    most: int,
    margins: Margins,
    now: datetime,
    takes_back: bool = False,
) -> Claim | None:
    """Take up to `most` numbers that may be sent now, zeros or the others; None if there are none.

    The numbers are computed anew here. A listing found in sync is noted as such and left out.
    `takes_back`: the channel takes guarded decrements, one in a call, for a number that stands
    alone and would be kept lower by the margin.
    """
    if await frozen(session, channel_id):
        return None
    ids: list[int] = []
    for lane in (Lane.ZERO,) if zero else (Lane.LOWER, Lane.RAISE):
        which = {"channel": channel_id, "lane": lane.value, "now": now, "most": most - len(ids)}
        ids += await session.scalars(_DUE, which)
    if not ids:
        return None
    assessed = await assess(session, ids, margins=margins, now=now)
    await note(session, assessed, now)
    ready = [listing for listing in assessed if _may_go(listing, zero=zero)]
    alone = _taken_back(ready[0]) if takes_back and len(ready) == 1 else None
    chosen = ready if alone is None else [alone]
    taken = await take(session, channel_id, chosen, lane=ZERO if zero else NUMBER, now=now)
    return taken and replace(taken, takes_back=alone is not None)


def _may_go(listing: Assessed, *, zero: bool) -> bool:
    row, lane = listing.row, listing.target.lane
    if zero or lane is Lane.ZERO:
        return zero and lane is Lane.ZERO
    if lane is Lane.LOWER:
        return True
    if lane is not Lane.RAISE or row["watermark"] is None:
        return False
    if row["relative"]:
        return bool(row["watermark"] > row["known_at"])
    # The wish to go up is as old as `raise_since`; a wish that is newer waits for the next claim.
    since = row["raise_since"]
    rose = row["quantity_wanted"] is None or listing.target.wanted > row["quantity_wanted"]
    return since is not None and not rose and bool(row["watermark"] > since)


def _taken_back(listing: Assessed) -> Assessed | None:
    """The same as a guarded decrement, where nothing of it is on its way and none was refused."""
    row = listing.row
    if not overwritten(row) or row["push_id"] is not None or row["failures"]:
        return None
    target = taken_back(listing.target, listing.shown)
    return None if target is None else replace(listing, target=target)


async def take(
    session: AsyncSession,
    channel_id: int,
    ready: Sequence[Assessed],
    *,
    lane: str,
    now: datetime,
    decided_at: Mapping[int, datetime] | None = None,
) -> Claim | None:
    """Note these numbers as on their way, each with the proof that it may go; None without any.

    `decided_at` is since when each was wanted; without it, its raise was wanted at `raise_since`.
    """
    if not ready:
        return None
    push = Push(channel_id=channel_id, lane=lane, sent_at=now)
    session.add(push)
    await session.flush()
    if lane != BULK:
        ids = [listing.row["id"] for listing in ready]
        await session.execute(_TAKE[lane == ZERO], {"push": push.id, "ids": ids})
    rows = [_proof(listing, now, decided_at or {}) for listing in ready]
    columns = {name: [row[name] for row in rows] for name in rows[0]}
    await session.execute(_ROWS, columns | {"push": push.id})
    pushes = tuple(_quantity_push(push.id, listing) for listing in ready)
    return Claim(push_id=push.id, channel_id=channel_id, lane=lane, sent_at=now, pushes=pushes)


def _proof(listing: Assessed, now: datetime, decided_at: Mapping[int, datetime]) -> dict[str, Any]:
    row, target = listing.row, listing.target
    decided = decided_at.get(row["id"]) or row["raise_since"]
    return {
        "id": row["id"],
        "quantity": target.quantity,
        "change": target.change,
        "lane": target.lane.value if target.lane else "",
        "stock_revision": listing.stock_revision,
        "decided_at": (decided if target.lane is Lane.RAISE else None) or now,
        "watermark": row["watermark"],
        "known_low": listing.shown.low if listing.shown else None,
        "unseen": listing.unseen,
    }


def _quantity_push(push_id: int, listing: Assessed) -> QuantityPush:
    return QuantityPush(
        channel_sku=listing.row["channel_sku"],
        quantity=listing.target.quantity,
        change=listing.target.change,
        key=f"{push_id}-{listing.row['id']}",
    )


async def finish(
    session: AsyncSession,
    push_id: int,
    outcomes: Sequence[PushOutcome],
    *,
    now: datetime,
    failure: str | None = None,
    wait_seconds: float = 0,
) -> list[int]:
    """Record what became of a push. Rows without an outcome were not sent and are free again.

    `wait_seconds` keeps those from being claimed at once. Ending a push twice changes nothing.
    Returns the listings of which another number may be wanted now: `listings.look_again`.
    """
    push = await session.get(Push, push_id, with_for_update=True)
    if push is None or push.ended_at is not None:
        return []
    push.ended_at, push.failure = now, failure
    await session.flush()
    by_sku: Mapping[str, PushOutcome] = {outcome.channel_sku: outcome for outcome in outcomes}
    sent = await ends.load(session, push_id)
    for each in sent:
        outcome = by_sku.get(each.channel_sku)
        overtaken = each.let_go(push.id, push.sent_at)
        if outcome is None:
            each.unsent(failure, wait_seconds=wait_seconds, now=now)
        else:
            each.hear(outcome, push.sent_at, now)
        if overtaken:
            each.forget(now)
    await ends.save(session, push_id, sent)
    await done_again(session, push, sent, now)
    return [each.id for each in sent if each.reassess_at is not None and each.reassess_at <= now]


async def done_again(
    session: AsyncSession, push: Push, sent: Sequence[ends.Sent], now: datetime
) -> None:
    """Whatever was accepted need not be pushed again by a resync that was asked for before."""
    accepted = [each.id for each in sent if each.status == PushStatus.ACCEPTED.value]
    if not accepted:
        return
    gone = await session.execute(_UNMARK, {"ids": accepted, "since": push.sent_at})
    if gone.rowcount:  # type: ignore[attr-defined]  # every DML result has it
        await session.execute(_RESYNC_OVER, {"channel": push.channel_id, "now": now})


async def lost_pushes(session: AsyncSession, now: datetime) -> list[int]:
    """Pushes whose sender died: nobody knows whether they were applied."""
    lost = now - timedelta(seconds=LOST_SECONDS)
    query = select(Push.id).where(Push.ended_at.is_(None), Push.lane != BULK, Push.sent_at < lost)
    return list(await session.scalars(query))


async def push_refs(session: AsyncSession, push_id: int) -> list[str]:
    """The channel SKUs of a push."""
    return list(
        await session.scalars(
            select(Listing.channel_sku)
            .join(PushRow, PushRow.listing_id == Listing.id)
            .where(PushRow.push_id == push_id)
        )
    )


def unknown(channel_skus: Sequence[str], *, detail: Any) -> list[PushOutcome]:
    """The outcome of numbers of which nobody knows whether they were applied."""
    return [
        PushOutcome(channel_sku=sku, status=PushStatus.UNKNOWN, code="unknown", detail=str(detail))
        for sku in channel_skus
    ]
