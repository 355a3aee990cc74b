"""One oversell, one story: sales, what each listing was told, the delay, the decision, the cost."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from msgspec import Struct, structs
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from inventory.models import Fact, Listing
from inventory.models import Oversell as Case
from inventory.penalty_record import costs, entries
from inventory.penalty_record.costs import Cost
from inventory.recipes import kits_holding
from inventory.reconcile import rotation
from inventory.reports import desk
from inventory.reports.desk import Oversell
from inventory.story import decisions as story_decisions
from inventory.story import delay
from inventory.story import listings as story_listings
from inventory.story import sales as story_sales
from inventory.story.decisions import Decision
from inventory.story.delay import Delay
from inventory.story.listings import LISTINGS_MAX, ListingTold
from inventory.story.sales import Sale

# What a listing showed a while before the first sale belongs to the story.
BEFORE = timedelta(minutes=10)
STEPS_MAX = CANCELLATIONS_MAX = 500
SALES = ("sale", "observe")


class GivenUp(Struct, frozen=True, kw_only=True):
    """An order given up, or being so, for the case: what it did to the metric and what it cost.

    `entry` is its penalty entry once it has ended; until then the metrics are foreseen. `cost` has
    its parts in whole yen, null where it is not known. `runner_up` is the choice that lost. Where
    only a part of the order ended, `cancellation` is null, and `units` are those of the part.
    """

    cancellation: int | None
    units: int | None
    channel: str
    order_ref: str
    state: str
    counts_against_metric: str | None
    entry: int | None
    metric_before: dict[str, Any] | None
    metric_after: dict[str, Any] | None
    own_window: dict[str, Any] | None
    worth_yen: int | None
    cost: dict[str, Any] | None
    runner_up: dict[str, Any] | None


class OversellStory(Oversell, frozen=True, kw_only=True):
    """A case with its whole story. All times are UTC.

    `cause_kind` is the kind of fact that opened it. `told_from` to `told_until` is the time that
    the story is about. `steps` and `cancellations` are at most 500 each, `sales` 200, `listings` 50
    with 60 moments each. What was left out is counted; of sales and moments that is the least that
    there are beyond. `decisions` are the steps in words. `notes` say what is not on record.
    """

    cause_kind: str | None
    headline: str
    told_from: datetime
    told_until: datetime
    sales: tuple[Sale, ...]
    sales_left_out: int
    listings: tuple[ListingTold, ...]
    listings_left_out: int
    delays: tuple[Delay, ...]
    decisions: tuple[Decision, ...]
    steps_left_out: int
    given_up: tuple[GivenUp, ...]
    given_up_left_out: int
    cost: Cost
    notes: tuple[str, ...]


async def tell(session: AsyncSession, oversell_id: int, now: datetime) -> OversellStory:
    """The story of a case as far as it has come. Raises `NotFound`."""
    base = await desk.oversell(session, oversell_id)
    case = await session.get_one(Case, oversell_id)
    until = case.closed_at or now
    cause_kind = await session.scalar(select(Fact.kind).where(Fact.id == case.cause_fact_id))
    ids = await _listing_ids(session, case.sku_id)
    told_of, left_out = await story_sales.sales(
        session, case.id, case.sku_id, ids, opened_at=case.opened_at, until=until
    )
    marked = story_sales.beyond_stock(told_of, shortage=case.shortage_max, opened_at=case.opened_at)
    since = _begin(marked, case.opened_at)
    listings = await story_listings.told(session, ids, since=since, until=until)
    late = delay.delays(
        marked, listings, opened_at=case.opened_at, stock_fell=cause_kind not in SALES
    )
    given_up = await _given_up(session, oversell_id)
    kept = structs.replace(
        base, steps=base.steps[:STEPS_MAX], cancellations=base.cancellations[:CANCELLATIONS_MAX]
    )
    return OversellStory(
        **{name: getattr(kept, name) for name in kept.__struct_fields__},
        cause_kind=cause_kind,
        headline=story_decisions.headline(base, late, cause_kind),
        told_from=since,
        told_until=until,
        sales=tuple(marked),
        sales_left_out=left_out,
        listings=tuple(listings),
        listings_left_out=max(len(ids) - LISTINGS_MAX, 0),
        delays=tuple(late),
        decisions=tuple(story_decisions.decided(step) for step in kept.steps),
        steps_left_out=len(base.steps) - len(kept.steps),
        given_up=tuple(given_up),
        given_up_left_out=len(base.cancellations) - len(kept.cancellations),
        cost=_cost(given_up),
        notes=tuple(_notes(case, cause_kind, since, marked, now)),
    )


def _begin(sales: Sequence[Sale], opened_at: datetime) -> datetime:
    """Ten minutes before the first sale that counts: the last with stock, or one beyond it."""
    beyond = [number for number, sale in enumerate(sales) if sale.beyond_stock]
    first = max(min(beyond) - 1, 0) if beyond else None
    moments = [opened_at] if first is None else [opened_at, sales[first].sold_at]
    return min(moments) - BEFORE


async def _listing_ids(session: AsyncSession, sku_id: int) -> list[int]:
    """The listings of the SKU, and of the kits that hold it today, its own first."""
    rows = await session.execute(
        select(Listing.id, Listing.sku_id)
        .where(Listing.sku_id.in_({sku_id, *await kits_holding(session, [sku_id])}))
        .order_by(Listing.id)
    )
    found = sorted(rows.all(), key=lambda row: (row.sku_id != sku_id, row.id))
    return [row.id for row in found]


_GIVEN_UP = text(f"""
SELECT x.id AS cancellation, NULL AS units, c.code AS channel, o.order_ref, x.state,
  p.counts_against_metric, p.id AS entry,
  coalesce(p.metric_before, x.metric_before) AS metric_before,
  coalesce(p.metric_after, x.metric_after) AS metric_after, p.own_window,
  coalesce(p.worth_yen, {entries.WORTH}) AS worth_yen,
  CASE WHEN p.id IS NULL THEN to_jsonb(x) -> 'cost' ELSE p.cost END AS cost,
  to_jsonb(x) -> 'runner_up' AS runner_up
