"""The past of an endpoint sent once more: the messages of the last 30 days, page by page."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import msgspec
from msgspec import Struct
from sqlalchemy import bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY, TEXT
from sqlalchemy.ext.asyncio import AsyncSession

from inventory.deliveries import KEPT_DAYS, WANTED
from inventory.errors import BadInput, WrongState
from inventory.outgoing.endpoints import find

PAGE_MAX = 500

# Of a topic the newest alone is sent: the others are not true any more. What another team was told,
# as when an alert goes on to the next one, leaves true what this one was.
_PAGE = text(f"""
SELECT m.id, m.message_id, m.topic IS NOT NULL AND EXISTS (
  SELECT FROM message n WHERE n.topic = m.topic AND n.version > m.version
    AND (e.team IS NULL OR n.team IS NULL OR e.team = n.team)) AS outdated
FROM message m, webhook_endpoint e
WHERE e.id = :endpoint_id AND m.id > :after AND m.created_at >= :since AND {WANTED}
ORDER BY m.id LIMIT :limit
""")  # noqa: S608 -- constants
_IDS = bindparam("ids", type_=ARRAY(TEXT))
_ENDED = text("""
DELETE FROM delivery
WHERE endpoint_id = :endpoint_id AND message_id = ANY(:ids) AND state <> 'pending'
RETURNING message_id, tries
""").bindparams(_IDS)
# What waits already stays as it is, and so does something newer that was queued meanwhile. The
# tries before go on being the message's.
_AGAIN = text("""
INSERT INTO delivery (endpoint_id, message_id, event, topic, version, body, due_at, created_at,
  tries)
SELECT :endpoint_id, message_id, event, topic, version, body, :now, created_at,
  coalesce(CAST(:tries AS jsonb) -> message_id, '[]')
FROM message WHERE message_id = ANY(:ids) ORDER BY id
ON CONFLICT DO NOTHING RETURNING id
""").bindparams(_IDS)


class Replayed(Struct, frozen=True, kw_only=True):
    """One page of a replay. `next` is where the following page begins, None at the end.

    `outdated` were left out as something newer was said about the same.
    """

    queued: int
    outdated: int
    next: int | None


async def replay_past(
    session: AsyncSession,
    endpoint_id: int,
    *,
    now: datetime,
    after: int = 0,
    since: datetime | None = None,
    limit: int = PAGE_MAX,
) -> Replayed:
    """Queue for an endpoint, under their old ids, the messages it takes, oldest first.

    `after` is the `next` of the page before; `since` leaves out what was said earlier; nothing is
    older than 30 days. Up to `limit` (1 to 500) messages a page. Messages said while an endpoint
    was disabled, or before it was made, are among them. Raises `NotFound`, `BadInput`, and
    `WrongState` where the endpoint is disabled.
    """
    if not 1 <= limit <= PAGE_MAX:
        raise BadInput(f"a page has 1 to {PAGE_MAX} messages")
    endpoint = await find(session, endpoint_id)
    if not endpoint.active:
        raise WrongState("the endpoint is disabled: enable it first")
    oldest = now - timedelta(days=KEPT_DAYS)
    values: dict[str, Any] = {
        "endpoint_id": endpoint_id,
        "after": after,
        "since": oldest if since is None else max(since, oldest),
        "limit": limit,
    }
    rows = (await session.execute(_PAGE, values)).all()
    ids = [row.message_id for row in rows if not row.outdated]
    ended = await session.execute(_ENDED, {"endpoint_id": endpoint_id, "ids": ids})
    tries = msgspec.json.encode({row.message_id: row.tries for row in ended}).decode()
    again = {"endpoint_id": endpoint_id, "ids": ids, "now": now, "tries": tries}
    made = await session.execute(_AGAIN, again)
    return Replayed(
        queued=len(made.all()),
        outdated=len(rows) - len(ids),
        next=rows[-1].id if len(rows) == limit else None,
    )
