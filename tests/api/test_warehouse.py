"""What is expected, under way and counted, as lists."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import httpx
import pytest

from tests.conftest import HandClock

NOON = "2026-11-21T12:00:00Z"


async def tell(admin: httpx.AsyncClient, kind: str, ref: str, **members: Any) -> None:
    """A movement that is recorded."""
    answer = await admin.post("/movements", json={"kind": kind, "ref": ref, **members})
    assert answer.status_code == 201, answer.text


async def listed(admin: httpx.AsyncClient, what: str, **query: Any) -> list[dict[str, Any]]:
    """A whole list, read two rows at a time."""
    rows: list[dict[str, Any]] = []
    cursor: dict[str, str] = {}
    while True:
        answer = await admin.get(f"/{what}", params={"limit": 2, **query, **cursor})
        assert answer.status_code == 200, answer.text
        body = answer.json()
        rows += body["items"]
        if body["next"] is None:
            return rows
        cursor = {"cursor": body["next"]}


@pytest.fixture
async def supplies(admin: httpx.AsyncClient, mug: dict[str, Any]) -> None:
    """Five deliveries: of yesterday, of today, of tomorrow, one that is here, one that ended."""
    for ref, day in (("a", 22), ("b", 21), ("c", 20), ("d", 20), ("e", 19)):
        supply = {"supply_ref": ref, "sku": "MUG", "quantity": 4, "due_on": f"2026-11-{day}"}
        await tell(admin, "supply", f"{ref}:told", **supply)
    await tell(admin, "receive", "d-c", sku="MUG", quantity=1, supply_ref="c")
    await tell(admin, "receive", "d-d", sku="MUG", quantity=5, supply_ref="d")
    await tell(admin, "supply_end", "e:end", supply_ref="e")


async def test_supply_is_listed_soonest_first_and_late_from_the_day_after_in_tokyo(
    admin: httpx.AsyncClient, supplies: None, clock: HandClock
) -> None:
    rows = await listed(admin, "supplies")
    assert [(row["supply_ref"], row["outstanding"], row["late"]) for row in rows] == [
        ("e", 0, False),
        ("c", 3, True),
        ("d", 0, False),
        ("b", 4, False),
        ("a", 4, False),
    ]
    assert rows[1] == {
        "supply_ref": "c",
        "sku": "MUG",
        "location": "main",
        "expected": 4,
        "received": 1,
        "outstanding": 3,
        "due_on": "2026-11-20",
        "late": True,
        "ended": False,
        "changed_at": NOON,
    }
    # It is 21:00 in Tokyo; three hours later the 21st is over there.
    clock.moment += timedelta(hours=3)
    assert [row["supply_ref"] for row in await listed(admin, "supplies", state="late")] == [
        "c",
        "b",
    ]
    assert [row["supply_ref"] for row in await listed(admin, "supplies", state="open")] == [
        "c",
        "b",
        "a",
    ]
    assert [row["supply_ref"] for row in await listed(admin, "supplies", state="done")] == [
        "e",
        "d",
    ]


async def test_transfers_under_way_are_listed_first(
    admin: httpx.AsyncClient, mug: dict[str, Any]
) -> None:
    await admin.post("/locations", json={"code": "osaka"})
    route = {"sku": "MUG", "from_location": "main", "to_location": "osaka"}
    for number in range(1, 6):
        await tell(admin, "transfer_out", f"t-{number}", quantity=2, **route)
    await tell(admin, "transfer_in", "t-2:in", transfer_ref="t-2", quantity=1, missing=1)
    await tell(admin, "transfer_in", "t-4:in", transfer_ref="t-4", quantity=2)
    await tell(admin, "transfer_in", "t-5:in", transfer_ref="t-5", quantity=1)

    rows = await listed(admin, "transfers")

    assert [(row["transfer_ref"], row["under_way"]) for row in rows] == [
        ("t-5", 1),
        ("t-3", 2),
        ("t-1", 2),
        ("t-4", 0),
        ("t-2", 0),
    ]
    assert rows[4] == {
        "transfer_ref": "t-2",
        "sku": "MUG",
        "from_location": "main",
        "to_location": "osaka",
        "quantity": 2,
        "arrived": 1,
        "missing": 1,
        "under_way": 0,
        "sent_at": NOON,
    }
    ended = await listed(admin, "transfers", state="ended")
    assert [row["transfer_ref"] for row in ended] == ["t-4", "t-2"]
    open_ = await listed(admin, "transfers", state="under_way")
    assert [row["transfer_ref"] for row in open_] == ["t-5", "t-3", "t-1"]


async def test_count_that_waits_for_a_second_one_does_not_show_the_book(
    admin: httpx.AsyncClient, mug: dict[str, Any], clock: HandClock
) -> None:
    counted = {"sku": "MUG", "on_hand": 9, "occurred_at": NOON, "reason": "damage"}
    await tell(admin, "count", "count-1", **counted)
    for number, units in ((2, 1), (3, 2)):
        clock.moment += timedelta(minutes=1)
        again = {"on_hand": units, "occurred_at": clock.moment.isoformat()}
        await tell(admin, "count", f"count-{number}", **(counted | again))

    rows = await listed(admin, "counts")
    assert [(row["count_ref"], row["state"], row["difference"]) for row in rows] == [
        ("count-3", "recount", None),
        ("count-2", "recount", None),
        ("count-1", "applied", -1),
    ]

    clock.moment += timedelta(minutes=1)
    second = {"on_hand": 2, "occurred_at": clock.moment.isoformat(), "recount_of": "count-3"}
    await tell(admin, "count", "count-4", **(counted | second))
    [applied, *_] = await listed(admin, "counts", state="applied")
    assert applied == {
        "id": 4,
        "count_ref": "count-4",
        "sku": "MUG",
        "location": "main",
        "counted": 2,
        "difference": -7,
        "reason": "damage",
        "state": "applied",
        "counted_at": "2026-11-21T12:03:00Z",
    }
    [superseded] = await listed(admin, "counts", state="superseded")
    assert (superseded["count_ref"], superseded["difference"]) == ("count-3", None)
