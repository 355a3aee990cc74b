"""Who may do what: keys, scopes, and keys bound to one channel."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from litestar import Litestar
from litestar.routes import HTTPRoute
from sqlalchemy import select, update

from inventory.db import Database
from inventory.errors import BadInput, NotFound
from inventory.models import ApiKey
from inventory.security import Scope, create_key, revoke_keys
from tests.api.conftest import Caller, Look, problem
from tests.conftest import HandClock

OPEN = ("/health/live", "/health/ready", "/metrics", "/schema", "/schema/openapi.json")

# Marketplaces have no key: what they tell bears a proof of theirs.
PROVEN = "/v1/notices"


def calls(app: Litestar) -> list[tuple[str, str]]:
    """Every method and address, with a number for each name in it."""
    return [
        (method, re.sub(r"\{[^}]*\}", "1", route.path))
        for route in app.routes
        if isinstance(route, HTTPRoute) and not route.path.startswith((*OPEN, PROVEN))
        for method in route.methods
        if method != "OPTIONS"
    ]


async def test_every_call_needs_a_key_with_a_scope(
    app: Litestar, stranger: httpx.AsyncClient, caller: Caller, contents: Look
) -> None:
    powerless = await caller("stock:read")
    async with app.state.services.database.transaction() as session:
        await session.execute(update(ApiKey).values(scopes=[]))
    before = await contents()
    checked = calls(app)
    assert len(checked) > 40
    for method, address in checked:
        refused = await stranger.request(method, address)
        assert problem(refused) == (401, "unauthenticated"), (method, address)
        assert refused.headers["www-authenticate"] == "Bearer"
        lacking = await powerless.request(method, "http://hikiate" + address)
        assert problem(lacking) == (403, "not_permitted"), (method, address)
    assert await contents() == before


async def test_open_addresses_need_no_key(stranger: httpx.AsyncClient) -> None:
    for address in OPEN:
        assert (await stranger.get(address)).status_code == 200, address


WRONG = [
    "Bearer hk_wrong",
    "Bearer hk_" + "x" * 300,
    "Bearer hk_ключ",
    "Bearer",
    "Basic aGs6aGs=",
    "hk_",
    "",
]


async def test_wrong_keys(stranger: httpx.AsyncClient) -> None:
    for header in WRONG:
        answer = await stranger.get("/v1/skus", headers={b"Authorization": header.encode()})
        assert problem(answer) == (401, "unauthenticated"), header


async def test_revoked_key_is_refused_within_five_seconds(
    admin: httpx.AsyncClient, database: Database, clock: HandClock
) -> None:
    assert (await admin.get("/skus")).status_code == 200
    async with database.transaction() as session:
        revoked = await revoke_keys(session, name="tester", now=datetime.now(UTC))
    assert revoked == 1
    clock.moment += timedelta(seconds=4.9)
    assert (await admin.get("/skus")).status_code == 200
    clock.moment += timedelta(seconds=0.1)
    for _ in range(2):
        assert problem(await admin.get("/skus")) == (401, "unauthenticated")
    async with database.transaction() as session:
        with pytest.raises(NotFound):
            await revoke_keys(session, name="tester", now=datetime.now(UTC))


async def test_scope_for_reading_does_not_allow_writing(caller: Caller, contents: Look) -> None:
    reader = await caller("stock:read")
    before = await contents()
    assert (await reader.get("/skus")).status_code == 200
    answer = await reader.post("/skus", json={"code": "CUP"})
    assert problem(answer) == (403, "not_permitted")
    assert answer.json()["detail"] == "this needs a key with the scope stock:write"
    assert await contents() == before


async def test_key_of_a_channel_is_good_for_that_channel_only(
    admin: httpx.AsyncClient, store: str, caller: Caller, contents: Look
) -> None:
    await admin.post("/channels", json={"code": "other", "kind": "own_store"})
    web = await caller("orders:write", "stock:read", channel="web")
    order: dict[str, Any] = {
        "event_id": "e-1",
        "order_ref": "o-1",
        "lines": [{"line_ref": "1", "channel_sku": "W-MUG", "quantity": 1}],
    }
    before = await contents()
    answers = [
        await web.post("/channels/other/orders", json=order),
        await web.get("/channels/other/availability", params={"channel_sku": "W-MUG"}),
        await web.get("/skus"),
        await web.get("/status"),
        await web.get("/channels"),
    ]
    assert [problem(answer) for answer in answers] == [(403, "not_permitted")] * 5
    assert await contents() == before

    assert (await web.post(f"{store}/orders", json=order)).status_code == 201
    shown = await web.get(f"{store}/availability", params={"channel_sku": "W-MUG"})
    assert shown.json()["quantity"] == 9


async def test_only_the_hash_of_a_key_is_stored(database: Database) -> None:
    async with database.transaction() as session:
        key = await create_key(session, name="desk", scopes=["desk:write"])
        row = (await session.scalars(select(ApiKey))).one()
    assert key.startswith("hk_")
    assert len(key) == 46
    assert key[3:].encode() not in row.key_hash
    assert (row.name, row.scopes, row.channel_id) == ("desk", ["desk:write"], None)
    assert len(row.key_hash) == 32


async def test_keys_with_unknown_scopes_are_not_made(database: Database) -> None:
    wrong: list[list[str]] = [[], ["everything"], ["stock:read", "x"]]
    async with database.transaction() as session:
        for scopes in wrong:
            with pytest.raises(BadInput):
                await create_key(session, name="x", scopes=scopes)
        with pytest.raises(NotFound):
            await create_key(session, name="x", scopes=[Scope.ADMIN], channel="nowhere")
