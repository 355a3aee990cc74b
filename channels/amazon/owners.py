"""Whose stock a listing sells: remembered for an hour by all workers, read where it is not."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import time
from collections.abc import Coroutine, Iterable, Mapping, Sequence
from enum import StrEnum
from typing import Any, TypeVar

from redis.exceptions import RedisError

from channels.amazon import mapping, wire
from channels.amazon.listings import PAGE_LISTINGS, Listings
from channels.base import Throttled

# Who ships a listing is asked again after this long, seconds: staff may hand it to Amazon.
KNOWN_SECONDS = 3600
# Calls at once while many are read: the burst of searchListingsItems.
AT_ONCE = 5
COMMA = ","

Result = TypeVar("Result")


class Owner(StrEnum):
    """Who ships what a listing sells; `nobody` where there is no such listing."""

    SELLER = "seller"
    AMAZON = "amazon"
    NOBODY = "nobody"


def owner_of(item: wire.Item | None) -> Owner:
    """Who ships a listing as read."""
    if item is None:
        return Owner.NOBODY
    return Owner.SELLER if mapping.sold_by_us(item) else Owner.AMAZON


class Owners:
    """One shop's listings and who ships them. `redis` may forget: then it is read again."""

    def __init__(self, listings: Listings, *, redis: Any, channel_id: int) -> None:
        self._listings = listings
        self._redis = redis
        self._prefix = f"amazon:owner:{channel_id}:"

    async def of(
        self, channel_skus: Sequence[str], *, seconds: float | None = None
    ) -> dict[str, Owner]:
        """The owner of each listing.

        With `seconds`, reading ends after that long and `Throttled` is raised; what was read is
        remembered, so that asking again goes on.
        """
        known = await self._remembered(channel_skus)
        missing = [sku for sku in dict.fromkeys(channel_skus) if sku not in known]
        ends = None if seconds is None else time.monotonic() + seconds
        step = PAGE_LISTINGS * AT_ONCE
        for start in range(0, len(missing), step):
            if ends is not None and time.monotonic() > ends:
                raise Throttled(
                    f"{len(missing) - start} listings are still to be looked at", seconds=1.0
                )
            some = missing[start : start + step]
            items = await self.read(some)
            known |= {sku: owner_of(items.get(sku)) for sku in some}
        return known

    async def read(self, channel_skus: Sequence[str]) -> dict[str, wire.Item]:
        """The listings among these that exist, 20 a call and several calls at once."""
        # A list of identifiers is joined by commas, so a SKU with one in it is read alone.
        plain = [sku for sku in channel_skus if COMMA not in sku]
        odd = sorted(set(channel_skus) - set(plain))
        pages = [
            plain[start : start + PAGE_LISTINGS] for start in range(0, len(plain), PAGE_LISTINGS)
        ]
        searched = await _together([self._listings.search(page) for page in pages])
        alone = await _together([self._listings.get(sku) for sku in odd])
        found = [*itertools.chain.from_iterable(searched), *alone]
        items = {item.sku: item for item in found if item is not None}
        await self.remember({sku: owner_of(items.get(sku)) for sku in channel_skus})
        return items

    async def remember(self, owners: Mapping[str, Owner]) -> None:
        """Keep it for an hour; without Valkey it is read again."""
        with contextlib.suppress(RedisError):
            async with self._redis.pipeline(transaction=False) as pipe:
                for sku, owner in owners.items():
                    pipe.set(f"{self._prefix}{sku}", owner.value, ex=KNOWN_SECONDS)
                await pipe.execute()

    async def forget(self, channel_skus: Iterable[str]) -> None:
        """Ask again next time; without Valkey nothing was kept."""
        with contextlib.suppress(RedisError):
            await self._redis.delete(*(f"{self._prefix}{sku}" for sku in channel_skus))

    async def _remembered(self, channel_skus: Sequence[str]) -> dict[str, Owner]:
        if not channel_skus:
            return {}
        try:
            kept = await self._redis.mget([f"{self._prefix}{sku}" for sku in channel_skus])
        except RedisError:
            return {}
        told = {
            sku: text.decode() if isinstance(text, bytes) else text
            for sku, text in zip(channel_skus, kept, strict=True)
            if text is not None
        }
        return {sku: Owner(text) for sku, text in told.items() if text in set(Owner)}


async def _together(calls: Sequence[Coroutine[Any, Any, Result]]) -> list[Result]:
    """All results, or the first error once all have ended: none is left running behind it."""
    results: list[Result] = []
    for result in await asyncio.gather(*calls, return_exceptions=True):
        if isinstance(result, BaseException):
            raise result
        results.append(result)
    return results
