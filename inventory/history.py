"""Why a SKU has the stock it has: its movements with the balance after each, and any past balance.

Balances are reckoned back from the present ones, so that a month that was detached is not needed
for anything that came after it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Annotated, Any

from msgspec import Meta, Struct
from sqlalchemy import RowMapping, func, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from inventory.errors import BadInput, WrongState
from inventory.models import Seal
from inventory.partitions import after, first_moment
from inventory.reports.stock import LocationStock

PLACES_MAX = 100
UNITS_MAX = 2**53
# Clocks of several machines differ, so that a later entry may carry an earlier time; never by this.
DISORDER_MAX = timedelta(days=1)
ALWAYS = (datetime(1999, 1, 1, tzinfo=UTC), datetime(2101, 1, 1, tzinfo=UTC))

_Units = Annotated[int, Meta(ge=-UNITS_MAX, le=UNITS_MAX)]


class MovementRow(Struct, frozen=True, kw_only=True):
    """One entry of the ledger, in units. `revision` counts the entries of its location's balance.

    `on_hand_after` and `reserved_after` are that balance after it. `channel` told us, `fact` is
    what kind of thing, `fact_ref` its name.
    """

    kind: str
    location: str
    on_hand_delta: int
    reserved_delta: int
    on_hand_after: int
    reserved_after: int
    revision: int
    reason: str | None
    channel: str
    fact: str
    fact_ref: str
    occurred_at: datetime
    recorded_at: datetime


class Place(Struct, frozen=True, array_like=True):
    """Where a page ended at one location: its next entry lies below `revision`.

    `on_hand` and `reserved` are the balance between the two, which never changes.
    """

    location_id: Annotated[int, Meta(ge=0, le=2**31 - 1)]
    revision: Annotated[int, Meta(ge=0, le=2**62)]
    on_hand: _Units
    reserved: _Units


Places = Annotated[list[Place], Meta(min_length=1, max_length=PLACES_MAX)]


class Wanted(Struct, frozen=True, kw_only=True):
    """Which movements: of one location and kind, recorded from `since` on and before `until`."""

    location: str | None = None
    kind: str | None = None
    since: datetime | None = None
    until: datetime | None = None


class By(StrEnum):
    """Which time of a movement counts: when we recorded it, or when it happened."""

    RECORDED_AT = "recorded_at"
    OCCURRED_AT = "occurred_at"


class PastBalance(Struct, frozen=True, kw_only=True):
    """Units of one SKU at a moment. `on_hand` to `available` are of the locations sellable now."""

    sku: str
    at: datetime
    by: By
    on_hand: int
    reserved: int
    available: int
    locations: tuple[LocationStock, ...]


# The limit stands in the text: a plan made for any limit would sort a whole history.
# A page begins at the present balances, or where the page before ended. The window counts back
# from there over all entries, so that what the filters leave out is in the balance all the same.
_PRESENT = """
SELECT location_id, revision + 1 AS revision, on_hand::bigint, reserved::bigint
FROM stock_level WHERE sku_id = :sku_id
"""
_GIVEN = """
SELECT * FROM unnest(CAST(:location_ids AS int[]), CAST(:revisions AS bigint[]),
  CAST(:on_hands AS bigint[]), CAST(:reserveds AS bigint[]))
  AS given (location_id, revision, on_hand, reserved)
"""
_PAGE = """
WITH place AS ({places})
SELECT e.*, l.code AS location, coalesce(c.code, '') AS channel, coalesce(f.kind, '') AS fact,
  coalesce(f.fact_ref, '') AS fact_ref
FROM place p JOIN location l ON l.id = p.location_id
CROSS JOIN LATERAL (
  SELECT * FROM (
    SELECT m.*, p.on_hand - sum(m.on_hand_delta) OVER newer + m.on_hand_delta AS on_hand_after,
      p.reserved - sum(m.reserved_delta) OVER newer + m.reserved_delta AS reserved_after
    FROM movement m
    WHERE m.sku_id = :sku_id AND m.location_id = p.location_id AND m.revision < p.revision
      AND m.recorded_at >= :not_before
    WINDOW newer AS (ORDER BY m.revision DESC ROWS UNBOUNDED PRECEDING)
  ) AS counted
  WHERE recorded_at >= :since AND recorded_at < :until
    AND (CAST(:kind AS text) IS NULL OR kind = :kind)
  ORDER BY revision DESC LIMIT {most}
) AS e
LEFT JOIN fact f ON f.id = e.fact_id LEFT JOIN channel c ON c.id = f.channel_id
WHERE CAST(:location AS text) IS NULL OR l.code = :location
ORDER BY e.location_id, e.revision DESC
"""
_BALANCE = """
SELECT l.code AS location, l.sellable, v.on_hand - coalesce(m.on_hand, 0) AS on_hand,
  v.reserved - coalesce(m.reserved, 0) AS reserved
