"""Writing and reading Shopify's numbers at one location: changes where they are known."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any
from uuid import UUID, uuid5

from msgspec import Struct

from channels.base import Rejected
from channels.shopify import documents, mapping, wire
from channels.shopify.client import ShopifyClient
from channels.shopify.repair import Row, repaired
from channels.shopify.settings import ShopifySettings
from inventory.vocabulary import PushOutcome, PushStatus, QuantityPush, Reading

SKUS_PER_SEARCH = 20
SEARCH_PAGES_MAX = 10
# A SKU may be given to another item in the shop: what it stands for is asked again after this.
KNOWN_SECONDS = 3600.0
KNOWN_MAX = 50_000
KEYS = UUID("5a4d5b3e-95a4-4bb5-9d64-2f5a3c0f7c11")


class Known(Struct, frozen=True):
    """What a SKU stands for: its items' ids (none, one, or by mistake several), when read."""

    item_ids: tuple[str, ...]
    read_at: float


class Stock:
    """The numbers of one shop at one location."""

    def __init__(
        self, client: ShopifyClient, settings: ShopifySettings, *, channel_id: int
    ) -> None:
        self._client = client
        self._channel_id = channel_id
        self._location_id = settings.location_id
        self._known: OrderedDict[str, Known] = OrderedDict()

    async def read(self, channel_skus: Sequence[str]) -> list[Reading]:
        """One reading for each SKU, in the same order; None where it is not one item here."""
        items = await self._items(channel_skus)
        return [Reading(channel_sku=sku, quantity=_available(items[sku])) for sku in channel_skus]

    async def push(self, pushes: Sequence[QuantityPush]) -> list[PushOutcome]:
        """One outcome for each push, in the same order.

        Known numbers are changed, and zeros set, in one request; the others are repaired. Each row
        has an idempotency key made of its push's key, so that sending it again, in whatever
        company, has one effect.
        """
        await self._learn([push.channel_sku for push in pushes])
        outcomes = [self._decided(push) for push in pushes]
        rows = [
            Row(push=push, quantity=push.quantity, expected=None)
            for push, outcome in zip(pushes, outcomes, strict=True)
            if outcome is None and (push.change is not None or not push.quantity)
        ]
        repairs = [
            push
            for push, outcome in zip(pushes, outcomes, strict=True)
            if outcome is None and push.change is None and push.quantity
        ]
        sent = dict(zip((row.push for row in rows), await self.send(rows), strict=True))
        sent |= await repaired(self, repairs)
        return [
            sent[push] if outcome is None else outcome
            for push, outcome in zip(pushes, outcomes, strict=True)
        ]

    def _decided(self, push: QuantityPush) -> PushOutcome | None:
        """The outcome of a push that need not, or must not, be sent."""
        sku, item_ids = push.channel_sku, self._known[push.channel_sku].item_ids
        if not item_ids:
            return _refused(sku, "not_found", "Shopify has no item with this SKU")
        if len(item_ids) > 1:
            return _refused(sku, "duplicate_sku", f"{len(item_ids)} items have this SKU")
        if push.change == 0:
            return PushOutcome(channel_sku=sku, status=PushStatus.ACCEPTED)
        return None

    async def send(self, rows: Sequence[Row]) -> list[PushOutcome]:
        """Send rows in one request; each stands or falls by itself."""
        if not rows:
            return []
        location_id = await self.location()
        values: dict[str, object] = {}
        for number, row in enumerate(rows):
            name = f"{self._channel_id}/{row.push.channel_sku}/{row.push.key}{row.attempt}"
            key = str(uuid5(KEYS, name))
            values[f"k{number}"] = key
            values[f"i{number}"] = self._input(row, location_id, f"gid://hikiate/Push/{key}")
        envelope = await self._client.run(
            documents.push([row.push.change is not None for row in rows]),
            points=documents.MUTATION_POINTS * len(rows),
            writes=True,
            values=values,
        )
        data = envelope.data if isinstance(envelope.data, dict) else {}
        return [
            mapping.outcome_from(row.push.channel_sku, data.get(f"p{number}"))
            for number, row in enumerate(rows)
        ]

    def _input(self, row: Row, location_id: str, uri: str) -> dict[str, Any]:
        item_id = self._known[row.push.channel_sku].item_ids[0]
        if row.push.change is not None:
            return mapping.change_input(
                delta=row.push.change, item_id=item_id, location_id=location_id, uri=uri
            )
        return mapping.set_input(
            quantity=row.quantity,
            expected=row.expected,
            item_id=item_id,
            location_id=location_id,
            uri=uri,
        )

    async def _learn(self, channel_skus: Sequence[str]) -> None:
        oldest = time.monotonic() - KNOWN_SECONDS
        missing = [
            sku
            for sku in dict.fromkeys(channel_skus)
            if sku not in self._known or self._known[sku].read_at < oldest
        ]
        if missing:
            await self._items(missing)

    async def _items(self, channel_skus: Sequence[str]) -> dict[str, list[wire.InventoryItem]]:
        items: dict[str, list[wire.InventoryItem]] = {sku: [] for sku in channel_skus}
        unique = list(items)
        for start in range(0, len(unique), SKUS_PER_SEARCH):
            for item in await self._search(unique[start : start + SKUS_PER_SEARCH]):
                # The search is looser than equality, and it is we who may not mistake a SKU.
                if item.sku in items:
                    items[item.sku].append(item)
        for sku, found in items.items():
            self._known[sku] = Known(tuple(item.id for item in found), time.monotonic())
            self._known.move_to_end(sku)
        while len(self._known) > KNOWN_MAX:
            self._known.popitem(last=False)
        return items

    async def _search(self, channel_skus: Sequence[str]) -> list[wire.InventoryItem]:
        found: list[wire.InventoryItem] = []
        location_id, after = await self.location(), None
        for _ in range(SEARCH_PAGES_MAX):
            answer = await self._client.ask(
                documents.ITEMS,
                wire.ItemsAnswer,
                points=documents.ITEMS_POINTS,
                query=mapping.sku_query(channel_skus),
                location=location_id,
                after=after,
            )
            found += answer.inventory_items.nodes
            if not answer.inventory_items.page_info.has_next_page:
                break
            after = answer.inventory_items.page_info.end_cursor
        return found

    async def location(self) -> str:
        """The global id of the location. Raises `Rejected` where it cannot be told."""
        if self._location_id is None:
            answer = await self._client.ask(
                documents.LOCATIONS, wire.LocationsAnswer, points=documents.LOCATIONS_POINTS
            )
            active = [one.id for one in answer.locations.nodes if one.is_active]
            if len(active) != 1:
                raise Rejected(f"the shop has {len(active)} active locations: set location_id")
            self._location_id = active[0]
        return self._location_id


def _available(items: Sequence[wire.InventoryItem]) -> int | None:
    if len(items) != 1 or items[0].inventory_level is None:
        return None
    quantities = items[0].inventory_level.quantities
    return quantities[0].quantity if quantities else None


def _refused(sku: str, code: str, detail: str) -> PushOutcome:
    return PushOutcome(channel_sku=sku, status=PushStatus.REFUSED, code=code, detail=detail)
