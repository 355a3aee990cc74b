"""An own store tells its orders, cancellations and shipments."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx

from inventory.api.context import Services
from inventory.facts import SaleLine, SaleReceived
from tests.api.conftest import RAKUTEN, Look, Rung, problem


def order(event_id: str = "e-1", **changes: Any) -> dict[str, Any]:
    """Three mugs, ordered as o-1."""
    line = {"line_ref": "1", "channel_sku": "W-MUG", "quantity": 3, "unit_price": 1200}
    return {"event_id": event_id, "order_ref": "o-1", "lines": [line]} | changes


async def stock(admin: httpx.AsyncClient) -> tuple[int, int]:
    """On hand and reserved of MUG."""
    found = (await admin.get("/skus/MUG")).json()
    return found["on_hand"], found["reserved"]


async def test_order_reserves_and_rings(admin: httpx.AsyncClient, store: str, rung: Rung) -> None:
    await rung()

    answer = await admin.post(f"{store}/orders", json=order(ship_by="2026-11-24T15:00:00+09:00"))

    assert answer.status_code == 201
    assert answer.json() == {"state": "handled", "code": "", "detail": "", "repeated": False}
    assert await stock(admin) == (10, 3)
    # It is a fact of the ledger; among the events is what waits for a person.
    assert (await admin.get("/events")).json()["items"] == []
    [newest] = (await admin.get("/skus/MUG/movements", params={"limit": 1})).json()["items"]
    assert (newest["kind"], newest["reserved_delta"], newest["channel"]) == ("reserve", 3, "web")
    assert "refresh" in await rung()


async def test_order_told_ten_times_at_once_reserves_once(
    admin: httpx.AsyncClient, store: str
) -> None:
    answers = await asyncio.gather(
        *(admin.post(f"{store}/orders", json=order()) for _ in range(10))
    )

    assert sorted(answer.status_code for answer in answers) == [200] * 9 + [201]
    assert await stock(admin) == (10, 3)
    again = await admin.post(f"{store}/orders", json=order())
    assert (again.status_code, again.json()["repeated"]) == (200, True)
    assert await stock(admin) == (10, 3)


async def test_same_event_with_other_content_is_kept_and_not_applied(
    admin: httpx.AsyncClient, store: str
) -> None:
    await admin.post(f"{store}/orders", json=order())

    answer = await admin.post(f"{store}/orders", json=order(order_ref="o-2"))

    assert problem(answer) == (409, "content_differs")
    assert await stock(admin) == (10, 3)
    [kept] = (await admin.get("/events", params={"state": "conflict"})).json()["items"]
    assert (kept["event_id"], kept["subject"]) == ("e-1", "o-2")


async def test_unknown_listing_parks_the_order_until_it_is_there(
    admin: httpx.AsyncClient, store: str
) -> None:
    line = {"line_ref": "1", "channel_sku": "W-CUP", "quantity": 2}
    answer = await admin.post(f"{store}/orders", json=order(lines=[line]))

    assert answer.status_code == 202
    parked = answer.json()
    assert (parked["state"], parked["code"]) == ("parked", "unknown_listing")
    assert await stock(admin) == (10, 0)

    rows = {"listings": [{"channel_sku": "W-CUP", "sku": "MUG"}]}
    await admin.put(f"{store}/listings", json=rows)
    replayed = await admin.post(f"/events/{parked['event']}/replay")

    assert (replayed.status_code, replayed.json()["state"]) == (200, "handled")
    assert await stock(admin) == (10, 2)
    again = await admin.post(f"/events/{parked['event']}/replay")
    assert problem(again) == (409, "wrong_state")
    assert problem(await admin.post("/events/999/replay")) == (404, "not_found")


async def parked(admin: httpx.AsyncClient, store: str, event_id: str = "e-1") -> int:
    """An order of a channel SKU that is not mapped yet; its number among the events."""
    line = {"line_ref": "1", "channel_sku": "W-CUP", "quantity": 2}
    answer = await admin.post(f"{store}/orders", json=order(event_id, lines=[line]))
    assert answer.status_code == 202
    event: int = answer.json()["event"]
    return event


async def map_cup(admin: httpx.AsyncClient, store: str) -> None:
    """W-CUP is MUG from now on."""
    rows = {"listings": [{"channel_sku": "W-CUP", "sku": "MUG"}]}
    assert (await admin.put(f"{store}/listings", json=rows)).status_code == 200


async def test_parked_order_told_again_once_its_listing_is_there(
    admin: httpx.AsyncClient, store: str
) -> None:
    event = await parked(admin, store)
    assert await parked(admin, store) == event
    await map_cup(admin, store)
    line = {"line_ref": "1", "channel_sku": "W-CUP", "quantity": 2}

    answers = [await admin.post(f"{store}/orders", json=order(lines=[line])) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [201, 200]
    assert answers[0].json() | {"repeated": True} == answers[1].json()
    assert answers[1].json()["event"] == event
    assert await stock(admin) == (10, 2)
    found = (await admin.get(f"/events/{event}")).json()
    assert (found["state"], found["code"], found["attempts"]) == ("handled", "", 3)
    assert problem(await admin.post(f"/events/{event}/replay")) == (409, "wrong_state")


async def test_fact_recorded_while_its_event_waits_is_repeated_by_a_replay(
    admin: httpx.AsyncClient, store: str, services: Services
) -> None:
    """The process died between the ledger's commit and the note on the event."""
    event = await parked(admin, store)
    await map_cup(admin, store)
    line = SaleLine(line_ref="1", channel_sku="W-CUP", quantity=2)
    sale = SaleReceived(
        channel_id=1,
        fact_ref="sale:e-1",
        occurred_at=services.clock.now(),
        order_ref="o-1",
        lines=(line,),
    )
    await services.ledger.apply([sale])

    replayed = await admin.post(f"/events/{event}/replay")

    assert (replayed.status_code, replayed.json()["state"]) == (200, "handled")
    assert replayed.json()["outcome"]["repeated"] is True
    assert await stock(admin) == (10, 2)


