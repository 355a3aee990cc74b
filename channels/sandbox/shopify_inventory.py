"""Shopify's stock in the sandbox: inventory items searched by SKU, their levels and locations."""

from __future__ import annotations

import re
from typing import Any

from graphql import GraphQLResolveInfo

from channels.sandbox.market import Listing
from channels.sandbox.shopify_base import Node, ShopifyMarket, connection, gid, wire_time

QUANTITY_NAMES = ("available", "on_hand", "committed")
SKU_TERM = re.compile(r"sku:(?:\"((?:[^\"\\]|\\.)*)\"|'((?:[^'\\]|\\.)*)'|(\S+))")


class Inventory:
    """Resolvers over one market's listings."""

    def __init__(self, market: ShopifyMarket) -> None:
        self._market = market

    def page(self, _: GraphQLResolveInfo, **arguments: Any) -> Node:
        """QueryRoot.inventoryItems; `sku:` terms are joined by OR."""
        wanted = [
            re.sub(r"\\(.)", r"\1", "".join(texts))
            for texts in SKU_TERM.findall(arguments.get("query") or "")
        ]
        loose = self._market.options.loose_sku_search
        found = [
            listing
            for listing in self._market.listings.values()
            if not wanted
            or listing.key in wanted
            or (loose and any(listing.key.startswith(text) for text in wanted))
        ]
        found.sort(key=lambda listing: str(listing.extra["item_id"]))
        return connection(
            found, arguments, node=self.node, place=lambda one: str(one.extra["item_id"])
        )

    def one(self, _: GraphQLResolveInfo | None, **arguments: Any) -> Node | None:
        """QueryRoot.inventoryItem."""
        listing = self._market.item(arguments["id"])
        return None if listing is None else self.node(listing)

    def locations(self, _: GraphQLResolveInfo, **arguments: Any) -> Node:
        """QueryRoot.locations: the one there is."""
        return connection(
            [self.place()], arguments, node=lambda one: one, place=lambda one: str(one["id"])
        )

    def location(self, _: GraphQLResolveInfo | None, **arguments: Any) -> Node | None:
        """QueryRoot.location; the primary one where no id is given."""
        return self.place() if arguments.get("id") in {None, self._market.location_id} else None

    def place(self) -> Node:
        """The shop's location as a GraphQL object."""
        return {
            "__typename": "Location",
            "id": self._market.location_id,
            "name": "Warehouse",
            "isActive": True,
        }

    def node(self, listing: Listing) -> Node:
        """An inventory item as a GraphQL object."""
        return {
            "__typename": "InventoryItem",
            "id": listing.extra["item_id"],
            "sku": listing.key,
            "tracked": listing.key not in self._market.options.untracked,
            "duplicateSkuCount": 0,
            "createdAt": wire_time(listing.created_at),
            "updatedAt": wire_time(listing.changed_at),
            "inventoryLevel": lambda _, **arguments: (
                self._level(listing)
                if arguments["locationId"] == self._market.location_id
                else None
            ),
            "inventoryLevels": lambda _, **arguments: connection(
                [self._level(listing)],
                arguments,
                node=lambda one: one,
                place=lambda one: str(one["id"]),
            ),
        }

    def _level(self, listing: Listing) -> Node:
        number = listing.extra["item_id"].rsplit("/", 1)[1]
        return {
            "__typename": "InventoryLevel",
            "id": gid("InventoryLevel", number),
            "isActive": True,
            "item": lambda _: self.node(listing),
            "location": self.place(),
            "updatedAt": wire_time(listing.changed_at),
            "quantities": lambda _, names: [
                {
                    "__typename": "InventoryQuantity",
                    "id": gid("InventoryQuantity", f"{number}?name={name}"),
                    "name": name,
                    "quantity": self.quantity(listing, name),
                    "updatedAt": wire_time(listing.changed_at),
                }
                for name in names
                if name in QUANTITY_NAMES
            ],
        }

    def quantity(self, listing: Listing, name: str) -> int:
        """One of `QUANTITY_NAMES` of a listing, in units."""
        available = listing.displayed if name != "committed" else 0
        return available + (self._market.committed(listing.key) if name != "available" else 0)
