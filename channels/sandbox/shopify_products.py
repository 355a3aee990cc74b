"""Shopify's variants in the sandbox, the shop, the app's scopes, and the API's versions."""

from __future__ import annotations

from typing import Any

from graphql import GraphQLResolveInfo

from channels.sandbox.market import Listing
from channels.sandbox.shopify_base import API_VERSION, SCOPES, Node, ShopifyMarket, connection, gid
from channels.sandbox.shopify_inventory import Inventory
from channels.sandbox.shopify_notices import DOMAIN

COUNT_MAX = 10_000


class Products:
    """Resolvers over one market's listings; `inventory` gives the items behind the variants."""

    def __init__(self, market: ShopifyMarket, inventory: Inventory) -> None:
        self._market = market
        self._inventory = inventory

    def page(self, _: GraphQLResolveInfo, **arguments: Any) -> Node:
        """QueryRoot.productVariants, in the order of their ids whatever is asked for."""
        return connection(
            list(self._market.listings.values()), arguments, node=self.node, place=_number
        )

    def count(self, _: GraphQLResolveInfo, limit: int | None = COUNT_MAX, **__: Any) -> Node:
        """QueryRoot.productVariantsCount."""
        number = len(self._market.listings)
        if limit is not None and number > limit:
            return {"count": limit, "precision": "AT_LEAST"}
        return {"count": number, "precision": "EXACT"}

    def shop(self, _: GraphQLResolveInfo) -> Node:
        """QueryRoot.shop."""
        return {
            "__typename": "Shop",
            "id": gid("Shop", 1),
            "name": "Sandbox",
            "myshopifyDomain": DOMAIN,
        }

    def installation(self, _: GraphQLResolveInfo) -> Node:
        """QueryRoot.currentAppInstallation."""
        without = self._market.options.without_scopes
        scopes = [scope for scope in SCOPES.split(",") if scope not in without]
        return {
            "__typename": "AppInstallation",
            "id": gid("AppInstallation", 1),
            "accessScopes": [{"handle": scope, "description": scope} for scope in scopes],
        }

    def versions(self, _: GraphQLResolveInfo) -> list[Node]:
        """QueryRoot.publicApiVersions."""
        return [
            {
                "handle": API_VERSION,
                "displayName": API_VERSION,
                "supported": self._market.options.version_supported,
            },
            {"handle": "unstable", "displayName": "unstable", "supported": False},
        ]

    def node(self, listing: Listing) -> Node:
        """A variant as a GraphQL object."""
        continues = listing.key in self._market.options.continues
        return {
            "__typename": "ProductVariant",
            "id": gid("ProductVariant", _number(listing)),
            "sku": listing.key,
            "barcode": self._market.options.barcodes.get(listing.key),
            "displayName": f"Product {listing.key}",
            "inventoryPolicy": "CONTINUE" if continues else "DENY",
            "inventoryItem": lambda _: self._inventory.node(listing),
        }


def _number(listing: Listing) -> str:
    return str(listing.extra["item_id"]).rsplit("/", 1)[1]
