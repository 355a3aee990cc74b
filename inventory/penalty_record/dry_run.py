"""What would giving this order up do? Answered for any order; nothing is written."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from msgspec import Struct, structs
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from inventory import connections, reasons
from inventory.desk import cancellations
from inventory.errors import NotFound
from inventory.models import Cancellation, Channel, PenaltyEntry, SalesOrder
from inventory.penalties import Metric
from inventory.penalty_record import counted, dry_cost, entries, own_window, standings, words
from inventory.reasons import Action, Asker, OrderState, Rule
from inventory.vocabulary import Kind

LINES_MAX = 200
_ENDABLE = (OrderState.LOCKED, OrderState.PARTLY_SHIPPED)


class StockBack(Struct, frozen=True, kw_only=True):
    """Units of a SKU that the order holds, and what is available before and after they come back.

    Available is counted over all sellable locations; below zero, that many units are missing.
    """

    sku: str
    units: int
    available: int
    available_after: int


class DryRun(Struct, frozen=True, kw_only=True):
    """What giving an order up now would do, as the shop and for want of stock.

    `action` is what the table permits: cancel, wait, nothing, person. `counts_against_metric` is
    yes, no or unconfirmed. `before` has all that is under way in it; both metrics are null where
    there is no metric. `crosses_limit`: a limit or step ahead is reached by it. `cost` is in whole
    yen, part by part, as far as it is known; null where nothing is. `recorded` is the cancellation
    that there is already, `penalty` its entry.
    """

    channel: str
    kind: str
    order_ref: str
    ordered_at: datetime | None
    state: str
    lines: list[dict[str, Any]]
    lines_left_out: int
    worth_yen: int | None
    action: str
    reason_code: str
    counts_against_metric: str
    source: str
    before: Metric | None
    after: Metric | None
    crosses_limit: bool
    headroom_before: str
    headroom_after: str
    cost: dict[str, Any] | None
    stock: tuple[StockBack, ...]
    recorded: str | None
    penalty: int | None
    as_of: datetime
    sentence: str


_STOCK = text("""
SELECT s.code AS sku, held.units, coalesce(stand.available, 0) AS available
FROM (SELECT sku_id, cast(sum(reserved) AS int) AS units FROM order_part
  WHERE order_id = :order GROUP BY sku_id HAVING sum(reserved) > 0) held
