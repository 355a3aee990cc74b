"""What marketplaces tell by themselves: proven by them, stored once, answered at once."""

from __future__ import annotations

import hmac
import json
from base64 import b64encode
from contextlib import ExitStack
from typing import Any

import httpx
import pytest
from sqlalchemy import select

from inventory.api.context import Services
from inventory.db import Database
from inventory.errors import TooBusy
from inventory.models import InboundEvent
from inventory.notices import AT_ONCE_MAX, PER_SECOND_MAX, Gate
from tests.api.conftest import RAKUTEN, Look, Rung, problem

SECRET = "shpss_for_tests_only"
SHOPIFY: dict[str, Any] = {
    "code": "shop",
    "kind": "shopify",
    "base_url": "https://one.myshopify.com",
    "credentials": {"client_id": "app-1", "client_secret": SECRET},
}
ORDER: dict[str, Any] = {
    "id": 6001,
    "created_at": "2026-11-21T20:59:58+09:00",
    "updated_at": "2026-11-21T20:59:58+09:00",
    "currency": "JPY",
    "email": "hanako@example.com",
    "line_items": [{"id": 61, "sku": "MUG", "variant_id": 5, "quantity": 2, "price": "1480"}],
}


class Shop:
    """Shopify, as it calls us."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self._http = http

    async def tell(
        self,
        body: dict[str, Any] | bytes,
        topic: str = "orders/create",
        *,
        name: str = "w-1",
        secret: str = SECRET,
        channel: str = "shop",
    ) -> httpx.Response:
        """One webhook, signed over its raw body."""
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        headers = {
            "X-Shopify-Topic": topic,
            "X-Shopify-Webhook-Id": name,
            "X-Shopify-Shop-Domain": "one.myshopify.com",
            "X-Shopify-Hmac-Sha256": b64encode(
                hmac.digest(secret.encode(), raw, "sha256")
            ).decode(),
            "Content-Type": "application/json",
        }
        return await self._http.post(f"/v1/notices/{channel}", content=raw, headers=headers)


@pytest.fixture
async def shop(admin: httpx.AsyncClient, stranger: httpx.AsyncClient) -> Shop:
    answer = await admin.post("/channels", json=SHOPIFY)
    assert answer.status_code == 201, answer.text
    return Shop(stranger)


async def events(database: Database) -> list[InboundEvent]:
    """What is stored, in order."""
    async with database.sessions() as session:
        return list(await session.scalars(select(InboundEvent).order_by(InboundEvent.id)))


async def test_a_new_order_is_stored_before_the_answer(
    shop: Shop, database: Database, rung: Rung
) -> None:
    answer = await shop.tell(ORDER)

    assert (answer.status_code, answer.json()) == (200, {"stored": True, "repeated": False})
    [event] = await events(database)
    assert (event.kind, event.subject, event.state) == ("order", "6001", "new")
    assert "hanako" not in json.dumps(event.body)
    assert (await rung())[-1] == "process"


async def test_the_same_webhook_again_is_stored_once(shop: Shop, database: Database) -> None:
    await shop.tell(ORDER)
    again = await shop.tell(ORDER)

    assert (again.status_code, again.json()) == (200, {"stored": True, "repeated": True})
    assert len(await events(database)) == 1


async def test_a_change_names_an_order_to_be_read(
    shop: Shop, database: Database, rung: Rung, services: Services
) -> None:
    answer = await shop.tell(ORDER, "orders/cancelled", name="w-2")

    assert answer.json() == {"stored": True, "repeated": False}
    [event] = await events(database)
    assert (event.kind, event.subject, event.body) == ("notice", "6001", {"named": "6001"})
    assert (await rung())[-1] == "notices"
    await services.inbox.handle()
    assert [event.state for event in await events(database)] == ["new"]


async def test_another_topic_is_acknowledged_and_forgotten(shop: Shop, database: Database) -> None:
    answer = await shop.tell({"id": 1}, "products/update")

    assert (answer.status_code, answer.json()) == (200, {"stored": False, "repeated": False})
    assert await events(database) == []


async def test_a_forged_proof_is_refused_and_nothing_is_kept(shop: Shop, contents: Look) -> None:
    before = await contents()

    assert problem(await shop.tell(ORDER, secret="somebody else's")) == (401, "notice_forged")
    assert await contents() == before


async def test_what_cannot_be_read_is_refused(
    shop: Shop, admin: httpx.AsyncClient, contents: Look
) -> None:
    for new in ({"code": "web", "kind": "own_store"}, RAKUTEN):
        assert (await admin.post("/channels", json=new)).status_code == 201
    before = await contents()

    assert problem(await shop.tell(b"{")) == (400, "bad_input")
    assert problem(await shop.tell(ORDER, channel="web")) == (400, "bad_input")
    assert problem(await shop.tell(ORDER, channel="rmart")) == (400, "bad_input")
    assert problem(await shop.tell(ORDER, channel="nobody")) == (404, "not_found")
    assert problem(await shop.tell(b" " * 1_000_001)) == (413, "too_large")
    assert await contents() == before


async def test_a_new_secret_counts_at_once_that_it_is_known(
    shop: Shop, admin: httpx.AsyncClient, services: Services
) -> None:
    await shop.tell(ORDER)
    keys = {"client_id": "app-1", "client_secret": "shpss_new_one"}
    assert (await admin.patch("/channels/shop", json={"credentials": keys})).is_success
    services.connected = type(services.connected)(services.clock, services._connected)

    assert (await shop.tell(ORDER, name="w-2", secret="shpss_new_one")).status_code == 200
    assert (await shop.tell(ORDER, name="w-3")).status_code == 401


def test_only_so_many_at_once_and_a_second() -> None:
    now = [0.0]
    gate = Gate(lambda: now[0])

    with ExitStack() as inside:
        for _ in range(AT_ONCE_MAX):
            inside.enter_context(gate.passed())
        with pytest.raises(TooBusy), gate.passed():
            pass
    for _ in range(PER_SECOND_MAX - AT_ONCE_MAX):
        with gate.passed():
            pass
    with pytest.raises(TooBusy), gate.passed():
        pass
    now[0] = 0.01
    for _ in range(5):
        with gate.passed():
            pass
    with pytest.raises(TooBusy), gate.passed():
        pass


async def test_too_many_are_asked_to_come_back(shop: Shop, services: Services) -> None:
    with ExitStack() as inside:
        for _ in range(AT_ONCE_MAX):
            inside.enter_context(services.gate.passed())
        answer = await shop.tell(ORDER)

    assert problem(answer) == (429, "too_busy")
    assert answer.headers["retry-after"] == "1"
