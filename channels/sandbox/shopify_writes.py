"""Shopify's two stock mutations in the sandbox: idempotent, compare-and-set, all rows or none."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import msgspec
from graphql import GraphQLError, GraphQLResolveInfo
from graphql.execution.values import get_directive_values
from msgspec import Struct

from channels.sandbox.market import Listing
from channels.sandbox.shopify_base import Node, ShopifyMarket, gid, wire_time
from channels.sandbox.shopify_inventory import Inventory

ROWS_MAX = 250
SET_MAX, ADJUST_MAX = 1_000_000_000, 2_000_000_000
KEYS_MAX = 20_000
REASONS = frozenset(
    {
        "correction",
        "cycle_count_available",
        "damaged",
        "movement_created",
        "movement_updated",
        "movement_received",
        "movement_canceled",
        "other",
        "promotion",
        "quality_control",
        "received",
        "reservation_created",
        "reservation_deleted",
        "reservation_updated",
        "restock",
        "safety_stock",
        "shrinkage",
    }
)


class Remembered(Struct, kw_only=True):
    """What became of an idempotency key."""

    fingerprint: bytes
    payload: Node
    at: datetime


class Writes:
    """Resolvers over one market's listings; `inventory` gives the objects that answers name."""

    def __init__(self, market: ShopifyMarket, inventory: Inventory) -> None:
        self._market = market
        self._inventory = inventory
        self._keys: dict[str, Remembered] = {}
        self._groups = 0

    def adjust(self, info: GraphQLResolveInfo, **arguments: Any) -> Node:
        """Mutation.inventoryAdjustQuantities: adds a delta, all rows or none."""
        return self._once(info, arguments["input"], self._adjust)

    def set(self, info: GraphQLResolveInfo, **arguments: Any) -> Node:
        """Mutation.inventorySetQuantities: an absolute number, all rows or none."""
        return self._once(info, arguments["input"], self._set)

    def _once(self, info: GraphQLResolveInfo, given: Node, run: Callable[[Node], Node]) -> Node:
        directive = info.schema.get_directive("idempotent")
        values = directive and get_directive_values(
            directive, info.field_nodes[0], info.variable_values
        )
        if not values or not values["key"]:
            message = "The @idempotent directive is required for this mutation but was not given"
            raise GraphQLError(message, extensions={"code": "BAD_REQUEST"})
        self._forget_old()
        fingerprint = msgspec.json.encode((info.field_name, given), order="sorted")
        known = self._keys.get(values["key"])
        if known is not None and known.fingerprint != fingerprint:
            return _failed(
                "IDEMPOTENCY_KEY_PARAMETER_MISMATCH", "The key was used with other arguments", None
            )
        if known is not None and known.payload["userErrors"]:
            return _failed(
                "IDEMPOTENCY_PREVIOUS_ATTEMPT_FAILED",
                "The first attempt failed; use a new key",
                None,
            )
        if known is not None:
            return known.payload
        payload = run(given)
        self._keys[values["key"]] = Remembered(
            fingerprint=fingerprint, payload=payload, at=self._market.clock.now()
        )
        return payload

    def _forget_old(self) -> None:
        oldest = self._market.clock.now() - timedelta(hours=self._market.options.idempotency_hours)
        while self._keys:
            key = next(iter(self._keys))
            if self._keys[key].at > oldest and len(self._keys) < KEYS_MAX:
                return
            del self._keys[key]

    def _adjust(self, given: Node) -> Node:
        if given["name"] != "available":
            return _failed(
                "INVALID_QUANTITY_NAME", "The quantity name is invalid", ["input", "name"]
            )
        rows = given["changes"]
        problem = self._problem(given, rows, field="changes", number="delta")
        if problem is not None:
            return problem
        for position, row in enumerate(rows):
            where = ["input", "changes", str(position)]
            if row.get("ledgerDocumentUri") is not None:
                text = "A ledger document URI is not allowed when adjusting available"
                return _failed("INVALID_AVAILABLE_DOCUMENT", text, where)
            if abs(row["delta"]) > ADJUST_MAX:
                high = row["delta"] > 0
                code = "INVALID_QUANTITY_TOO_HIGH" if high else "INVALID_QUANTITY_TOO_LOW"
                return _failed(code, "The quantity is out of bounds", where)
        changes = []
        for row in rows:
            listing = self._listing(row)
            self._market.add_displayed(listing.key, row["delta"])
            changes.append(self._change("available", row["delta"], listing))
        return self._group(given, changes)

    def _set(self, given: Node) -> Node:
        if given["name"] not in {"available", "on_hand"}:
            return _failed("INVALID_NAME", "The quantity name is invalid", ["input", "name"])
        rows = given["quantities"]
        problem = self._problem(given, rows, field="quantities", number="quantity")
        if problem is not None:
            return problem
        for position, row in enumerate(rows):
            where = ["input", "quantities", str(position), "quantity"]
            if row["quantity"] < 0:
                return _failed("INVALID_QUANTITY_NEGATIVE", "The quantity is negative", where)
            if row["quantity"] > SET_MAX:
                return _failed("INVALID_QUANTITY_TOO_HIGH", "The quantity is too high", where)
        if len({row["inventoryItemId"] for row in rows}) < len(rows):
            return _failed(
                "NO_DUPLICATE_INVENTORY_ITEM_ID_GROUP_ID_PAIR", "An item is named twice", ["input"]
            )
        changes = []
        for row in rows:
            listing = self._listing(row)
            before = listing.displayed
            taken = self._market.committed(listing.key) if given["name"] == "on_hand" else 0
            self._market.set_displayed(listing.key, row["quantity"] - taken)
            changes.append(self._change("available", row["quantity"] - taken - before, listing))
        return self._group(given, changes)

    def _problem(self, given: Node, rows: list[Node], *, field: str, number: str) -> Node | None:
        if len(rows) > ROWS_MAX:
            raise GraphQLError(
                f"The input array size of {len(rows)} is greater than the maximum allowed of 250.",
                extensions={"code": "MAX_INPUT_SIZE_EXCEEDED"},
            )
        for row in rows:
            if "changeFromQuantity" not in row:
                raise GraphQLError(
                    "changeFromQuantity must be given explicitly, as a number or null",
                    extensions={"code": "INVALID_FIELD_ARGUMENTS"},
                )
        if given["reason"] not in REASONS:
            return _failed("INVALID_REASON", "The reason is invalid", ["input", "reason"])
        uri = given.get("referenceDocumentUri")
        if uri is not None and "://" not in uri:
            text = "The reference document is not a URI"
            return _failed("INVALID_REFERENCE_DOCUMENT", text, ["input", "referenceDocumentUri"])
        for position, row in enumerate(rows):
            where = ["input", field, str(position)]
            listing = self._market.item(row["inventoryItemId"])
            if listing is None:
                return _failed("INVALID_INVENTORY_ITEM", "No such inventory item", where)
            if row["locationId"] != self._market.location_id:
                return _failed("INVALID_LOCATION", "No such location", where)
            expected = row["changeFromQuantity"]
            if expected is not None and expected != self._inventory.quantity(
                listing, given["name"]
            ):
                return _failed(
                    "CHANGE_FROM_QUANTITY_STALE", f"The {number} was based on an old number", where
                )
        return None

    def _listing(self, row: Node) -> Listing:
        listing = self._market.item(row["inventoryItemId"])
        if listing is None:
            raise GraphQLError("No such inventory item")
        return listing

    def _change(self, name: str, delta: int, listing: Listing) -> Node:
        return {
            "name": name,
            "delta": delta,
            "quantityAfterChange": listing.displayed,
            "item": self._inventory.node(listing),
            "location": self._inventory.place(),
            "ledgerDocumentUri": None,
        }

    def _group(self, given: Node, changes: list[Node]) -> Node:
        self._groups += 1
        group = {
            "__typename": "InventoryAdjustmentGroup",
            "id": gid("InventoryAdjustmentGroup", self._groups),
            "createdAt": wire_time(self._market.clock.now()),
            "reason": given["reason"],
            "referenceDocumentUri": given.get("referenceDocumentUri"),
            "changes": changes,
        }
        return {"inventoryAdjustmentGroup": group, "userErrors": []}


def _failed(code: str, message: str, field: list[str] | None) -> Node:
    error = {"code": code, "field": field, "message": message}
    return {"inventoryAdjustmentGroup": None, "userErrors": [error]}