FROM stock_level v JOIN location l ON l.id = v.location_id
CROSS JOIN LATERAL (
  SELECT sum(on_hand_delta) AS on_hand, sum(reserved_delta) AS reserved FROM movement
  WHERE sku_id = v.sku_id AND location_id = v.location_id AND {by} > :at
) AS m
WHERE v.sku_id = :sku_id ORDER BY v.location_id
"""


async def movements(
    session: AsyncSession,
    sku_id: int,
    *,
    limit: int,
    wanted: Wanted = Wanted(),  # noqa: B008 -- immutable
    places: Sequence[Place] | None = None,
) -> tuple[list[MovementRow], list[Place]]:
    """The newest movements of a SKU, newest first, and where the next page begins (empty: ended).

    `places` is where the page before ended. The entries of a location come in the order of their
    revisions, locations by the time of recording. Raises `BadInput` where the SKU lies at more than
    100 locations and none is named.
    """
    rows = await session.execute(
        text(_PAGE.format(places=_PRESENT if places is None else _GIVEN, most=limit + 1)),
        _values(sku_id, wanted, places),
    )
    waiting: dict[int, deque[RowMapping]] = {}
    for row in rows.mappings():
        waiting.setdefault(row["location_id"], deque()).append(row)
    if len(waiting) > PLACES_MAX:
        raise BadInput(f"the SKU lies at more than {PLACES_MAX} locations: name one")
    begun = {place.location_id: place for place in places or ()}
    found: list[RowMapping] = []
    while waiting and len(found) < limit:
        location_id = max(waiting, key=lambda each: _when(waiting[each][0]))
        row = waiting[location_id].popleft()
        found.append(row)
        begun[location_id] = _below(row)
        if not waiting[location_id]:
            del waiting[location_id]
    # A location of which nothing was taken begins where its first row lies.
    ends = [begun.get(each) or _above(waiting[each][0]) for each in sorted(waiting)]
    return [_movement(row) for row in found], ends


def _values(sku_id: int, wanted: Wanted, places: Sequence[Place] | None) -> dict[str, Any]:
    since = wanted.since or ALWAYS[0]
    given = places or ()
    return {
        "sku_id": sku_id,
        "location": wanted.location,
        "kind": wanted.kind,
        "since": since,
        "not_before": since - DISORDER_MAX,
        "until": wanted.until or ALWAYS[1],
        "location_ids": [place.location_id for place in given],
        "revisions": [place.revision for place in given],
        "on_hands": [place.on_hand for place in given],
        "reserveds": [place.reserved for place in given],
    }


def _when(row: RowMapping) -> tuple[datetime, int, int]:
    return row["recorded_at"], row["fact_id"], row["location_id"]


def _below(row: RowMapping) -> Place:
    """Where the entry before this one lies."""
    return Place(
        location_id=row["location_id"],
        revision=row["revision"],
        on_hand=int(row["on_hand_after"]) - row["on_hand_delta"],
        reserved=int(row["reserved_after"]) - row["reserved_delta"],
    )


def _above(row: RowMapping) -> Place:
    """Where this entry itself lies."""
    return Place(
        location_id=row["location_id"],
        revision=row["revision"] + 1,
        on_hand=int(row["on_hand_after"]),
        reserved=int(row["reserved_after"]),
    )


def _movement(row: RowMapping) -> MovementRow:
    return MovementRow(
        kind=row["kind"],
        location=row["location"],
        on_hand_delta=row["on_hand_delta"],
        reserved_delta=row["reserved_delta"],
        on_hand_after=int(row["on_hand_after"]),
        reserved_after=int(row["reserved_after"]),
        revision=row["revision"],
        reason=row["reason"] or None,
        channel=row["channel"],
        fact=row["fact"],
        fact_ref=row["fact_ref"],
        occurred_at=row["occurred_at"],
        recorded_at=row["recorded_at"],
    )


async def balance(
    session: AsyncSession, sku: str, sku_id: int, *, at: datetime, by: By = By.RECORDED_AT
) -> PastBalance:
    """The balances of a SKU when all that was recorded (or has happened) up to `at` was in them.

    A moment to come has the present balances. Raises `WrongState` for one in a detached month.
    """
    detached = await session.scalar(
        select(func.max(Seal.month)).where(Seal.detached_at.is_not(None))
    )
    if detached is not None and at < first_moment(after(detached)):
        raise WrongState(
            f"movements before {first_moment(after(detached)):%Y-%m-%d} UTC are detached: attach"
            f" {detached:%Y-%m} and look again"
        )
    rows = await session.execute(text(_BALANCE.format(by=by.value)), {"sku_id": sku_id, "at": at})
    places = [LocationStock(**row) for row in rows.mappings()]
    on_hand = sum(place.on_hand for place in places if place.sellable)
    reserved = sum(place.reserved for place in places if place.sellable)
    return PastBalance(
        sku=sku,
        at=at,
        by=by,
        on_hand=on_hand,
        reserved=reserved,
        available=on_hand - reserved,
        locations=tuple(places),
    )
