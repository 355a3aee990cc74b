"""Verifies and reads what marketplaces tell by themselves, for every kind that can do so."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

import msgspec

from channels import registry
from channels.base import Adapter, Notice, Rejected
from channels.keep import Means, MemoryKeep

ADAPTERS_MAX = 200


class Reader:
    """Keeps an adapter for each channel that has sent something; nothing is called with them.

    `redis` is what every adapter is made with; reading a notice does not use it.
    """

    def __init__(self, redis: Any) -> None:
        self._redis = redis
        self._kept: OrderedDict[int, tuple[bytes, Adapter]] = OrderedDict()

    async def read(
        self,
        kind: str,
        *,
        channel_id: int,
        base_url: str,
        settings: dict[str, Any],
        credentials: dict[str, Any],
        headers: Mapping[str, str],
        body: bytes,
    ) -> Notice:
        """What the channel tells, by its adapter's `read_notice`.

        Raises `NoticeForged` where its proof is wrong; `Rejected` where it cannot be read, and for
        a kind without an adapter or one that sends no notices.
        """
        version = msgspec.json.encode((kind, base_url, settings, credentials), order="sorted")
        held = self._kept.get(channel_id)
        if held is None or held[0] != version:
            adapter = registry.build(
                kind,
                channel_id=channel_id,
                base_url=base_url,
                settings=settings,
                credentials=credentials,
                means=Means(redis=self._redis, keep=MemoryKeep()),
            )
            await self._replace(channel_id, version, adapter)
        adapter = self._kept[channel_id][1]
        if not adapter.capabilities.notices:
            raise Rejected("this channel sends no notices")
        return await adapter.read_notice(headers, body)

    async def aclose(self) -> None:
        """Close every adapter."""
        while self._kept:
            await self._kept.popitem()[1][1].aclose()

    async def _replace(self, channel_id: int, version: bytes, adapter: Adapter) -> None:
        before = self._kept.pop(channel_id, None)
        self._kept[channel_id] = (version, adapter)
        if len(self._kept) > ADAPTERS_MAX:
            before = self._kept.popitem(last=False)[1]
        if before is not None:
            await before[1].aclose()
