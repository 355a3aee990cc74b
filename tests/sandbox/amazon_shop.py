"""One Amazon seller in the sandbox, called the way a client calls: over HTTP, with a token."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import httpx

from channels.sandbox.amazon_base import AmazonMarket
from channels.sandbox.market import Order
from channels.sandbox.server import create_app
from tests.sandbox.hand_clock import client_of

JP = "A1VC38T7YXB528"
XML = "text/xml; charset=UTF-8"
FEED_SECONDS = 0.05


class Shop:
    """The seller's token and books, and the calls that tests repeat."""

    def __init__(self, http: httpx.AsyncClient, market: AmazonMarket) -> None:
        self.http = http
        self.market = market
        self.headers: dict[str, str] = {}

    async def login(self, **changed: str) -> httpx.Response:
        """Ask for an access token, with `changed` fields of the form."""
        form = {"grant_type": "refresh_token", **self.market.credentials, **changed}
        answer = await self.http.post("/amazon/auth/o2/token", data=form)
        if answer.status_code == 200:
            self.headers = {"x-amz-access-token": answer.json()["access_token"]}
        return answer

    def sold(self, key: str = "MUG-RED", quantity: int = 1, *, seconds_ago: float = 60) -> Order:
        """An order placed a while ago."""
        at = self.market.clock.now() - timedelta(seconds=seconds_ago)
        return self.market.place([(key, quantity)], at)

    async def search(self, **query: str) -> httpx.Response:
        """Call searchOrders over the last hour, with `query` on top."""
        after = (self.market.clock.now() - timedelta(hours=1)).isoformat()
        window = {} if "createdAfter" in query else {"lastUpdatedAfter": after}
        return await self.http.get(
            "/amazon/orders/2026-01-01/orders",
            params={**window, "includedData": "FULFILLMENT,CANCELLATION", **query},
            headers=self.headers,
        )

    async def order(self, ref: str) -> dict[str, Any]:
        """The order by getOrder."""
        answer = await self.http.get(
            f"/amazon/orders/2026-01-01/orders/{ref}",
            params={"includedData": "FULFILLMENT,CANCELLATION"},
            headers=self.headers,
        )
        assert answer.status_code == 200, answer.text
        order: dict[str, Any] = answer.json()["order"]
        return order

    async def patch(
        self, sku: str, value: dict[str, Any], *, op: str = "merge", **query: str
    ) -> httpx.Response:
        """Patch the availability; `sku` already percent-encoded."""
        change = {"op": op, "path": "/attributes/fulfillment_availability", "value": [value]}
        return await self.http.patch(
            f"/amazon/listings/2021-08-01/items/{self.market.seller_id}/{sku}",
            params={"marketplaceIds": JP, **query},
            json={"productType": "PRODUCT", "patches": [change]},
            headers=self.headers,
        )

    async def listings(self, **query: str) -> httpx.Response:
        """Call searchListingsItems."""
        path = f"/amazon/listings/2021-08-01/items/{self.market.seller_id}"
        return await self.http.get(
            path, params={"marketplaceIds": JP, **query}, headers=self.headers
        )

    async def post(self, path: str, body: Any) -> httpx.Response:
        """A POST of the feeds API."""
        return await self.http.post(
            f"/amazon/feeds/2021-06-30{path}", json=body, headers=self.headers
        )

    async def feed(self, document: str) -> str:
        """Upload a document and create its feed; returns the feedId."""
        created = await self.post("/documents", {"contentType": XML})
        assert created.status_code == 201
        put = await self.http.put(
            created.json()["url"], content=document.encode(), headers={"content-type": XML}
        )
        assert put.status_code == 200
        answer = await self.post("/feeds", self.feed_of(created.json()["feedDocumentId"]))
        assert answer.status_code == 202, answer.text
        return str(answer.json()["feedId"])

    def feed_of(self, document_id: str) -> dict[str, Any]:
        """The body of createFeed."""
        return {
            "feedType": "POST_ORDER_ACKNOWLEDGEMENT_DATA",
            "marketplaceIds": [JP],
            "inputFeedDocumentId": document_id,
        }

    async def feed_state(self, feed_id: str) -> dict[str, Any]:
        """The feed by getFeed."""
        answer = await self.http.get(
            f"/amazon/feeds/2021-06-30/feeds/{feed_id}", headers=self.headers
        )
        assert answer.status_code == 200
        state: dict[str, Any] = answer.json()
        return state

    async def report(self, feed_id: str) -> bytes:
        """Wait for a feed to end and fetch its report as it is stored."""
        async with asyncio.timeout(5):
            state = await self.feed_state(feed_id)
            for _ in range(100):
                if state["processingStatus"] == "DONE":
                    break
                await asyncio.sleep(FEED_SECONDS)
                state = await self.feed_state(feed_id)
        place = await self.http.get(
            f"/amazon/feeds/2021-06-30/documents/{state['resultFeedDocumentId']}",
            headers=self.headers,
        )
        return (await self.http.get(place.json()["url"])).content

    def cancellation(
        self, order: Order, *, reason: str = "NoInventory", lines: int | None = None
    ) -> str:
        """The XML that gives an order up; `lines` limits how many of its items are listed."""
        items = "".join(
            f"<Item><AmazonOrderItemCode>{line.line_ref}</AmazonOrderItemCode>"
            f"<CancelReason>{reason}</CancelReason></Item>"
            for line in order.lines[:lines]
        )
        return (
            "<AmazonEnvelope><Header><DocumentVersion>1.01</DocumentVersion>"
            f"<MerchantIdentifier>{self.market.seller_id}</MerchantIdentifier></Header>"
            "<MessageType>OrderAcknowledgement</MessageType><Message><MessageID>1</MessageID>"
            f"<OrderAcknowledgement><AmazonOrderID>{order.ref}</AmazonOrderID>"
            f"<StatusCode>Failure</StatusCode>{items}</OrderAcknowledgement></Message>"
            "</AmazonEnvelope>"
        )


@asynccontextmanager
async def open_shop(**options: Any) -> AsyncIterator[Shop]:
    """A seller with a token and two listings; orders show at once unless told otherwise."""
    quick = {"search_lag_s": 0.0, "pending_s": 0.0, "feed_s": FEED_SECONDS}
    app = create_app(options={"amazon": {**quick, **options}})
    market = app.state.sandbox.markets["amazon"]
    async with client_of(app) as http:
        shop = Shop(http, market)
        await shop.login()
        market.list_item("MUG-RED", 10, price=1200)
        market.list_item("MUG-BLUE", 5, price=1300)
        yield shop
