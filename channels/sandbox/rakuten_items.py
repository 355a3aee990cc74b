"""RMS ItemAPI 2.0 items.search and LicenseManagementAPI: what the shop sells, when its key ends."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from channels.sandbox.rakuten_market import RakutenMarket, gateway, jst
from channels.sandbox.wire import Answer, Call, Refused, Route

HITS_DEFAULT, HITS_MAX = 10, 100
OFFSET_MAX = 10_000
FIRST_MARK = "*"
# The parameters of items.search that a stock service may send; any other is refused.
KNOWN = frozenset({"hits", "offset", "cursorMark", "sortKey", "sortOrder", "manageNumber"})


class ShopApi:
    """Items, newest change first, and the license key's last second."""

    def __init__(self, market: RakutenMarket) -> None:
        self._market = market

    def routes(self) -> list[Route]:
        """items.search and license.expiryDate.get."""
        return [
            Route(
                method="GET",
                path="/es/2.0/items/search",
                endpoint="items-search",
                run=self.search,
                limits=[self._market.read_limits["items-search"]],
            ),
            Route(
                method="GET",
                path="/es/1.0/license-management/license-key/expiry-date",
                endpoint="license",
                run=self.expiry_date,
                limits=[self._market.license_limit],
            ),
        ]

    def search(self, call: Call) -> Answer:
        """At most 100 items a page, by offset (up to 10,000) or by cursorMark (any number)."""
        query = call.query
        for name in sorted(set(query) - KNOWN):
            raise _wrong(name)
        hits = _number(query, "hits", HITS_DEFAULT, least=1, most=HITS_MAX)
        mark = query.get("cursorMark")
        if mark is not None and {"offset", "sortKey", "sortOrder"}.intersection(query):
            raise _wrong("cursorMark")
        start = _number(query, "offset", 0, least=0, most=OFFSET_MAX)
        if mark not in {None, FIRST_MARK}:
            start = _number({"cursorMark": mark or ""}, "cursorMark", 0, least=0, most=10**9)
        items = self._items(query.get("manageNumber", "").lower())
        page = items[start : start + hits]
        body: dict[str, Any] = {
            "numFound": len(items),
            "offset": start,
            "results": [{"item": item} for item in page],
        }
        if mark is not None:
            # The end is where the next mark is the one that was asked with.
            body["nextCursorMark"] = str(start + len(page)) if page else mark
        return Answer(body=msgspec.json.encode(body))

    def _items(self, part: str) -> list[dict[str, Any]]:
        keys: dict[str, list[str]] = {}
        for key in self._market.listings:
            manage, _, variant = key.partition("/")
            if part in manage:
                keys.setdefault(manage, []).append(variant)
        return [self._item(manage, variants) for manage, variants in sorted(keys.items())]

    def _item(self, manage: str, variants: list[str]) -> dict[str, Any]:
        moments = [self._market.listings[f"{manage}/{name}"].created_at for name in variants]
        return {
            "manageNumber": manage,
            "itemNumber": manage.upper(),
            "title": f"見本 {manage}",
            "itemType": "NORMAL",
            "genreId": "563339",
            "hideItem": False,
            "unlimitedInventoryFlag": manage in self._market.rules.unlimited,
            "features": {"inventoryDisplay": "HIDDEN_STOCK", "searchVisibility": "ALWAYS_VISIBLE"},
            "variants": {name: self._variant(f"{manage}/{name}") for name in variants},
            "created": jst(min(moments)),
            "updated": jst(max(moments)),
        }

    def _variant(self, key: str) -> dict[str, Any]:
        listing = self._market.listings[key]
        variant: dict[str, Any] = {
            "selectorValues": {"type": key.partition("/")[2]},
            "restockOnCancel": self._market.restocks_on_buyer_cancel,
            "backOrderFlag": key in self._market.rules.back_order,
            "standardPrice": str(listing.price),
            "hidden": listing.closed,
        }
        code = self._market.merchant_sku(key)
        # What is not set is left out, not null.
        return variant if code is None else {"merchantDefinedSkuId": code, **variant}

    def expiry_date(self, call: Call) -> Answer:
        """The key's last second in Japan, without a zone. What another key is told is a guess."""
        if call.query.get("licenseKey") != self._market.credentials["license_key"]:
            return gateway(400, "ES03-01", "licenseKey")
        ends = self._market.key_ends.replace(tzinfo=None).isoformat(timespec="seconds")
        return Answer(body=msgspec.json.encode({"expiryDate": ends}))


def _number(query: Mapping[str, str], name: str, otherwise: int, *, least: int, most: int) -> int:
    text = query.get(name)
    if text is None:
        return otherwise
    if not text.isascii() or not text.isdigit() or not least <= int(text) <= most:
        raise _wrong(name)
    return int(text)


def _wrong(name: str) -> Refused:
    error = {"code": "IE0007", "message": f"Invalid choice selected for {name}."}
    return Refused(Answer(status=400, body=msgspec.json.encode({"errors": [error]})))
