"""What channels say they show: which numbers must be read, and what a reading changes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import and_, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from inventory.availability import Lane
from inventory.listings import CLOSED_READ_SECONDS, Margins, assess, note
from inventory.models import Listing, StockReading
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
        shown = expected.get(listing.id)
        session.add(
            StockReading(
                listing_id=listing.id,
                quantity=answer.quantity,
                closed=answer.closed,
                expected_low=shown.low if shown else None,
                expected_high=shown.high if shown else None,
                read_at=now,
            )
        )
        _take(listing, answer, asked_at=asked_at, now=now)
    await session.flush()
    await note(session, await assess(session, listing_ids, margins=margins, now=now), now)


def _take(listing: Listing, answer: Reading, *, asked_at: datetime, now: datetime) -> None:
    on_its_way = listing.push_id is not None or listing.zero_push_id is not None
    if on_its_way or (listing.known_from is not None and listing.known_from > asked_at):
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
    listing.quantity_known = answer.quantity
    listing.known_from, listing.known_at = asked_at, now
