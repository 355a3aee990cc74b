"""EC-CUBE in the sandbox: what the plugin refuses, and what its search finds."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from channels.sandbox.eccube_market import EccubeMarket
from channels.sandbox.server import create_app
from tests.sandbox.hand_clock import client_of

STOCK = "mutation { updateProductStock(%s) { code stock stock_unlimited } }"


class Shop:
    """A shop's token and books."""

    def __init__(self, http: httpx.AsyncClient, market: EccubeMarket) -> None:
        self.http = http
        self.market = market
        self.token = ""

    async def login(self, refresh_token: str | None = None) -> httpx.Response:
        """Ask for tokens."""
        form = {"grant_type": "refresh_token", **self.market.credentials}
        del form["webhook_secret"]
        if refresh_token is not None:
            form["refresh_token"] = refresh_token
        answer = await self.http.post("/eccube/token", data=form)
        self.token = answer.json().get("access_token", self.token)
        return answer

    async def ask(self, document: str, **variables: Any) -> dict[str, Any]:
        """Send a document; the whole body of the answer."""
        answer = await self.http.post(
            "/eccube/api",
            json={"query": document, "variables": variables},
            headers={"Authorization": f"Bearer {self.token}"},
        )
        assert answer.status_code == 200, answer.text
        body: dict[str, Any] = answer.json()
        return body


@asynccontextmanager
async def opened(**options: Any) -> AsyncIterator[Shop]:
    """A shop with a token and an item."""
    app = create_app(options={"eccube": options})
    async with client_of(app) as http:
        shop = Shop(http, app.state.sandbox.markets["eccube"])
        await shop.login()
        shop.market.list_item("MUG", 10)
        yield shop


async def test_a_refresh_token_works_once_and_ends_the_access_token_with_it() -> None:
    async with opened() as shop:
        first = shop.token
        reused = await shop.login()
        after = await shop.http.post(
            "/eccube/api", json={"query": "{ __typename }"}, headers={"Authorization": "Bearer x"}
        )

    assert (reused.status_code, reused.json()["error"]) == (401, "invalid_request")
    assert shop.token == first
    assert after.status_code == 401


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ('code: "NO", stock: 1, stock_unlimited: false', "code: No ProductClass found;"),
        ('code: "MUG", stock: -1, stock_unlimited: false', "stock must be a positive integer"),
        ('code: "MUG", stock_unlimited: false', "stock is required when stock limited"),
        ('code: "MUG", stock: 1, stock_unlimited: true', "Cannot update stock"),
    ],
)
async def test_what_the_stock_mutation_refuses(arguments: str, message: str) -> None:
    async with opened() as shop:
        body = await shop.ask(STOCK % arguments)

    assert message in body["errors"][0]["message"]
    assert body["data"] == {"updateProductStock": None}
    assert shop.market.writes == []


async def test_the_search_leaves_out_what_is_not_placed_unless_asked() -> None:
    async with opened(pays_later=True) as shop:
        shop.market.place([("MUG", 1)])
        plain = await shop.ask("{ orders { totalCount } }")
        asked = await shop.ask('{ orders(status: ["7"]) { totalCount } }')

    assert plain["data"]["orders"]["totalCount"] == 0
    assert asked["data"]["orders"]["totalCount"] == 1


async def test_times_are_read_as_php_writes_them() -> None:
    document = "query Q($at: DateTime) { orders(update_datetime_start: $at) { totalCount } }"
    async with opened() as shop:
        good = await shop.ask(document, at="2026-11-21T00:00:00+09:00")
        wrong = await shop.ask(document, at="2026-11-21 00:00:00")

    assert "errors" not in good
    assert "DateTime parse error" in wrong["errors"][0]["message"]


async def test_a_cancelled_orders_units_go_back_on_sale() -> None:
    async with opened() as shop:
        order = shop.market.place([("MUG", 4)])
        shop.market.staff_cancel(order.ref)

    assert shop.market.listings["MUG"].displayed == 10
    assert order.status == 3
