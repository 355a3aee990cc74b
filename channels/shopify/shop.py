"""What a Shopify shop says of itself: whose it is, what the app may do, and what is on sale."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec

from channels.base import Discovered, Rejected
from channels.shopify import documents
from channels.shopify.client import ShopifyClient
from channels.shopify.settings import ShopifySettings
from channels.shopify.stock import Stock
from channels.shopify.wire_shop import (
    StandingAnswer,
    Variant,
    VariantsAnswer,
    VariantsCountAnswer,
)
from inventory.vocabulary import Danger, Expiry, ListingSeen, Standing

# Access scopes of the GraphQL Admin API: a write scope holds the read scope of the same thing.
SCOPES = frozenset({"read_orders", "write_orders", "read_inventory", "write_inventory"})
SCOPES_TO_LIST = frozenset({"read_products"})


class Cursor(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Where the list of variants goes on, and how many there are, where Shopify tells."""

    after: str | None = None
    total: int | None = None


class Shop:
    """One shop's own word about itself."""

    def __init__(self, client: ShopifyClient, settings: ShopifySettings, stock: Stock) -> None:
        self._client = client
        self._settings = settings
        self._stock = stock

    async def standing(self) -> Standing:
        """Whose shop it is, and until when the API version is kept.

        Raises `Rejected` where the app lacks a scope without which nothing works.
        """
        answer = await self._client.ask(
            documents.STANDING, StandingAnswer, points=documents.STANDING_POINTS
        )
        given = {scope.handle for scope in answer.current_app_installation.access_scopes}
        given |= {scope.replace("write_", "read_", 1) for scope in given}
        missing = sorted((SCOPES | SCOPES_TO_LIST) - given)
        if missing:
            raise Rejected(f"the app lacks the scopes {', '.join(missing)}")
        version = self._settings.api_version
        alive = any(one.handle == version and one.supported for one in answer.public_api_versions)
        dangers = () if alive else (_outlived(version),)
        ends_at = version_ends_at(version)
        return Standing(
            account=answer.shop.myshopify_domain,
            expiries=(Expiry(name=f"Admin API {version}", ends_at=ends_at),) if ends_at else (),
            dangers=dangers,
        )

    async def discover(self, cursor: dict[str, Any]) -> Discovered:
        """The next variants in the order of their ids; one without a SKU cannot be a listing."""
        at = msgspec.convert(cursor, Cursor)
        total = at.total if at.after is not None else await self._count()
        answer = await self._client.ask(
            documents.VARIANTS,
            VariantsAnswer,
            points=documents.VARIANTS_POINTS,
            location=await self._stock.location(),
            after=at.after,
        )
        page = answer.product_variants
        following = None
        if page.page_info.has_next_page:
            following = msgspec.to_builtins(Cursor(after=page.page_info.end_cursor, total=total))
        listings = tuple(listing_from(variant) for variant in page.nodes if variant.sku)
        return Discovered(listings=listings, cursor=following, total=total)

    async def _count(self) -> int | None:
        answer = await self._client.ask(
            documents.VARIANTS_COUNT, VariantsCountAnswer, points=documents.VARIANTS_COUNT_POINTS
        )
        count = answer.product_variants_count
        return count.count if count is not None and count.precision == "EXACT" else None


def version_ends_at(version: str) -> datetime | None:
    """The first day on which a version may be gone (API versioning: kept for 12 months at least).

    None for a name that is no version's, such as `unstable`.
    """
    try:
        first = datetime.strptime(version, "%Y-%m").replace(tzinfo=UTC)
    except ValueError:
        return None
    return first.replace(year=first.year + 1)


def listing_from(variant: Variant) -> ListingSeen:
    """A variant as a listing: known by its SKU and barcode."""
    item, sku = variant.inventory_item, variant.sku or ""
    dangers = []
    if not item.tracked:
        dangers.append(_danger(sku, "unlimited_stock", "its inventory is not tracked"))
    if variant.inventory_policy == "CONTINUE":
        dangers.append(_danger(sku, "back_order", "it goes on selling when out of stock"))
    shown = item.inventory_level.quantities if item.inventory_level and item.tracked else []
    return ListingSeen(
        channel_sku=sku,
        codes=tuple(dict.fromkeys(code for code in (sku, variant.barcode) if code)),
        title=variant.display_name,
        quantity=shown[0].quantity if shown else None,
        dangers=tuple(dangers),
    )


def _danger(channel_sku: str, code: str, detail: str) -> Danger:
    return Danger(code=code, detail=detail, channel_sku=channel_sku)


def _outlived(version: str) -> Danger:
    """Versioning: a request of a version that is gone is answered by the oldest one there is."""
    detail = f"Shopify does not support the API version {version} any more; set api_version"
    return Danger(code="api_version_unsupported", detail=detail)
