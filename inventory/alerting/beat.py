"""What alerts do by the clock: escalate, speak after a snooze, send digests, judge each new day."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any

import msgspec
from sqlalchemy import RowMapping, delete, exists, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from inventory import alerts
from inventory.alerting import measure
from inventory.alerting.sql import COLUMNS
from inventory.alerting.tell import Manner, bodies, manners, send, tell
from inventory.clock import JST
from inventory.db import Database
from inventory.models import Alert, AlertMessage, AlertRule, Sku, Switch

AT_ONCE = 500
GATHER_SECONDS = 60
DAY = "alerts_judged"
OF_THE_DAY = ("low_cover", "stock_out")
# A message may have 64,000 bytes; what is left out is counted.
DIGEST_BYTES_MAX = 50_000
DIGEST_ROWS_MAX = 500
KEPT_DAYS = 90
TIDY_MAX = 5_000

# Rows that somebody works on just now are left for the next time: nothing here waits for a lock.
_WAKE = text(f"""
UPDATE alert SET snoozed_until = NULL, acknowledged_at = NULL, acknowledged_by = NULL,
  told_at = NULL, escalated_at = NULL
WHERE id IN (SELECT id FROM alert WHERE state = 'open' AND snoozed_until <= :now
  ORDER BY id LIMIT :most FOR UPDATE SKIP LOCKED)
RETURNING {COLUMNS}
""")  # noqa: S608 -- constants
_ESCALATE = text(f"""
UPDATE alert a SET escalated_at = :now, escalated_to_id = t.escalates_to_id
FROM (
  SELECT x.id, m.escalates_to_id FROM alert x JOIN team m ON m.id = x.team_id
  WHERE x.state = 'open' AND x.acknowledged_at IS NULL AND x.escalated_at IS NULL
    AND x.snoozed_until IS NULL AND m.escalates_to_id IS NOT NULL
    AND x.told_at <= CAST(:now AS timestamptz) - m.escalate_minutes * interval '1 minute'
  ORDER BY x.id LIMIT :most FOR UPDATE OF x SKIP LOCKED
) t WHERE a.id = t.id
RETURNING a.escalated_to_id, {", ".join("a." + name for name in COLUMNS.split(", "))}
""")  # noqa: S608 -- constants
_WAITING = text("""
SELECT w.team_id, w.since, d.last FROM (
  SELECT team_id, min(made_at) AS since FROM alert_message WHERE told_at IS NULL GROUP BY team_id
) w LEFT JOIN LATERAL (
  SELECT max(told_at) AS last FROM alert_message m
  WHERE m.team_id IS NOT DISTINCT FROM w.team_id AND m.digest_id IS NOT NULL
    AND m.told_at > CAST(:now AS timestamptz) - interval '8 days'
) d ON true
""")
_TAKE = text("""
UPDATE alert_message SET told_at = :now, digest_id = (SELECT min(id) FROM alert_message
  WHERE told_at IS NULL AND team_id IS NOT DISTINCT FROM CAST(:team AS int))
WHERE told_at IS NULL AND team_id IS NOT DISTINCT FROM CAST(:team AS int)
RETURNING digest_id
""")
# Whoever closes one of them holds its row, and waits for its message.
_TOLD = text("""
UPDATE alert SET told_at = :now WHERE id IN (
  SELECT id FROM alert WHERE id = ANY(:ids) ORDER BY id FOR UPDATE SKIP LOCKED)
