"""Amazon's Listings Items API 2021-08-01, as far as stock goes: patch, get and search."""

from __future__ import annotations

import re
from base64 import b64decode, urlsafe_b64encode
from collections.abc import Callable
from typing import Any

from channels.sandbox.amazon_base import AmazonMarket, csv, json_body
from channels.sandbox.market import Listing
from channels.sandbox.wire import Answer, Call, Route

OWN = "DEFAULT"
BY_AMAZON = "AMAZON_JP"
AVAILABILITY = "/attributes/fulfillment_availability"
LEAD_DAYS_MAX = 30
TOP_LEVEL = re.compile("/attributes/[a-z0-9_]+")
IDENTIFIERS_MAX = 20
PAGE_MAX, PAGE_DEFAULT = 20, 10
MEMBERS = frozenset(
    {"fulfillment_channel_code", "quantity", "lead_time_to_ship_max_days", "restock_date"}
)
OPS = frozenset({"add", "replace", "merge", "delete"})
ITEM_DATA = frozenset(
    [
        "summaries",
        "attributes",
        "issues",
        "offers",
        "fulfillmentAvailability",
        "procurement",
        "relationships",
        "productTypes",
    ]
)
Entry = dict[str, Any]


class ListingsApi:
    """The three operations. Attributes other than the availability are accepted and not kept."""

    def __init__(self, market: AmazonMarket) -> None:
        self._market = market

    def routes(self) -> list[Route]:
        """The paths of this API."""
        base = "/listings/2021-08-01/items/{sellerId}"
        item = f"{base}/{{sku}}"
        return [
            self._route("PATCH", item, "patchListingsItem", self.patch),
            self._route("GET", item, "getListingsItem", self.get),
            self._route("GET", base, "searchListingsItems", self.search),
        ]

    def _route(self, method: str, path: str, name: str, run: Callable[[Call], Answer]) -> Route:
        limit = self._market.buckets[name]
        return Route(method=method, path=path, endpoint=name, run=run, limits=[limit])

    def get(self, call: Call) -> Answer:
        """One listing."""
        market = self._market
        market.check_seller(call)
        market.check_marketplace(call, required=True)
        included = self._included(call)
        listing = market.listings.get(call.params["sku"])
        if listing is None:
            raise market.failed(call, 404, "NOT_FOUND", f"SKU '{call.params['sku']}' not found.")
        return market.answer(call, _shown(listing, included))

    def search(self, call: Call) -> Answer:
        """The listings with the given SKUs, or all, by pages of 10 unless told otherwise."""
        market = self._market
        market.check_seller(call)
        market.check_marketplace(call, required=True)
        included = self._included(call)
        wanted = csv(call.query.get("identifiers", ""))
        if wanted and call.query.get("identifiersType") != "SKU":
            raise market.wrong(call, "identifiersType must go with identifiers (here: SKU).")
        if len(wanted) > IDENTIFIERS_MAX:
            raise market.wrong(call, f"identifiers takes at most {IDENTIFIERS_MAX} values.")
        found = sorted(market.listings.values(), key=lambda listing: listing.key)
        if wanted:
            found = [listing for listing in found if listing.key in wanted]
        size, start = self._page(call)
        body: dict[str, Any] = {
            "numberOfResults": len(found),
            "items": [_shown(listing, included) for listing in found[start : start + size]],
        }
        if start + size < len(found):
            token = urlsafe_b64encode(str(start + size).encode()).decode()
            body["pagination"] = {"nextToken": token}
        return market.answer(call, body)

    def patch(self, call: Call) -> Answer:
        """Change attributes; a refusal of the content is a 200 with status INVALID."""
        market = self._market
        market.check_seller(call)
        market.check_marketplace(call, required=True)
        sku = call.params["sku"]
        listing = market.listings.get(sku)
        if listing is None:
            raise market.wrong(call, f"SKU '{sku}' does not exist.")
        patches = self._patches(call)
        entries, issues = availability(listing), list[Entry]()
        for patch in patches:
            if patch["path"] == AVAILABILITY:
                issues += _patch(entries, patch)
        body = {"sku": sku, "submissionId": market.secret(32), "issues": issues}
        if issues:
            return market.answer(call, {**body, "status": "INVALID"})
        if call.query.get("mode") == "VALIDATION_PREVIEW":
            return market.answer(call, {**body, "status": "VALID"})
        self._apply(listing, entries)
        return market.answer(call, {**body, "status": "ACCEPTED"})

    def _apply(self, listing: Listing, entries: dict[str, Entry]) -> None:
        if self._market.ignoring:
            return

        def take_effect() -> None:
            own = entries.get(OWN)
            listing.extra["availability"] = dict(own or {})
            if own is None and listing.by_channel:
                return
            # A quantity for the seller's own channel makes a listing that Amazon stocks the
            # seller's to ship: the trap that clients must not step into.
            listing.by_channel = False
            self._market.set_displayed(listing.key, int((own or {}).get("quantity", 0)))

        self._market.due.later(self._market.options.listing_lag_s, take_effect)

    def _patches(self, call: Call) -> list[Entry]:
        market, body = self._market, json_body(self._market, call)
        patches = body.get("patches")
        if not body.get("productType") or not isinstance(patches, list) or not patches:
            raise market.wrong(call, "productType and at least one patch are required.")
        for patch in patches:
            if not isinstance(patch, dict) or patch.get("op") not in OPS:
                raise market.wrong(call, f"op must be one of {sorted(OPS)}.")
            path = patch.get("path")
            if not isinstance(path, str) or not TOP_LEVEL.fullmatch(path):
                raise market.wrong(call, "Only a whole top-level attribute can be patched.")
            value = patch.get("value")
            if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
                raise market.wrong(call, "value must be an array of objects.")
        return patches

    def _included(self, call: Call) -> list[str]:
        included = csv(call.query.get("includedData", "summaries"))
        if not ITEM_DATA.issuperset(included):
            raise self._market.wrong(call, f"includedData knows {sorted(ITEM_DATA)}.")
        return included

    def _page(self, call: Call) -> tuple[int, int]:
        size = call.query.get("pageSize", str(PAGE_DEFAULT))
        if not size.isdecimal() or not 1 <= int(size) <= PAGE_MAX:
            raise self._market.wrong(call, f"pageSize is from 1 to {PAGE_MAX}.")
        try:
            start = b64decode(
                call.query.get("pageToken", "MA=="), altchars=b"-_", validate=True
            ).decode()
        except ValueError as error:
            raise self._market.wrong(call, "pageToken is invalid.") from error
        if not start.isdecimal():
            raise self._market.wrong(call, "pageToken is invalid.")
        return int(size), int(start)


