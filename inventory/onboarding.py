"""What a connected shop says of itself and has on sale, kept for whoever decides about it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec
from msgspec import Struct
from sqlalchemy import delete, or_, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession

from inventory.errors import AlreadyExists
from inventory.models import Channel, InboundEvent, SeenListing
from inventory.vocabulary import Danger, Expiry, Kind, ListingSeen, Standing

STANDING_HOURS = 6
WITHOUT_STANDING = (Kind.HOUSE.value, Kind.OWN_STORE.value)
CHARACTERS_MAX = 200
CODES_MAX = 20
QUANTITY_MAX = 2**31 - 1


class Kept(Struct, frozen=True, kw_only=True):
    """What is kept of a shop's own word: its account, ends and dangers; `failure` if it gave none.

    After a failure the last word that it gave stays.
    """

    account: str = ""
    expiries: tuple[Expiry, ...] = ()
    dangers: tuple[Danger, ...] = ()
    failure: str | None = None


async def free(session: AsyncSession, code: str) -> None:
    """Raises `AlreadyExists` where a channel has this code."""
    if await session.scalar(select(Channel.id).where(Channel.code == code)) is not None:
        raise AlreadyExists(
            f"the channel {code!r} is there already: take another code, or change it by"
            f" PATCH /v1/channels/{code}"
        )


async def twins(session: AsyncSession, channel_id: int, kind: str, account: str) -> list[str]:
    """Codes of other channels whose keys open the same account: its orders may count twice."""
    if not account:
        return []
    named = Channel.standing["account"].as_string() == account
    query = select(Channel.code).where(Channel.kind == kind, Channel.id != channel_id, named)
    return list(await session.scalars(query.order_by(Channel.id)))


async def note_standing(
    session: AsyncSession,
    channel_id: int,
    found: Standing | None,
    *,
    now: datetime,
    failure: str | None = None,
) -> Kept:
    """Keep what a shop said of itself, or that it could not be asked; what is kept now."""
    channel = await session.get_one(Channel, channel_id, with_for_update={"key_share": True})
    kept = kept_of(channel.standing)
    if found is not None:
        kept = Kept(account=found.account, expiries=found.expiries, dangers=found.dangers)
    else:
        kept = msgspec.structs.replace(kept, failure=(failure or "")[:500])
    channel.standing, channel.standing_at = msgspec.to_builtins(kept), now
    return kept


def kept_of(standing: Mapping[str, Any] | None) -> Kept:
    """What is kept of a channel's own word."""
    return msgspec.convert(standing or {}, Kept, strict=False)


async def unasked(session: AsyncSession, now: datetime) -> list[int]:
    """Channels that were not asked about themselves for some hours."""
    before = now - timedelta(hours=STANDING_HOURS)
    return list(
        await session.scalars(
            select(Channel.id).where(
                Channel.kind.not_in(WITHOUT_STANDING),
                or_(Channel.standing_at.is_(None), Channel.standing_at < before),
            )
        )
    )


# A channel may show a listing on two pages, when the list shifts while it is read: the later wins.
_SEEN = text("""
INSERT INTO listing_seen (channel_id, channel_sku, codes, title, quantity, closed,
  fulfilled_by_channel, dangers, seen_at)
SELECT :channel, n.channel_sku, ARRAY(SELECT jsonb_array_elements_text(n.codes)), n.title,
  n.quantity, n.closed, n.by_channel, n.dangers, :now
FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS n (channel_sku text, codes jsonb, title text,
  quantity int, closed bool, by_channel bool, dangers jsonb)
ON CONFLICT (channel_id, channel_sku) DO UPDATE SET codes = excluded.codes,
  title = excluded.title, quantity = excluded.quantity, closed = excluded.closed,
  fulfilled_by_channel = excluded.fulfilled_by_channel, dangers = excluded.dangers,
  seen_at = excluded.seen_at
""")


async def store_seen(
    session: AsyncSession, channel_id: int, listings: Sequence[ListingSeen], now: datetime
) -> int:
    """Store listings as a channel showed them; how many had a name that can be used."""
    rows = {
        each.channel_sku: _row(each)
        for each in listings
        if 0 < len(each.channel_sku) <= CHARACTERS_MAX
    }
    if rows:
        encoded = msgspec.json.encode(list(rows.values())).decode()
        values = {"channel": channel_id, "now": now, "rows": encoded.replace("\\u0000", "")}
        await session.execute(_SEEN, values)
    return len(rows)


def _row(seen: ListingSeen) -> dict[str, Any]:
    quantity = None if seen.quantity is None else min(max(seen.quantity, 0), QUANTITY_MAX)
    return {
        "channel_sku": seen.channel_sku,
        "codes": [code[:CHARACTERS_MAX] for code in seen.codes[:CODES_MAX] if code],
        "title": seen.title[:CHARACTERS_MAX],
        "quantity": quantity,
        "closed": seen.closed,
        "by_channel": seen.fulfilled_by_channel,
        "dangers": seen.dangers,
    }


async def forget_unseen(session: AsyncSession, channel_id: int, since: datetime) -> int:
    """Forget listings that a whole discovery since then did not show any more; how many."""
    gone = await session.scalars(
        delete(SeenListing)
        .where(SeenListing.channel_id == channel_id, SeenListing.seen_at < since)
        .returning(SeenListing.channel_sku)
    )
    return len(gone.all())


async def listing_dangers(session: AsyncSession, channel_id: int, *, most: int) -> list[Danger]:
    """Dangers of single listings, as they were last discovered."""
    rows = await session.execute(
        select(SeenListing.channel_sku, SeenListing.dangers)
        .where(SeenListing.channel_id == channel_id, SeenListing.dangers != [])
        .order_by(SeenListing.channel_sku)
        .limit(most)
    )
    return [
        msgspec.structs.replace(msgspec.convert(each, Danger), channel_sku=channel_sku)
        for channel_sku, dangers in rows
        for each in dangers
    ]


async def handle_anew(session: AsyncSession, channel_id: int) -> int:
    """Have events handled once more that waited for a listing; how many. The caller rings."""
    waiting = await session.scalars(
        update(InboundEvent)
        .where(
            InboundEvent.channel_id == channel_id,
            InboundEvent.state == "parked",
            InboundEvent.code == "unknown_listing",
        )
        .values(state="new")
        .returning(InboundEvent.id)
    )
    return len(waiting.all())
