"""What each listing should show now: ledger, seller's rules and channel put together."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta

from msgspec import Struct
from sqlalchemy import RowMapping, bindparam, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from inventory.availability import (
    Lane,
    Rules,
    Shown,
    Target,
    target_absolute,
    target_relative,
    wanted_quantity,
)
from inventory.models import Listing, Sku, StaleSku
from inventory.quantities import unseen_units
from inventory.recipes import AHEAD, STOCK, kits_holding
from inventory.vocabulary import Kind
from inventory.wanted import note

REFRESH_MAX = 500
BLIND_SECONDS_MAX = 600.0
CLOSED_READ_SECONDS = 60
# Channels state order times in whole seconds, cut off: a sale may be up to one second later.
ORDER_TIME_GRAIN = timedelta(seconds=1)


class Margins(Struct, frozen=True, kw_only=True):
    """How the margin for unseen sales is computed: window of the rate, and quantile."""

    window_seconds: int
    quantile: float


class Blind(Struct, frozen=True, kw_only=True):
    """Units that may have been sold unseen since the number was known, and since the watermark."""

    since_known: int = 0
    since_watermark: int = 0


class Assessed(Struct, frozen=True, kw_only=True):
    """One listing as it stands: the row, its target, and what the target was computed from.

    `early` units of its parts are held for orders that a channel's number told of.
    """

    row: RowMapping
    target: Target
    shown: Shown | None
    blind: Blind
    stock_revision: int
    early: int

    @property
    def unseen(self) -> int:
        """The units that were taken to be sold unseen when the target was chosen."""
        raised = self.target.lane is Lane.RAISE
        return self.blind.since_watermark if raised else self.blind.since_known


_LOCK = text(
    "SELECT id FROM listing WHERE id = ANY(:ids) ORDER BY id FOR NO KEY UPDATE"
).bindparams(bindparam("ids"))
# One statement, so that stock, orders and listing are seen at one moment. `sold_after` is certainly
# not contained in the number known at the channel, `sold_near` may be; `ended` units may have been
# put back by the channel after we last knew its number. The rows are locked by a statement before
# it: one that had to wait for its lock would put a new row beside old sums. The lock leaves the key
# alone, so that a sale of the listing, which refers to it, never waits for publishing.
# The rate of sales is counted up to the watermark: what is later cannot all be seen yet.
_ASSESS = text(f"""
WITH RECURSIVE chosen (id, channel_id, sku_id) AS (
  SELECT id, channel_id, sku_id FROM listing WHERE id = ANY(:ids)
), {STOCK}
SELECT l.id, l.channel_id, l.channel_sku, l.sku_id, l.quantity_wanted, l.lane, l.revision_wanted,
  l.revision_published, l.wanted_at, l.raise_since, l.quantity_known, l.known_from, l.known_at,
  l.push_id, l.zero_push_id, l.read_after, l.not_before, l.fulfilled_by_channel,
  l.closed_by_channel, l.closed OR c.kind = 'house' AS closed, l.reassess_at, l.failures,
  c.kind, c.watermark, c.relative, l.published_at,
  greatest(s.safety_stock, coalesce(l.safety_stock, c.safety_stock)) AS safety_stock,
  greatest(s.safety_percent, coalesce(l.safety_percent, c.safety_percent)) AS safety_percent,
  coalesce(l.quantity_max, c.quantity_max) AS quantity_max,
  coalesce(l.quantity_floor, c.quantity_floor) AS quantity_floor,
  stock.available, stock.revision AS stock_revision, stock.early, {AHEAD} AS ahead,
  sold.sold_after, sold.sold_near, sold.sold_lately, sold.ended
