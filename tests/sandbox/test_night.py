"""Shoppers of a sale night, and the sandbox's own control routes."""

from __future__ import annotations

import asyncio
import random
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from typing import Any

import httpx
import msgspec
import pytest
from litestar import Litestar

from channels.sandbox.faults import Faults
from channels.sandbox.market import Services
from channels.sandbox.server import create_app
from channels.sandbox.shoppers import Night, Shoppers, plan
from tests.sandbox.hand_clock import HandClock, client_of
from tests.sandbox.stall import Stall


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def stall(clock: HandClock) -> Stall:
    dice = random.Random(7)
    market = Stall(Services(clock=clock, faults=Faults(dice), rng=dice))
    market.list_item("mug", 5, price=1200)
    market.list_item("tea/cup", 3, price=800)
    return market


def test_the_same_night_has_the_same_plan() -> None:
    night = Night(seed=3, seconds=600, orders_per_second=2, hot={"a": "a1"}, shipping=0.5)
    goods = {"a": ["a1", "a2", "a3", "a4", "a5"], "b": ["b1", "b2"]}
    visits = plan(night, goods)

    assert visits == plan(night, {"b": ["b2", "b1"], "a": ["a5", "a4", "a3", "a2", "a1"]})
    assert visits != plan(msgspec.structs.replace(night, seed=4), goods)
    assert 1050 < len(visits) < 1350
    assert 0.06 < sum(len(visit.wants) == 2 for visit in visits) / len(visits) < 0.14
    hot = [v.wants[0][0] == "a1" for v in visits if v.market == "a" and 180 <= v.at < 420]
    cool = [v.wants[0][0] == "a1" for v in visits if v.market == "a" and v.at < 180]
    assert 0.6 < sum(hot) / len(hot) < 0.82  # 10 of 14
    assert sum(cool) / len(cool) < 0.32  # 1 of 5


def test_nobody_touches_orders_with_keys_left_alone() -> None:
    night = Night(seconds=100, orders_per_second=5, shipping=1, buyer_cancel=1, no_ship_keys=["a1"])
    for visit in plan(night, {"a": ["a1", "a2"]}):
        left_alone = any(key == "a1" for key, _ in visit.wants)
        assert (visit.ships_after is None) == left_alone
        assert (visit.cancels_after is None) == left_alone


@pytest.mark.parametrize(
    "wrong",
    [{"seconds": 0}, {"shipping": 2}, {"orders_per_second": -1}, {"weights": {"stall": -1}}],
)
def test_an_impossible_night_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(wrong, Night)


async def test_shoppers_buy_what_is_displayed_and_count_lost_sales(stall: Stall) -> None:
    stall.listings.pop("tea/cup")
    shoppers = Shoppers(Night(seconds=0.3, orders_per_second=100), {"stall": stall})
    await shoppers.run()

    report = shoppers.report()
    assert (report["running"], report["units"]) == (False, 5)
    assert stall.listings["mug"].displayed == 0
    assert sum(line.quantity for order in stall.orders.values() for line in order.lines) == 5
    assert shoppers.lost_sales > 0


@pytest.fixture
def app(clock: HandClock) -> Litestar:
    return create_app(seed=1, clock=clock)


@pytest.fixture
async def control(app: Litestar) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(app, "/_sandbox") as client:
        yield client


