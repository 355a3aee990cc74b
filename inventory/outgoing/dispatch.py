"""Sending the queue of webhooks: claim what is due, record what came of it, say when to try again.

Nothing here calls out: the claim ends with its transaction, and a sender that dies on the way loses
its lease, so that the message is tried again.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

import msgspec
from msgspec import Struct
from sqlalchemy import Select, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession

from inventory.models import Delivery, WebhookEndpoint
from inventory.outgoing.outbound import Answer
from inventory.outgoing.tries import NOTED, Try, ended

MINUTE, HOUR = 60, 3_600
# Seconds from each failed try to the next one; 90 hours in all, before jitter makes them longer.
WAITS = (
    5,
    30,
    2 * MINUTE,
    10 * MINUTE,
    30 * MINUTE,
    HOUR,
    2 * HOUR,
    5 * HOUR,
    10 * HOUR,
    24 * HOUR,
    24 * HOUR,
    24 * HOUR,
)
JITTER = 0.2
RETRY_AFTER_SECONDS_MAX = 24 * HOUR
# Longer than one try may last (`outbound.TOTAL_SECONDS`); a sender that died is forgotten then.
LEASE_SECONDS = 60
HEALTHY_AT_ONCE = 2
FAILING_AT_ONCE = 1
GONE = 410
DICE = secrets.SystemRandom()


class Due(Struct, frozen=True, kw_only=True):
    """One message claimed for one try. `body` is its data; address and secrets are sealed."""

    id: int
    endpoint_id: int
    kind: str
    address: bytes
    secret: bytes
    secret_previous: bytes | None
    previous_until: datetime | None
    message_id: str
    event: str
    topic: str | None
    version: int
    body: dict[str, Any]
    created_at: datetime
    attempts: int
    leased_until: datetime
    failing_since: datetime | None

    def __repr__(self) -> str:
        """Without the address, which may hold a key, and without the secrets."""
        return f"Due(id={self.id}, endpoint_id={self.endpoint_id}, message_id={self.message_id!r})"


class Verdict(StrEnum):
    """What became of a try: `disabled` by a 410; `outdated` when the lease had run out before."""

    DELIVERED = "delivered"
    WAITING = "waiting"
    PARKED = "parked"
    DISABLED = "disabled"
    OUTDATED = "outdated"


def payload(due: Due) -> bytes:
    """The message as it is signed and sent, in the shape that Standard Webhooks recommends.

    Of the messages of one `topic` the highest `version` is true, whenever it comes in.
    """
    message = {
        "type": due.event,
        "timestamp": due.created_at,
        "version": due.version,
        "topic": due.topic,
        "data": due.body,
    }
    return msgspec.json.encode(message)


# Endpoints with room for another message. Their locks keep two claimers from counting the same
# room twice; whoever finds one locked leaves it to the other.
_LOCK = text("""
SELECT e.id FROM webhook_endpoint e CROSS JOIN LATERAL (
  SELECT d.due_at FROM delivery d
  WHERE d.endpoint_id = e.id AND d.state = 'pending' AND d.due_at <= :now
    AND (d.leased_until IS NULL OR d.leased_until <= :now)
  ORDER BY d.due_at LIMIT 1
) first
WHERE e.active AND e.address IS NOT NULL AND (e.failing_since IS NOT NULL) = :failing AND :room > (
  SELECT count(*) FROM delivery f
  WHERE f.endpoint_id = e.id AND f.state = 'pending' AND f.leased_until > :now)
ORDER BY first.due_at LIMIT :most
FOR NO KEY UPDATE OF e SKIP LOCKED
""")
# Counts once more, now under the locks.
_CLAIM = text(f"""
WITH chosen AS (
  SELECT d.id FROM (
    SELECT e.id, :room - (
      SELECT count(*) FROM delivery f
      WHERE f.endpoint_id = e.id AND f.state = 'pending' AND f.leased_until > :now) AS room
    FROM webhook_endpoint e WHERE e.id = ANY(:ids)
  ) e CROSS JOIN LATERAL (
    SELECT d.id, d.due_at FROM delivery d
    WHERE d.endpoint_id = e.id AND d.state = 'pending' AND d.due_at <= :now
      AND (d.leased_until IS NULL OR d.leased_until <= :now)
    ORDER BY d.due_at, d.id LIMIT greatest(e.room, 0) FOR UPDATE SKIP LOCKED
  ) d ORDER BY d.due_at LIMIT :most
)
UPDATE delivery d SET attempts = d.attempts + 1, leased_until = :leased_until, tries = {NOTED}
FROM chosen, webhook_endpoint e WHERE d.id = chosen.id AND e.id = d.endpoint_id
RETURNING d.id, d.endpoint_id, e.kind, e.address, e.secret, e.secret_previous, e.previous_until,
  d.message_id, d.event, d.topic, d.version, d.body, d.created_at, d.attempts, d.leased_until,
  e.failing_since