""")
_OF_DIGEST = text(f"""
SELECT m.event, {", ".join("a." + name for name in COLUMNS.split(", "))}
FROM alert_message m JOIN alert a ON a.id = m.alert_id WHERE m.digest_id = :digest
""")  # noqa: S608 -- constants


async def work(database: Database, now: datetime) -> int:
    """Everything that is due; how many alerts changed or messages went out."""
    done = await new_day(database, now)
    for due in (wake, escalate, digests):
        async with database.transaction() as session:
            done += await due(session, now)
    return done


async def new_day(database: Database, now: datetime) -> int:
    """Once on each Tokyo day: measure the pace of every SKU, judge all that days can change.

    Broken off, it is done again as a whole.
    """
    today = now.astimezone(JST).date()
    async with database.transaction() as session:
        held = await session.get(Switch, DAY)
        if held is not None and date.fromisoformat(held.value["day"]) >= today:
            return 0
        await measure.measure(session, now)
    async with database.sessions() as session:
        watched = exists().where(AlertRule.active, AlertRule.kind.in_(OF_THE_DAY))
        ids = list(await session.scalars(select(Sku.id).where(watched).order_by(Sku.id)))
    changed = 0
    for start in range(0, len(ids), AT_ONCE):
        async with database.transaction() as session:
            changed += await alerts.evaluate(session, ids[start : start + AT_ONCE], now)
    async with database.transaction() as session:
        value = {"day": today.isoformat()}
        await session.execute(
            insert(Switch)
            .values(name=DAY, value=value, changed_at=now)
            .on_conflict_do_update(
                index_elements=["name"], set_={"value": value, "changed_at": now}
            )
        )
    return changed


async def wake(session: AsyncSession, now: datetime) -> int:
    """Speak of what is still open after its snooze; somebody must see it anew. How many.

    The time to acknowledge it starts when its team hears of it again.
    """
    rows = (await session.execute(_WAKE, {"now": now, "most": AT_ONCE})).mappings().all()
    await tell(session, "reminded", [(row, row["team_id"]) for row in rows], now)
    return len(rows)


async def escalate(session: AsyncSession, now: datetime) -> int:
    """Tell the next team, once, of what its own has not acknowledged in time; how many."""
    rows = (await session.execute(_ESCALATE, {"now": now, "most": AT_ONCE})).mappings().all()
    await tell(session, "escalated", [(row, row["escalated_to_id"]) for row in rows], now)
    return len(rows)


async def digests(session: AsyncSession, now: datetime) -> int:
    """Send each team what waits for it, a minute after the first of it, seldom enough; how many."""
    waiting = (await session.execute(_WAITING, {"now": now})).all()
    known = await manners(session, {team_id for team_id, *_ in waiting})
    sent = 0
    for team_id, since, last in waiting:
        manner = Manner() if team_id is None else known[team_id]
        due = since + timedelta(seconds=GATHER_SECONDS)
        if last is not None:
            due = max(due, last + timedelta(minutes=manner.digest_minutes))
        if due <= now:
            sent += await _digest(session, team_id, manner, now)
    return sent


async def _digest(
    session: AsyncSession, team_id: int | None, manner: Manner, now: datetime
) -> bool:
    """Send a team's digest; False where somebody else has taken all that waited."""
    taken = await session.execute(_TAKE, {"team": team_id, "now": now})
    digest_id = taken.scalars().first()
    if digest_id is None:
        return False
    rows = (await session.execute(_OF_DIGEST, {"digest": digest_id})).mappings().all()
    told = [row["id"] for row in rows if row["event"] != "closed"]
    await session.execute(_TOLD, {"ids": told, "now": now})
    entries = await _entries(session, rows, now)
    shown = _that_fit(entries)
    counts = dict.fromkeys(("fired", "reminded", "escalated", "closed"), 0)
    for row in rows:
        counts[row["event"]] += 1
    body = {"digest": digest_id, "counts": counts, "alerts": shown, "more": len(rows) - len(shown)}
    await send(session, "alert.digest", body, manner.code, now)
    return True


async def _entries(
    session: AsyncSession, rows: Sequence[RowMapping], now: datetime
) -> list[dict[str, Any]]:
    """What a digest says of each alert, the most urgent first; of an ended one in short."""
    entries = []
    for event in ("escalated", "reminded", "fired", "closed"):
        some = sorted((row for row in rows if row["event"] == event), key=_urgency)
        some = some[:DIGEST_ROWS_MAX]
        entries += [{"event": event} | body for body in await bodies(session, event, some, now)]
    return entries


def _urgency(row: RowMapping) -> tuple[float, float, int]:
    """The SKU that runs out first goes first; then the one with the least available."""
    detail = row["detail"]
    cover = detail.get("days_of_cover", float("inf"))
    return cover, detail.get("available", float("inf")), row["id"]


def _that_fit(entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
    shown, size = [], 0
    for entry in entries:
        size += len(msgspec.json.encode(entry))
        if size > DIGEST_BYTES_MAX:
            break
        shown.append(entry)
    return shown


async def tidy(session: AsyncSession, now: datetime) -> int:
    """Forget up to 5,000 messages about alerts that ended more than 90 days ago; how many."""
    over = now - timedelta(days=KEPT_DAYS)
    old = (
        select(AlertMessage.id)
        .join(Alert, Alert.id == AlertMessage.alert_id)
        .where(Alert.closed_at < over)
        .order_by(AlertMessage.id)
        .limit(TIDY_MAX)
    )
    gone = await session.scalars(
        delete(AlertMessage)
        .where(AlertMessage.id.in_(old))
        .returning(AlertMessage.id)
        .execution_options(synchronize_session=False)
    )
    return len(gone.all())
