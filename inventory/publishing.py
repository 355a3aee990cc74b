"""From a wanted number to a published one: claim, send, record. One push in flight per listing.

The newest number wins (L6): it is computed when a push is claimed, never queued. Only a zero may
overtake a push that is still on its way; it is sent again once that push has ended.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from msgspec import Struct
from sqlalchemy import select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from inventory.availability import Lane
from inventory.listings import Assessed, Margins, assess, note
from inventory.models import Channel, Listing, Push, PushRow, Switch
from inventory.vocabulary import PushOutcome, PushStatus, QuantityPush

BACKOFF_SECONDS_MAX = 300
LOST_SECONDS = 60
SETTLE_SECONDS = 2


class Claim(Struct, frozen=True, kw_only=True):
    """A batch of numbers to send to one channel."""

    push_id: int
    channel_id: int
    lane: str
    sent_at: datetime
    pushes: tuple[QuantityPush, ...]


_DUE = text("""
SELECT l.id FROM listing l JOIN channel c ON c.id = l.channel_id
WHERE l.channel_id = :channel AND l.revision_published < l.revision_wanted
  AND (l.not_before IS NULL OR l.not_before <= :now)
  AND CASE WHEN :zero
    THEN l.lane = 'zero' AND l.zero_push_id IS NULL
    ELSE l.push_id IS NULL AND l.zero_push_id IS NULL AND (l.lane = 'lower'
      OR l.lane = 'raise' AND c.watermark > coalesce(l.raise_since, :now)
      OR l.lane = 'raise' AND c.relative AND c.watermark > l.known_at)
  END
ORDER BY l.lane = 'raise', l.wanted_at NULLS FIRST, l.id LIMIT :most
FOR NO KEY UPDATE OF l SKIP LOCKED
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
) -> Claim | None:
    """Take up to `most` numbers that may be sent now, zeros or the others; None if there are none.

    The numbers are computed anew here. A listing found in sync is noted as such and left out.
    """
    if await frozen(session, channel_id):
        return None
    ids = await session.scalars(
        _DUE,
        {
            "channel": channel_id,
            "zero": zero,
            "now": now,
            "most": most,
        },
    )
    assessed = await assess(session, list(ids), margins=margins, now=now)
    await note(session, assessed, now)
    ready = [listing for listing in assessed if _may_go(listing, zero=zero)]
    if not ready:
        return None
    lane = "zero" if zero else "number"
    push = Push(channel_id=channel_id, lane=lane, sent_at=now)
    session.add(push)
    await session.flush()
    for listing in ready:
        await _take(session, push.id, listing, now)
    pushes = tuple(_quantity_push(push.id, listing) for listing in ready)
    return Claim(push_id=push.id, channel_id=channel_id, lane=lane, sent_at=now, pushes=pushes)


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