""")  # noqa: S608 -- constants


async def due(
    session: AsyncSession, now: datetime, limit: int, *, failing_max: int | None = None
) -> list[Due]:
    """Claim up to `limit` messages for 60 s, oldest first, healthy endpoints before others.

    Per endpoint two may be on their way at once, one where it is failing, whoever claims; of
    failing endpoints at most `failing_max` are taken in one call. Commit before sending.
    """
    claimed = await _claim(session, now, failing=False, most=limit)
    most = limit - len(claimed)
    if failing_max is not None:
        most = min(most, failing_max)
    return claimed + await _claim(session, now, failing=True, most=most)


async def _claim(session: AsyncSession, now: datetime, *, failing: bool, most: int) -> list[Due]:
    if most <= 0:
        return []
    room = FAILING_AT_ONCE if failing else HEALTHY_AT_ONCE
    values: dict[str, Any] = {"now": now, "room": room, "most": most}
    ids: Sequence[int] = (await session.scalars(_LOCK, values | {"failing": failing})).all()
    if not ids:
        return []
    leased_until = now + timedelta(seconds=LEASE_SECONDS)
    values |= {"ids": ids, "leased_until": leased_until, "at": now.isoformat()}
    rows = await session.execute(_CLAIM, values)
    return sorted((Due(**row) for row in rows.mappings()), key=lambda claimed: claimed.created_at)


async def record(
    session: AsyncSession,
    due: Due,
    answer: Answer,
    now: datetime,
    *,
    milliseconds: int,
    chance: Callable[[], float] = DICE.random,
) -> Verdict:
    """Write down what came of a try that took `milliseconds`, and when the next one is.

    After the thirteenth failure the message is parked. 410 disables the endpoint and parks all that
    waits for it. `Retry-After` is honoured up to 24 h and never shortens a wait. `chance` gives the
    jitter, from 0 to 1.
    """
    endpoint = await session.get(
        WebhookEndpoint, due.endpoint_id, with_for_update={"key_share": True}
    )
    row = await session.get(Delivery, due.id, with_for_update=True)
    if endpoint is None or row is None or row.leased_until != due.leased_until:
        return Verdict.OUTDATED
    row.leased_until = None
    row.last_status, row.last_failure = answer.status, answer.failure
    begun = Try(at=now - timedelta(milliseconds=milliseconds), version=due.version)
    row.tries = ended(row.tries, begun, answer, milliseconds)
    if answer.failure is None:
        await _delivered(session, endpoint, row, due, now)
        return Verdict.DELIVERED
    if endpoint.failing_since is None:
        endpoint.failing_since = now
    if answer.status == GONE:
        endpoint.active = False
        row.state = "parked"
        await park_waiting(session, endpoint.id, "endpoint_disabled")
        return Verdict.DISABLED
    if row.attempts > len(WAITS) or endpoint.removed_at is not None:
        row.state = "parked"
        return Verdict.PARKED
    row.due_at = now + _wait(row.attempts, answer, now, chance())
    return Verdict.WAITING


def _wait(attempts: int, answer: Answer, now: datetime, chance: float) -> timedelta:
    wait = WAITS[attempts - 1] * (1 + JITTER * chance)
    asked = min(answer.retry_after_seconds(now), RETRY_AFTER_SECONDS_MAX)
    return timedelta(seconds=max(wait, asked))


async def _delivered(
    session: AsyncSession, endpoint: WebhookEndpoint, row: Delivery, due: Due, now: datetime
) -> None:
    newer = None
    if row.message_id != due.message_id:
        # A newer number took the row while this one was on its way: the log keeps both.
        newer = Delivery(
            endpoint_id=row.endpoint_id,
            message_id=row.message_id,
            event=row.event,
            topic=row.topic,
            version=row.version,
            body=row.body,
            created_at=row.created_at,
            due_at=now,
        )
        row.message_id, row.body, row.created_at = due.message_id, due.body, due.created_at
        row.event, row.version, row.attempts = due.event, due.version, due.attempts
    row.state, row.delivered_at = "delivered", now
    await session.flush()
    if newer is not None:
        session.add(newer)
        await session.flush()
    if endpoint.failing_since is not None:
        endpoint.failing_since = None
        await _hasten_waiting(session, endpoint.id, now)


def _waiting(endpoint_id: int) -> Select[int]:
    """What waits for an endpoint, without rows that others hold: those look after themselves."""
    return (
        select(Delivery.id)
        .where(
            Delivery.endpoint_id == endpoint_id,
            Delivery.state == "pending",
            Delivery.leased_until.is_(None),
        )
        .with_for_update(skip_locked=True)
    )


async def park_waiting(session: AsyncSession, endpoint_id: int, why: str) -> None:
    """Give up what waits for an endpoint; what is on its way ends as it ends."""
    await session.execute(
        update(Delivery)
        .where(Delivery.id.in_(_waiting(endpoint_id)))
        .values(state="parked", last_failure=why)
        .execution_options(synchronize_session=False)
    )


async def _hasten_waiting(session: AsyncSession, endpoint_id: int, now: datetime) -> None:
    """The endpoint answers again: what failed before need not wait for hours."""
    await session.execute(
        update(Delivery)
        .where(Delivery.id.in_(_waiting(endpoint_id).where(Delivery.due_at > now)))
        .values(due_at=now)
        .execution_options(synchronize_session=False)
    )
