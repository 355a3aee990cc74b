"""What getStock said of each listing's overdraft flag, remembered for all workers in Valkey."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from redis.exceptions import RedisError

from channels.base import RetryLater
from channels.yahoo.mapping import StockRow

REMEMBERED_SECONDS = 86_400


class Flags:
    """One store's overdraft flags. Valkey may forget them; then they are read again.

    Every reading of a listing brings its flag along, so one that staff change by hand is known
    again after the next reading, and in a day at the latest.
    """

    def __init__(self, redis: Any, *, channel_id: int) -> None:
        self._redis = redis
        self._key = f"yahoo:overdraft:{channel_id}"

    async def recall(self, codes: Sequence[str]) -> dict[str, str]:
        """The flags remembered, for codes that have a stock row.

        Raises `RetryLater` while Valkey cannot be asked; no call could be made then either.
        """
        try:
            found = await self._redis.hmget(self._key, codes)
        except RedisError as error:
            raise RetryLater("no overdraft flags, Valkey does not answer") from error
        return {
            code: flag.decode() if isinstance(flag, bytes) else flag
            for code, flag in zip(codes, found, strict=True)
            if flag is not None
        }

    async def note(self, rows: Mapping[str, StockRow]) -> None:
        """Remember what a reading showed. Raises `RetryLater` while Valkey cannot be asked."""
        seen = {code: row.overdraft for code, row in rows.items() if row.known and row.overdraft}
        if not seen:
            return
        try:
            await self._redis.hset(self._key, mapping=seen)
            await self._redis.expire(self._key, REMEMBERED_SECONDS, nx=True)
        except RedisError as error:
            raise RetryLater("no overdraft flags, Valkey does not answer") from error
