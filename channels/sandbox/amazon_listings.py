"""Amazon's Listings Items API 2021-08-01, as far as stock goes: patch, get and search."""

from __future__ import annotations

from base64 import b64decode, urlsafe_b64encode
from collections.abc import Callable, Mapping
from typing import Any
from zlib import crc32

from channels.sandbox import amazon_patches as patches
from channels.sandbox.amazon_base import MARKETPLACE_ID, AmazonMarket, csv, json_body, moment
from channels.sandbox.amazon_patches import OWN, availability
from channels.sandbox.clock import stamp
from channels.sandbox.market import Listing
from channels.sandbox.wire import Answer, Call, Route

IDENTIFIERS_MAX = 20
PAGE_MAX, PAGE_DEFAULT = 20, 10
PAGED_MAX = 1000
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
SORTS: Mapping[str, Callable[[Listing], Any]] = {
    "sku": lambda listing: listing.key,
    "createdDate": lambda listing: (listing.created_at, listing.key),
    "lastUpdatedDate": lambda listing: (listing.changed_at, listing.key),
}
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
        found = self._found(call)
        size, start = self._page(call)
        body: dict[str, Any] = {
            "numberOfResults": len(found),
            "items": [_shown(listing, included) for listing in found[start : start + size]],
        }
        # No search pages further than its 1,000th result.
        if start + size < min(len(found), PAGED_MAX):
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
        given = json_body(market, call)
        wrong = patches.objection(given.get("patches"))
        if wrong is not None or not given.get("productType"):
            raise market.wrong(call, wrong or "productType is required.")
        entries, issues = patches.judged(listing, given["patches"])
        body = {"sku": sku, "submissionId": market.secret(32), "issues": issues}
        if issues:
            return market.answer(call, {**body, "status": "INVALID"})
        if call.query.get("mode") == "VALIDATION_PREVIEW":
            return market.answer(call, {**body, "status": "VALID"})
        self.apply(listing, entries)
        return market.answer(call, {**body, "status": "ACCEPTED"})

    def apply(self, listing: Listing, entries: dict[str, Entry]) -> None:
        """Let an availability take effect, `listing_lag_s` from now."""
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

    def _found(self, call: Call) -> list[Listing]:
        """The listings that a search asks for, in its order (lastUpdatedDate, newest first)."""
        market, query = self._market, call.query
        wanted = csv(query.get("identifiers", ""))
        if wanted and query.get("identifiersType") != "SKU":
            raise market.wrong(call, "identifiersType must go with identifiers (here: SKU).")
        if len(wanted) > IDENTIFIERS_MAX:
            raise market.wrong(call, f"identifiers takes at most {IDENTIFIERS_MAX} values.")
        sort = query.get("sortBy", "sku" if wanted else "lastUpdatedDate")
        order = query.get("sortOrder", "ASC" if wanted else "DESC")
        if sort not in SORTS or order not in {"ASC", "DESC"}:
            raise market.wrong(call, f"sortBy knows {sorted(SORTS)}, sortOrder ASC and DESC.")
        after = moment(query["createdAfter"]) if "createdAfter" in query else None
        if "createdAfter" in query and after is None:
            raise market.wrong(call, "createdAfter must be an ISO 8601 time.")
        listed = market.listings.values()
        found = [
            listing
            for listing in listed
            if (not wanted or listing.key in wanted)
            and (after is None or listing.created_at >= after)
        ]
        return sorted(found, key=SORTS[sort], reverse=order == "DESC")

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


def _shown(listing: Listing, included: list[str]) -> Entry:
    body: Entry = {"sku": listing.key}
    if "summaries" in included:
        body["summaries"] = [
            {
                "marketplaceId": MARKETPLACE_ID,
                "asin": f"B0{crc32(listing.key.encode()):08X}",
                "productType": "PRODUCT",
                "status": ["BUYABLE", "DISCOVERABLE"] if listing.buyable else ["DISCOVERABLE"],
                "itemName": f"Article {listing.key}",
                "createdDate": stamp(listing.created_at),
                "lastUpdatedDate": stamp(listing.changed_at),
            }
        ]
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
