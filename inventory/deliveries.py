"""Outgoing webhooks as a queue in the database: what is put in, looked at and sent again.

Delivery is at least once. A receiver tells repeats by `webhook-id`, and of what is said about one
`topic` it believes the highest `version`.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import msgspec
from sqlalchemy import delete, func, or_, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from inventory.errors import BadInput, NotFound, WrongState
from inventory.models import Delivery, Message, WebhookEndpoint
from inventory.outgoing.endpoint_keys import forget_previous
from inventory.outgoing.endpoints import check_event

# A number that takes the place of one that failed waits its turn, but not for hours.
REPLACED_WAIT_SECONDS = 60
PING = "endpoint.ping"
# Whether endpoint `e` wants message `m`. A chat room takes no listing's numbers.
WANTED = """
(m.event = ANY(e.events) OR e.events = '{}'
  AND (e.kind = 'webhook' OR m.event <> 'listing.quantity'))
AND (e.team IS NULL OR m.team IS NULL OR e.team = m.team)
"""
REPLACED_ATTEMPTS_MAX = 3
BODY_BYTES_MAX = 64_000
KEPT_DAYS = 30
TIDY_MAX = 5_000

# One row for the past, one for each endpoint. The version is the row's own number, drawn while the
# caller holds what the message is about, so that of one topic the later said is the higher.
_ENQUEUE = """
WITH drawn AS (SELECT nextval(pg_get_serial_sequence('message', 'id')) AS id),
said AS (
  INSERT INTO message (id, message_id, event, topic, version, team, body, created_at)
  OVERRIDING SYSTEM VALUE
  SELECT id, :message_id, :event, :topic, coalesce(CAST(:version AS bigint), id), :team,
    CAST(:body AS jsonb), :now
  FROM drawn WHERE EXISTS (SELECT FROM webhook_endpoint WHERE removed_at IS NULL)
  RETURNING *
)
INSERT INTO delivery (endpoint_id, message_id, event, topic, version, body, due_at, created_at)
SELECT e.id, m.message_id, m.event, m.topic, m.version, m.body, m.created_at, m.created_at
FROM said m JOIN webhook_endpoint e ON e.active AND {WANTED} ORDER BY e.id
"""
# One statement, so that a rival waits for the row and then compares versions anew. Where a message
# is on its way just now, the new one is sent as soon as that try has ended.
_REPLACE = """
ON CONFLICT (endpoint_id, topic) WHERE state = 'pending' AND topic IS NOT NULL DO UPDATE SET
  message_id = excluded.message_id, body = excluded.body, created_at = excluded.created_at,
  event = excluded.event, version = excluded.version,
  attempts = least(delivery.attempts, :attempts),
  due_at = CASE WHEN delivery.attempts = 0 THEN delivery.due_at
    ELSE least(delivery.due_at, :retry_at) END
