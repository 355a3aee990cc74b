"""What the sandbox can do wrong beyond refusing: spoiled bodies, lists that move, a weekly hour."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from channels.sandbox import lists
from channels.sandbox.faults import KNOBS, Fault, Faults, is_sunday_night
from channels.sandbox.market import Services
from channels.sandbox.spoil import spoiled
from channels.sandbox.wire import Front
from tests.sandbox.hand_clock import HandClock
from tests.sandbox.stall import Stall

GUIDE = Path(__file__).parents[2] / "docs" / "sandbox.md"


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def stall(clock: HandClock) -> Stall:
    dice = random.Random(7)
    stall = Stall(Services(clock=clock, faults=Faults(dice), rng=dice))
    stall.list_item("mug", 50)
    return stall


@pytest.fixture
async def at_stall(stall: Stall) -> AsyncIterator[httpx.AsyncClient]:
    front: Any = Front("/stall", stall)
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(front),
        base_url="http://sandbox/stall",
        headers={"please": "1"},
    ) as client:
        yield client


@pytest.mark.parametrize(
    ("fault", "content"),
    [
        ({"truncated": 1}, b'{"done'),
        ({"wrong_charset": 1}, '{"done":true}'.encode("utf-16")),
        ({"huge_mb": 0.000002}, b'{"done":true}  '),
    ],
)
async def test_a_spoiled_body_comes_after_the_write(
    stall: Stall, at_stall: httpx.AsyncClient, fault: dict[str, float], content: bytes
) -> None:
    stall.faults.replace({knob: Fault(value=value) for knob, value in fault.items()})
    answer = await at_stall.post("/sell/mug", content="9")
    assert (answer.status_code, answer.content) == (200, content)
    assert stall.listings["mug"].displayed == 9


def test_no_body_stays_none(stall: Stall) -> None:
    stall.faults.replace({"huge_mb": Fault(value=1), "truncated": Fault()})
    assert spoiled(b"", stall.faults, "sell") == b""


async def test_an_error_inside_does_nothing_and_whoever_is_turned_away_is_told_to_wait(
    stall: Stall, at_stall: httpx.AsyncClient, clock: HandClock
) -> None:
    stall.faults.replace({"error_inside": Fault()})
    inside = await at_stall.post("/sell/mug", content="9")
    clock.pass_seconds(1)
    stall.faults.replace({"error_rate": Fault(), "retry_after_s": Fault(value=90)})
    down = await at_stall.post("/sell/mug", content="9")

    assert (inside.text, stall.writes) == ("inside", [])
    assert (down.status_code, down.headers["retry-after"]) == (503, "90")


@pytest.mark.parametrize(
    ("moment", "inside"),
    [
        ("2026-11-21T16:59", False),
        ("2026-11-21T17:00", True),
        ("2026-11-21T22:59", True),
        ("2026-11-21T23:00", False),
        ("2026-11-22T17:00", False),
    ],
)
def test_maintenance_is_on_sundays_from_two_to_eight_in_japan(moment: str, inside: bool) -> None:
    assert is_sunday_night(datetime.fromisoformat(moment).replace(tzinfo=UTC)) is inside


def test_pages_shift_repeat_and_lose_their_order(stall: Stall) -> None:
    rows = list("abcde")

    def pages(**faults: float) -> list[tuple[str, int]]:
        stall.faults.replace({knob: Fault(value=value) for knob, value in faults.items()})
        found = [lists.page(stall, rows, "list", start=start, size=2) for start in (0, 2, 4)]
        return [("".join(page), total) for page, total in found]

    assert pages() == [("ab", 5), ("cd", 5), ("e", 5)]
    assert pages(shift_pages=1) == [("ab", 5), ("de", 4), ("", 4)]
    assert pages(shift_pages=-1) == [("ab", 5), ("bc", 6), ("de", 6)]
    mixed = pages(shuffle_orders=1)
    assert mixed != pages()
    assert ["".join(sorted(page)) for page, _ in mixed] == ["ab", "cd", "e"]


def test_an_order_that_was_held_back_counts_as_changed_when_it_shows(
    stall: Stall, clock: HandClock
) -> None:
    order = stall.place([("mug", 1)])
    stall.faults.replace({"order_delay_s": Fault(value=3600)})
    clock.pass_seconds(10)
    assert stall.visible_orders("list") == []
    stall.faults.replace({})
    clock.pass_seconds(10)
    assert stall.visible_orders("list") == [order]
    assert order.changed_at == clock.now() == order.placed_at + timedelta(seconds=20)
    clock.pass_seconds(10)
    stall.visible_orders("list")
    assert order.changed_at == clock.now() - timedelta(seconds=10)


def test_the_guide_names_every_knob() -> None:
    guide = GUIDE.read_text(encoding="utf-8")
    table = guide[guide.index("## What it can do wrong") :]
    assert {knob for knob in KNOBS if f"`{knob}`" not in table} == set()
