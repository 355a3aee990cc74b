"""Alerts that fire once on crossing and close themselves; teams hear of both."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from inventory.alerting.sql import CLOSE, EVALUATE, FIRE, LOCK
from inventory.alerting.tell import tell, tell_closed
from inventory.clock import JST
from inventory.health import Finding
from inventory.models import Alert

HEALTH = "health."
SKU = "sku:"
# Beginning of an alert's kind → the kinds of rules that say which team hears of it.
ROUTES = (
    ("health.expiry_", ("key_expiring", "sync_health")),
    ("health.channel_", ("channel_silent", "sync_health")),
    ("health.drift_", ("drift", "sync_health")),
    ("drift", ("drift", "sync_health")),
    (HEALTH, ("sync_health",)),
    ("listing_", ("drift", "sync_health")),
    ("endpoint_", ("sync_health",)),
    ("", ("oversell",)),
)


async def evaluate(session: AsyncSession, sku_ids: Collection[int], now: datetime) -> int:
    """Fire and close the alerts about the stock of these SKUs; how many changed.

    Available is on hand − reserved over the sellable locations, safety stock not taken off; of a
    kit, the whole kits that its parts make, their safety stock held back. An alert fires when its
    rule's level is crossed, and closes itself when that is exceeded by more than the rule's margin,
    or when the rule no longer holds for the SKU. Called for every stale SKU, in the transaction
    that takes the stale marks away, and for all SKUs once on each day.
    """
    return await judge(session, sorted(sku_ids), now)


async def judge(session: AsyncSession, sku_ids: Sequence[int] | None, now: datetime) -> int:
    """The same; None is every SKU."""
    which = {"all": sku_ids is None, "ids": list(sku_ids or ())}
    await session.execute(LOCK, which)
    today = now.astimezone(JST).date()
    rows = (await session.execute(EVALUATE, which | {"now": now, "today": today})).mappings().all()
    await tell_closed(session, [row for row in rows if row["closed_at"] is not None], now)
    fired = [(row, row["team_id"]) for row in rows if row["closed_at"] is None]
    await tell(session, "fired", fired, now)
    return len(rows)


async def fire(
    session: AsyncSession, *, kind: str, subject: str, detail: Mapping[str, Any], now: datetime
) -> bool:
    """Open an alert such as kind `oversell`, subject `sku:MUG`; False where it is open already.

    `detail` goes out with the message as it is: numbers and codes, no buyer data, no secrets. A
    rule of the kind that fits says which team is told; of a SKU, the rule nearest to it.
    """
    sku = subject.removeprefix(SKU) if subject.startswith(SKU) else detail.get("sku")
    kinds = next(kinds for beginning, kinds in ROUTES if kind.startswith(beginning))
    values = {
        "kind": kind,
        "subject": subject,
        "detail": msgspec.json.encode(detail).decode(),
        "now": now,
        "sku": sku,
        "kinds": list(kinds),
    }
    alert = (await session.execute(FIRE, values)).mappings().one_or_none()
    if alert is not None:
        await tell(session, "fired", [(alert, alert["team_id"])], now)
    return alert is not None


async def close(session: AsyncSession, *, kind: str, subject: str, now: datetime) -> bool:
    """Close the alert that `fire` opened; False where none is open."""
    values = {"kind": kind, "subject": subject, "now": now}
    alert = (await session.execute(CLOSE, values)).mappings().one_or_none()
    if alert is not None:
        await tell_closed(session, [alert], now)
    return alert is not None


async def match_health(session: AsyncSession, findings: Sequence[Finding], now: datetime) -> int:
    """Let one alert stand for each finding, kind `health.…`, and close those that ended; how many.

    The subject is `channel:CODE` or `house`; an open alert keeps the detail it was fired with.
    """
    changed = 0
    wanted = {(HEALTH + found.what, _place(found)): found for found in findings}
    for (kind, subject), found in sorted(wanted.items()):
        detail = msgspec.to_builtins(found)
        changed += await fire(session, kind=kind, subject=subject, detail=detail, now=now)
    held = await session.execute(
        select(Alert.kind, Alert.subject)
        .where(Alert.state == "open", Alert.kind.startswith(HEALTH, autoescape=True))
        .order_by(Alert.kind, Alert.subject)
    )
    for kind, subject in held.all():
        if (kind, subject) not in wanted:
            changed += await close(session, kind=kind, subject=subject, now=now)
    return changed


def _place(found: Finding) -> str:
    return "house" if found.channel is None else f"channel:{found.channel}"
