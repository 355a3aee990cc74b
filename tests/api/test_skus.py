"""SKUs, locations and movements over the API."""

from __future__ import annotations

from typing import Any

import httpx
from sqlalchemy import select

from inventory.db import Database
from inventory.models import Audit, StaleSku
from tests.api.conftest import Look, Rung, problem

NOON = "2026-11-21T12:00:00Z"


async def test_new_sku_has_no_stock(admin: httpx.AsyncClient, database: Database) -> None:
    answer = await admin.post("/skus", json={"code": "CUP", "name": "Cup 赤", "safety_stock": 2})

    assert answer.status_code == 201
    assert answer.json() == {
        "id": 1,
        "code": "CUP",
        "name": "Cup 赤",
        "safety_stock": 2,
        "safety_percent": 0,
        "created_at": NOON,
        "on_hand": 0,
        "reserved": 0,
        "available": 0,
        "safety_units": 2,
        "available_to_promise": -2,
        "locations": [],
        "kit": False,
    }
    async with database.sessions() as session:
        [row] = await session.scalars(select(Audit))
    assert (row.done_by, row.action, row.detail["code"]) == ("tester", "sku.created", "CUP")


async def test_same_code_twice_is_refused_and_changes_nothing(
    admin: httpx.AsyncClient, mug: dict[str, Any], contents: Look
) -> None:
    before = await contents()

    answer = await admin.post("/skus", json={"code": "MUG", "name": "another"})

    assert problem(answer) == (409, "already_exists")
    assert await contents() == before


async def test_changing_safety_stock_works_the_numbers_out_anew(
    admin: httpx.AsyncClient, mug: dict[str, Any], database: Database, rung: Rung
) -> None:
    async with database.transaction() as session:
        for stale in await session.scalars(select(StaleSku)):
            await session.delete(stale)
    await rung()

    answer = await admin.patch("/skus/MUG", json={"safety_percent": 25})

    assert answer.status_code == 200
    body = answer.json()
    assert (body["safety_units"], body["available_to_promise"]) == (3, 7)
    assert "refresh" in await rung()
    async with database.sessions() as session:
        assert list(await session.scalars(select(StaleSku.sku_id))) == [mug["id"]]


async def test_unknown_sku(admin: httpx.AsyncClient, contents: Look) -> None:
    before = await contents()
    assert problem(await admin.get("/skus/NO")) == (404, "unknown_sku")
    assert problem(await admin.get("/skus/NO/movements")) == (404, "unknown_sku")
    assert problem(await admin.patch("/skus/NO", json={"name": "x"})) == (404, "unknown_sku")
    assert await contents() == before


async def test_list_goes_on_where_the_page_before_ended(admin: httpx.AsyncClient) -> None:
    for code in ("A", "B", "C"):
        await admin.post("/skus", json={"code": code})

    first = (await admin.get("/skus", params={"limit": 2})).json()
    second = (await admin.get("/skus", params={"limit": 2, "cursor": first["next"]})).json()

    assert [row["code"] for row in first["items"]] == ["A", "B"]
    assert [row["code"] for row in second["items"]] == ["C"]
    assert second["next"] is None


async def test_locations(admin: httpx.AsyncClient, mug: dict[str, Any]) -> None:
    made = await admin.post("/locations", json={"code": "quarantine", "sellable": False})
    assert (made.status_code, made.json()) == (
        201,
        {"id": 4, "code": "quarantine", "sellable": False},
    )
    again = await admin.post("/locations", json={"code": "quarantine"})
    assert problem(again) == (409, "already_exists")

    move = {
        "kind": "transfer",
        "ref": "t-1",
        "sku": "MUG",
        "quantity": 4,
        "from_location": "main",
        "to_location": "quarantine",
    }
    assert (await admin.post("/movements", json=move)).status_code == 201

    stock = (await admin.get("/skus/MUG")).json()
    assert (stock["on_hand"], stock["available"]) == (6, 6)
    assert stock["locations"] == [
        {"location": "main", "sellable": True, "on_hand": 6, "reserved": 0},
        {"location": "quarantine", "sellable": False, "on_hand": 4, "reserved": 0},
    ]
    listed = (await admin.get("/locations")).json()
    assert [row["code"] for row in listed["items"]] == [
        "main",
        "damaged",
        "in-transit",
        "quarantine",
    ]


async def test_each_kind_of_movement_and_its_history(
    admin: httpx.AsyncClient, mug: dict[str, Any], rung: Rung
) -> None:
    moves: list[dict[str, Any]] = [
        {"kind": "adjust", "ref": "count-1", "sku": "MUG", "reason": "count", "on_hand": 8},
        {"kind": "adjust", "ref": "broken-1", "sku": "MUG", "reason": "damage", "change": -1},
        {"kind": "return", "ref": "back-1", "sku": "MUG", "quantity": 2, "occurred_at": NOON}
        | {"condition": "sellable"},
    ]
    for move in moves:
        answer = await admin.post("/movements", json=move)
        assert (answer.status_code, answer.json()["repeated"]) == (201, False)

    newest = (await admin.get("/skus/MUG/movements", params={"limit": 3})).json()
    rest = (await admin.get("/skus/MUG/movements", params={"cursor": newest["next"]})).json()

    rows = newest["items"] + rest["items"]
    assert [(row["kind"], row["on_hand_delta"], row["reason"]) for row in rows] == [
        ("return", 2, "sellable"),
        ("adjust", -1, "damage"),
        ("adjust", -2, "count"),
        ("receive", 10, None),
    ]
    assert rest["next"] is None
    assert rows[0] == {
        "kind": "return",
        "location": "main",
        "on_hand_delta": 2,
        "reserved_delta": 0,
        "on_hand_after": 9,
        "reserved_after": 0,
        "revision": 4,
        "reason": "sellable",
        "channel": "house",
        "fact": "return",
        "fact_ref": "back-1",
        "occurred_at": NOON,
        "recorded_at": NOON,
    }
    assert (await admin.get("/skus/MUG")).json()["on_hand"] == 9
    assert "refresh" in await rung()
