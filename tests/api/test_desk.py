"""Cases, cancellations to decide, penalties, and events over the API."""

from __future__ import annotations

from datetime import timedelta

import httpx
import pytest

from inventory.models import Cancellation, OversellStep, PenaltyEntry
from tests.api.conftest import Look, Rung, problem
from tests.conftest import HandClock, Save

NOON = "2026-11-21T12:00:00Z"


@pytest.fixture
async def case(admin: httpx.AsyncClient, store: str, save: Save, clock: HandClock) -> None:
    """A case: twelve of ten mugs were sold, and giving the order up is proposed."""
    line = {"line_ref": "1", "channel_sku": "W-MUG", "quantity": 12}
    order = {"event_id": "e-1", "order_ref": "o-1", "lines": [line]}
    assert (await admin.post(f"{store}/orders", json=order)).status_code == 201
    now = clock.now()
    await save(
        OversellStep(
            oversell_id=1, step="detected", detail={"shortage": 2}, done_by="ledger", done_at=now
        ),
        Cancellation(
            channel_id=1,
            order_id=1,
            oversell_id=1,
            state="proposed",
            reason="out_of_stock",
            reason_code="out_of_stock",
            proposed_at=now,
        ),
    )


async def test_case_tells_its_story(admin: httpx.AsyncClient, case: None) -> None:
    listed = (await admin.get("/oversells", params={"state": "open"})).json()["items"]
    told = (await admin.get("/oversells/1")).json()

    assert {name: told[name] for name in listed[0]} == listed[0]
    assert listed[0] == {
        "id": 1,
        "sku": "MUG",
        "state": "open",
        "shortage": 2,
        "shortage_max": 2,
        "cause": "sale:e-1",
        "opened_at": NOON,
        "closed_at": None,
    }
    assert told["steps"] == [
        {"step": "detected", "detail": {"shortage": 2}, "done_by": "ledger", "done_at": NOON}
    ]
    [proposed] = told["cancellations"]
    assert proposed == {
        "id": 1,
        "channel": "web",
        "order_ref": "o-1",
        "oversell_id": 1,
        "state": "proposed",
        "reason": "out_of_stock",
        "reason_code": "out_of_stock",
        "decided_by": None,
        "failure": None,
        "metric_before": None,
        "metric_after": None,
        "cost": None,
        "runner_up": None,
        "decide_by": None,
        "proposed_at": NOON,
        "submitted_at": None,
        "confirmed_at": None,
    }
    assert (await admin.get("/cancellations/1")).json() == proposed
    assert (await admin.get("/oversells", params={"state": "closed"})).json()["items"] == []


async def test_person_approves_a_cancellation(
    admin: httpx.AsyncClient, case: None, rung: Rung
) -> None:
    answer = await admin.post("/cancellations/1/approve")

    assert answer.status_code == 200
    assert (answer.json()["state"], answer.json()["decided_by"]) == ("approved", "tester")
    assert (await rung())[-1] == "desk"
    waiting = await admin.get("/cancellations", params={"state": "proposed"})
    assert waiting.json() == {"items": [], "next": None}
    approved = await admin.get("/cancellations", params={"state": "approved"})
    assert [row["id"] for row in approved.json()["items"]] == [1]


async def test_person_refuses_a_cancellation_and_it_stays_refused(
    admin: httpx.AsyncClient, case: None, contents: Look
) -> None:
    refused = await admin.post("/cancellations/1/refuse")
    assert (refused.status_code, refused.json()["state"]) == (200, "refused")

    before = await contents()
    assert problem(await admin.post("/cancellations/1/approve")) == (409, "wrong_state")
    assert problem(await admin.post("/cancellations/9/approve")) == (404, "not_found")
    assert problem(await admin.get("/cancellations/9")) == (404, "not_found")
    assert problem(await admin.get("/oversells/9")) == (404, "not_found")
    assert await contents() == before


