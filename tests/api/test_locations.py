"""Locations over the API: which are sold from, and which feed a channel, in which order."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from sqlalchemy import select

from inventory.api.context import Services
from inventory.db import Database
from inventory.models import Audit, StaleSku
from tests.api.conftest import Caller, Look, Rung, problem


@pytest.fixture
async def annex(admin: httpx.AsyncClient, mug: dict[str, Any]) -> str:
    """A second sellable location with four of fourteen mugs."""
    assert (await admin.post("/locations", json={"code": "annex"})).status_code == 201
    received = {"kind": "receive", "ref": "d-2", "sku": "MUG", "quantity": 4, "location": "annex"}
    assert (await admin.post("/movements", json=received)).status_code == 201
    assert mug["on_hand"] == 10
    return "annex"


async def test_three_are_there_from_the_start(admin: httpx.AsyncClient) -> None:
    rows = (await admin.get("/locations")).json()["items"]
    assert {row["code"]: row["sellable"] for row in rows} == {
        "main": True,
        "damaged": False,
        "in-transit": False,
    }


async def test_a_location_is_taken_out_of_sale_and_opened_again(
    admin: httpx.AsyncClient,
    annex: str,
    database: Database,
    services: Services,
    rung: Rung,
    mug: dict[str, Any],
) -> None:
    await services.bell.quiet()
    async with database.transaction() as session:
        for stale in await session.scalars(select(StaleSku)):
            await session.delete(stale)
    await rung()

    answer = await admin.patch(f"/locations/{annex}", json={"sellable": False})

    assert (answer.status_code, answer.json()["sellable"]) == (200, False)
    assert (await admin.get("/skus/MUG")).json()["available"] == 10
    async with database.sessions() as session:
        assert list(await session.scalars(select(StaleSku.sku_id))) == [mug["id"]]
        action = await session.scalar(select(Audit.action).order_by(Audit.id.desc()).limit(1))
    assert action == "location.changed"
    assert await rung() == ["refresh"]
    again = await admin.patch(f"/locations/{annex}", json={"sellable": True})
    assert again.json()["sellable"] is True
    assert (await admin.get("/skus/MUG")).json()["available"] == 14


async def test_what_must_not_be_changed_is_refused_and_changes_nothing(
    admin: httpx.AsyncClient, annex: str, store: str, contents: Look
) -> None:
    fed = await admin.patch(store, json={"locations": [annex]})
    assert fed.status_code == 200
    before = await contents()
    wrong: list[tuple[str, dict[str, Any], tuple[int, str]]] = [
        ("moon", {"sellable": True}, (404, "unknown_location")),
        ("damaged", {"sellable": True}, (409, "wrong_state")),
        ("in-transit", {"sellable": True}, (409, "wrong_state")),
        (annex, {"sellable": False}, (409, "wrong_state")),
        (annex, {"sellable": "maybe"}, (400, "bad_input")),
        (annex, {}, (400, "bad_input")),
        (annex, {"code": "attic"}, (400, "bad_input")),
    ]
    for code, change, expected in wrong:
        answer = await admin.patch(f"/locations/{code}", json=change)
        assert problem(answer) == expected, (code, change)
    assert await contents() == before


async def test_where_units_are_reserved_it_stays_in_sale(
    admin: httpx.AsyncClient, annex: str, store: str, contents: Look
) -> None:
    asked = {
        "reservation_ref": "basket-1",
        "lines": [{"line_ref": "1", "channel_sku": "W-MUG", "quantity": 11}],
    }
    assert (await admin.post(f"{store}/reservations", json=asked)).status_code == 201
    before = await contents()

    answer = await admin.patch(f"/locations/{annex}", json={"sellable": False})

    assert problem(answer) == (409, "wrong_state")
    assert answer.json()["detail"] == (
        "units of MUG are reserved at annex: ship or release them first"
    )
    assert await contents() == before
    released = await admin.post(f"{store}/reservations/basket-1/release")
    assert released.status_code == 200
    assert (await admin.patch(f"/locations/{annex}", json={"sellable": False})).status_code == 200


async def test_a_channel_is_fed_in_the_order_given(
    admin: httpx.AsyncClient, annex: str, store: str
) -> None:
    fed = await admin.patch(store, json={"locations": [annex, "main"]})
    assert fed.json()["locations"] == [annex, "main"]
    asked = {
        "reservation_ref": "basket-1",
        "lines": [{"line_ref": "1", "channel_sku": "W-MUG", "quantity": 5}],
    }
    assert (await admin.post(f"{store}/reservations", json=asked)).status_code == 201
    places = (await admin.get("/skus/MUG")).json()["locations"]
    assert {place["location"]: place["reserved"] for place in places} == {"main": 1, "annex": 4}


async def test_no_channel_is_fed_by_what_is_not_sellable(
    admin: httpx.AsyncClient, store: str, contents: Look
) -> None:
    before = await contents()
    new = {"code": "web-2", "kind": "own_store", "locations": ["main", "damaged"]}
    answers = [
        await admin.patch(store, json={"locations": ["in-transit"]}),
        await admin.post("/channels", json=new),
    ]
    assert [problem(answer) for answer in answers] == [(409, "wrong_state")] * 2
    assert await contents() == before


async def test_locations_cannot_be_changed_with_a_key_that_only_reads(
    caller: Caller, annex: str, contents: Look
) -> None:
    reader = await caller("stock:read")
    before = await contents()
    answer = await reader.patch(f"/locations/{annex}", json={"sellable": False})
    assert problem(answer) == (403, "not_permitted")
    assert await contents() == before
