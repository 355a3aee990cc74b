"""Alerts that fire once on crossing and close themselves, each time with a message to webhooks."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import RowMapping, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from inventory.deliveries import enqueue
from inventory.errors import BadInput, NotFound, UnknownSku
from inventory.health import Finding
from inventory.models import Alert, AlertRule, Sku
from inventory.recipes import STAND

LOW_STOCK = "low_stock"
HEALTH = "health."
LEVEL_MAX = 1_000_000_000

# Evaluations of the same SKU go one after another, so that the last one to look has the last word.
_LOCK = text("""
SELECT id FROM sku WHERE :all OR id = ANY(:ids) ORDER BY id FOR NO KEY UPDATE
""")
# A SKU with rules of its own is judged by those; general rules (no SKU) are for all others.
_STANDING = f"""
WITH RECURSIVE asked (sku_id) AS (SELECT id FROM sku WHERE :all OR id = ANY(:ids)), {STAND},
low AS (
  SELECT s.id, s.code, s.name, stand.available, r.id AS rule_id, r.level
  FROM stand JOIN sku s ON s.id = stand.sku_id
  JOIN alert_rule r ON r.active AND stand.available <= r.level AND (r.sku_id = s.id
    OR r.sku_id IS NULL AND NOT EXISTS (
      SELECT FROM alert_rule own WHERE own.active AND own.sku_id = s.id))
)
"""  # noqa: S608 -- constants
_CLOSE_LOW = text(
    _STANDING
    + """
UPDATE alert a SET state = 'closed', closed_at = :now FROM stand JOIN sku s ON s.id = stand.sku_id
WHERE a.kind = 'low_stock' AND a.state = 'open' AND a.subject = 'sku:' || s.code
  AND NOT EXISTS (SELECT FROM low WHERE low.id = s.id AND low.rule_id = a.rule_id)
RETURNING a.id, a.kind, a.subject, a.fired_at, a.closed_at,
  a.detail || jsonb_build_object('available', stand.available) AS detail
"""
)
_FIRE_LOW = text(
    _STANDING
    + """
INSERT INTO alert (kind, subject, rule_id, detail, fired_at)
SELECT 'low_stock', 'sku:' || code, rule_id, jsonb_build_object(
  'sku', code, 'name', name, 'available', available, 'level', level), :now
FROM low ORDER BY code, rule_id
ON CONFLICT (kind, subject, coalesce(rule_id, 0)) WHERE state = 'open' DO NOTHING
RETURNING id, kind, subject, fired_at, closed_at, detail
"""
)
_FIRE = text("""
INSERT INTO alert (kind, subject, detail, fired_at)
VALUES (:kind, :subject, CAST(:detail AS jsonb), :now)
ON CONFLICT (kind, subject, coalesce(rule_id, 0)) WHERE state = 'open' DO NOTHING
RETURNING id, kind, subject, fired_at, closed_at, detail
""")
_CLOSE = text("""
UPDATE alert SET state = 'closed', closed_at = :now
WHERE kind = :kind AND subject = :subject AND rule_id IS NULL AND state = 'open'
RETURNING id, kind, subject, fired_at, closed_at, detail
""")
_CLOSE_RULE = text("""
UPDATE alert SET state = 'closed', closed_at = :now WHERE rule_id = :rule_id AND state = 'open'
RETURNING id, kind, subject, fired_at, closed_at, detail
""")


async def evaluate(session: AsyncSession, sku_ids: Collection[int], now: datetime) -> int:
    """Fire and close the low-stock alerts of these SKUs; how many changed.

    Available is on hand − reserved over the sellable locations, safety stock not taken off; of a
    kit, the whole kits that its parts make, their safety stock held back. An alert fires when it
    falls to its rule's level or below, and closes itself when it is above again, or when the rule
    no longer holds for the SKU. Called for every stale SKU, in the transaction that takes the
    stale marks away.
    """
    return await _evaluate(session, {"all": False, "ids": sorted(sku_ids), "now": now})


async def _evaluate(session: AsyncSession, values: Mapping[str, Any]) -> int:
    await session.execute(_LOCK, {"all": values["all"], "ids": values["ids"]})
    closed = (await session.execute(_CLOSE_LOW, values)).mappings().all()
    fired = (await session.execute(_FIRE_LOW, values)).mappings().all()
    for alert in closed:
        await _tell(session, "alert.closed", alert, values["now"])
    for alert in fired:
        await _tell(session, "alert.fired", alert, values["now"])
    return len(closed) + len(fired)


async def fire(
    session: AsyncSession, *, kind: str, subject: str, detail: Mapping[str, Any], now: datetime
) -> bool:
    """Open an alert such as kind `oversell`, subject `sku:MUG`; False where it is open already.

    `detail` goes out with the message as it is: numbers and codes, no buyer data, no secrets.
    """
    encoded = msgspec.json.encode(detail).decode()
    values = {"kind": kind, "subject": subject, "detail": encoded, "now": now}
    return await _told(session, "alert.fired", _FIRE, values)


async def close(session: AsyncSession, *, kind: str, subject: str, now: datetime) -> bool:
    """Close the alert that `fire` opened; False where none is open."""
    values = {"kind": kind, "subject": subject, "now": now}
    return await _told(session, "alert.closed", _CLOSE, values)


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


async def add_rule(
    session: AsyncSession, *, sku: str | None, level: int, now: datetime
) -> AlertRule:
    """Alert when a SKU's available units (of every SKU, where `sku` is None) fall to `level`.

    SKUs that are there already fire at once. Raises `UnknownSku`, and `BadInput` for a level
    outside 0 to 1,000,000,000.
    """
    if not 0 <= level <= LEVEL_MAX:
        raise BadInput(f"the level must be from 0 to {LEVEL_MAX}")
    sku_id = None
    if sku is not None:
        sku_id = await session.scalar(select(Sku.id).where(Sku.code == sku))
        if sku_id is None:
            raise UnknownSku(f"no SKU {sku!r}")
    rule = AlertRule(sku_id=sku_id, level=level, created_at=now)
    session.add(rule)
    await session.flush()
    await _evaluate(session, _concerned(sku_id, now))
    return rule


async def remove_rule(session: AsyncSession, rule_id: int, now: datetime) -> None:
    """Switch a rule off, close its alerts, and let the general rules judge its SKU again.

    Raises `NotFound`.
    """
    rule = await session.get(AlertRule, rule_id, with_for_update=True)
    if rule is None or not rule.active:
        raise NotFound(f"no alert rule {rule_id}")
    rule.active = False
    await session.flush()
    closed = await session.execute(_CLOSE_RULE, {"rule_id": rule_id, "now": now})
    for alert in closed.mappings().all():
        await _tell(session, "alert.closed", alert, now)
    await _evaluate(session, _concerned(rule.sku_id, now))


def _concerned(sku_id: int | None, now: datetime) -> dict[str, Any]:
    return {"all": sku_id is None, "ids": [] if sku_id is None else [sku_id], "now": now}


async def _told(
    session: AsyncSession, event: str, statement: Any, values: Mapping[str, Any]
) -> bool:
    alert = (await session.execute(statement, values)).mappings().one_or_none()
    if alert is None:
        return False
    await _tell(session, event, alert, values["now"])
    return True


async def _tell(session: AsyncSession, event: str, alert: RowMapping, now: datetime) -> None:
    await enqueue(session, event, dict(alert), now)
