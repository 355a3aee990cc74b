"""Movements by hand: every kind of them over the API, each recorded once."""

from __future__ import annotations

from typing import Any

import httpx

from tests.api.conftest import Look, problem
from tests.conftest import HandClock

NOON = "2026-11-21T12:00:00Z"
INSUFFICIENT = "insufficient_stock"


async def move(admin: httpx.AsyncClient, kind: str, ref: str, **members: Any) -> dict[str, Any]:
    """A movement that is recorded; its answer."""
    answer = await admin.post("/movements", json={"kind": kind, "ref": ref, **members})
    assert answer.status_code == 201, answer.text
    done: dict[str, Any] = answer.json()
    return done


async def lies(admin: httpx.AsyncClient) -> dict[str, int]:
    """Where units of MUG are on hand."""
    found = (await admin.get("/skus/MUG")).json()
    return {each["location"]: each["on_hand"] for each in found["locations"] if each["on_hand"]}


async def test_repeated_movement_is_recorded_once(
    admin: httpx.AsyncClient, mug: dict[str, Any], contents: Look
) -> None:
    before = await contents()
    again = {"kind": "receive", "ref": "delivery-1", "sku": "MUG", "quantity": 10}

    answer = await admin.post("/movements", json=again)

    assert (answer.status_code, answer.json()) == (
        200,
        {"ref": "delivery-1", "status": "recorded", "code": "", "detail": "", "repeated": True},
    )
    assert await contents() == before


async def test_same_name_with_other_content_is_kept_and_not_applied(
    admin: httpx.AsyncClient, mug: dict[str, Any]
) -> None:
    other = {"kind": "receive", "ref": "delivery-1", "sku": "MUG", "quantity": 99}

    for _ in range(2):
        assert problem(await admin.post("/movements", json=other)) == (409, "content_differs")

    assert (await admin.get("/skus/MUG")).json()["on_hand"] == 10
    [kept] = (await admin.get("/events", params={"state": "conflict"})).json()["items"]
    assert (kept["channel"], kept["event_id"], kept["kind"]) == ("house", "delivery-1", "movement")
    body = (await admin.get(f"/events/{kept['id']}")).json()["body"]
    assert (body["quantity"], body["told_by"]) == (99, "tester")


async def test_movements_that_cannot_be_booked_change_nothing(
    admin: httpx.AsyncClient, mug: dict[str, Any], contents: Look
) -> None:
    before = await contents()
    move = {"ref": "m-1", "sku": "MUG"}
    transfer = {"kind": "transfer", "quantity": 11, "from_location": "main"}
    wrong: list[tuple[dict[str, Any], tuple[int, str]]] = [
        ({"kind": "receive", "sku": "NO", "quantity": 1}, (404, "unknown_sku")),
        ({"kind": "receive", "location": "moon", "quantity": 1}, (404, "unknown_location")),
        ({"kind": "adjust", "reason": "loss", "change": -11}, (409, "on_hand_below_zero")),
        ({"kind": "adjust", "reason": "loss"}, (400, "bad_input")),
        ({"kind": "adjust", "reason": "loss", "change": 1, "on_hand": 1}, (400, "bad_input")),
        ({**transfer, "to_location": "main"}, (400, "same_location")),
        ({"kind": "receive", "quantity": 0}, (400, "bad_input")),
        ({"kind": "receive", "quantity": 1_000_001}, (400, "bad_input")),
        (
            {"kind": "receive", "quantity": 1, "occurred_at": "1999-01-01T00:00:00Z"},
            (400, "bad_input"),
        ),
        (
            {"kind": "receive", "quantity": 1, "occurred_at": "2026-01-01T00:00:00"},
            (400, "bad_input"),
        ),
        ({"kind": "destroy", "quantity": 1}, (400, "bad_input")),
        ({"kind": "return", "quantity": 1}, (400, "bad_input")),
        ({"kind": "return", "quantity": 1, "condition": "wet"}, (400, "bad_input")),
        (
            {"kind": "return", "quantity": 1, "condition": "damaged", "location": "main"},
            (409, "location_sellable"),
        ),
        ({"kind": "receive", "quantity": 1, "supply_ref": "po-9"}, (404, "unknown_supply")),
        ({"kind": "supply", "quantity": 1, "supply_ref": "po-9"}, (400, "bad_input")),
        ({"kind": "count", "on_hand": 10}, (400, "bad_input")),
        ({"kind": "count", "on_hand": -1, "occurred_at": NOON}, (400, "bad_input")),
        (
            {"kind": "count", "on_hand": 10, "occurred_at": "2026-11-21T12:02:00Z"},
            (400, "bad_input"),
        ),
        (
            {"kind": "count", "on_hand": 10, "occurred_at": NOON, "recount_of": "never"},
            (404, "unknown_count"),
        ),
        ({**transfer, "kind": "transfer_out", "to_location": "damaged"}, (409, INSUFFICIENT)),
    ]
    for part, expected in wrong:
        assert problem(await admin.post("/movements", json={**move, **part})) == expected, part
    others: list[tuple[dict[str, Any], tuple[int, str]]] = [
        ({"kind": "transfer_in", "transfer_ref": "t-9", "quantity": 1}, (404, "unknown_transfer")),
        ({"kind": "transfer_in", "transfer_ref": "t-9", "quantity": 0}, (400, "bad_input")),
        ({"kind": "supply_end", "supply_ref": "po-9"}, (404, "unknown_supply")),
        ({"kind": "supply_end", "supply_ref": "po-9", "sku": "MUG"}, (400, "bad_input")),
    ]
    for part, expected in others:
        answer = await admin.post("/movements", json={"ref": "m-1", **part})
        assert problem(answer) == expected, part
    assert await contents() == before


