"""Outgoing webhooks as a queue in the database: what is put in, looked at and sent again.

Delivery is at least once. A receiver tells repeats by `webhook-id`, and of a listing's numbers it
keeps the one with the highest `revision`.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import msgspec
from sqlalchemy import delete, func, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from inventory.endpoints import check_event
from inventory.errors import BadInput, NotFound, WrongState
from inventory.models import Delivery, WebhookEndpoint

# A number that takes the place of one that failed waits its turn, but not for hours.
REPLACED_WAIT_SECONDS = 60
REPLACED_ATTEMPTS_MAX = 3
BODY_BYTES_MAX = 64_000
KEPT_DAYS = 30
TIDY_MAX = 5_000

_ENQUEUE = """
INSERT INTO delivery (endpoint_id, message_id, event, topic, body, due_at, created_at)
SELECT id, :message_id, :event, :topic, CAST(:body AS jsonb), :now, :now
FROM webhook_endpoint
WHERE active AND (events = '{}' OR :event = ANY(events)) ORDER BY id
"""
# One statement, so that a rival waits for the row and then compares revisions anew. Where a number
# is on its way just now, the new one is sent as soon as that try has ended.
_REPLACE = """
ON CONFLICT (endpoint_id, topic) WHERE state = 'pending' AND topic IS NOT NULL DO UPDATE SET
  message_id = excluded.message_id, body = excluded.body, created_at = excluded.created_at,
  attempts = least(delivery.attempts, :attempts),
  due_at = CASE WHEN delivery.attempts = 0 THEN delivery.due_at
    ELSE least(delivery.due_at, :retry_at) END
WHERE CAST(delivery.body->>'revision' AS bigint) < CAST(excluded.body->>'revision' AS bigint)
"""


async def enqueue(session: AsyncSession, event: str, body: Mapping[str, Any], now: datetime) -> int:
    """Queue a message for every active endpoint that wants the event; for how many.

    `body` becomes the message's `data`. The message has one id, the same for all endpoints. Raises
    `BadInput` for a wrong event name or more than 64,000 bytes.
    """
    result = await session.execute(
        text(_ENQUEUE + "RETURNING id"), _message(event, body, topic=None, now=now)
    )
    return len(result.all())


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

    Per listing and endpoint one number waits at most: a newer revision takes the place of a waiting
    older one, whose row it inherits (the older is never sent again), and an older one is dropped.
    Each number gets 75 h of tries of its own. Queue several in one transaction in the order of
    their channel SKUs, so that two transactions cannot wait for each other.
    """
    body = {
        "channel": channel,
        "channel_sku": channel_sku,
        "quantity": quantity,
        "revision": revision,
    }
    topic = f"{channel}/{channel_sku}"
    values = _message("listing.quantity", body, topic=topic, now=now) | {
        "attempts": REPLACED_ATTEMPTS_MAX,
        "retry_at": now + timedelta(seconds=REPLACED_WAIT_SECONDS),
    }
    result = await session.execute(text(_ENQUEUE + _REPLACE + "RETURNING id"), values)
    return len(result.all())


def _message(
    event: str, body: Mapping[str, Any], *, topic: str | None, now: datetime
) -> dict[str, Any]:
    check_event(event)
    encoded = msgspec.json.encode(body)
    if len(encoded) > BODY_BYTES_MAX:
        raise BadInput(f"a message may have {BODY_BYTES_MAX} bytes")
    return {
        "message_id": f"msg_{secrets.token_hex(16)}",
        "event": event,
        "topic": topic,
        "body": encoded.decode(),
        "now": now,
    }


async def replay(session: AsyncSession, delivery_id: int, now: datetime) -> None:
    """Send a message again from the first try on, under its old id; a waiting one is due at once.

    Raises `NotFound`, and `WrongState` where the endpoint is disabled or a newer number of the same
    listing was queued since: the newest wins.
    """
    row = await session.get(Delivery, delivery_id, with_for_update=True)
    if row is None:
        raise NotFound(f"no delivery {delivery_id}")
    endpoint = await session.get_one(WebhookEndpoint, row.endpoint_id)
    if not endpoint.active:
        raise WrongState("the endpoint is disabled")
    if row.topic is not None and await _newer(session, row):
        raise WrongState("a newer number of this listing was queued since")
    if row.state != "pending":
        row.state, row.attempts, row.leased_until = "pending", 0, None
        row.delivered_at = None
    row.due_at = now


async def _newer(session: AsyncSession, row: Delivery) -> bool:
    newest = await session.scalar(
        select(func.max(Delivery.id)).where(
            Delivery.endpoint_id == row.endpoint_id, Delivery.topic == row.topic
        )
    )
    return newest != row.id


async def tidy(session: AsyncSession, now: datetime) -> int:
    """Delete up to 5,000 messages that ended and are older than 30 days; how many."""
    old = (
        select(Delivery.id)
        .where(Delivery.state != "pending", Delivery.created_at < now - timedelta(days=KEPT_DAYS))
        .order_by(Delivery.id)
        .limit(TIDY_MAX)
    )
    removed = await session.scalars(
        delete(Delivery)
        .where(Delivery.id.in_(old))
        .returning(Delivery.id)
        .execution_options(synchronize_session=False)
    )
    return len(removed.all())