async def test_other_content_under_the_name_of_a_parked_order_is_kept_and_not_applied(
    admin: httpx.AsyncClient, store: str
) -> None:
    event = await parked(admin, store)

    for _ in range(2):
        answer = await admin.post(f"{store}/orders", json=order())
        assert problem(answer) == (409, "content_differs")
    await map_cup(admin, store)
    assert (await admin.post(f"/events/{event}/replay")).json()["state"] == "handled"

    assert await stock(admin) == (10, 2)
    rows = (await admin.get("/events")).json()["items"]
    assert [row["state"] for row in rows] == ["conflict", "handled"]


async def test_dismissed_order_told_again_stays_dismissed(
    admin: httpx.AsyncClient, store: str
) -> None:
    event = await parked(admin, store)
    await admin.post(f"/events/{event}/dismiss", json={"reason": "a test of the store"})
    await map_cup(admin, store)
    line = {"line_ref": "1", "channel_sku": "W-CUP", "quantity": 2}

    again = await admin.post(f"{store}/orders", json=order(lines=[line]))

    assert (again.status_code, again.json()["state"], again.json()["repeated"]) == (
        200,
        "handled",
        True,
    )
    assert await stock(admin) == (10, 0)


async def test_parked_order_told_by_many_at_once_is_kept_once_and_booked_once(
    admin: httpx.AsyncClient, store: str
) -> None:
    events = await asyncio.gather(*(parked(admin, store) for _ in range(8)))
    assert len(set(events)) == 1
    await map_cup(admin, store)
    line = {"line_ref": "1", "channel_sku": "W-CUP", "quantity": 2}
    told = [admin.post(f"{store}/orders", json=order(lines=[line])) for _ in range(4)]
    replays = [admin.post(f"/events/{events[0]}/replay") for _ in range(4)]

    await asyncio.gather(*told, *replays)

    assert await stock(admin) == (10, 2)
    assert (await admin.get(f"/events/{events[0]}")).json()["state"] == "handled"


async def test_order_below_zero_is_recorded_and_opens_a_case(
    admin: httpx.AsyncClient, store: str
) -> None:
    line = {"line_ref": "1", "channel_sku": "W-MUG", "quantity": 12}
    answer = await admin.post(f"{store}/orders", json=order(lines=[line]))

    assert answer.status_code == 201
    found = (await admin.get("/skus/MUG")).json()
    assert (found["available"], found["available_to_promise"]) == (-2, -2)
    [case] = (await admin.get("/oversells")).json()["items"]
    assert (case["sku"], case["state"], case["shortage"], case["cause"]) == (
        "MUG",
        "open",
        2,
        "sale:e-1",
    )


async def test_cancellation_gives_back_what_the_order_took(
    admin: httpx.AsyncClient, store: str
) -> None:
    await admin.post(f"{store}/orders", json=order())
    part = {"event_id": "c-1", "lines": [{"line_ref": "1", "quantity": 1}]}

    answer = await admin.post(f"{store}/orders/o-1/cancellations", json=part)

    assert answer.status_code == 201
    assert await stock(admin) == (10, 2)
    rest = {"event_id": "c-2", "by": "seller", "reason": "damaged"}
    assert (await admin.post(f"{store}/orders/o-1/cancellations", json=rest)).status_code == 201
    assert await stock(admin) == (10, 0)
    again = await admin.post(f"{store}/orders/o-1/cancellations", json=rest)
    assert (again.status_code, again.json()["repeated"]) == (200, True)


async def test_cancellation_before_its_order_takes_no_stock(
    admin: httpx.AsyncClient, store: str
) -> None:
    await admin.post(f"{store}/orders/o-1/cancellations", json={"event_id": "c-1"})
    await admin.post(f"{store}/orders", json=order())

    assert await stock(admin) == (10, 0)


async def test_shipment_takes_units_out_once(admin: httpx.AsyncClient, store: str) -> None:
    await admin.post(f"{store}/orders", json=order())
    for _ in range(2):
        await admin.post(f"{store}/orders/o-1/shipments", json={"event_id": "s-1"})

    assert await stock(admin) == (7, 0)


async def test_marketplace_channel_does_not_tell_its_orders_here(
    admin: httpx.AsyncClient, store: str, contents: Look
) -> None:
    await admin.post("/channels", json=RAKUTEN)
    before = await contents()

    answers = [
        await admin.post("/channels/rmart/orders", json=order()),
        await admin.post("/channels/rmart/orders/o-1/shipments", json={"event_id": "s-1"}),
        await admin.post("/channels/house/orders", json=order()),
    ]

    assert [problem(answer) for answer in answers] == [(409, "wrong_state")] * 3
    unknown = await admin.post("/channels/nowhere/orders", json=order())
    assert problem(unknown) == (404, "not_found")
    assert await contents() == before