FROM listing l
JOIN channel c ON c.id = l.channel_id
JOIN sku s ON s.id = l.sku_id
JOIN stock ON stock.listing_id = l.id
CROSS JOIN LATERAL (
  SELECT CAST(:grain AS interval) AS grain,
    coalesce(c.watermark, CAST(:now AS timestamptz)) - CAST(:rate_window AS interval) AS since
) p
CROSS JOIN LATERAL (
  SELECT
    coalesce(sum(o.ordered) FILTER (WHERE o.ordered_at > l.known_at), 0) AS sold_after,
    coalesce(sum(o.ordered) FILTER (
      WHERE o.ordered_at <= l.known_at AND o.ordered_at > l.known_from - p.grain), 0) AS sold_near,
    coalesce(sum(o.ordered) FILTER (WHERE o.ordered_at > p.since), 0) AS sold_lately,
    coalesce(sum(o.ordered) FILTER (WHERE o.ended_at > l.known_at), 0) AS ended
  FROM order_line o WHERE o.listing_id = l.id
    AND (o.ordered_at > least(l.known_from - p.grain, p.since) OR o.ended_at > l.known_at)
) sold
WHERE l.id = ANY(:ids) ORDER BY l.id
""").bindparams(bindparam("ids"))  # noqa: S608 -- constants


# Locked in order of SKU, as the ledger makes them; one that was made again has another mark.
_UNMARK = text("""
WITH done AS MATERIALIZED (
  SELECT m.sku_id FROM unnest(CAST(:ids AS int[]), CAST(:marks AS bigint[])) AS taken (sku_id, mark)
  JOIN stale_sku m ON m.sku_id = taken.sku_id AND m.mark = taken.mark
  ORDER BY m.sku_id FOR UPDATE OF m
)
DELETE FROM stale_sku m USING done WHERE m.sku_id = done.sku_id
""")


async def assess(
    session: AsyncSession, listing_ids: Collection[int], *, margins: Margins, now: datetime
) -> list[Assessed]:
    """Lock the listings and say what each should show now."""
    ids = sorted(listing_ids)
    await session.execute(_LOCK, {"ids": ids})
    window = timedelta(seconds=margins.window_seconds)
    rows = await session.execute(
        _ASSESS, {"ids": ids, "grain": ORDER_TIME_GRAIN, "now": now, "rate_window": window}
    )
    return [_assessed(row, margins, now) for row in rows.mappings()]


def _assessed(row: RowMapping, margins: Margins, now: datetime) -> Assessed:
    rules = Rules(
        safety_stock=row["safety_stock"],
        safety_percent=row["safety_percent"],
        quantity_max=row["quantity_max"],
        quantity_floor=row["quantity_floor"],
        ahead=int(row["ahead"]),
        closed=row["closed"],
    )
    wanted = wanted_quantity(int(row["available"]), rules)
    shown = _shown(row)
    blind = _blind(row, margins, now) if overwritten(row) else Blind()
    target = _target(row, wanted, shown, blind)
    return Assessed(
        row=row,
        target=target,
        shown=shown,
        blind=blind,
        stock_revision=int(row["stock_revision"]),
        early=int(row["early"]),
    )


def _shown(row: RowMapping) -> Shown | None:
    known = row["quantity_known"]
    if known is None:
        return None
    high = known - row["sold_after"]
    return Shown(low=max(int(high - row["sold_near"]), 0), high=max(int(high + row["ended"]), 0))


def _blind(row: RowMapping, margins: Margins, now: datetime) -> Blind:
    # A lower number must leave room for what was sold since we last knew the number; a raise gives
    # back whatever was sold since the watermark.
    def units(*since: datetime | None) -> int:
        seen_until = max((moment for moment in since if moment is not None), default=None)
        blind = BLIND_SECONDS_MAX if seen_until is None else (now - seen_until).total_seconds()
        return unseen_units(
            sold=int(row["sold_lately"]),
            window_seconds=margins.window_seconds,
            blind_seconds=min(blind, BLIND_SECONDS_MAX),
            quantile=margins.quantile,
        )

    return Blind(
        since_known=units(row["watermark"], row["known_from"]),
        since_watermark=units(row["watermark"]),
    )


def overwritten(row: RowMapping) -> bool:
    """Whether the listing's number can only be overwritten, so that margins are kept."""
    return not (row["relative"] or row["kind"] == Kind.OWN_STORE)


def _target(row: RowMapping, wanted: int, shown: Shown | None, blind: Blind) -> Target:
    """What a listing should show."""
    if row["fulfilled_by_channel"]:
        return Target(wanted=wanted, quantity=wanted, lane=None)
    if row["closed_by_channel"]:
        return Target(wanted=0, quantity=0, lane=Lane.READ)
    if row["kind"] == Kind.OWN_STORE:
        # A store that asks us has no number of its own that could be overwritten.
        changed = row["revision_published"] == 0 or row["quantity_known"] != wanted
        lane = (Lane.LOWER if wanted else Lane.ZERO) if changed else None
        return Target(wanted=wanted, quantity=wanted, lane=lane)
    if row["relative"]:
        doubted = row["read_after"] is not None and row["published_at"] is not None
        return target_relative(wanted, shown, doubted=doubted)
    return target_absolute(
        wanted, shown, lower_margin=blind.since_known, raise_margin=blind.since_watermark
    )


async def refresh(session: AsyncSession, *, margins: Margins, now: datetime) -> list[int]:
    """Take up to 500 stale marks and note what their listings should show; the SKUs concerned.

    With a part go the kits that hold it. A mark made again meanwhile stays. The caller evaluates
    alerts in the same transaction.
    """
    rows = await session.execute(
        select(StaleSku.sku_id, StaleSku.mark).order_by(StaleSku.marked_at).limit(REFRESH_MAX)
    )
    marks = dict(rows.all())
    sku_ids = sorted(marks.keys() | await kits_holding(session, marks))
    # SKUs before listings before marks, each in order of id: as everybody else takes them.
    await session.execute(
        select(Sku.id).where(Sku.id.in_(sku_ids)).order_by(Sku.id).with_for_update(key_share=True)
    )
    ids = list(await session.scalars(select(Listing.id).where(Listing.sku_id.in_(sku_ids))))
    await note(session, await assess(session, ids, margins=margins, now=now), now)
    await session.execute(_UNMARK, {"ids": list(marks), "marks": list(marks.values())})
    return sku_ids


async def reassess(session: AsyncSession, *, margins: Margins, now: datetime) -> int:
    """Look again at listings whose margin may have become smaller; how many."""
    ids = list(
        await session.scalars(
            select(Listing.id).where(Listing.reassess_at <= now).limit(REFRESH_MAX)
        )
    )
    await look_again(session, ids, margins=margins, now=now)
    return len(ids)


async def look_again(
    session: AsyncSession, listing_ids: Collection[int], *, margins: Margins, now: datetime
) -> None:
    """Note what these listings should show now."""
    if listing_ids:
        await note(session, await assess(session, listing_ids, margins=margins, now=now), now)
