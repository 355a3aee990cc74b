"""Writing and reading Amazon's numbers, and never touching a listing that Amazon stocks."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Sequence

from channels.amazon import mapping, wire
from channels.amazon.client import PAGE_LISTINGS, AmazonClient
from channels.base import ChannelError, OutcomeUnknown, Rejected
from inventory.vocabulary import PushOutcome, PushStatus, QuantityPush, Reading

# Who ships a listing is asked again after this long, seconds: staff may hand it to Amazon.
KNOWN_SECONDS = 3600.0
KNOWN_MAX = 50_000
NEVER = (float("-inf"), None)


class Stock:
    """The numbers of one shop. Remembers which SKUs are the seller's own to ship."""

    def __init__(self, client: AmazonClient) -> None:
        self._client = client
        # Seller SKU → when it was read, and whether it is ours to ship (None: no such listing).
        self._known: OrderedDict[str, tuple[float, bool | None]] = OrderedDict()

    async def read(self, channel_skus: Sequence[str]) -> list[Reading]:
        """One reading for each SKU, in the same order."""
        items = await self._items(channel_skus)
        return [mapping.reading_from(sku, items.get(sku)) for sku in channel_skus]

    async def push(self, pushes: Sequence[QuantityPush]) -> list[PushOutcome]:
        """One outcome for each push that was sent or refused here, in the same order.

        Pushes that were surely not applied are left out. Raises the first one's `ChannelError`
        when that would leave nothing.
        """
        await self._learn([push.channel_sku for push in pushes])
        results = await asyncio.gather(*map(self._push, pushes), return_exceptions=True)
        outcomes: list[PushOutcome] = []
        unsent: list[ChannelError] = []
        for push, result in zip(pushes, results, strict=True):
            if isinstance(result, PushOutcome):
                outcomes.append(result)
            elif isinstance(result, OutcomeUnknown):
                outcomes.append(_unknown(push, result))
            elif isinstance(result, ChannelError):
                unsent.append(result)
            else:
                raise result
        if unsent and not outcomes:
            raise unsent[0]
        return outcomes

    async def _push(self, push: QuantityPush) -> PushOutcome:
        sku = push.channel_sku
        _, ours = self._known[sku]
        if ours is None:
            return _refused(sku, "not_found", "Amazon has no such listing")
        if not ours:
            return _refused(sku, "fulfilled_by_channel", "Amazon stocks and ships this listing")
        try:
            answer = await self._client.patch_quantity(sku, push.quantity)
        except Rejected as error:
            return _refused(sku, error.code, str(error))
        outcome = mapping.outcome_from(sku, answer)
        if outcome.status is PushStatus.REFUSED:
            self._known.pop(sku, None)
        return outcome

    async def _learn(self, channel_skus: Sequence[str]) -> None:
        oldest = time.monotonic() - KNOWN_SECONDS
        known = {sku for sku in channel_skus if self._known.get(sku, NEVER)[0] >= oldest}
        missing = [sku for sku in dict.fromkeys(channel_skus) if sku not in known]
        if missing:
            await self._items(missing)

    async def _items(self, channel_skus: Sequence[str]) -> dict[str, wire.Item]:
        # A list of identifiers is joined by commas, so a SKU with one in it is read alone.
        plain = [sku for sku in channel_skus if "," not in sku]
        found: list[wire.Item] = []
        for start in range(0, len(plain), PAGE_LISTINGS):
            found += await self._client.search_listings(plain[start : start + PAGE_LISTINGS])
        for sku in set(channel_skus) - set(plain):
            item = await self._client.get_listing(sku)
            found += [] if item is None else [item]
        items = {item.sku: item for item in found}
        for sku in channel_skus:
            item = items.get(sku)
            self._remember(sku, None if item is None else mapping.sold_by_us(item))
        return items

    def _remember(self, sku: str, ours: bool | None) -> None:  # noqa: FBT001  (three answers)
        self._known[sku] = (time.monotonic(), ours)
        self._known.move_to_end(sku)
        while len(self._known) > KNOWN_MAX:
            self._known.popitem(last=False)


def _refused(sku: str, code: str, detail: str) -> PushOutcome:
    return PushOutcome(channel_sku=sku, status=PushStatus.REFUSED, code=code, detail=detail)


def _unknown(push: QuantityPush, error: OutcomeUnknown) -> PushOutcome:
    return PushOutcome(
        channel_sku=push.channel_sku,
        status=PushStatus.UNKNOWN,
        code=error.code,
        detail=str(error),
    )