JOIN sku s ON s.id = held.sku_id
LEFT JOIN LATERAL (
  SELECT cast(sum(v.on_hand - v.reserved) AS int) AS available
  FROM stock_level v JOIN location l ON l.id = v.location_id AND l.sellable
  WHERE v.sku_id = held.sku_id
) stand ON true
ORDER BY s.code LIMIT 200
""")


async def dry_run(
    session: AsyncSession, channel_code: str, order_ref: str, now: datetime
) -> DryRun:
    """Work out what giving the order up would do. Raises `NotFound`, `SettingWrong`.

    The transaction is read only, so that even a mistake here could not change anything: call it in
    a session of its own.
    """
    await session.execute(text("SET TRANSACTION READ ONLY"))
    channel = await connections.channel_by_code(session, channel_code)
    order = await session.scalar(
        select(SalesOrder).where(
            SalesOrder.channel_id == channel.id, SalesOrder.order_ref == order_ref
        )
    )
    if order is None:
        raise NotFound(f"{channel_code} has no order {order_ref} in our record")
    state = await cancellations.order_state(session, order)
    rule = reasons.decide(Kind(channel.kind), state, Asker.SHOP_OUT_OF_STOCK)
    weighs = _weighs(Kind(channel.kind), state, rule)
    before, after = await _metrics(session, channel, order, state, weighs=weighs, now=now)
    answer = await _answer(session, channel, order, state, rule, (before, after), now)
    this = await counted.given_up_at(session, order.id, now)
    judged = structs.replace(rule, weighs=weighs and state is not OrderState.CANCELLED)
    own = await own_window.change(session, channel, this, judged, now)
    if own is None:
        return answer
    return structs.replace(answer, sentence=f"{answer.sentence}; {own.said}")


def _weighs(kind: Kind, state: OrderState, rule: Rule) -> bool:
    """What must wait, or what a person ends, weighs as all does that the shop ends.

    What has left the house ends as a return, which is in no metric.
    """
    ended = reasons.decide(kind, OrderState.CANCELLED, Asker.SHOP_OUT_OF_STOCK)
    return rule.weighs or (state in _ENDABLE and ended.weighs)


async def _metrics(
    session: AsyncSession,
    channel: Channel,
    order: SalesOrder,
    state: OrderState,
    *,
    weighs: bool,
    now: datetime,
) -> tuple[Metric | None, Metric | None]:
    """Before and after; the same where it would weigh nothing, or has ended already."""
    found = await standings.outlook(session, channel, order.id, now)
    if found is None:
        return None, None
    if state is OrderState.CANCELLED:
        metric = await standings.metric_now(session, channel, now)
        return metric, metric
    return found.before, found.after if weighs else found.before


async def _answer(
    session: AsyncSession,
    channel: Channel,
    order: SalesOrder,
    state: OrderState,
    rule: Rule,
    metrics: tuple[Metric | None, Metric | None],
    now: datetime,
) -> DryRun:
    before, after = metrics
    lines = await entries.lines_of(session, order.id)
    recorded, entry = await _recorded(session, order.id)
    crosses = before is not None and after is not None and words.crosses(before, after)
    return DryRun(
        channel=channel.code,
        kind=channel.kind,
        order_ref=order.order_ref,
        ordered_at=order.ordered_at,
        state=state.value,
        lines=lines[:LINES_MAX],
        lines_left_out=max(len(lines) - LINES_MAX, 0),
        worth_yen=_worth(lines),
        action=rule.action.value,
        reason_code=rule.reason_code,
        counts_against_metric=rule.counts.value,
        source=rule.source,
        before=before,
        after=after,
        crosses_limit=crosses,
        headroom_before=words.headroom(before),
        headroom_after=words.headroom(after),
        cost=await dry_cost.cost(session, channel, order, rule, now),
        stock=await _stock(session, order.id),
        recorded=recorded,
        penalty=entry,
        as_of=now,
        sentence=_sentence(order.order_ref, state, rule, before, after),
    )


async def _recorded(session: AsyncSession, order_id: int) -> tuple[str | None, int | None]:
    """The state of the order's cancellation, and its penalty entry, as far as there are any."""
    found = await session.execute(
        select(Cancellation.state, PenaltyEntry.id)
        .outerjoin(PenaltyEntry, PenaltyEntry.cancellation_id == Cancellation.id)
        .where(Cancellation.order_id == order_id)
    )
    known = found.one_or_none()
    return (None, None) if known is None else (known[0], known[1])


async def _stock(session: AsyncSession, order_id: int) -> tuple[StockBack, ...]:
    rows = await session.execute(_STOCK, {"order": order_id})
    return tuple(
        StockBack(**row, available_after=row["available"] + row["units"]) for row in rows.mappings()
    )


def _worth(lines: list[dict[str, Any]]) -> int | None:
    """Yen of what was ordered, without parts that ended; None as soon as one price is unknown."""
    units = {line["line_ref"]: line["units"] + line["shipped"] for line in lines}
    ordered = [line for line in lines if units[line["line_ref"]]]
    if not ordered or any(line["unit_price"] is None for line in ordered):
        return None
    return sum(int(line["unit_price"]) * int(units[line["line_ref"]]) for line in ordered)


_MAY = {
    Action.CANCEL: "may be given up",
    Action.WAIT: "cannot be given up just now: its channel takes no cancellation",
    Action.NOTHING: "needs nothing done",
    Action.PERSON: "is for a person to decide: the table has no row for it",
}


def _sentence(
    order_ref: str, state: OrderState, rule: Rule, before: Metric | None, after: Metric | None
) -> str:
    """The answer in one sentence."""
    said = f"{order_ref} is {state.value.replace('_', ' ')} and {_MAY[rule.action]}"
    if rule.action is Action.CANCEL:
        said += f", reason {rule.reason_code}, counts: {rule.counts.value}"
    if before is None or after is None:
        return f"{said}; its marketplace has no metric"
    if state is OrderState.CANCELLED:
        return f"{said}: it has ended, and what it did is in the metric already"
    return f"{said}; {words.change(before, after)}"
