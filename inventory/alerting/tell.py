"""Who is told what about alerts: at once, or together in the team's next digest."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from msgspec import Struct
from sqlalchemy import RowMapping, func, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from inventory.alerting.content import advice
from inventory.deliveries import enqueue
from inventory.models import AlertMessage, Team

DIGEST_OVER = 5
DIGEST_MINUTES = 15
# Somebody must act on each of these before a deadline: they never wait for a digest, which may be
# a week away.
NEVER_WAIT = (
    *("cancellation_", "cancelled_", "oversell_stuck"),
    *("order_lapses", "repayment_due", "transfer_wanted"),
)
ADVISED = ("fired", "reminded", "escalated")

# An alert's row, and the team that shall hear of it.
Told = RowMapping
Pair = tuple[Told, int | None]


class Manner(Struct, frozen=True, kw_only=True):
    """How a team wants to hear: its code, and when many messages become a digest."""

    code: str | None = None
    digest_over: int = DIGEST_OVER
    digest_minutes: int = DIGEST_MINUTES


_NOTE = text("""
INSERT INTO alert_message (alert_id, team_id, event, made_at, told_at)
SELECT id, :team, :event, :now, CAST(:told_at AS timestamptz)
FROM unnest(CAST(:ids AS bigint[])) AS id ORDER BY id
""")
_TOLD = text("UPDATE alert SET told_at = :now WHERE id = ANY(:ids)")
_UNTELL = text("DELETE FROM alert_message WHERE alert_id = ANY(:ids) AND told_at IS NULL")
_WERE_TOLD = text("""
SELECT DISTINCT alert_id, team_id FROM alert_message
WHERE alert_id = ANY(:ids) AND told_at IS NOT NULL ORDER BY alert_id, team_id
""")


async def manners(session: AsyncSession, team_ids: Collection[int | None]) -> dict[int, Manner]:
    """Team id → how it wants to hear."""
    found = await session.scalars(select(Team).where(Team.id.in_(team_ids)))
    return {
        team.id: Manner(
            code=team.code, digest_over=team.digest_over, digest_minutes=team.digest_minutes
        )
        for team in found
    }


async def send(
    session: AsyncSession, event: str, body: Mapping[str, Any], team: str | None, now: datetime
) -> None:
    """Queue a message for a team; None is whoever hears of everything."""
    await enqueue(session, event, {"team": team, **body}, now, team=team)


async def tell(session: AsyncSession, event: str, pairs: Sequence[Pair], now: datetime) -> None:
    """Tell teams of alerts: each alone while there are few, else in the next digest.

    Of an alert that is snoozed nothing is said. `event` is fired, reminded, escalated or closed.
    """
    by_team: dict[int | None, list[Told]] = {}
    for alert, team_id in pairs:
        if alert["snoozed_until"] is None or alert["snoozed_until"] <= now:
            by_team.setdefault(team_id, []).append(alert)
    known = await manners(session, by_team.keys() - {None}) if by_team else {}
    for team_id, alerts in by_team.items():
        manner = Manner() if team_id is None else known[team_id]
        pressing = [alert for alert in alerts if alert["kind"].startswith(NEVER_WAIT)]
        others = [alert for alert in alerts if not alert["kind"].startswith(NEVER_WAIT)]
        await _alone(session, event, pressing, team_id, manner, now)
        if others and await _calm(session, team_id, manner, len(others), now):
            await _alone(session, event, others, team_id, manner, now)
        elif others:
            ids = [alert["id"] for alert in others]
            values = {"team": team_id, "event": event, "ids": ids, "now": now, "told_at": None}
            await session.execute(_NOTE, values)


async def _calm(
    session: AsyncSession, team_id: int | None, manner: Manner, more: int, now: datetime
) -> bool:
    """Whether so many messages more are few, and none waits already."""
    mine = AlertMessage.team_id.is_not_distinct_from(team_id)
    lately = AlertMessage.told_at > now - timedelta(minutes=manner.digest_minutes)
    recent = await session.scalar(
        select(func.count()).where(mine, lately, AlertMessage.digest_id.is_(None))
    )
    if (recent or 0) + more > manner.digest_over:
        return False
    waits = select(AlertMessage.id).where(mine, AlertMessage.told_at.is_(None)).limit(1)
    return await session.scalar(waits) is None


async def _alone(
    session: AsyncSession,
    event: str,
    alerts: Sequence[Told],
    team_id: int | None,
    manner: Manner,
    now: datetime,
) -> None:
    if not alerts:
        return
    for body in await bodies(session, event, alerts, now):
        await send(session, f"alert.{event}", body, manner.code, now)
    ids = [alert["id"] for alert in alerts]
    values = {"team": team_id, "event": event, "ids": ids, "now": now, "told_at": now}
    await session.execute(_NOTE, values)
    if event != "closed":
        await session.execute(_TOLD, {"ids": ids, "now": now})


async def bodies(
    session: AsyncSession, event: str, alerts: Sequence[Told], now: datetime
) -> list[dict[str, Any]]:
    """What is said of each alert; about a SKU that wants a buyer, with advice as of now."""
    names = ("id", "kind", "subject", "rule_id", "fired_at", "closed_at", "detail")
    about = {alert["sku_id"] for alert in alerts if alert["sku_id"]} if event in ADVISED else set()
    known = await advice(session, about, now)
    return [
        {name: alert[name] for name in names} | {"advice": known.get(alert["sku_id"])}
        for alert in alerts
    ]


async def tell_closed(session: AsyncSession, alerts: Sequence[Told], now: datetime) -> None:
    """Tell those who heard of these alerts that they ended; who waits to hear never will."""
    ids = [alert["id"] for alert in alerts]
    if not ids:
        return
    await session.execute(_UNTELL, {"ids": ids})
    by_id = {alert["id"]: alert for alert in alerts}
    heard = (await session.execute(_WERE_TOLD, {"ids": ids})).all()
    await tell(session, "closed", [(by_id[alert_id], team_id) for alert_id, team_id in heard], now)
