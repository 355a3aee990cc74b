"""An own store holds units for a basket, and asks what it may show."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx

from tests.api.conftest import Look, problem


def hold(ref: str, quantity: int, **changes: Any) -> dict[str, Any]:
    """Some mugs, to be held."""
    line = {"line_ref": "1", "channel_sku": "W-MUG", "quantity": quantity}
    return {"reservation_ref": ref, "lines": [line]} | changes


async def reserved(admin: httpx.AsyncClient) -> int:
    """Units of MUG that are promised."""
    found: int = (await admin.get("/skus/MUG")).json()["reserved"]
    return found


async def test_granted_reservation_can_be_released_once(
    admin: httpx.AsyncClient, store: str
) -> None:
    asked = hold("basket-1", 4, expires_at="2026-11-21T12:30:00Z")
    answer = await admin.post(f"{store}/reservations", json=asked)

    granted = {"reservation_ref": "basket-1", "status": "granted", "repeated": False}
    assert (answer.status_code, answer.json()) == (201, granted)
    assert await reserved(admin) == 4
    again = await admin.post(f"{store}/reservations", json=asked)
    assert (again.status_code, again.json()) == (200, granted | {"repeated": True})
    assert await reserved(admin) == 4

    for repeated in (False, True):
        released = await admin.post(f"{store}/reservations/basket-1/release")
        assert (released.status_code, released.json()["repeated"]) == (200, repeated)
        assert await reserved(admin) == 0


async def test_refused_reservation_leaves_stock_as_it_was(
    admin: httpx.AsyncClient, store: str
) -> None:
    before = (await admin.get("/skus/MUG")).json()

    answer = await admin.post(f"{store}/reservations", json=hold("basket-1", 11))

    assert problem(answer) == (409, "insufficient_stock")
    assert answer.json()["detail"] == "MUG: 11 asked, 10 can be promised"
    assert (await admin.get("/skus/MUG")).json() == before


async def test_twenty_askers_for_eight_units_get_eight(
    admin: httpx.AsyncClient, store: str
) -> None:
    await admin.patch("/skus/MUG", json={"safety_stock": 2})

    answers = await asyncio.gather(
        *(admin.post(f"{store}/reservations", json=hold(f"b-{n}", 1)) for n in range(20))
    )

    assert sorted(answer.status_code for answer in answers) == [201] * 8 + [409] * 12
    assert await reserved(admin) == 8


async def test_order_takes_the_place_of_its_reservation(
    admin: httpx.AsyncClient, store: str
) -> None:
    await admin.post(f"{store}/reservations", json=hold("basket-1", 4))
    line = {"line_ref": "1", "channel_sku": "W-MUG", "quantity": 4}
    told = {
        "event_id": "e-1",
        "order_ref": "o-1",
        "lines": [line],
        "reservation_ref": "basket-1",
    }

    assert (await admin.post(f"{store}/orders", json=told)).status_code == 201

    assert await reserved(admin) == 4


async def held(admin: httpx.AsyncClient, store: str, ref: str) -> tuple[str, dict[str, int]]:
    """The state of a reservation, and the units of MUG that it holds where."""
    answer = await admin.get(f"{store}/reservations/{ref}")
    assert answer.status_code == 200
    body = answer.json()
    assert {each["sku"] for each in body["held"]} <= {"MUG"}
    return body["state"], {each["location"]: each["quantity"] for each in body["held"]}


def sold(number: int, quantity: int, **changes: Any) -> dict[str, Any]:
    """An order that fulfils basket-1."""
    line = {"line_ref": "1", "channel_sku": "W-MUG", "quantity": quantity}
    told = {"event_id": f"e-{number}", "order_ref": f"o-{number}", "lines": [line]}
    return told | {"reservation_ref": "basket-1"} | changes


async def test_reservation_shows_what_it_holds_until_it_has_ended(
    admin: httpx.AsyncClient, store: str
) -> None:
    await admin.post("/locations", json={"code": "osaka"})
    moved = {"kind": "transfer", "ref": "t-1", "sku": "MUG", "quantity": 4}
    moved |= {"from_location": "main", "to_location": "osaka"}
    await admin.post("/movements", json=moved)
    until = "2026-11-21T12:30:00Z"
    await admin.post(f"{store}/reservations", json=hold("basket-1", 8, expires_at=until))

    assert (await admin.get(f"{store}/reservations/basket-1")).json() == {
        "reservation_ref": "basket-1",
        "state": "held",
        "asked_at": "2026-11-21T12:00:00Z",
        "expires_at": until,
        "held": [
            {"sku": "MUG", "location": "main", "quantity": 6},
            {"sku": "MUG", "location": "osaka", "quantity": 2},
        ],
    }
    await admin.post(f"{store}/reservations", json=hold("basket-2", 8))
    assert await held(admin, store, "basket-2") == ("refused", {})
    await admin.post(f"{store}/reservations/basket-1/release")
    assert await held(admin, store, "basket-1") == ("ended", {})
    unknown = await admin.get(f"{store}/reservations/basket-3")
    assert problem(unknown) == (404, "unknown_reservation")


async def test_order_that_keeps_the_rest_takes_a_part_of_its_reservation(
    admin: httpx.AsyncClient, store: str
) -> None:
    await admin.post(f"{store}/reservations", json=hold("basket-1", 5))

    for number, quantity, left in ((1, 2, 3), (2, 1, 2)):
        told = await admin.post(f"{store}/orders", json=sold(number, quantity, keep_rest=True))
        assert told.status_code == 201
        assert await held(admin, store, "basket-1") == ("held", {"main": left})
        assert await reserved(admin) == 5

    # The last one takes what it needs and gives the rest back.
    await admin.post(f"{store}/orders", json=sold(3, 1))
    assert await held(admin, store, "basket-1") == ("ended", {})
    assert await reserved(admin) == 4
    again = await admin.post(f"{store}/orders", json=sold(1, 2, keep_rest=True))
    assert (again.status_code, again.json()["repeated"]) == (200, True)
    other = await admin.post(f"{store}/orders", json=sold(1, 2))
    assert problem(other) == (409, "content_differs")


async def test_order_that_names_an_unknown_reservation_is_recorded_and_says_so(
    admin: httpx.AsyncClient, store: str
) -> None:
    for status_code in (201, 200):
        told = await admin.post(f"{store}/orders", json=sold(1, 2))
        assert (told.status_code, told.json()["state"]) == (status_code, "handled")
        assert told.json()["code"] == "unknown_reservation"
    assert await reserved(admin) == 2


async def test_same_name_with_other_content_is_kept_and_not_held(
    admin: httpx.AsyncClient, store: str
) -> None:
    await admin.post(f"{store}/reservations", json=hold("basket-1", 4))

    answer = await admin.post(f"{store}/reservations", json=hold("basket-1", 5))

    assert problem(answer) == (409, "content_differs")
    assert await reserved(admin) == 4
    [kept] = (await admin.get("/events", params={"state": "conflict"})).json()["items"]
    assert (kept["kind"], kept["event_id"], kept["channel"]) == ("reservation", "basket-1", "web")


async def test_requests_about_unknown_things_change_nothing(
    admin: httpx.AsyncClient, store: str, contents: Look
) -> None:
    before = await contents()
    unknown = hold("b", 1) | {"lines": [{"line_ref": "1", "channel_sku": "X", "quantity": 1}]}
    twice = hold("b", 1) | {"lines": hold("b", 1)["lines"] * 2}
    calls = [
        (f"{store}/reservations", unknown, (404, "unknown_listing")),
        (f"{store}/reservations", twice, (400, "bad_input")),
        (
            f"{store}/reservations",
            hold("b", 1, expires_at="2027-01-21T00:00:00Z"),
            (400, "bad_input"),
        ),
        (f"{store}/reservations", hold("a/b", 1), (400, "bad_input")),
        (f"{store}/reservations", hold("sale:e-1", 1), (400, "bad_input")),
        (f"{store}/reservations", hold("expired:basket-1", 1), (400, "bad_input")),
        (f"{store}/reservations/never/release", None, (404, "unknown_reservation")),
        ("/channels/nowhere/reservations", hold("b", 1), (404, "not_found")),
    ]
    for address, body, expected in calls:
        assert problem(await admin.post(address, json=body)) == expected, address
    assert await contents() == before


async def test_availability_says_how_many_and_why(admin: httpx.AsyncClient, store: str) -> None:
    async def asked() -> tuple[int, str]:
        answer = await admin.get(f"{store}/availability", params={"channel_sku": "W-MUG"})
        assert answer.status_code == 200
        body = answer.json()
        assert (body["channel_sku"], body["sku"], body["frozen"]) == ("W-MUG", "MUG", False)
        assert body["as_of"] == "2026-11-21T12:00:00Z"
        return body["quantity"], body["why"]

    [listing] = (await admin.get(f"{store}/listings")).json()["items"]
    rules = f"{store}/listings/{listing['id']}"
    assert await asked() == (10, "10 = 10 on hand − 0 reserved − 0 safety stock")

    await admin.post(f"{store}/reservations", json=hold("basket-1", 5))
    await admin.patch("/skus/MUG", json={"safety_stock": 1})
    assert await asked() == (4, "4 = 10 on hand − 5 reserved − 1 safety stock")

    await admin.patch(rules, json={"quantity_max": 3})
    assert await asked() == (3, "3 is the cap; 10 on hand − 5 reserved − 1 safety stock = 4")

    await admin.patch(rules, json={"quantity_max": None, "quantity_floor": 4})
    assert await asked() == (
        0,
        "0, as 10 on hand − 5 reserved − 1 safety stock = 4 is not above the floor of 4",
    )

    await admin.patch(rules, json={"safety_stock": 6})
    assert await asked() == (0, "0, as 10 on hand − 5 reserved − 6 safety stock = -1")

    await admin.patch(rules, json={"closed": True})
    assert await asked() == (0, "0, as the listing is closed by hand")


async def test_availability_of_an_unknown_listing(admin: httpx.AsyncClient, store: str) -> None:
    answer = await admin.get(f"{store}/availability", params={"channel_sku": "X"})
    assert problem(answer) == (404, "unknown_listing")
    assert problem(await admin.get(f"{store}/availability")) == (400, "bad_input")