async def test_control_lists_sells_ships_and_shows_the_books(
    control: httpx.AsyncClient, clock: HandClock
) -> None:
    listed = await control.post("/rakuten/listings", json=[{"key": "tee/m", "quantity": 3}])
    assert (listed.status_code, listed.json()) == (201, {"listings": 1})
    bought = await control.post("/rakuten/orders", json={"lines": [{"key": "tee/m"}]})
    ref = bought.json()["ref"]
    clock.pass_seconds(2)
    assert (await control.post(f"/rakuten/orders/{ref}/ship")).status_code == 200
    edited = await control.post("/rakuten/hand-edit", json={"key": "tee/m", "quantity": 9})
    assert edited.json() == {"key": "tee/m", "displayed": 9}

    books = (await control.get("/books")).json()
    assert (books["now"], books["seed"]) == ("2026-12-04T11:00:02.000000+00:00", 1)
    rakuten = books["markets"]["rakuten"]
    assert rakuten["listings"] == [
        {"key": "tee/m", "displayed": 9, "closed": False, "by_channel": False}
    ]
    [order] = rakuten["orders"]
    assert (order["state"], order["placed_at"], order["shipped_at"]) == (
        "shipped",
        "2026-12-04T11:00:00.000000+00:00",
        "2026-12-04T11:00:02.000000+00:00",
    )
    assert rakuten["writes"] == [
        {"at": books["now"], "key": "tee/m", "before": 2, "after": 9, "mode": "hand"}
    ]


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/nowhere/listings", [], 404),
        ("/rakuten/listings", [{"key": "no slash"}], 400),
        ("/rakuten/listings", [{"key": "tee/m", "quantity": -1}], 400),
        ("/rakuten/orders", {"lines": [{"key": "tee/m", "quantity": 2}]}, 409),
        ("/rakuten/orders", {"lines": []}, 400),
        ("/rakuten/orders/unknown/ship", {}, 404),
        ("/rakuten/hand-edit", {"key": "unknown/m", "quantity": 1}, 404),
        ("/night", {"weights": {"nowhere": 1}}, 400),
        ("/night", {"seconds": -5}, 400),
        ("/clock", {"offset_seconds": 1e12}, 400),
    ],
)
async def test_control_says_what_is_wrong(
    control: httpx.AsyncClient, path: str, body: Any, status: int
) -> None:
    await control.post("/rakuten/listings", json=[{"key": "tee/m", "quantity": 1}])
    assert (await control.post(path, json=body)).status_code == status
    books = (await control.get("/books")).json()["markets"]["rakuten"]
    assert (books["listings"][0]["displayed"], books["orders"]) == (1, [])


async def test_control_refuses_unknown_faults(control: httpx.AsyncClient) -> None:
    good = await control.put("/yahoo/faults", json={"latency_ms": {"value": 5, "calls": 2}})
    assert good.json() == {"latency_ms": {"value": 5.0, "calls": 2, "endpoint": None}}
    assert (await control.put("/yahoo/faults", json={"latncy": 5})).status_code == 400


async def test_control_opens_one_night_at_a_time(control: httpx.AsyncClient) -> None:
    await control.post("/yahoo/listings", json=[{"key": "tee:m", "quantity": 50}])
    night = {"seconds": 0.2, "orders_per_second": 50, "weights": {"yahoo": 1}}
    assert (await control.post("/night", json=night)).status_code == 202
    assert (await control.post("/night", json=night)).status_code == 409
    await asyncio.sleep(0.5)
    report = (await control.get("/night")).json()
    assert report["running"] is False
    assert report["placed"] == report["planned"] > 0
    books = (await control.get("/books")).json()
    assert len(books["markets"]["yahoo"]["orders"]) == report["placed"]
    assert books["markets"]["rakuten"]["orders"] == []


async def test_the_clock_moves_the_day_but_no_limit(control: httpx.AsyncClient) -> None:
    moved = await control.post("/clock", json={"offset_seconds": 3600})
    assert moved.json() == {"now": "2026-12-04T12:00:00.000000+00:00"}
    books = (await control.get("/books")).json()
    assert books["markets"]["rakuten"]["calls"]["order"]["permitted"] == 1


async def test_credentials_name_each_marketplaces_address(control: httpx.AsyncClient) -> None:
    given = (await control.get("/credentials")).json()
    assert given["rakuten"]["base_url"] == "http://sandbox/rakuten"
    assert given["yahoo"]["settings"]["auth_base_url"] == "http://sandbox/yahoo"
    assert set(given["rakuten"]["credentials"]) == {"service_secret", "license_key"}


def test_the_process_says_where_it_serves_and_ends_when_told() -> None:
    command = [sys.executable, "-m", "channels.sandbox", "--seed", "7"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        ready = process.stdout.readline().decode()
        assert ready.startswith("sandbox ready http://127.0.0.1:")
        url = ready.removeprefix("sandbox ready ").strip()
        broken = {"timeout_after_apply": True}
        assert httpx.put(f"{url}/_sandbox/rakuten/faults", json=broken).status_code == 200
        assert httpx.get(f"{url}/_sandbox/books").json()["seed"] == 7
        with pytest.raises(httpx.RemoteProtocolError):
            httpx.get(f"{url}/rakuten/es/2.0/inventories/manage-numbers/tee/variants/m")
        process.terminate()
        assert process.wait(timeout=10) in {0, -signal.SIGTERM}
        assert process.stderr.read() == b""
