"""Writing and reading EC-CUBE's numbers, each known by its product code."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from channels.base import BadAnswer, Discovered
from channels.eccube import documents, mapping, wire
from channels.eccube.client import EccubeClient
from inventory.vocabulary import PushOutcome, QuantityPush, Reading

SEARCH_PAGES_MAX = 20


class Stock:
    """The numbers of one shop."""

    def __init__(self, client: EccubeClient) -> None:
        self._client = client

    async def push(self, pushes: Sequence[QuantityPush]) -> list[PushOutcome]:
        """Set absolute numbers, one outcome for each in the same order; all in one request."""
        if not pushes:
            return []
        values: dict[str, Any] = {}
        for number, push in enumerate(pushes):
            values |= {f"c{number}": push.channel_sku, f"s{number}": push.quantity}
        envelope = await self._client.run(documents.push(len(pushes)), values=values, writes=True)
        data = envelope.data if isinstance(envelope.data, dict) else {}
        errors = {str(error.path[0]): error for error in envelope.errors if error.path}
        return [
            mapping.outcome_from(
                push.channel_sku, push.quantity, data.get(f"p{number}"), errors.get(f"p{number}")
            )
            for number, push in enumerate(pushes)
        ]

    async def read(self, channel_skus: Sequence[str]) -> list[Reading]:
        """One reading for each code, in the same order.

        The search looks for the text anywhere in names and codes (ProductRepository), so pages
        are turned until each code was met or its list has ended. A second item of the same code
        on a later page is met when the first number for it is refused.
        """
        found: dict[str, list[wire.ProductClass]] = {sku: [] for sku in channel_skus}
        waiting, page = list(found), 1
        while waiting and page <= SEARCH_PAGES_MAX:
            waiting = await self._search(waiting, page, found)
            page += 1
        if waiting:
            raise BadAnswer(f"the search for {waiting[0]!r} has more than {page - 1} pages")
        return [mapping.reading_from(sku, found[sku]) for sku in channel_skus]

    async def discover(self, cursor: dict[str, Any]) -> Discovered:
        """The next page of products; an item without a code cannot be a listing.

        The list begins with the product changed last, so one that changes meanwhile may come
        twice, and none is missed.
        """
        page = int(cursor.get("page", 1))
        answer = await self._client.ask(documents.PRODUCTS, wire.ProductsAnswer, page=page)
        listings = tuple(
            mapping.listing_from(product, one)
            for product in answer.products.nodes
            for one in product.ProductClasses
            if one.code and one.visible
        )
        more = answer.products.pageInfo.hasNextPage
        return Discovered(listings=listings, cursor={"page": page + 1} if more else None)

    async def _search(
        self, channel_skus: Sequence[str], page: int, found: dict[str, list[wire.ProductClass]]
    ) -> list[str]:
        values: dict[str, Any] = {}
        for number, sku in enumerate(channel_skus):
            values |= {f"c{number}": sku, f"n{number}": page}
        answer = await self._client.ask(
            documents.search(len(channel_skus)), dict[str, wire.Page[wire.Product]], **values
        )
        waiting = []
        for number, sku in enumerate(channel_skus):
            results = answer.get(f"p{number}")
            if results is None:
                raise BadAnswer(f"the search for {sku!r} has no answer")
            classes = [one for product in results.nodes for one in product.ProductClasses]
            found[sku] += [one for one in classes if one.code == sku]
            if results.pageInfo.hasNextPage and not found[sku]:
                waiting.append(sku)
        return waiting
