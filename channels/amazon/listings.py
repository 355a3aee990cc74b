"""Listings Items API 2021-08-01: numbers read and set, and the listings of a seller."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import quote

import httpx

from channels.amazon import settings as names
from channels.amazon import wire
from channels.amazon.client import AmazonClient, read
from channels.amazon.mapping_feeds import quantity_patch

PAGE_LISTINGS = 20


class Listings:
    """One seller's listings.

    Methods that read raise `BadAnswer` and `Rejected`; those that write raise `OutcomeUnknown` in
    place of `BadAnswer`.
    """

    def __init__(self, client: AmazonClient) -> None:
        self._client = client
        self._marketplace = client.settings.marketplace_id

    async def search(self, skus: Sequence[str]) -> list[wire.Item]:
        """The listings among up to 20 SKUs (without a comma in them) that exist."""
        response = await self._client.call(
            "GET",
            self._path(),
            endpoint=names.SEARCH_LISTINGS,
            params={
                "marketplaceIds": self._marketplace,
                "identifiers": ",".join(skus),
                "identifiersType": "SKU",
                "includedData": "fulfillmentAvailability",
                "pageSize": str(PAGE_LISTINGS),
            },
        )
        return read(response, wire.ItemsPage, names.SEARCH_LISTINGS).items

    async def page(self, *, created_after: str | None, token: str | None) -> wire.ItemsPage:
        """Twenty listings in the order in which they were made, from a moment (ISO 8601) on.

        One question can be paged through to its 1,000th listing (numberOfResults in the model).
        """
        params = {
            "marketplaceIds": self._marketplace,
            "includedData": "summaries,fulfillmentAvailability",
            "sortBy": "createdDate",
            "sortOrder": "ASC",
            "pageSize": str(PAGE_LISTINGS),
        }
        if created_after is not None:
            params["createdAfter"] = created_after
        if token is not None:
            params["pageToken"] = token
        response = await self._client.call(
            "GET", self._path(), endpoint=names.SEARCH_LISTINGS, params=params
        )
        return read(response, wire.ItemsPage, names.SEARCH_LISTINGS)

    async def get(self, sku: str) -> wire.Item | None:
        """One listing, or None where there is none; for SKUs that a list cannot name."""
        response = await self._client.call(
            "GET",
            self._path(sku),
            endpoint=names.GET_LISTING,
            params={
                "marketplaceIds": self._marketplace,
                "includedData": "fulfillmentAvailability",
            },
            missing_is_none=True,
        )
        if response.status_code == httpx.codes.NOT_FOUND:
            return None
        return read(response, wire.Item, names.GET_LISTING)

    async def patch_quantity(self, sku: str, quantity: int) -> wire.Submission:
        """Set the number of one listing that the seller ships.

        Operation `merge` keeps lead time and restock date, which `replace` would drop.
        """
        response = await self._client.call(
            "PATCH",
            self._path(sku),
            endpoint=names.PATCH_LISTING,
            writes=True,
            params={"marketplaceIds": self._marketplace},
            json={"productType": "PRODUCT", "patches": [quantity_patch(quantity)]},
        )
        return read(response, wire.Submission, names.PATCH_LISTING, writes=True)

    def _path(self, sku: str | None = None) -> str:
        path = f"/listings/2021-08-01/items/{quote(self._client.settings.seller_id, safe='')}"
        return path if sku is None else f"{path}/{quote(sku, safe='')}"
