"""What channels say they show: which numbers must be read, and what a reading changes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import and_, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from inventory import alerts
from inventory.availability import SHOWN_MAX, Lane, Shown
from inventory.listings import CLOSED_READ_SECONDS, Margins, assess, note
from inventory.models import Channel, Listing, StockReading
from inventory.vocabulary import Reading

MISSING_READ_SECONDS = 60


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
) -> None:
    """Take readings asked for at `asked_at` as the numbers now known, and assess anew.

    A listing that was pushed to since `asked_at` keeps what the push told us. One that the channel
    does not have, or keeps closed, is read again after a minute.
    """
    by_sku = {answer.channel_sku: answer for answer in answers}
    assessed = await assess(session, listing_ids, margins=margins, now=now)
    expected = {listing.row["id"]: listing.shown for listing in assessed}
    listings = await session.scalars(
        select(Listing).where(Listing.id.in_(listing_ids)).order_by(Listing.id)
    )
    for listing in listings:
        answer = by_sku.get(listing.channel_sku)
        if answer is None:
            continue
        session.add(_reading(listing, answer, expected.get(listing.id), now))
        was_closed = listing.closed_by_channel
        _take(listing, answer, asked_at=asked_at, now=now)
        if was_closed and not listing.closed_by_channel:
            await _tell_open(session, listing, now)
    await session.flush()
    await note(session, await assess(session, listing_ids, margins=margins, now=now), now)


def _reading(listing: Listing, answer: Reading, shown: Shown | None, now: datetime) -> StockReading:
    return StockReading(
        listing_id=listing.id,
        quantity=None if answer.quantity is None else min(answer.quantity, SHOWN_MAX),
        closed=answer.closed,
        expected_low=shown.low if shown else None,
        expected_high=shown.high if shown else None,
        read_at=now,
    )


async def failed(session: AsyncSession, listing_ids: Sequence[int], words: str) -> None:
    """Note why these listings' numbers could not be read."""
    await session.execute(
        update(Listing).where(Listing.id.in_(listing_ids)).values(failure=words[:500])
    )


async def _tell_open(session: AsyncSession, listing: Listing, now: datetime) -> None:
    channel = await session.get_one(Channel, listing.channel_id)
    subject = f"listing:{channel.code}/{listing.channel_sku}"
    await alerts.close(session, kind="listing_closed_by_channel", subject=subject, now=now)


def _take(listing: Listing, answer: Reading, *, asked_at: datetime, now: datetime) -> None:
    if _outrun(listing, asked_at):
        return
    listing.closed_by_channel = answer.closed
    listing.read_after = None
    if answer.closed:
        listing.read_after = now + timedelta(seconds=CLOSED_READ_SECONDS)
        listing.failure = "the channel keeps this listing sold out until a person reopens it there"
    if answer.quantity is None:
        listing.failure = "the channel has no such listing"
        listing.read_after = now + timedelta(seconds=MISSING_READ_SECONDS)
        return
    if not answer.closed:
        listing.failure = None
    listing.quantity_known = min(answer.quantity, SHOWN_MAX)
    listing.known_from, listing.known_at = asked_at, now


def _outrun(listing: Listing, asked_at: datetime) -> bool:
    """Whether a push since we asked makes the answer old news: on its way, taken, or in doubt."""
    if listing.push_id is not None or listing.zero_push_id is not None:
        return True
    moments = (listing.known_from, listing.published_at, listing.read_after)
    return any(moment is not None and moment > asked_at for moment in moments)
