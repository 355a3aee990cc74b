"""Orders that have ended: ours are confirmed, all others classified, each with its penalty.

Whose doing it was is decided once per order, by what the channel shows: never both.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy import exists, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from inventory import alerts, reasons
from inventory.desk import casework, messages
from inventory.desk.cancellations import LIVE, lock
from inventory.desk.casework import BY_HAND_ALERT, FAILED_ALERT, OVERDUE_ALERT, PROPOSED_ALERT
from inventory.models import Cancellation, Channel, Listing, OrderLine, SalesOrder
from inventory.penalty_record import standings
from inventory.reasons import Action, Asker, OrderState, Rule
from inventory.vocabulary import Kind, Party, Reason

ENDED_MAX = 200
CODE_CHARACTERS_MAX = 200
UNDECIDED = (*LIVE, "refused", "failed")
# What an end of our own making looks like: a buyer's code makes it the buyer's (Rakuten, Yahoo!).
OURS_SHOWN_AS: dict[Reason, set[str | None]] = {
    Reason.OUT_OF_STOCK: {None, Party.SELLER.value},
    Reason.BUYER_REQUEST: {None, Party.SELLER.value, Party.BUYER.value},
}
# Known from one vendor; the screen's name may differ.
TO_REOPEN = (
    "In Store Creator Pro, stock screen（在庫管理）, lift the item's close（在庫クローズの解除）."
    " Until then it stays sold out whatever number is sent, and sells nothing; once a reading shows"
    " it open, numbers are sent again by themselves."
)

_READ_RESTOCKED = text("""
WITH ended AS MATERIALIZED (
  SELECT l.id FROM listing l WHERE l.id IN (
    SELECT line.listing_id FROM inbound_event e
    JOIN sales_order o ON o.channel_id = e.channel_id AND o.order_ref = e.subject
    JOIN order_line line ON line.order_id = o.id
    WHERE e.id = ANY(:events) AND o.cancelled AND NOT o.past
  ) ORDER BY l.id FOR NO KEY UPDATE
)
UPDATE listing l SET read_after = greatest(l.read_after, :now) FROM ended WHERE l.id = ended.id
""")


async def ended(session: AsyncSession, channel_id: int) -> list[int]:
    """Cancellations of a channel that are not settled although their order has ended."""
    rows = await session.scalars(
        select(Cancellation.id)
        .join(SalesOrder, SalesOrder.id == Cancellation.order_id)
        .where(
            Cancellation.channel_id == channel_id,
            Cancellation.state.in_(UNDECIDED),
            SalesOrder.cancelled.is_(True),
        )
        .order_by(Cancellation.id)
        .limit(ENDED_MAX)
    )
    return list(rows)


async def listings_closed(session: AsyncSession, cancellation_id: int) -> list[int]:
    """Listings that our confirmed out-of-stock cancellation leaves closed at the channel.

    Only for channels that close on out of stock: Yahoo! after CancelReason 210 (single vendor
    source; that every line's item is closed is UNCONFIRMED, a reading tells).
    """
    rows = await session.scalars(
        select(Listing.id)
        .join(OrderLine, OrderLine.listing_id == Listing.id)
        .join(Cancellation, Cancellation.order_id == OrderLine.order_id)
        .join(SalesOrder, SalesOrder.id == Cancellation.order_id)
        .where(
            Cancellation.id == cancellation_id,
            Cancellation.reason == Reason.OUT_OF_STOCK.value,
            Cancellation.state.in_(("approved", "submitted")),
            Cancellation.attempts > 0,
            SalesOrder.cancelled.is_(True),
            SalesOrder.cancelled_by.is_(None) | (SalesOrder.cancelled_by == Party.SELLER.value),
            Listing.closed_by_channel.is_(False),
        )
        .distinct()
        .order_by(Listing.id)
    )
    return list(rows)


async def close_listing(
    session: AsyncSession, listing_id: int, cancellation_id: int, now: datetime
) -> None:
    """Note that the channel keeps a listing sold out until a person reopens it there."""
    listing = await session.get_one(Listing, listing_id, with_for_update=True)
    if listing.closed_by_channel:
        return
    # The reading that follows says whether it is so, and later that it is open again.
    listing.closed_by_channel, listing.read_after = True, now
    row = await session.get_one(Cancellation, cancellation_id)
    channel = await session.get_one(Channel, listing.channel_id)
    detail = {
        "channel": channel.code,
        "channel_sku": listing.channel_sku,
        "order": row.order_id,
        "do": TO_REOPEN,
    }
    casework.note(session, row.oversell_id, "closed_by_channel", detail, now=now)
    subject = f"listing:{channel.code}/{listing.channel_sku}"
    await alerts.fire(
        session, kind="listing_closed_by_channel", subject=subject, detail=detail, now=now
    )


async def read_again(session: AsyncSession, cancellation_id: int, now: datetime) -> None:
    """Have the listings of an order read: the channel has put its units back on sale by itself."""
    lines = (
        select(OrderLine.listing_id)
        .join(Cancellation, Cancellation.order_id == OrderLine.order_id)
        .where(Cancellation.id == cancellation_id)
    )
    ids = select(Listing.id).where(Listing.id.in_(lines)).order_by(Listing.id).with_for_update()
    for listing_id in await session.scalars(ids):
        await session.execute(
            update(Listing).where(Listing.id == listing_id).values(read_after=now)
        )


async def read_restocked(session: AsyncSession, event_ids: Sequence[int], now: datetime) -> None:
    """Have the listings of the orders read that end by these events, for the same reason."""
    if event_ids:
        await session.execute(_READ_RESTOCKED, {"events": list(event_ids), "now": now})


async def settle(session: AsyncSession, cancellation_id: int, now: datetime) -> bool:
    """Settle a cancellation whose order has ended: confirmed if it was our doing, else observed."""
    row = await lock(session, cancellation_id, *UNDECIDED)
    if row is None:
        return False
    order = await session.get_one(SalesOrder, row.order_id)
    if not order.cancelled:
        return False
    await casework.answered(session, PROPOSED_ALERT, row, now)
    await casework.answered(session, FAILED_ALERT, row, now)
    await casework.answered(session, BY_HAND_ALERT, row, now)
    await casework.answered(session, OVERDUE_ALERT, row, now)
    if await _is_ours(session, row, order):
        await _confirm(session, row, order, now)
    else:
        await _observe(session, row, order, now)
    return True


async def _is_ours(session: AsyncSession, row: Cancellation, order: SalesOrder) -> bool:
    """Whether it is the end that we asked for, by what the channel shows of it.

    What it shows as out of stock is never the buyer's wish, whoever ended it so (L10).
    """
    if row.state not in {"approved", "submitted"} or not row.attempts:
        return False
    reason, by = Reason(row.reason), order.cancelled_by
    if by not in OURS_SHOWN_AS[reason]:
        return False
    if reason is not Reason.BUYER_REQUEST or by is None:
        return True
    kind = Kind((await session.get_one(Channel, row.channel_id)).kind)
    shown = reasons.who_asked(
        kind, Party(by), order.cancel_reason, buyer_asked=order.buyer_asked_to_cancel, late=False
    )
    return shown is not Asker.SHOP_OUT_OF_STOCK


async def unseen(session: AsyncSession) -> list[int]:
    """Orders that have ended and that no cancellation of ours speaks of."""
    rows = await session.scalars(
        select(SalesOrder.id)
        .where(
            SalesOrder.cancelled.is_(True),
            ~exists().where(Cancellation.order_id == SalesOrder.id),
        )
        .order_by(SalesOrder.id)
        .limit(ENDED_MAX)
    )
    return list(rows)


async def observe(session: AsyncSession, order_id: int, now: datetime) -> bool:
    """Classify an order that the buyer, the marketplace or a person in the shop has ended."""
    order = await session.get_one(SalesOrder, order_id)
    added = await session.scalar(
        insert(Cancellation)
        .values(
            channel_id=order.channel_id,
            order_id=order.id,
            state="observed",
            reason="",
            reason_code="",
            proposed_at=now,
        )
        .on_conflict_do_nothing(index_elements=["order_id"])
        .returning(Cancellation.id)
    )
    if added is None:
        return False
    await _observe(session, await session.get_one(Cancellation, added), order, now)
    return True


async def _confirm(
    session: AsyncSession, row: Cancellation, order: SalesOrder, now: datetime
) -> None:
    kind = Kind((await session.get_one(Channel, row.channel_id)).kind)
    rule = reasons.decide(kind, OrderState.CANCELLED, reasons.asker_of(Reason(row.reason)))
    row.state, row.confirmed_at, row.due_at, row.failure = "confirmed", now, None, None
    detail = {"order_ref": order.order_ref, "channel_says": order.cancel_reason}
    await _enter(session, row, order, rule, "confirmed", detail, now)
    if row.reason == Reason.OUT_OF_STOCK.value:
        await messages.draft_confirmed(session, row, now)
    else:
        # A channel may put back on sale what ends as the buyer's wish (Amazon does).
        await read_again(session, row.id, now)
    await _check_shipped(session, row, now)


async def _observe(
    session: AsyncSession, row: Cancellation, order: SalesOrder, now: datetime
) -> None:
    kind = Kind((await session.get_one(Channel, row.channel_id)).kind)
    by = Party(order.cancelled_by) if order.cancelled_by else None
    asker = reasons.who_asked(
        kind,
        by,
        order.cancel_reason,
        buyer_asked=order.buyer_asked_to_cancel,
        late=reasons.lapsed(ship_by=order.ship_by, ended_at=order.cancelled_at),
    )
    state = OrderState.BY_CHANNEL if order.fulfilled_by_channel else OrderState.CANCELLED
    rule = reasons.decide(kind, state, asker)
    row.state, row.reason = "observed", asker.value
    row.reason_code = (order.cancel_reason or "")[:CODE_CHARACTERS_MAX]
    row.decided_by, row.confirmed_at = by.value if by else None, order.cancelled_at or now
    row.due_at = row.failure = None
    detail = {"order_ref": order.order_ref, "asked_by": asker.value}
    await _enter(session, row, order, rule, "ended_by_others", detail, now)
    # What ended before we came is a figure of the metric, and no work for anybody.
    if rule.action is Action.PERSON and not order.past:
        why = "nobody can tell who ended the order, or the table has no row for it"
        await casework.call_person(session, "cancellation_unclassified", row, why, now)


async def _enter(
    session: AsyncSession,
    row: Cancellation,
    order: SalesOrder,
    rule: Rule,
    step: str,
    detail: Mapping[str, object],
    now: datetime,
) -> None:
    """The step and the penalty entry that end a cancellation."""
    entry = await standings.enter_penalty(session, row, rule, order_ref=order.order_ref, now=now)
    said = {
        **detail,
        "cancellation": row.id,
        "counts_against_metric": rule.counts.value,
        "metric_before": entry.metric_before,
        "metric_after": entry.metric_after,
    }
    casework.note(session, row.oversell_id, step, said, now=now)


async def _check_shipped(session: AsyncSession, row: Cancellation, now: datetime) -> None:
    shipped = await session.scalar(
        select(exists().where(OrderLine.order_id == row.order_id, OrderLine.shipped > 0))
    )
    if shipped:
        why = "the order is cancelled at the channel although units of it were shipped"
        await casework.call_person(session, "cancelled_and_shipped", row, why, now)
