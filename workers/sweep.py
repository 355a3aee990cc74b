"""Finds work that nobody rang for, once a second; the rings only make it start sooner."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import structlog
from sqlalchemy import ColumnElement, and_, exists, or_, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from inventory import alerts, checks, deliveries, health, onboarding, past_orders, seals
from inventory.alerting import beat
from inventory.availability import Lane
from inventory.models import (
    Cancellation,
    Channel,
    Delivery,
    InboundEvent,
    Listing,
    Oversell,
    Reservation,
    SalesOrder,
    StaleSku,
    WebhookEndpoint,
)
from inventory.notices import KIND as NOTICE
from inventory.reconcile import rotation
from inventory.vocabulary import Kind
from workers import push
from workers.pull import BUSY_MINUTES

if TYPE_CHECKING:
    from workers.runtime import Runtime

WITHOUT_PULL = (Kind.HOUSE.value, Kind.OWN_STORE.value)
UNHANDLED_SECONDS = 2
SEALING_SECONDS = 60
LOCK_SECONDS = 2
log = structlog.get_logger()


async def work(runtime: Runtime) -> int:
    """Ring for everything that is due; how many rings."""
    now = runtime.clock.now()
    rings: list[tuple[str, tuple[object, ...]]] = []
    async with runtime.database.sessions() as session:
        rings += [("pull", (channel_id,)) for channel_id in await _pulls(session, now)]
        for task, waiting in _waits(now).items():
            if await session.scalar(select(waiting)):
                rings.append((task, ()))
        rings += await push.waiting(session, now)
        rings += [("reconcile", (each,)) for each in await rotation.due(session, now)]
        rings += [("history", (each,)) for each in await past_orders.due(session, now)]
        rings += [("standing", (each,)) for each in await onboarding.unasked(session, now)]
    for task, arguments in rings:
        runtime.ring(task, *arguments)
    await push.settle_lost(runtime)
    return len(rings)


def _waits(now: datetime) -> dict[str, ColumnElement[bool]]:
    """Task → whether anything waits for it."""
    unclassified = ~exists().where(
        Cancellation.order_id == SalesOrder.id,
        Cancellation.state.in_(("confirmed", "observed")),
    )
    return {
        "process": exists().where(
            InboundEvent.state == "new",
            InboundEvent.kind != NOTICE,
            InboundEvent.received_at < now - timedelta(seconds=UNHANDLED_SECONDS),
        ),
        "notices": exists().where(
            InboundEvent.state == "new",
            InboundEvent.kind == NOTICE,
            InboundEvent.received_at < now - timedelta(seconds=UNHANDLED_SECONDS),
        ),
        "expire": exists().where(Reservation.expires_at <= now),
        "refresh": or_(exists(select(StaleSku.sku_id)), exists().where(Listing.reassess_at <= now)),
        "desk": or_(
            exists().where(Oversell.state == "open"),
            exists().where(Cancellation.state.in_(("approved", "submitted"))),
            exists().where(SalesOrder.cancelled.is_(True), unclassified),
        ),
        "notify": exists().where(
            Delivery.state == "pending",
            Delivery.due_at <= now,
            or_(Delivery.leased_until.is_(None), Delivery.leased_until <= now),
            WebhookEndpoint.id == Delivery.endpoint_id,
            WebhookEndpoint.active.is_(True),
        ),
    }


async def _pulls(session: AsyncSession, now: datetime) -> list[int]:
    """Channels to pull: when it is time, or sooner when there is need of it.

    That is while anything sells, and while a raise waits for its barrier (L7).
    """
    sells = exists().where(
        SalesOrder.recorded_at > now - timedelta(minutes=BUSY_MINUTES), SalesOrder.past.is_(False)
    )
    waits = exists().where(
        Listing.channel_id == Channel.id,
        Listing.lane == Lane.RAISE.value,
        Listing.revision_published < Listing.revision_wanted,
        or_(Channel.watermark.is_(None), Channel.watermark <= Listing.raise_since),
    )
    due = await session.scalars(
        select(Channel.id).where(
            Channel.kind.not_in(WITHOUT_PULL),
            or_(
                Channel.pull_due_at.is_(None),
                Channel.pull_due_at <= now,
                and_(Channel.pull_may_at <= now, or_(sells, waits)),
            ),
        )
    )
    return list(due)


async def tidy(runtime: Runtime) -> int:
    """Forget what is old, make this and the next month's partition, seal the months that ended.

    A large month is sealed in parts, and gone on with next time.
    """
    now = runtime.clock.now()
    async with runtime.database.transaction() as session:
        forgotten = await deliveries.tidy(session, now)
        forgotten += await rotation.tidy(session, now)
        forgotten += await beat.tidy(session, now)
    async with runtime.database.transaction() as session:
        # Sales queue behind whoever waits for the whole table; there is a month's time to try.
        await session.execute(text(f"SET LOCAL lock_timeout = '{LOCK_SECONDS}s'"))
        for months in (0, 1):
            await session.execute(
                text(
                    "SELECT make_movement_partition("
                    "((now() AT TIME ZONE 'UTC') + make_interval(months => :months))::date)"
                ),
                {"months": months},
            )
    for month in await seals.seal_ended(runtime.database, now, seconds=SEALING_SECONDS):
        log.info("month_sealed", month=month.name)
    return forgotten


async def check(runtime: Runtime) -> int:
    """Prove the books from their checkpoints; health tells what was found. How many differences."""
    found = await checks.check(runtime.database, runtime.clock.now())
    if found.differences:
        log.error("ledger_unbalanced", first=str(found.differences[0]))
    else:
        # Elsewhere than in the database, the hash proves the past to whoever doubts it.
        log.info("ledger_proven", month=found.month, hash=found.hash)
    return len(found.differences)


async def watch(runtime: Runtime) -> int:
    """Turn what is late into alerts, and close those that ended; how many findings.

    And what alerts do by the clock: escalate, speak after a snooze, digests, each new day.
    """
    now = runtime.clock.now()
    async with runtime.database.transaction() as session:
        findings = await health.findings(session, runtime.settings, now)
        await alerts.match_health(session, findings, now)
    async with runtime.lease("alerts") as mine:
        if mine:
            await beat.work(runtime.database, now)
    return len(findings)
