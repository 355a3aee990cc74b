"""A shop's way from its connection to its first published number, over the API."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from inventory import onboarding
from inventory.db import Database
from inventory.vocabulary import ListingSeen
from tests.api.conftest import RAKUTEN, Caller, Look, Rung, problem
from tests.factories import NOON


@pytest.fixture
async def shop(admin: httpx.AsyncClient, mug: dict[str, Any]) -> str:
    """A shop that was connected and not let go; the part of the address that names it."""
    answer = await admin.post("/channels", json=RAKUTEN | {"live": False})
    assert (answer.status_code, answer.json()["frozen"], answer.json()["live_at"]) == (
        *(201, True),
        None,
    )
    assert mug["code"] == "MUG"
    return "/channels/rmart"


@pytest.fixture
async def seen(shop: str, admin: httpx.AsyncClient, database: Database) -> str:
    """Its listings were discovered."""
    channel_id = (await admin.get(shop)).json()["id"]
    listings = [
        ListingSeen(channel_sku="r/MUG", codes=("mug",), title="マグ", quantity=4),
        ListingSeen(channel_sku="r/a", codes=("none",)),
        ListingSeen(channel_sku="r/b"),
    ]
    async with database.transaction() as session:
        await onboarding.store_seen(session, channel_id, listings, NOON)
    return shop


async def test_matching_in_pages_and_put_to_use(
    admin: httpx.AsyncClient, seen: str, rung: Rung
) -> None:
    first = (await admin.get(f"{seen}/matching", params={"limit": 2})).json()
    assert first["counts"] == {
        "mapped": 0,
        "matched": 1,
        "unmatched": 2,
        "ambiguous": 0,
        "duplicate": 0,
    }
    assert [row["channel_sku"] for row in first["items"]] == ["r/MUG", "r/a"]
    params = {"limit": 2, "cursor": first["next"]}
    rest = (await admin.get(f"{seen}/matching", params=params)).json()
    assert ([row["channel_sku"] for row in rest["items"]], rest["next"]) == (["r/b"], None)
    params = {"state": "matched"}
    only = (await admin.get(f"{seen}/matching", params=params)).json()
    assert [(row["sku"], row["by"], row["title"]) for row in only["items"]] == [
        ("MUG", "mug", "マグ")
    ]
    await rung()

    picks = [{"channel_sku": "r/b", "sku": "MUG"}]
    done = await admin.post(f"{seen}/matching", json={"picks": picks})

    assert (done.status_code, done.json()) == (200, {"created": 2, "changed": 0, "events": 0})
    listed = (await admin.get(f"{seen}/listings")).json()["items"]
    assert {row["channel_sku"] for row in listed} == {"r/MUG", "r/b"}
    assert {"process", "refresh"} <= set(await rung())


async def test_a_shadow_then_go(admin: httpx.AsyncClient, seen: str) -> None:
    await admin.post(f"{seen}/matching", json={})

    shown = (await admin.get(f"{seen}/shadow", params={"differing": "true"})).json()

    assert shown["totals"] == {
        "listings": 1,
        "agree": 0,
        "would_rise": 0,
        "would_fall": 0,
        "to_zero": 0,
        "unread": 1,
        "unlisted": 2,
    }
    [row] = shown["items"]
    assert (row["channel_sku"], row["shows"], row["would_show"]) == ("r/MUG", 4, None)
    assert problem(await admin.post(f"{seen}/unfreeze")) == (409, "wrong_state")
    gone = await admin.post(f"{seen}/go")
    assert (gone.status_code, gone.json()["frozen"]) == (200, False)
    assert gone.json()["live_at"] == "2026-11-21T12:00:00Z"
    assert problem(await admin.post(f"{seen}/go")) == (409, "wrong_state")


async def test_history_is_asked_for(admin: httpx.AsyncClient, shop: str) -> None:
    assert (await admin.get(f"{shop}/history")).json() is None

    asked = await admin.post(f"{shop}/history", json={"days": 30})

    assert asked.json() == {
        "since": "2026-10-22T12:00:00Z",
        "until": None,
        "orders": 0,
        "state": "reading",
        "failure": None,
    }
    assert (await admin.get(f"{shop}/history")).json() == asked.json()


@pytest.mark.parametrize(
    ("method", "path", "body", "expected"),
    [
        ("GET", "/channels/no/shadow", None, (404, "not_found")),
        ("GET", "/channels/rmart/matching", None, (409, "wrong_state")),
        ("POST", "/channels/rmart/history", {"days": 90}, (400, "bad_input")),
        ("POST", "/channels/rmart/matching", {"picks": [{"sku": "MUG"}]}, (400, "bad_input")),
        ("POST", "/channels/no/go", None, (404, "not_found")),
    ],
)
async def test_what_cannot_be_done_changes_nothing(
    admin: httpx.AsyncClient,
    shop: str,
    contents: Look,
    method: str,
    path: str,
    body: Any,
    expected: tuple[int, str],
) -> None:
    assert shop
    before = await contents()

    assert problem(await admin.request(method, path, json=body)) == expected

    assert await contents() == before


async def test_only_who_may_write_channels_lets_them_go(caller: Caller, shop: str) -> None:
    reader = await caller("stock:read")

    assert (await reader.get(f"{shop}/shadow")).status_code == 200
    for path in ("go", "matching", "history"):
        assert problem(await reader.post(f"{shop}/{path}", json={})) == (403, "not_permitted")
