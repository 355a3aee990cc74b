"""A shop of the sandbox's Rakuten Ichiba, called in this process."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx

from channels.sandbox.market import Market
from channels.sandbox.server import create_app
from tests.sandbox.hand_clock import HandClock, client_of

MUG, TEE = "mug/blue", "tee-001/M"
DAY = {"startDatetime": "2026-12-04T00:00:00+0900", "endDatetime": "2026-12-04T23:59:59+0900"}


class Shop:
    """One shop's client; every call comes a second after the last, so that limits are kept."""

    def __init__(self, market: Market, clock: HandClock, http: httpx.AsyncClient) -> None:
        self.market, self.clock, self._http = market, clock, http
        key = market.credentials
        pair = f"{key['service_secret']}:{key['license_key']}".encode()
        self.headers = {"authorization": "ESA " + base64.b64encode(pair).decode()}

    async def call(
        self, method: str, path: str, body: Any = None, *, headers: dict[str, str] | None = None
    ) -> httpx.Response:
        """Wait a second, then call below /es."""
        self.clock.pass_seconds(1)
        sent = self.headers if headers is None else headers
        return await self._http.request(method, f"/es{path}", json=body, headers=sent)

    async def upsert(self, *rows: dict[str, Any]) -> httpx.Response:
        """bulk-upsert 2.0."""
        return await self.call("POST", "/2.0/inventories/bulk-upsert", {"inventories": list(rows)})

    async def order(self, function: str, **body: Any) -> httpx.Response:
        """An order function."""
        return await self.call("POST", f"/2.0/order/{function}/", body)

    @property
    def shown(self) -> dict[str, int]:
        """Key → units displayed."""
        return {key: listing.displayed for key, listing in self.market.listings.items()}


def row(key: str, quantity: Any, mode: str = "ABSOLUTE", **more: Any) -> dict[str, Any]:
    """One row of bulk-upsert."""
    manage, _, variant = key.partition("/")
    fields = {"manageNumber": manage, "variantId": variant, "mode": mode, "quantity": quantity}
    return {**fields, **more}


@asynccontextmanager
async def open_shop(**options: Any) -> AsyncIterator[Shop]:
    """A shop with two listings, 5 mugs and 3 tees; `options` go to the marketplace."""
    clock = HandClock()
    app = create_app(clock=clock, options={"rakuten": options})
    market: Market = app.state.sandbox.markets["rakuten"]
    market.list_item(MUG, 5, price=1200)
    market.list_item(TEE, 3)
    async with client_of(app, "/rakuten") as http:
        yield Shop(market, clock, http)
