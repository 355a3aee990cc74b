"""What people do with alerts: acknowledge, snooze, close by hand, and read them."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from msgspec import Struct
from sqlalchemy import Select, delete, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from inventory import alerts, audit
from inventory.alerting.content import BuyerAdvice, advice
from inventory.errors import BadInput, NotFound, WrongState
from inventory.models import Alert, AlertMessage, Team

SNOOZE_DAYS_MAX = 90


class AlertRow(Struct, frozen=True, kw_only=True):
    """Something that a person should know. `subject` is like sku:MUG or channel:shop-1.

    `team` is told, and `escalated_to` was told as nobody answered. `detail` is as it was when it
    fired; `advice` is as of now, of an open alert about a SKU.
    """

    id: int
    kind: str
    subject: str
    rule_id: int | None
    team: str | None
    state: str
    detail: dict[str, Any]
    fired_at: datetime
    closed_at: datetime | None
    acknowledged_at: datetime | None
    acknowledged_by: str | None
    snoozed_until: datetime | None
    escalated_at: datetime | None
    escalated_to: str | None
    advice: BuyerAdvice | None


_SHOWN = (
    *("id", "kind", "subject", "rule_id", "state", "detail", "fired_at", "closed_at"),
    *("acknowledged_at", "acknowledged_by", "snoozed_until", "escalated_at"),
)


class Which(Struct, frozen=True, kw_only=True):
    """Which alerts: of a state, of a team (its own or escalated to it), of a digest, one alone."""

    state: str | None = None
    team: str | None = None
    digest_id: int | None = None
    alert_id: int | None = None


async def rows(
    session: AsyncSession, which: Which, *, before_id: int | None, limit: int, now: datetime
) -> list[AlertRow]:
    """Alerts, newest first, those with ids below `before_id` if given."""
    team, further = aliased(Team), aliased(Team)
    query = (
        select(Alert, team.code, further.code)
        .outerjoin(team, team.id == Alert.team_id)
        .outerjoin(further, further.id == Alert.escalated_to_id)
    )
    if before_id is not None:
        query = query.where(Alert.id < before_id)
    if which.state is not None:
        query = query.where(Alert.state == which.state)
    if which.team is not None:
        query = query.where((team.code == which.team) | (further.code == which.team))
    if which.digest_id is not None:
        told = select(AlertMessage.alert_id).where(AlertMessage.digest_id == which.digest_id)
        query = query.where(Alert.id.in_(told))
    if which.alert_id is not None:
        query = query.where(Alert.id == which.alert_id)
    return await _shown(session, query.order_by(Alert.id.desc()).limit(limit), now)


async def one(session: AsyncSession, alert_id: int, now: datetime) -> AlertRow:
    """One alert. Raises `NotFound`."""
    which = Which(alert_id=alert_id)
    found = await rows(session, which, before_id=None, limit=1, now=now)
    if not found:
        raise NotFound(f"no alert {alert_id}")
    return found[0]


async def _shown(
    session: AsyncSession, query: Select[Alert, str, str], now: datetime
) -> list[AlertRow]:
    found = (await session.execute(query)).all()
    about = {alert.sku_id for alert, _, _ in found if alert.sku_id and alert.state == "open"}
    known = await advice(session, about, now)
    return [
        AlertRow(
            **{name: getattr(alert, name) for name in _SHOWN},
            team=team,
            escalated_to=further,
            advice=known.get(alert.sku_id or 0) if alert.state == "open" else None,
        )
        for alert, team, further in found
    ]


async def _open(session: AsyncSession, alert_id: int) -> Alert:
    found = await session.get(Alert, alert_id, with_for_update=True, populate_existing=True)
    if found is None:
        raise NotFound(f"no alert {alert_id}")
    if found.state != "open":
        raise WrongState("the alert is closed")
    return found


async def acknowledge(session: AsyncSession, alert_id: int, *, by: str, now: datetime) -> None:
    """Somebody takes care of it: it is not escalated. The first to say so stays on record.

    Raises `NotFound`, and `WrongState` for one that is closed.
    """
    found = await _open(session, alert_id)
    if found.acknowledged_at is None:
        found.acknowledged_at, found.acknowledged_by = now, by
        audit.note(session, by=by, action="alert.acknowledged", detail={"alert": alert_id}, now=now)
        await session.flush()


async def snooze(
    session: AsyncSession, alert_id: int, *, until: datetime, by: str, now: datetime
) -> None:
    """Say nothing of it until then, also should it end and begin anew; still open then, it speaks.

    Raises `NotFound`, `WrongState` for one that is closed, and `BadInput` for a time that has
    passed or is more than 90 days away.
    """
    if not now < until <= now + timedelta(days=SNOOZE_DAYS_MAX):
        raise BadInput(f"an alert is snoozed for {SNOOZE_DAYS_MAX} days at most, from now on")
    found = await _open(session, alert_id)
    found.snoozed_until = until
    waits = (AlertMessage.alert_id == alert_id, AlertMessage.told_at.is_(None))
    await session.execute(delete(AlertMessage).where(*waits))
    detail = {"alert": alert_id, "until": until.isoformat()}
    audit.note(session, by=by, action="alert.snoozed", detail=detail, now=now)
    await session.flush()


async def close(session: AsyncSession, alert_id: int, *, now: datetime) -> None:
    """Close by hand what does not close itself; it fires again when its cause begins anew.

    Raises `NotFound`, and `WrongState` for an alert about stock.
    """
    found = await session.get(Alert, alert_id)
    if found is None:
        raise NotFound(f"no alert {alert_id}")
    if found.rule_id is not None:
        raise WrongState("an alert about stock closes itself when stock is back")
    await alerts.close(session, kind=found.kind, subject=found.subject, now=now)
    await session.refresh(found)
