"""The penalty record, its dry run and the story of an oversell over the API."""

from __future__ import annotations

import csv
import io
from typing import Any

import httpx
import pytest
from defusedxml import ElementTree

from inventory.desk import endings
from inventory.inbox import Inbox
from inventory.vocabulary import Party
from tests.api.conftest import RAKUTEN, Caller, Look, problem
from tests.conftest import HandClock
from tests.factories import NOON, line, order_seen


@pytest.fixture
async def shop(
    admin: httpx.AsyncClient, mug: dict[str, Any], inbox: Inbox, clock: HandClock
) -> None:
    """A shop at Rakuten: r-1 was given up by the shop at noon, r-2 for one of ten mugs is open."""
    assert (await admin.post("/channels", json=RAKUTEN)).status_code == 201
    rows = {"listings": [{"channel_sku": "R-MUG", "sku": "MUG"}]}
    assert (await admin.put("/channels/rmart/listings", json=rows)).status_code == 200
    channel = (await admin.get("/channels")).json()["items"][0]
    sold = line(unit_price=1200)
    ended = order_seen(
        "r-1",
        lines=(line(unit_price=1200, cancelled=2),),
        cancelled=True,
        cancelled_by=Party.SELLER,
        cancel_reason="8",
    )
    await inbox.handle(
        await inbox.receive_orders(channel["id"], [ended, order_seen("r-2", lines=(sold,))])
    )


async def test_the_report_answers_in_json_table_and_picture(
    admin: httpx.AsyncClient, shop: None, classified: None
) -> None:
    report = (await admin.get("/penalties/report", params={"period": "month"})).json()
    [rmart] = report["channels"]
    assert (report["period"], report["last_day"], len(rmart["days"])) == ("month", "2026-11-21", 30)
    assert (rmart["now"]["value"], rmart["now"]["limit"], rmart["now"]["headroom"]) == (15, 35, 1)
    assert rmart["headroom"].startswith("one more out-of-stock cancel until 35 points")
    assert rmart["cost"]["worth_yen"] == 2400
    assert report["causes"] == [
        {
            "channel": "rmart",
            "sku": "MUG",
            "cause": "shop_out_of_stock",
            "orders": 1,
            "parts": 0,
            "units": 2,
            "counted": 1,
        }
    ]

    for table, rows in (("rates", 7), ("causes", 1), ("entries", 1)):
        answer = await admin.get("/penalties/report/table", params={"table": table})
        assert answer.headers["content-type"].startswith("text/csv")
        assert f'filename="penalties-{table}.csv"' in answer.headers["content-disposition"]
        assert len(list(csv.DictReader(io.StringIO(answer.text)))) == rows
    picture = await admin.get("/penalties/report/chart", params={"format": "svg"})
    assert picture.headers["content-type"].startswith("image/svg+xml")
    assert ElementTree.fromstring(picture.text).tag.endswith("svg")
    page = await admin.get("/penalties/report/chart")
    assert page.headers["content-type"].startswith("text/html")
    assert "one more out-of-stock cancel until 35 points" in page.text
    [entry] = (await admin.get("/penalties")).json()["items"]
    assert (entry["cause"], entry["weighs"], entry["lines"][0]["sku"]) == (
        "shop_out_of_stock",
        True,
        "MUG",
    )


@pytest.fixture
async def classified(shop: None, services: Any) -> None:
    """The desk has put on record what ended."""
    async with services.database.transaction() as session:
        for order_id in await endings.unseen(session):
            await endings.observe(session, order_id, services.clock.now())


async def test_a_dry_run_changes_nothing(
    admin: httpx.AsyncClient, shop: None, classified: None, contents: Look
) -> None:
    before = await contents()
    asked = {"channel_code": "rmart", "order_ref": "r-2"}
    told = (await admin.get("/penalties/dry-run", params=asked)).json()
    assert await contents() == before
    assert (told["action"], told["reason_code"], told["counts_against_metric"]) == (
        "cancel",
        "8",
        "unconfirmed",
    )
    assert (told["before"]["value"], told["after"]["value"], told["crosses_limit"]) == (
        15,
        30,
        False,
    )
    assert told["stock"] == [{"sku": "MUG", "units": 2, "available": 8, "available_after": 10}]
    assert "violation_points goes from 15 points to 30 points" in told["sentence"]


async def test_what_cannot_be_answered_is_said(
    admin: httpx.AsyncClient, caller: Caller, shop: None
) -> None:
    for path, asked, expected in (
        ("dry-run", {"channel_code": "rmart", "order_ref": "r-9"}, (404, "not_found")),
        ("dry-run", {"channel_code": "nowhere", "order_ref": "r-2"}, (404, "not_found")),
        ("dry-run", {"channel_code": "rmart"}, (400, "bad_input")),
        ("report", {"channel_code": "nowhere"}, (404, "not_found")),
        ("report", {"last_day": "2026-11-22"}, (400, "bad_input")),
        ("report", {"last_day": "0001-01-01"}, (400, "bad_input")),
        ("report", {"last_day": "yesterday"}, (400, "bad_input")),
        ("report", {"period": "year"}, (400, "bad_input")),
        ("report/table", {"table": "all"}, (400, "bad_input")),
        ("report/chart", {"format": "png"}, (400, "bad_input")),
    ):
        answer = await admin.get(f"/penalties/{path}", params=asked)
        assert problem(answer) == expected, (path, asked)
    stranger = await caller("orders:write")
    for path in ("report", "report/table", "report/chart"):
        assert problem(await stranger.get(f"/penalties/{path}")) == (403, "not_permitted")
    asked = {"channel_code": "rmart", "order_ref": "r-2"}
    answer = await stranger.get("/penalties/dry-run", params=asked)
    assert problem(answer) == (403, "not_permitted")


async def test_the_story_of_an_oversell_is_in_utc(
    admin: httpx.AsyncClient, store: str, clock: HandClock
) -> None:
    order: dict[str, Any] = {"event_id": "e-1", "order_ref": "o-1"}
    order["occurred_at"] = NOON.isoformat()
    order["lines"] = [{"line_ref": "1", "channel_sku": "W-MUG", "quantity": 12}]
    assert (await admin.post(f"{store}/orders", json=order)).status_code == 201

    told = (await admin.get("/oversells/1")).json()

    [sale] = told["sales"]
    assert (sale["sold_at"], sale["reached_at"]) == ("2026-11-21T12:00:00Z", "2026-11-21T12:00:00Z")
    assert (sale["units"], sale["beyond_stock"], told["cause_kind"]) == (12, True, "sale")
    assert told["delays"][0]["where"] == "no_stock"
    assert told["told_from"] == "2026-11-21T11:50:00Z"
    assert [each["channel_sku"] for each in told["listings"]] == ["W-MUG"]
    assert problem(await admin.get("/oversells/9")) == (404, "not_found")
