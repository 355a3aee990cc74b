"""Writing and reading Amazon's numbers, and never touching a listing that Amazon stocks."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from channels.amazon import mapping
from channels.amazon.listings import Listings
from channels.amazon.owners import Owner, Owners
from channels.base import ChannelError, OutcomeUnknown, Rejected
from inventory.vocabulary import PushOutcome, PushStatus, QuantityPush, Reading

NOT_OURS = {
    Owner.AMAZON: ("fulfilled_by_channel", "Amazon stocks and ships this listing"),
    Owner.NOBODY: ("not_found", "Amazon has no such listing"),
}


class Stock:
    """The numbers of one shop."""

    def __init__(self, listings: Listings, owners: Owners) -> None:
        self._listings = listings
        self._owners = owners

    async def read(self, channel_skus: Sequence[str]) -> list[Reading]:
        """One reading for each SKU, in the same order; 20 SKUs a call, 100 a second."""
        items = await self._owners.read(channel_skus)
        return [mapping.reading_from(sku, items.get(sku)) for sku in channel_skus]

    async def push(self, pushes: Sequence[QuantityPush]) -> list[PushOutcome]:
        """One outcome for each push that was sent or refused here, in the same order.

        Pushes that were surely not applied are left out. Raises the first one's `ChannelError`
        when that would leave nothing.
        """
        owners = await self._owners.of([push.channel_sku for push in pushes])
        calls = [self._push(push, owners[push.channel_sku]) for push in pushes]
        results = await asyncio.gather(*calls, return_exceptions=True)
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

    async def _push(self, push: QuantityPush, owner: Owner) -> PushOutcome:
        sku = push.channel_sku
        if owner is not Owner.SELLER:
            return not_ours(sku, owner)
        try:
            answer = await self._listings.patch_quantity(sku, push.quantity)
        except Rejected as error:
            return refused(sku, error.code, str(error))
        outcome = mapping.outcome_from(sku, answer)
        if outcome.status is PushStatus.REFUSED:
            await self._owners.forget([sku])
        return outcome


def not_ours(sku: str, owner: Owner) -> PushOutcome:
    """The refusal of a number for a listing that is not the seller's to ship."""
    return refused(sku, *NOT_OURS[owner])


def refused(sku: str, code: str, detail: str) -> PushOutcome:
    """A refusal of one number."""
    return PushOutcome(channel_sku=sku, status=PushStatus.REFUSED, code=code, detail=detail)


def _unknown(push: QuantityPush, error: OutcomeUnknown) -> PushOutcome:
    return PushOutcome(
        channel_sku=push.channel_sku,
        status=PushStatus.UNKNOWN,
        code=error.code,
        detail=str(error),
    )