async def _take(session: AsyncSession, push_id: int, listing: Assessed, now: datetime) -> None:
    row, target = listing.row, listing.target
    column = "zero_push_id" if target.lane is Lane.ZERO else "push_id"
    await session.execute(update(Listing).where(Listing.id == row["id"]).values({column: push_id}))
    revision = select(Listing.revision_wanted).where(Listing.id == row["id"]).scalar_subquery()
    await session.execute(
        insert(PushRow).values(
            push_id=push_id,
            listing_id=row["id"],
            quantity=target.quantity,
            change=target.change,
            lane=target.lane.value if target.lane else "",
            revision=revision,
            stock_revision=listing.stock_revision,
            decided_at=(row["raise_since"] if target.lane is Lane.RAISE else None) or now,
            watermark=row["watermark"],
            known_low=listing.shown.low if listing.shown else None,
            unseen=listing.unseen,
        )
    )


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
) -> None:
    """Record what became of a push. Rows without an outcome were not sent and are free again.

    `wait_seconds` keeps those from being claimed at once. Ending a push twice changes nothing.
    """
    push = await session.get(Push, push_id, with_for_update=True)
    if push is None or push.ended_at is not None:
        return
    push.ended_at, push.failure = now, failure
    by_sku: Mapping[str, PushOutcome] = {outcome.channel_sku: outcome for outcome in outcomes}
    rows = await session.execute(
        select(PushRow, Listing, Channel.relative)
        .join(Listing, Listing.id == PushRow.listing_id)
        .join(Channel, Channel.id == Listing.channel_id)
        .where(PushRow.push_id == push_id)
        .order_by(Listing.id)
        .with_for_update(of=Listing, key_share=True)
    )
    for row, listing, relative in rows:
        outcome = by_sku.get(listing.channel_sku)
        overtaken = _let_go(listing, push)
        if outcome is None:
            row.status, row.code = "unsent", failure or ""
            listing.not_before = now + timedelta(seconds=wait_seconds)
            listing.failure = f"not sent: {failure}" if failure else listing.failure
        else:
            row.status, row.code = outcome.status.value, outcome.code
            _apply(listing, row, outcome, push.sent_at, now, relative=relative)
        if overtaken:
            _forget(listing, now)


def _let_go(listing: Listing, push: Push) -> bool:
    """Free the listing of this push; whether a zero overtook it meanwhile."""
    if listing.zero_push_id == push.id:
        listing.zero_push_id = None
        return False
    overtaken = listing.zero_push_id is not None or (
        listing.known_from is not None
        and listing.known_from >= push.sent_at
        and listing.quantity_published == 0
    )
    listing.push_id = None
    return overtaken


def _apply(
    listing: Listing,
    row: PushRow,
    outcome: PushOutcome,
    sent_at: datetime,
    now: datetime,
    *,
    relative: bool,
) -> None:
    if outcome.status is not PushStatus.ACCEPTED:
        listing.failure = f"{outcome.code} {outcome.detail}".strip()[:500]
    if outcome.status is PushStatus.UNKNOWN:
        _forget(listing, now)
        return
    if outcome.status is PushStatus.REFUSED:
        listing.failures += 1
        wait = min(2**listing.failures, BACKOFF_SECONDS_MAX)
        listing.not_before = now + timedelta(seconds=wait)
        return
    if relative and row.change is not None and listing.quantity_known is not None:
        listing.quantity_known += row.change
    elif not _doubted(listing, sent_at):
        listing.quantity_known = row.quantity
        listing.known_from, listing.known_at = sent_at, now
    listing.quantity_published, listing.published_at = row.quantity, now
    if not _doubted(listing, sent_at):
        listing.revision_published = max(listing.revision_published, row.revision)
    listing.failures, listing.failure, listing.not_before = 0, None, None
    listing.reassess_at = now


def _doubted(listing: Listing, sent_at: datetime) -> bool:
    """Whether another push may have landed after this one, so that its number proves nothing."""
    if listing.read_after is None:
        return False
    return sent_at < listing.read_after - timedelta(seconds=SETTLE_SECONDS)


def _forget(listing: Listing, now: datetime) -> None:
    """We no longer know what stands there: read back, then decide (L8)."""
    listing.quantity_known = None
    listing.known_from = listing.known_at = None
    listing.revision_published = min(listing.revision_published, listing.revision_wanted - 1)
    listing.lane = Lane.ZERO.value if listing.quantity_wanted == 0 else Lane.READ.value
    listing.read_after = now + timedelta(seconds=SETTLE_SECONDS)
    # An own store is never read: assessing it anew is what sends its number again.
    listing.reassess_at = now


async def lost_pushes(session: AsyncSession, now: datetime) -> list[int]:
    """Pushes whose sender died: nobody knows whether they were applied."""
    return list(
        await session.scalars(
            select(Push.id).where(
                Push.ended_at.is_(None), Push.sent_at < now - timedelta(seconds=LOST_SECONDS)
            )
        )
    )


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
