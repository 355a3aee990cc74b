"""The sandbox's front door: one call in, one answer out, limits and faults in between."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from channels.sandbox.faults import Fault, Faults
from channels.sandbox.market import Services
from channels.sandbox.wire import Front
from tests.sandbox.hand_clock import HandClock
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


@pytest.fixture
async def at_stall(stall: Stall) -> AsyncIterator[httpx.AsyncClient]:
    front: Any = Front("/stall", stall)
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(front),
        base_url="http://sandbox/stall",
        headers={"please": "1"},
    ) as client:
        yield client


async def test_front_writes_and_counts_the_call(
    stall: Stall, at_stall: httpx.AsyncClient, clock: HandClock
) -> None:
    answer = await at_stall.post("/sell/tea%2Fcup", content="9")
    assert (answer.status_code, answer.json()) == (200, {"done": True})
    assert stall.listings["tea/cup"].displayed == 9

    too_early = await at_stall.post("/sell/mug", content="1")
    assert (too_early.status_code, too_early.text) == (429, "throttled")
    assert stall.listings["mug"].displayed == 5
    clock.pass_seconds(3)
    assert stall.books()["calls"] == {"sell": {"used": 1, "refused": 1, "permitted": 4}}


@pytest.mark.parametrize(
    ("method", "path", "headers", "body", "said"),
    [
        ("GET", "/sell/mug", {}, "", "method"),
        ("POST", "/buy/mug", {}, "", "not_found"),
        ("POST", "/sell/a/b", {}, "", "not_found"),
        ("POST", "/sell/mug", {}, "12345678901", "too_large"),
        ("POST", "/sell/mug", {"please": "0"}, "1", "who?"),
    ],
)
async def test_front_turns_away(
    stall: Stall,
    at_stall: httpx.AsyncClient,
    method: str,
    path: str,
    headers: dict[str, str],
    body: str,
    said: str,
) -> None:
    answer = await at_stall.request(method, path, content=body, headers=headers)
    assert answer.text == said
    assert (stall.listings["mug"].displayed, stall.writes) == (5, [])


@pytest.mark.parametrize(
    ("knob", "status", "written"),
    [
        ("error_rate", 503, 5),
        ("throttle_rate", 429, 5),
        ("auth_expired", 401, 5),
        ("ignore_writes", 200, 5),
        ("garbage", 200, 1),
    ],
)
async def test_front_misbehaves_once_as_told(
    stall: Stall,
    at_stall: httpx.AsyncClient,
    clock: HandClock,
    knob: str,
    status: int,
    written: int,
) -> None:
    stall.faults.replace({knob: Fault(calls=1)})
    struck = await at_stall.post("/sell/mug", content="1")
    assert (struck.status_code, stall.listings["mug"].displayed) == (status, written)
    if knob == "garbage":
        with pytest.raises(ValueError, match=r"Expecting|codec"):
            struck.json()

    clock.pass_seconds(1)
    well = await at_stall.post("/sell/mug", content="2")
    assert (well.json(), stall.listings["mug"].displayed) == ({"done": True}, 2)


async def test_front_ends_the_connection_after_the_write(stall: Stall) -> None:
    sent: list[dict[str, Any]] = []
    stall.faults.replace({"timeout_after_apply": Fault(calls=1)})

    async def receive() -> dict[str, Any]:
        await asyncio.sleep(0)
        return {"type": "http.request", "body": b"4"}

    async def send(message: Any) -> None:
        await asyncio.sleep(0)
        sent.append(dict(message))

    scope = {
        "method": "POST",
        "raw_path": b"/stall/sell/mug",
        "query_string": b"",
        "headers": [(b"please", b"1")],
    }
    await Front("/stall", stall)(scope, receive, send)

    assert stall.listings["mug"].displayed == 4
    # A body of one byte was promised and nothing followed: the server must drop the connection.
    assert [message["type"] for message in sent] == ["http.response.start"]
    assert (b"content-length", b"1") in sent[0]["headers"]