WHERE delivery.version < excluded.version RETURNING id
"""
_PUT = text(_ENQUEUE.replace("{WANTED}", WANTED) + _REPLACE)


async def enqueue(
    session: AsyncSession,
    event: str,
    body: Mapping[str, Any],
    now: datetime,
    *,
    team: str | None = None,
) -> int:
    """Queue a message for every active endpoint that wants the event; for how many.

    `body` becomes the message's `data`. With a `team` it goes to that team's endpoints and to those
    of no team, which take everything; without one it goes to all. The message has one id, the same
    for all endpoints. Alerts about one subject, and the hold and release of one cancellation, have
    a topic: the newer takes the place of an older one that still waits. Raises `BadInput` for a
    wrong event name or more than 64,000 bytes.
    """
    return await _put(session, event, body, now, team=team, topic=_topic(event, body), version=None)


def _topic(event: str, body: Mapping[str, Any]) -> str | None:
    """What a message is about, where a later one makes it untrue."""
    if event.startswith("alert.") and "kind" in body and "subject" in body:
        # Two rules of one SKU open and close apart.
        part = body["rule_id"] or "" if "rule_id" in body else f"alert {body.get('id')}"
        return f"alert/{body['kind']}/{body['subject']}/{part}"
    if event.startswith("shipping.") and "cancellation" in body:
        return f"shipping/{body['cancellation']}"
    return None


async def enqueue_quantity(
    session: AsyncSession,
    *,
    channel: str,
    channel_sku: str,
    quantity: int,
    revision: int,
    now: datetime,
) -> int:
    """Queue the number that an own store's listing may show; for how many endpoints it was news.

    Per listing and endpoint one number waits at most: a newer revision, which is its version, takes
    the place of a waiting older one, whose row it inherits (the older is never sent again), and an
    older one is dropped. Each number gets 75 h of tries of its own. Queue several in one
    transaction in the order of their channel SKUs, so that two transactions cannot wait for each
    other.
    """
    body = {
        "channel": channel,
        "channel_sku": channel_sku,
        "quantity": quantity,
        "revision": revision,
    }
    topic = f"listing/{channel}/{channel_sku}"
    event = "listing.quantity"
    return await _put(session, event, body, now, team=None, topic=topic, version=revision)


async def _put(
    session: AsyncSession,
    event: str,
    body: Mapping[str, Any],
    now: datetime,
    *,
    team: str | None,
    topic: str | None,
    version: int | None,
) -> int:
    check_event(event)
    encoded = msgspec.json.encode(body)
    if len(encoded) > BODY_BYTES_MAX:
        raise BadInput(f"a message may have {BODY_BYTES_MAX} bytes")
    values = {
        "message_id": new_id(),
        "event": event,
        "topic": topic,
        "version": version,
        "team": team,
        "body": encoded.decode(),
        "now": now,
        "attempts": REPLACED_ATTEMPTS_MAX,
        "retry_at": now + timedelta(seconds=REPLACED_WAIT_SECONDS),
    }
    return len((await session.execute(_PUT, values)).all())


def new_id() -> str:
    """The id of a message, which a receiver tells repeats by."""
    return f"msg_{secrets.token_hex(16)}"


async def ping(session: AsyncSession, endpoint: WebhookEndpoint, now: datetime) -> Delivery:
    """Queue a test for one endpoint alone, whatever events and team it takes.

    Raises `WrongState` where the endpoint is disabled.
    """
    if not endpoint.active:
        raise WrongState("the endpoint is disabled")
    version = await session.scalar(text("SELECT nextval(pg_get_serial_sequence('message', 'id'))"))
    row = Delivery(
        endpoint_id=endpoint.id,
        message_id=new_id(),
        event=PING,
        version=version,
        body={"endpoint_id": endpoint.id, "name": endpoint.name},
        due_at=now,
        created_at=now,
    )
    session.add(row)
    await session.flush()
    await session.refresh(row)
    return row


async def replay(session: AsyncSession, delivery_id: int, now: datetime) -> None:
    """Send a message again from the first try on, under its old id; a waiting one is due at once.

    Raises `NotFound`, and `WrongState` where the endpoint is disabled or something newer about the
    same topic was queued since: the newest wins.
    """
    row = await session.get(Delivery, delivery_id, with_for_update=True)
    if row is None:
        raise NotFound(f"no delivery {delivery_id}")
    endpoint = await session.get_one(WebhookEndpoint, row.endpoint_id)
    if not endpoint.active:
        raise WrongState("the endpoint is disabled")
    if row.topic is not None and await _newer(session, row):
        raise WrongState("something newer about the same was queued since")
    if row.state != "pending":
        row.state, row.attempts, row.leased_until = "pending", 0, None
        row.delivered_at = None
    row.due_at = now


async def _newer(session: AsyncSession, row: Delivery) -> bool:
    newest = await session.scalar(
        select(func.max(Delivery.version)).where(
            Delivery.endpoint_id == row.endpoint_id, Delivery.topic == row.topic
        )
    )
    return newest != row.version


async def tidy(session: AsyncSession, now: datetime) -> int:
    """Delete up to 5,000 deliveries that ended and are older than 30 days; how many.

    What waits for an endpoint that was removed has ended.

    As many messages of that age go with them, and old keys whose time is over.
    """
    limit = now - timedelta(days=KEPT_DAYS)
    removed_ids = select(WebhookEndpoint.id).where(WebhookEndpoint.removed_at.is_not(None))
    over = or_(Delivery.state != "pending", Delivery.endpoint_id.in_(removed_ids))
    ended = select(Delivery.id).where(over, Delivery.created_at < limit)
    said = select(Message.id).where(Message.created_at < limit)
    await session.execute(
        delete(Message)
        .where(Message.id.in_(said.order_by(Message.id).limit(TIDY_MAX)))
        .execution_options(synchronize_session=False)
    )
    await forget_previous(session, now)
    removed = await session.scalars(
        delete(Delivery)
        .where(Delivery.id.in_(ended.order_by(Delivery.id).limit(TIDY_MAX)))
        .returning(Delivery.id)
        .execution_options(synchronize_session=False)
    )
    return len(removed.all())
