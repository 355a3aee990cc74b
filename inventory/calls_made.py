"""Calls made to channels, as the budgets count them in Valkey; it may forget them at any time."""

from __future__ import annotations

from msgspec import Struct
from redis.asyncio import Redis
from redis.exceptions import RedisError
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from inventory.models import Channel

REFUSED = ":refused"


class CallsMade(Struct, frozen=True, kw_only=True):
    """One endpoint of one channel. `used` is calls (points where a channel counts those).

    `refused`: calls that the channel answered as too many.
    """

    channel: str
    kind: str
    endpoint: str
    used: int
    refused: int


async def calls_made(session: AsyncSession, redis: Redis) -> list[CallsMade]:
    """Every endpoint that was ever called; none while Valkey cannot be asked."""
    rows = (await session.execute(select(Channel.id, Channel.code, Channel.kind))).all()
    found = []
    try:
        for channel_id, code, kind in rows:
            # The budgets' own counters: `channels.limits`.
            counted = await redis.hgetall(f"calls:{channel_id}")
            counts = {_text(name): int(number) for name, number in counted.items()}
            found += [
                CallsMade(
                    channel=code,
                    kind=kind,
                    endpoint=endpoint,
                    used=counts.get(endpoint, 0),
                    refused=counts.get(endpoint + REFUSED, 0),
                )
                for endpoint in sorted({name.removesuffix(REFUSED) for name in counts})
            ]
    except (OSError, RedisError):
        return []
    return found


def _text(name: bytes | str) -> str:
    return name.decode() if isinstance(name, bytes) else name