async def test_transfer_of_more_than_is_there_is_refused(
    admin: httpx.AsyncClient, mug: dict[str, Any], contents: Look
) -> None:
    await admin.post("/locations", json={"code": "back-room"})
    before = await contents()

    answer = await admin.post(
        "/movements",
        json={
            "kind": "transfer",
            "ref": "t-1",
            "sku": "MUG",
            "quantity": 11,
            "from_location": "main",
            "to_location": "back-room",
        },
    )

    assert problem(answer) == (409, "insufficient_stock")
    assert await contents() == before


async def test_units_between_two_locations_are_in_transit(
    admin: httpx.AsyncClient, mug: dict[str, Any]
) -> None:
    await admin.post("/locations", json={"code": "osaka"})
    sent = {"sku": "MUG", "quantity": 6, "from_location": "main", "to_location": "osaka"}

    await move(admin, "transfer_out", "t-1", **sent)
    assert await lies(admin) == {"main": 4, "in-transit": 6}
    assert (await admin.get("/skus/MUG")).json()["on_hand"] == 4

    await move(admin, "transfer_in", "t-1:a", transfer_ref="t-1", quantity=3)
    assert await lies(admin) == {"main": 4, "in-transit": 3, "osaka": 3}
    more = {"kind": "transfer_in", "ref": "t-1:b", "transfer_ref": "t-1", "quantity": 4}
    assert problem(await admin.post("/movements", json=more)) == (409, INSUFFICIENT)
    await move(admin, "transfer_in", "t-1:b", transfer_ref="t-1", quantity=2, missing=1)

    assert await lies(admin) == {"main": 4, "osaka": 5}


async def test_what_comes_back_is_offered_again_only_if_it_is_fit_for_sale(
    admin: httpx.AsyncClient, mug: dict[str, Any]
) -> None:
    for number, condition in enumerate(("sellable", "damaged", "missing")):
        back = {"sku": "MUG", "quantity": 2, "condition": condition}
        await move(admin, "return", f"back-{number}", **back)

    assert await lies(admin) == {"main": 12, "damaged": 2}
    assert (await admin.get("/skus/MUG")).json()["available_to_promise"] == 12


async def test_expected_supply_is_received_in_parts_where_it_was_expected(
    admin: httpx.AsyncClient, mug: dict[str, Any]
) -> None:
    await admin.post("/locations", json={"code": "osaka"})
    supply = {"supply_ref": "po-1", "sku": "MUG", "due_on": "2026-11-25", "location": "osaka"}
    await move(admin, "supply", "po-1:told", quantity=20, **supply)
    assert (await admin.get("/skus/MUG")).json()["available"] == 10

    await move(admin, "receive", "d-2", sku="MUG", quantity=15, supply_ref="po-1")
    assert await lies(admin) == {"main": 10, "osaka": 15}

    fewer = {"kind": "supply", "ref": "po-1:fewer", "quantity": 14, **supply}
    assert problem(await admin.post("/movements", json=fewer)) == (409, "wrong_supply")
    await move(admin, "supply_end", "po-1:ended", supply_ref="po-1")
    [row] = (await admin.get("/supplies")).json()["items"]
    assert (row["expected"], row["received"], row["outstanding"]) == (20, 15, 0)


async def test_count_near_the_book_is_applied_as_of_its_moment(
    admin: httpx.AsyncClient, store: str, clock: HandClock
) -> None:
    counted_at = clock.moment.isoformat()
    clock.moment = clock.moment.replace(minute=10)
    line = {"line_ref": "1", "channel_sku": "W-MUG", "quantity": 2}
    order = {"event_id": "e-1", "order_ref": "o-1", "lines": [line]}
    await admin.post(f"{store}/orders", json=order)
    await admin.post(f"{store}/orders/o-1/shipments", json={"event_id": "s-1"})

    count = {"sku": "MUG", "on_hand": 9, "occurred_at": counted_at}
    done = await move(admin, "count", "count-1", **count)

    assert (done["status"], done["code"]) == ("recorded", "")
    assert await lies(admin) == {"main": 7}
    early = {"kind": "count", "ref": "count-0", **count}
    assert problem(await admin.post("/movements", json=early)) == (409, "counted_later")


async def test_count_far_from_the_book_is_blind_and_wants_a_second_one(
    admin: httpx.AsyncClient, mug: dict[str, Any], clock: HandClock
) -> None:
    far = {"sku": "MUG", "on_hand": 3, "occurred_at": NOON, "reason": "loss"}
    done = await move(admin, "count", "count-1", **far)

    assert (done["status"], done["code"]) == ("recorded", "recount_wanted")
    assert "10" not in done["detail"]
    assert await lies(admin) == {"main": 10}
    again = await admin.post("/movements", json={"kind": "count", "ref": "count-1", **far})
    assert (again.status_code, again.json()) == (200, done | {"repeated": True})

    clock.moment = clock.moment.replace(minute=5)
    second = far | {"occurred_at": clock.moment.isoformat(), "recount_of": "count-1"}
    done = await move(admin, "count", "count-2", **second)
    assert (done["code"], await lies(admin)) == ("", {"main": 3})