FROM cancellation x JOIN channel c ON c.id = x.channel_id JOIN sales_order o ON o.id = x.order_id
LEFT JOIN penalty_entry p ON p.cancellation_id = x.id
WHERE x.oversell_id = :case ORDER BY x.id LIMIT 500
""")  # noqa: S608 -- constants
_PARTS = text("""
SELECT NULL AS cancellation, c.code AS channel, p.order_ref, 'part_ended' AS state,
  p.counts_against_metric, p.id AS entry, p.metric_before, p.metric_after, p.own_window,
  p.worth_yen, p.cost,
  NULL AS runner_up,
  (SELECT cast(sum(cast(line ->> 'units' AS int)) AS int) FROM jsonb_array_elements(p.lines) line)
    AS units
FROM penalty_entry p JOIN channel c ON c.id = p.channel_id
WHERE p.oversell_id = :case AND p.part > 0 ORDER BY p.id LIMIT 500
""")
_LOST = {"refused", "failed"}


async def _given_up(session: AsyncSession, oversell_id: int) -> list[GivenUp]:
    """Whole orders first, then parts of orders."""
    found: list[GivenUp] = []
    for query in (_GIVEN_UP, _PARTS):
        rows = await session.execute(query, {"case": oversell_id})
        found += [GivenUp(**row) for row in rows.mappings()]
    return found


def _cost(given_up: Sequence[GivenUp]) -> Cost:
    """Of all orders that ended or are to end; one that was kept costs nothing."""
    cost = Cost()
    for each in given_up:
        if each.state not in _LOST:
            cost = costs.added(cost, each.cost, each.worth_yen)
    return cost


def _notes(
    case: Case, cause_kind: str | None, since: datetime, sales: Sequence[Sale], now: datetime
) -> list[str]:
    """What a reader must know of the record's gaps."""
    notes = []
    if cause_kind is None:
        notes.append("no fact opened the case: rules changed, or its cause is not on record")
    if now - since > timedelta(days=rotation.KEEP_DAYS):
        notes.append("readings that agreed are kept for a day only; those that differed are here")
    beyond = sum(sale.units for sale in sales if sale.beyond_stock)
    if beyond < case.shortage_max:
        notes.append(
            f"only {beyond} of the {case.shortage_max} units short are found among the sales told"
            " here: the others were sold without a listing, or long before"
        )
    notes.append("marketplaces cut the time of an order off to the second")
    return notes
