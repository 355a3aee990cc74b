"""Which channels have numbers to send or to read, found by looking."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

if TYPE_CHECKING:
    from datetime import datetime

# Of the very many listings, only those are looked at that an index knows to be stale, to be read
# or marked; the first one found is enough.
_ZEROS = """
  EXISTS (SELECT FROM listing l WHERE l.channel_id = c.id
    AND l.revision_published < l.revision_wanted AND (l.not_before IS NULL OR l.not_before <= :now)
    AND l.lane = 'zero' AND l.zero_push_id IS NULL) AS zeros
"""
_WAITING = text(f"""
SELECT c.id, {_ZEROS},
  EXISTS (SELECT FROM listing l WHERE l.channel_id = c.id
    AND l.revision_published < l.revision_wanted AND (l.not_before IS NULL OR l.not_before <= :now)
    AND l.push_id IS NULL AND (l.lane = 'lower' OR l.lane = 'raise' AND (
      c.watermark > l.raise_since OR c.relative AND c.watermark > l.known_at))) AS numbers,
  EXISTS (SELECT FROM resync r JOIN resync_mark m ON m.channel_id = r.channel_id
    WHERE r.channel_id = c.id AND r.ended_at IS NULL
      AND (m.not_before IS NULL OR m.not_before <= :now)) AS marks,
  EXISTS (SELECT FROM listing l WHERE l.channel_id = c.id
    AND (l.read_after IS NOT NULL OR l.lane = 'read') AND (l.read_after <= :now
      OR l.read_after IS NULL AND l.revision_published < l.revision_wanted
        AND (l.not_before IS NULL OR l.not_before <= :now))) AS reads,
  EXISTS (SELECT FROM push p WHERE p.channel_id = c.id AND p.ended_at IS NULL
    AND p.lane = 'bulk') AS jobs
FROM channel c WHERE c.kind <> 'house' ORDER BY c.id
""")  # noqa: S608 -- constants
_ZEROS_WAIT = text(f"""
SELECT {_ZEROS} FROM channel c WHERE c.id = :channel
""")  # noqa: S608 -- constants

Work = tuple[str, tuple[int] | tuple[int, str]]


async def waiting(session: AsyncSession, now: datetime) -> list[Work]:
    """The work that listings wait for: (task, its arguments)."""
    work: list[Work] = []
    for channel_id, zeros, numbers, marks, reads, jobs in await session.execute(
        _WAITING, {"now": now}
    ):
        if zeros:
            work.append(("push", (channel_id, "zero")))
        if numbers or marks:
            work.append(("push", (channel_id, "number")))
        if reads:
            work.append(("read", (channel_id,)))
        if jobs:
            work.append(("bulk", (channel_id,)))
    return work


async def zeros_wait(session: AsyncSession, channel_id: int, now: datetime) -> bool:
    """Whether zeros of a channel wait to be sent."""
    return bool(await session.scalar(_ZEROS_WAIT, {"channel": channel_id, "now": now}))