def availability(listing: Listing) -> dict[str, Entry]:
    """The listing's fulfillment_availability by channel code, as attributes (snake case)."""
    if listing.by_channel:
        return {BY_AMAZON: {"fulfillment_channel_code": BY_AMAZON}}
    kept: Entry = listing.extra.get("availability", {})
    own = {**kept, "fulfillment_channel_code": OWN, "quantity": max(listing.displayed, 0)}
    return {OWN: own}


def _patch(entries: dict[str, Entry], patch: Entry) -> list[Entry]:
    """Work one patch into `entries`; returns the issues, with nothing changed where there is one.

    `merge` keeps the members that are not named; `add` and `replace` drop them. A code that is not
    named stays: a second channel is added, it does not replace the first.
    """
    issues = [issue for value in patch["value"] for issue in _issues(value)]
    if issues:
        return issues
    for value in patch["value"]:
        code = value["fulfillment_channel_code"]
        if patch["op"] == "delete":
            entries.pop(code, None)
        else:
            kept = entries.get(code, {}) if patch["op"] == "merge" else {}
            entries[code] = {**kept, **value}
    return []


def _issues(value: Entry) -> list[Entry]:
    code, quantity = value.get("fulfillment_channel_code"), value.get("quantity")
    days = value.get("lead_time_to_ship_max_days")
    if code not in {OWN, BY_AMAZON}:
        return [_issue("90220", "fulfillment_channel_code is required.", "MISSING_ATTRIBUTE")]
    if not MEMBERS.issuperset(value):
        return [_issue("90000900", "The attribute has members that are not known.")]
    whole = isinstance(quantity, int) and not isinstance(quantity, bool)
    if quantity is not None and (not whole or quantity < 0):
        return [_issue("90000900", "quantity must be a whole number of at least 0.")]
    if days is not None and (not isinstance(days, int) or not 0 < days <= LEAD_DAYS_MAX):
        return [_issue("90000900", f"Lead time must be from 1 to {LEAD_DAYS_MAX} days.")]
    if days is not None and quantity is None:
        return [_issue("90220", "quantity is required with lead time.", "MISSING_ATTRIBUTE")]
    return []


def _issue(code: str, message: str, category: str = "INVALID_ATTRIBUTE") -> Entry:
    return {
        "code": code,
        "message": message,
        "severity": "ERROR",
        "attributeNames": ["fulfillment_availability"],
        "categories": [category],
    }


def _shown(listing: Listing, included: list[str]) -> Entry:
    body: Entry = {"sku": listing.key}
    if "fulfillmentAvailability" in included:
        body["fulfillmentAvailability"] = [
            {
                "fulfillmentChannelCode": entry["fulfillment_channel_code"],
                **({"quantity": entry["quantity"]} if "quantity" in entry else {}),
            }
            for entry in availability(listing).values()
        ]
    if "attributes" in included:
        body["attributes"] = {"fulfillment_availability": list(availability(listing).values())}
    return body
