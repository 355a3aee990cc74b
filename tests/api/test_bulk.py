"""Many movements, and many orders, in one call."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx

from inventory.app import BODY_BYTES_MAX
from tests.api.conftest import Look, Rung, problem
from tests.api.test_orders import order, stock


def receive(ref: str, quantity: int = 1, sku: str = "MUG") -> dict[str, Any]:
    """Some units that arrive."""
    return {"kind": "receive", "ref": ref, "sku": sku, "quantity": quantity}


def sale(number: int, quantity: int = 1, channel_sku: str = "W-MUG") -> dict[str, Any]:
    """One line of one order."""
    line = {"line_ref": "1", "channel_sku": channel_sku, "quantity": quantity}
    return order(f"e-{number}", order_ref=f"o-{number}", lines=[line])


def wrong_parts(answer: httpx.Response) -> list[tuple[str, str]]:
    """Where a problem says that something is wrong, and why."""
    assert problem(answer) == (409, "not_together")
    return [(each["where"], each["code"]) for each in answer.json()["errors"]]


async def test_lines_of_a_batch_are_recorded_each_by_itself(
    admin: httpx.AsyncClient, mug: dict[str, Any], rung: Rung
) -> None:
    await rung()
    lines = [
        receive("a", 5),
        receive("b", sku="NO"),
        receive("delivery-1", 10),
        receive("delivery-1", 99),
        {"kind": "adjust", "ref": "c", "sku": "MUG", "change": -20, "reason": "loss"},
        {"kind": "adjust", "ref": "d", "sku": "MUG", "change": -2, "reason": "loss"},
    ]

    answer = await admin.post("/movements/batch", json={"lines": lines})

    assert answer.status_code == 200
    body = answer.json()
    assert (body["recorded"], body["refused"]) == (3, 3)
    outcomes = [(each["ref"], each["status"], each["code"]) for each in body["outcomes"]]
    assert outcomes == [
        ("a", "recorded", ""),
        ("b", "refused", "unknown_sku"),
        ("delivery-1", "recorded", ""),
        ("delivery-1", "conflict", "content_differs"),
        ("c", "refused", "on_hand_below_zero"),
        ("d", "recorded", ""),
    ]
    assert [each["repeated"] for each in body["outcomes"]] == [False, False, True] + [False] * 3
    assert body["outcomes"][1]["detail"] == "no SKU 'NO'"
    assert await stock(admin) == (13, 0)
    [kept] = (await admin.get("/events", params={"state": "conflict"})).json()["items"]
    assert (kept["event_id"], kept["subject"]) == ("delivery-1", "MUG")
    assert "refresh" in await rung()

    again = (await admin.post("/movements/batch", json={"lines": lines})).json()
    assert [each["repeated"] for each in again["outcomes"] if each["status"] == "recorded"] == [
        True,
        True,
        True,
    ]
    assert await stock(admin) == (13, 0)


async def test_a_batch_that_belongs_together_is_recorded_whole_or_not_at_all(
    admin: httpx.AsyncClient, mug: dict[str, Any], contents: Look
) -> None:
    before = await contents()
    lines = [receive("a"), receive("b", sku="NO"), receive("c", sku="NEITHER")]

    refused = await admin.post("/movements/batch", json={"lines": lines, "together": True})

    assert wrong_parts(refused) == [
        ("body.lines[1]", "unknown_sku"),
        ("body.lines[2]", "unknown_sku"),
    ]
    assert await contents() == before
    whole = {"lines": [receive("a"), receive("b"), receive("delivery-1", 10)], "together": True}
    done = await admin.post("/movements/batch", json=whole)
    assert (done.status_code, done.json()["recorded"]) == (200, 3)
    assert await stock(admin) == (12, 0)


async def test_a_conflict_in_a_batch_that_belongs_together_is_kept(
    admin: httpx.AsyncClient, mug: dict[str, Any]
) -> None:
    lines = [receive("a"), receive("delivery-1", 99)]

    for _ in range(2):
        answer = await admin.post("/movements/batch", json={"lines": lines, "together": True})
        assert wrong_parts(answer) == [("body.lines[1]", "content_differs")]

    assert await stock(admin) == (10, 0)
    [kept] = (await admin.get("/events", params={"state": "conflict"})).json()["items"]
    assert kept["event_id"] == "delivery-1"


async def test_wrong_batches_change_nothing(
    admin: httpx.AsyncClient, mug: dict[str, Any], contents: Look
) -> None:
    before = await contents()
    early = receive("b") | {"occurred_at": "1999-01-01T00:00:00Z"}
    wrong: list[tuple[Any, str]] = [
        ({"lines": []}, "body.lines"),
        ({"lines": [receive(f"r-{n}") for n in range(1001)]}, "body.lines"),
        ({"lines": [receive("a"), receive("b", 0)]}, "body.lines[1].quantity"),
        ({"lines": [receive("a")], "rest": 1}, "body"),
        ([receive("a")], "body"),
        ({"lines": [receive("a"), early]}, ""),
    ]
    for body, where in wrong:
        answer = await admin.post("/movements/batch", json=body)
        assert problem(answer) == (400, "bad_input"), body
        parts = answer.json().get("errors", [])
        assert [part["where"] for part in parts] == ([where] if where else []), body
    assert "lines[1]" in answer.json()["detail"]
    assert await contents() == before


async def test_a_thousand_lines_fit_into_one_request(admin: httpx.AsyncClient, store: str) -> None:
    """Names as long as a marketplace's or a warehouse's own: 40 characters each."""
    lines = [
        receive(f"warehouse-osaka-2026-11-21-delivery-{number:04}")
        | {"occurred_at": "2026-11-21T12:00:00.123456+09:00", "location": "main"}
        for number in range(1000)
    ]
    orders = [
        order(f"store-2026-11-21-order-{number:017}", order_ref=f"2026-11-21-order-{number:023}")
        | {"occurred_at": "2026-11-21T12:00:00.123456+09:00", "ship_by": "2026-11-24T00:00:00Z"}
        for number in range(1000)
    ]
    moved = await admin.post("/movements/batch", json={"lines": lines})
    told = await admin.post(f"{store}/orders", json={"orders": orders})

    assert (moved.status_code, moved.json()["recorded"]) == (200, 1000)
    assert (told.status_code, told.json()["handled"]) == (200, 1000)
    assert max(len(call.request.content) for call in (moved, told)) < BODY_BYTES_MAX / 2
    assert await stock(admin) == (1010, 3000)


async def test_many_orders_are_booked_each_by_itself(
    admin: httpx.AsyncClient, store: str, rung: Rung
) -> None:
    await rung()
    await admin.post(f"{store}/orders", json=sale(1, 2))
    told = [sale(1, 2), sale(2, 3), sale(3, 1, "W-CUP"), sale(1, 9), sale(4, 20)]

    answer = await admin.post(f"{store}/orders", json={"orders": told})

    assert answer.status_code == 200
    body = answer.json()
    assert (body["handled"], body["parked"], body["conflicts"]) == (3, 1, 1)
    outcomes = [(each["event_id"], each["state"], each["code"]) for each in body["outcomes"]]
    assert outcomes == [
        ("e-1", "handled", ""),
        ("e-2", "handled", ""),
        ("e-3", "parked", "unknown_listing"),
        ("e-1", "conflict", "content_differs"),
        ("e-4", "handled", ""),
    ]
    assert [each["repeated"] for each in body["outcomes"]] == [True] + [False] * 4
    assert [each.get("event") for each in body["outcomes"]] == [None, None, 2, 1, None]
    assert await stock(admin) == (10, 25)
    assert "refresh" in await rung()
    rows = (await admin.get("/events")).json()["items"]
    assert [(row["id"], row["state"]) for row in rows] == [(2, "parked"), (1, "conflict")]


async def test_orders_that_belong_together_are_booked_whole_or_not_at_all(
    admin: httpx.AsyncClient, store: str, contents: Look
) -> None:
    before = await contents()
    told = {"orders": [sale(1), sale(2, 1, "W-CUP"), sale(3)], "together": True}

    answer = await admin.post(f"{store}/orders", json=told)

    assert wrong_parts(answer) == [("body.orders[1]", "unknown_listing")]
    assert await contents() == before
    await admin.put(
        f"{store}/listings", json={"listings": [{"channel_sku": "W-CUP", "sku": "MUG"}]}
    )
    for repeated in (False, True):
        done = (await admin.post(f"{store}/orders", json=told)).json()
        assert (done["handled"], done["parked"]) == (3, 0)
        assert [each["repeated"] for each in done["outcomes"]] == [repeated] * 3
    assert await stock(admin) == (10, 3)


async def test_a_parked_event_among_orders_that_belong_together(
    admin: httpx.AsyncClient, store: str
) -> None:
    """One that waits for its listing is booked with the others as soon as the listing is there."""
    parked = (await admin.post(f"{store}/orders", json=sale(2, 1, "W-CUP"))).json()
    other = {"orders": [sale(1), sale(2, 1, "W-MUG")], "together": True}
    answer = await admin.post(f"{store}/orders", json=other)
    assert wrong_parts(answer) == [("body.orders[1]", "content_differs")]
    same = {"orders": [sale(1), sale(2, 1, "W-CUP")], "together": True}
    answer = await admin.post(f"{store}/orders", json=same)
    assert wrong_parts(answer) == [("body.orders[1]", "unknown_listing")]
    assert await stock(admin) == (10, 0)

    await admin.put(
        f"{store}/listings", json={"listings": [{"channel_sku": "W-CUP", "sku": "MUG"}]}
    )
    done = (await admin.post(f"{store}/orders", json=same)).json()

    assert [each["state"] for each in done["outcomes"]] == ["handled", "handled"]
    assert await stock(admin) == (10, 2)
    event = (await admin.get(f"/events/{parked['event']}")).json()
    assert event["state"] == "handled"


async def test_wrong_orders_in_a_call_change_nothing(
    admin: httpx.AsyncClient, store: str, contents: Look
) -> None:
    before = await contents()
    line = {"line_ref": "1", "channel_sku": "W-MUG", "quantity": 1}
    many = [line | {"line_ref": str(number)} for number in range(200)]
    wrong: list[tuple[Any, str]] = [
        ({"orders": []}, "body.orders"),
        ({"orders": [sale(1), sale(2, 0)]}, "body.orders[1].lines[0].quantity"),
        ({"orders": [sale(1)], "event_id": "e-1"}, "body"),
        ({"together": True}, "body"),
        ([sale(1)], "body"),
        ({"orders": [sale(n) | {"lines": many} for n in range(6)]}, ""),
        ({"orders": [sale(1), sale(2) | {"order_ref": "a/b"}]}, ""),
    ]
    for body, where in wrong:
        answer = await admin.post(f"{store}/orders", json=body)
        assert problem(answer) == (400, "bad_input"), body
        parts = answer.json().get("errors", [])
        assert [part["where"] for part in parts] == ([where] if where else []), body
    assert await contents() == before
    for raw in (b"", b"{", b"\xff\xfe", b"[" * 10_000, b'{"event_id":"\xff"}', b"null"):
        headers = {"Content-Type": "application/json"}
        answer = await admin.post(f"{store}/orders", content=raw, headers=headers)
        assert problem(answer) == (400, "bad_input"), raw[:20]


async def test_the_same_orders_told_by_many_at_once_are_booked_once(
    admin: httpx.AsyncClient, store: str
) -> None:
    told = [sale(number, 1, "W-MUG" if number % 2 else "W-CUP") for number in range(20)]
    calls = (
        admin.post(f"{store}/orders", json={"orders": told if turn % 2 else told[::-1]})
        for turn in range(8)
    )

    answers = [answer.json() for answer in await asyncio.gather(*calls)]

    assert {(each["handled"], each["parked"]) for each in answers} == {(10, 10)}
    assert await stock(admin) == (10, 10)
    rows = (await admin.get("/events")).json()["items"]
    assert [row["state"] for row in rows] == ["parked"] * 10