async def test_penalties_are_on_record(
    admin: httpx.AsyncClient, case: None, save: Save, clock: HandClock
) -> None:
    metric = {"name": "rate", "value": 0.5, "unit": "percent", "limit": 2.5, "as_of": NOON}
    await save(
        PenaltyEntry(
            cancellation_id=1,
            order_id=1,
            channel_id=1,
            order_ref="o-1",
            reason_code="NoInventory",
            counts_against_metric="yes",
            weighs=True,
            metric_before=metric,
            metric_after=metric | {"value": 0.6},
            recorded_at=clock.now(),
            ended_at=clock.now(),
            cause="shop_out_of_stock",
            lines=[{"sku": "MUG", "ordered": 12}],
            thresholds={"limit_percent": 2.5},
            worth_yen=12_000,
            cost={"margin_yen": 300, "total_yen": 300},
        )
    )

    listed = (await admin.get("/penalties")).json()

    assert listed == {
        "items": [
            {
                "id": 1,
                "cancellation_id": 1,
                "part": 0,
                "oversell_id": None,
                "channel": "web",
                "order_ref": "o-1",
                "reason_code": "NoInventory",
                "cause": "shop_out_of_stock",
                "source": "",
                "lines": [{"sku": "MUG", "ordered": 12}],
                "counts_against_metric": "yes",
                "weighs": True,
                "metric_before": metric,
                "metric_after": metric | {"value": 0.6},
                "own_window": None,
                "thresholds": {"limit_percent": 2.5},
                "worth_yen": 12_000,
                "cost": {"margin_yen": 300, "total_yen": 300},
                "ended_at": NOON,
                "recorded_at": NOON,
            }
        ],
        "next": None,
    }
    other = await admin.get("/penalties", params={"channel_code": "rmart"})
    assert other.json()["items"] == []


async def test_person_dismisses_what_cannot_be_handled(
    admin: httpx.AsyncClient, stranger: httpx.AsyncClient, store: str, contents: Look
) -> None:
    line = {"line_ref": "1", "channel_sku": "X", "quantity": 1}
    told = {"event_id": "e-1", "order_ref": "o-1", "lines": [line]}
    assert (await admin.post(f"{store}/orders", json=told)).status_code == 202
    red = (await stranger.get("/health/ready")).json()["findings"]
    assert [(each["what"], each["channel"]) for each in red] == [("events_parked", "web")]

    before = await contents()
    assert problem(await admin.post("/events/1/dismiss", json={"reason": ""})) == (400, "bad_input")
    assert await contents() == before
    answer = await admin.post("/events/1/dismiss", json={"reason": "a test of the store"})

    assert answer.status_code == 200
    assert answer.json()["state"] == "handled"
    assert answer.json()["outcome"] == {
        "status": "dismissed",
        "by": "tester",
        "reason": "a test of the store",
    }
    assert (await stranger.get("/health/ready")).status_code == 200
    again = await admin.post("/events/1/dismiss", json={"reason": "once more"})
    assert problem(again) == (409, "wrong_state")
    assert (await admin.get("/skus/MUG")).json()["reserved"] == 0


async def test_events_are_listed_newest_first_and_filtered(
    admin: httpx.AsyncClient, store: str, clock: HandClock
) -> None:
    for number in (1, 2, 3, 4):
        clock.moment += timedelta(minutes=1)
        line = {"line_ref": "1", "channel_sku": "X", "quantity": 1}
        told = {"event_id": f"e-{number}", "order_ref": f"o-{number}", "lines": [line]}
        if number == 4:
            line["channel_sku"] = "W-MUG"
        await admin.post(f"{store}/orders", json=told)
    await admin.post("/events/3/dismiss", json={"reason": "a test of the store"})

    page = (await admin.get("/events", params={"limit": 2})).json()
    rest = (await admin.get("/events", params={"limit": 2, "cursor": page["next"]})).json()

    # The fourth was booked at once: it is a fact of the ledger, and waits for nobody.
    assert [row["event_id"] for row in page["items"]] == ["e-3", "e-2"]
    assert [row["event_id"] for row in rest["items"]] == ["e-1"]
    assert rest["next"] is None
    [parked, _] = (await admin.get("/events", params={"state": "parked"})).json()["items"]
    assert parked == {
        "id": 2,
        "channel": "web",
        "event_id": "e-2",
        "kind": "sale",
        "subject": "o-2",
        "state": "parked",
        "code": "unknown_listing",
        "detail": "no listing of X",
        "attempts": 1,
        "received_at": "2026-11-21T12:02:00Z",
        "handled_at": None,
    }
    whole = (await admin.get("/events/2")).json()
    assert whole["body"]["lines"][0]["channel_sku"] == "X"
    assert whole["outcome"] is None
    assert (await admin.get("/events", params={"channel_code": "rmart"})).json()["items"] == []
    assert problem(await admin.get("/events", params={"state": "lost"})) == (400, "bad_input")
    assert problem(await admin.get("/events/9")) == (404, "not_found")
