"""One Shopify shop in the sandbox, called the way a client calls: over HTTP, with a token."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import httpx

from channels.sandbox.market import Order
from channels.sandbox.server import create_app
from channels.sandbox.shopify_base import ShopifyMarket
from tests.sandbox.hand_clock import client_of

PATH = "/shopify/admin/api/2026-10/graphql.json"
PAYLOAD = "{ inventoryAdjustmentGroup { reason changes { delta quantityAfterChange } } "
PAYLOAD += "userErrors { code field message } }"
ADJUST = (
    "mutation A($input: InventoryAdjustQuantitiesInput!, $key: String!) "
    "{ inventoryAdjustQuantities(input: $input) @idempotent(key: $key) " + PAYLOAD + " }"
)
SET = (
    "mutation S($input: InventorySetQuantitiesInput!, $key: String!) "
    "{ inventorySetQuantities(input: $input) @idempotent(key: $key) " + PAYLOAD + " }"
)


class Shop:
    """A shop's token and books, and the calls that tests repeat."""

    def __init__(self, http: httpx.AsyncClient, market: ShopifyMarket) -> None:
        self.http = http
        self.market = market
        self.token = ""

    async def login(self, **changed: str) -> httpx.Response:
        """Ask for a token, with `changed` fields of the form."""
        form = {"grant_type": "client_credentials", **self.market.credentials, **changed}
        answer = await self.http.post("/shopify/admin/oauth/access_token", data=form)
        self.token = answer.json().get("access_token", "")
        return answer

    async def ask(self, document: str, /, **variables: Any) -> dict[str, Any]:
        """Send a document; the whole body of the answer."""
        answer = await self.http.post(
            PATH,
            json={"query": document, "variables": variables},
            headers={"X-Shopify-Access-Token": self.token},
        )
        assert answer.status_code == 200, answer.text
        body: dict[str, Any] = answer.json()
        return body

    async def write(self, document: str, key: str = "k-1", **row: Any) -> dict[str, Any]:
        """One row of one of the two stock mutations; the payload."""
        place = {
            "inventoryItemId": self.market.listings["MUG"].extra["item_id"],
            "locationId": self.market.location_id,
        }
        rows = "changes" if document == ADJUST else "quantities"
        given = {"name": "available", "reason": "correction", rows: [{**place, **row}]}
        body = await self.ask(document, input=given, key=key)
        [payload] = body["data"].values()
        assert isinstance(payload, dict), body
        return payload

    def sold(self, key: str = "MUG", quantity: int = 1, *, seconds_ago: float = 60) -> Order:
        """An order placed a while ago."""
        at = self.market.clock.now() - timedelta(seconds=seconds_ago)
        return self.market.place([(key, quantity)], at)


@asynccontextmanager
async def open_shop(**options: Any) -> AsyncIterator[Shop]:
    """A shop with a token and two listings."""
    app = create_app(options={"shopify": options})
    async with client_of(app) as http:
        shop = Shop(http, app.state.sandbox.markets["shopify"])
        await shop.login()
        shop.market.list_item("MUG", 10, price=1200)
        shop.market.list_item("MUG-RED", 5)
        yield shop
