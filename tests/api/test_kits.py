"""Kits over the API: recipes, what is in them, and how many there are."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.api.conftest import Caller, Look, Rung, problem


@pytest.fixture
async def tea_set(admin: httpx.AsyncClient, mug: dict[str, Any]) -> dict[str, Any]:
    """SET is two MUG and one POT; ten mugs and four pots lie there."""
    for code in ("POT", "SET", "BOX"):
        assert (await admin.post("/skus", json={"code": code})).status_code == 201
    received = {"kind": "receive", "ref": "delivery-2", "sku": "POT", "quantity": 4}
    assert (await admin.post("/movements", json=received)).status_code == 201
    parts = {"parts": [{"sku": "POT", "quantity": 1}, {"sku": mug["code"], "quantity": 2}]}
    answer = await admin.put("/skus/SET/parts", json=parts)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def test_a_kit_shows_its_parts_and_how_many_there_are(
    admin: httpx.AsyncClient, tea_set: dict[str, Any]
) -> None:
    contents = [{"sku": "MUG", "quantity": 2}, {"sku": "POT", "quantity": 1}]
    assert tea_set == {"sku": "SET", "parts": contents, "contents": contents, "available": 4}
    assert (await admin.get("/skus/SET/parts")).json() == tea_set
    plain = (await admin.get("/skus/MUG/parts")).json()
    assert plain == {"sku": "MUG", "parts": [], "contents": [], "available": 10}


async def test_a_kit_stands_among_the_skus_with_its_whole_kits(
    admin: httpx.AsyncClient, tea_set: dict[str, Any]
) -> None:
    kit = (await admin.get(f"/skus/{tea_set['sku']}")).json()
    assert (kit["kit"], kit["on_hand"], kit["available"]) == (True, 0, 4)
    changed = await admin.patch("/skus/SET", json={"safety_stock": 1})
    assert changed.json()["available_to_promise"] == 3
    listed = {row["code"]: row for row in (await admin.get("/skus")).json()["items"]}
    assert (listed["SET"], listed["MUG"]["kit"]) == (changed.json(), False)


async def test_a_kit_in_a_kit_shows_what_a_sale_takes(
    admin: httpx.AsyncClient, tea_set: dict[str, Any], rung: Rung
) -> None:
    await rung()
    parts = {"parts": [{"sku": "SET", "quantity": 2}, {"sku": "MUG", "quantity": 1}]}

    box = (await admin.put("/skus/BOX/parts", json=parts)).json()

    assert box["parts"] == [{"sku": "MUG", "quantity": 1}, {"sku": "SET", "quantity": 2}]
    assert box["contents"] == [{"sku": "MUG", "quantity": 5}, {"sku": "POT", "quantity": 2}]
    assert box["available"] == 2
    assert await rung() == ["refresh"]
    assert tea_set["sku"] == "SET"


async def test_with_no_parts_it_is_no_kit_any_more(
    admin: httpx.AsyncClient, tea_set: dict[str, Any]
) -> None:
    answer = await admin.put("/skus/SET/parts", json={"parts": []})
    assert (answer.status_code, answer.json()) == (
        200,
        {"sku": "SET", "parts": [], "contents": [], "available": 0},
    )
    received = {"kind": "receive", "ref": "delivery-3", "sku": "SET", "quantity": 1}
    assert (await admin.post("/movements", json=received)).status_code == 201
    assert problem(await admin.put("/skus/SET/parts", json={"parts": tea_set["parts"]})) == (
        409,
        "wrong_state",
    )


async def test_recipes_that_cannot_be_are_refused_and_change_nothing(
    admin: httpx.AsyncClient, tea_set: dict[str, Any], contents: Look
) -> None:
    before = await contents()
    one = {"sku": "MUG", "quantity": 1}
    wrong: list[tuple[str, Any, tuple[int, str]]] = [
        ("SET", [{"sku": "SET", "quantity": 1}], (400, "bad_input")),
        ("SET", [one, one], (400, "bad_input")),
        ("SET", [{"sku": "MUG", "quantity": 0}], (400, "bad_input")),
        ("SET", [{"sku": "MUG", "quantity": 10_001}], (400, "bad_input")),
        ("SET", [{"sku": "MUG", "quantity": 1.5}], (400, "bad_input")),
        ("SET", [{"sku": "MUG"}], (400, "bad_input")),
        ("SET", [{"sku": f"S-{n}", "quantity": 1} for n in range(101)], (400, "bad_input")),
        ("SET", [{"sku": "NO", "quantity": 1}], (404, "unknown_sku")),
        ("NO", [one], (404, "unknown_sku")),
        ("POT", [one], (409, "wrong_state")),
    ]
    for sku, parts, expected in wrong:
        answer = await admin.put(f"/skus/{sku}/parts", json={"parts": parts})
        assert problem(answer) == expected, parts
    assert problem(await admin.put("/skus/SET/parts", json={})) == (400, "bad_input")
    assert problem(await admin.get("/skus/NO/parts")) == (404, "unknown_sku")
    assert await contents() == before
    assert tea_set["available"] == 4


async def test_a_circle_is_named(admin: httpx.AsyncClient, tea_set: dict[str, Any]) -> None:
    await admin.post("/skus", json={"code": "LID"})
    for kit, part in (("BOX", "SET"), ("SET", "LID")):
        parts = {"parts": [{"sku": part, "quantity": 1}]}
        assert (await admin.put(f"/skus/{kit}/parts", json=parts)).status_code == 200

    answer = await admin.put("/skus/LID/parts", json={"parts": [{"sku": "BOX", "quantity": 1}]})

    assert problem(answer) == (400, "bad_input")
    assert answer.json()["detail"] == "a kit cannot be in itself: LID > BOX > SET > LID"
    assert tea_set


async def test_kits_cannot_be_changed_with_a_key_that_only_reads(
    caller: Caller, tea_set: dict[str, Any], contents: Look
) -> None:
    reader = await caller("stock:read")
    before = await contents()
    answer = await reader.put("/skus/SET/parts", json={"parts": []})
    assert problem(answer) == (403, "not_permitted")
    assert (await reader.get("/skus/SET/parts")).json() == tea_set
    assert await contents() == before


async def test_a_store_sells_and_asks_for_kits(
    admin: httpx.AsyncClient, store: str, tea_set: dict[str, Any]
) -> None:
    rows = {"listings": [{"channel_sku": "W-SET", "sku": tea_set["sku"]}]}
    assert (await admin.put(f"{store}/listings", json=rows)).status_code == 200
    asked = {
        "reservation_ref": "basket-1",
        "lines": [{"line_ref": "1", "channel_sku": "W-SET", "quantity": 3}],
    }
    assert (await admin.post(f"{store}/reservations", json=asked)).status_code == 201

    shown = (await admin.get(f"{store}/availability", params={"channel_sku": "W-SET"})).json()
    assert shown["quantity"] == 1
    assert shown["why"] == "1 = 1 kits (1 POT can be promised, 1 in each) − 0 safety stock"
    again = asked | {"reservation_ref": "basket-2"}
    answer = await admin.post(f"{store}/reservations", json=again)
    assert problem(answer) == (409, "insufficient_stock")
    mug = (await admin.get("/skus/MUG")).json()
    assert (mug["on_hand"], mug["reserved"]) == (10, 6)


async def test_the_pot_of_a_listing(
    admin: httpx.AsyncClient, store: str, tea_set: dict[str, Any], contents: Look
) -> None:
    [listing] = (await admin.get(f"{store}/listings")).json()["items"]
    changed = await admin.patch(f"{store}/listings/{listing['id']}", json={"preorder_units": 3})
    assert changed.json()["preorder_units"] == 3
    before = await contents()
    for units in (-1, 1_000_001, None):
        wrong = await admin.patch(
            f"{store}/listings/{listing['id']}", json={"preorder_units": units}
        )
        assert problem(wrong) == (400, "bad_input")
    row = {"channel_sku": "W-SET", "sku": tea_set["sku"], "preorder_units": 1}
    assert problem(await admin.put(f"{store}/listings", json={"listings": [row]})) == (
        400,
        "bad_input",
    )
    assert await contents() == before
