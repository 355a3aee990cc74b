"""Connecting shops, their rules, their listings, and the switches that stop publishing."""

from __future__ import annotations

from typing import Any

import httpx
from sqlalchemy import select

from inventory.db import Database
from inventory.models import Audit, Channel, Listing, StaleSku
from inventory.publishing import frozen
from inventory.security import Vault
from tests.api.conftest import RAKUTEN, SECRET_KEY, Look, problem


async def actions(database: Database) -> list[str]:
    """What people did, in order."""
    async with database.sessions() as session:
        return list(await session.scalars(select(Audit.action).order_by(Audit.id)))


async def stale(database: Database) -> list[int]:
    """The SKUs whose numbers are to be worked out anew; the marks are taken away."""
    async with database.transaction() as session:
        marks = list(await session.scalars(select(StaleSku).order_by(StaleSku.sku_id)))
        for mark in marks:
            await session.delete(mark)
        return [mark.sku_id for mark in marks]


async def test_credentials_are_sealed_and_never_shown(
    admin: httpx.AsyncClient, database: Database, contents: Look
) -> None:
    answer = await admin.post("/channels", json=RAKUTEN)

    assert answer.status_code == 201
    shown = answer.json()
    assert shown == {
        "id": 1,
        "code": "rmart",
        "kind": "rakuten",
        "base_url": "https://api.rms.example",
        "settings": {"window_hours": 12.0},
        "has_credentials": True,
        "frozen": False,
        "locations": None,
        "safety_stock": 1,
        "safety_percent": 0,
        "quantity_max": None,
        "quantity_floor": 0,
        "desk_policy": "review",
        "desk_hours": 24,
        "ship_days": None,
        "metrics": {},
        "costs": {},
        "watermark": None,
        "pulled_at": None,
        "failing_since": None,
        "failure": None,
        "connected_at": "2026-11-21T12:00:00Z",
        "live_at": "2026-11-21T12:00:00Z",
        "standing": None,
        "standing_at": None,
        "history_from": None,
    }
    assert (await admin.get("/channels/rmart")).json() == shown
    assert (await admin.get("/channels")).json() == {"items": [shown], "next": None}
    everything = str(await contents())
    assert "SP-secret-1" not in everything
    assert "SL-license-1" not in everything
    async with database.sessions() as session:
        sealed = await session.scalar(select(Channel.credentials).where(Channel.code == "rmart"))
    assert sealed is not None
    assert Vault(SECRET_KEY).open(sealed) == RAKUTEN["credentials"]
    assert await actions(database) == ["channel.connected"]


async def test_changing_rules_keeps_the_credentials(
    admin: httpx.AsyncClient, mug: dict[str, Any], database: Database
) -> None:
    await admin.post("/channels", json=RAKUTEN)
    rows = {"listings": [{"channel_sku": "R-MUG", "sku": "MUG"}]}
    await admin.put("/channels/rmart/listings", json=rows)
    await admin.post("/locations", json={"code": "annex"})
    await stale(database)
    change = {
        "quantity_max": 5,
        "desk_policy": "auto_at_deadline",
        "desk_hours": 12,
        "ship_days": 3,
        "metrics": {"as_of": "2026-11-01", "points_per_cancel": 20},
        "costs": {"as_of": "2026-11-20", "fines_yen": [120_000]},
        "locations": ["annex", "main"],
        "settings": {"window_hours": 6.0},
    }

    answer = await admin.patch("/channels/rmart", json=change)

    assert answer.status_code == 200
    shown = answer.json()
    assert {name: shown[name] for name in change} == change
    assert (shown["safety_stock"], shown["has_credentials"]) == (1, True)
    async with database.sessions() as session:
        channel = (await session.scalars(select(Channel).where(Channel.code == "rmart"))).one()
    codes = {row["id"]: row["code"] for row in (await admin.get("/locations")).json()["items"]}
    assert [codes[each] for each in channel.location_ids or ()] == ["annex", "main"]
    assert channel.credentials is not None
    assert Vault(SECRET_KEY).open(channel.credentials) == RAKUTEN["credentials"]
    assert await stale(database) == [mug["id"]]

    renewed = {"service_secret": "SP-secret-1", "license_key": "SL-license-2"}
    new = {"credentials": renewed, "locations": None}
    assert (await admin.patch("/channels/rmart", json=new)).json()["locations"] is None
    async with database.sessions() as session:
        channel = (await session.scalars(select(Channel).where(Channel.code == "rmart"))).one()
    assert channel.credentials is not None
    assert Vault(SECRET_KEY).open(channel.credentials) == renewed


WRONG: list[tuple[dict[str, Any], tuple[int, str]]] = [
    ({"kind": "house"}, (400, "bad_input")),
    ({"kind": "ebay"}, (400, "bad_input")),
    ({"code": "Big"}, (400, "bad_input")),
    ({"base_url": "ftp://x"}, (400, "bad_input")),
    ({"base_url": "https://user:pw@x"}, (400, "bad_input")),
    ({"base_url": "https://x y"}, (400, "bad_input")),
    ({"metrics": {"a": "x" * 20_001}}, (400, "bad_input")),
    ({"metrics": {"steps": [55, 35], "as_of": "2026-11-01"}}, (400, "bad_input")),
    ({"metrics": {"points_per_cancel": 20}}, (400, "bad_input")),
    ({"metrics": {"a": "\x00"}}, (400, "bad_input")),
    ({"safety_percent": 101}, (400, "bad_input")),
    ({"quantity_max": -1}, (400, "bad_input")),
    ({"desk_policy": "never"}, (400, "bad_input")),
    ({"desk_hours": -1}, (400, "bad_input")),
    ({"ship_days": 366}, (400, "bad_input")),
    ({"costs": {"as_of": "2026-11-20", "fines_yen": [-1]}}, (400, "bad_input")),
    ({"costs": {"fines_yen": [1]}}, (400, "bad_input")),
    ({"settings": {"window_hours": "long"}}, (400, "bad_input")),
    ({"settings": {"shop": "x"}}, (400, "bad_input")),
    ({"credentials": {"license_key": "only"}}, (400, "bad_input")),
    ({"locations": []}, (400, "bad_input")),
    ({"locations": ["main", "main"]}, (400, "bad_input")),
    ({"locations": ["moon"]}, (404, "unknown_location")),
    ({"frozen": True}, (400, "bad_input")),
    ({"code": "house"}, (409, "already_exists")),
]


async def test_wrong_channels_are_refused_and_nothing_is_kept(
    admin: httpx.AsyncClient, contents: Look
) -> None:
    before = await contents()
    for change, expected in WRONG:
        answer = await admin.post("/channels", json=RAKUTEN | change)
        assert problem(answer) == expected, change
    assert await contents() == before


async def test_credentials_that_the_adapter_refuses_stay_out_of_the_answer(
    admin: httpx.AsyncClient, contents: Look
) -> None:
    await admin.post("/channels", json=RAKUTEN)
    before = await contents()
    wrong = {"service_secret": "SP-swordfish", "licence_key": "SL-swordfish"}

    answer = await admin.patch("/channels/rmart", json={"credentials": wrong})

    assert problem(answer) == (400, "bad_input")
    assert "credentials" in answer.json()["detail"]
    assert "swordfish" not in answer.text
    assert await contents() == before


async def test_house_has_no_rules(admin: httpx.AsyncClient, contents: Look) -> None:
    before = await contents()
    rows = {"listings": [{"channel_sku": "X", "sku": "MUG"}]}
    answers = [
        await admin.patch("/channels/house", json={"safety_stock": 1}),
        await admin.post("/channels/house/freeze"),
        await admin.put("/channels/house/listings", json=rows),
    ]
    assert [problem(answer) for answer in answers] == [(409, "wrong_state")] * 3
    assert problem(await admin.get("/channels/nowhere")) == (404, "not_found")
    assert await contents() == before


async def test_freeze_one_channel_and_all(
    admin: httpx.AsyncClient, store: str, database: Database, mug: dict[str, Any]
) -> None:
    async def is_frozen() -> bool:
        async with database.sessions() as session:
            return await frozen(session, 1)

    assert not await is_frozen()
    assert (await admin.post(f"{store}/freeze")).json()["frozen"] is True
    assert await is_frozen()
    await stale(database)
    assert (await admin.post(f"{store}/unfreeze")).json()["frozen"] is False
    assert not await is_frozen()
    assert await stale(database) == [mug["id"]]

    assert (await admin.post("/freeze")).json() == {"frozen": True}
    assert await is_frozen()
    assert (await admin.get("/status")).json()["frozen"] is True
    assert (await admin.post("/unfreeze")).json() == {"frozen": False}
    assert not await is_frozen()
    assert (await actions(database))[-4:] == [
        "channel.frozen",
        "channel.unfrozen",
        "house.frozen",
        "house.unfrozen",
    ]


async def test_listings_are_put_all_or_none(
    admin: httpx.AsyncClient, store: str, database: Database, contents: Look
) -> None:
    await admin.post("/skus", json={"code": "CUP"})
    await stale(database)
    rows = [
        {"channel_sku": "W-MUG", "sku": "MUG", "quantity_max": 3},
        {"channel_sku": "W-CUP", "sku": "CUP", "closed": True},
    ]
    answer = await admin.put(f"{store}/listings", json={"listings": rows})

    assert answer.json() == {"created": 1, "changed": 1, "unchanged": 0}
    assert await stale(database) == [1, 2]
    again = await admin.put(f"{store}/listings", json={"listings": rows})
    assert again.json() == {"created": 0, "changed": 0, "unchanged": 2}
    assert await stale(database) == []

    before = await contents()
    new = {"channel_sku": "W-NEW", "sku": "MUG"}
    wrong: list[tuple[list[dict[str, Any]], tuple[int, str]]] = [
        ([new, {"channel_sku": "W-X", "sku": "NO"}], (404, "unknown_sku")),
        ([new, new], (400, "bad_input")),
        ([], (400, "bad_input")),
        ([{**new, "channel_sku": f"W-{n}"} for n in range(1001)], (400, "bad_input")),
        ([new | {"quantity_max": 1_000_001}], (400, "bad_input")),
        ([new | {"price": 3}], (400, "bad_input")),
    ]
    for listings, expected in wrong:
        answer = await admin.put(f"{store}/listings", json={"listings": listings})
        assert problem(answer) == expected
    assert await contents() == before


async def test_thousand_listings_at_once(admin: httpx.AsyncClient, store: str) -> None:
    rows = [{"channel_sku": f"W-{number}", "sku": "MUG"} for number in range(1000)]
    answer = await admin.put(f"{store}/listings", json={"listings": rows})
    assert answer.json() == {"created": 1000, "changed": 0, "unchanged": 0}
    page = (await admin.get(f"{store}/listings", params={"limit": 500})).json()
    assert len(page["items"]) == 500
    assert page["next"]


async def test_listing_shows_its_numbers_and_why(
    admin: httpx.AsyncClient, store: str, database: Database
) -> None:
    [fresh] = (await admin.get(f"{store}/listings")).json()["items"]
    assert fresh == {
        "id": 1,
        "channel_sku": "W-MUG",
        "sku": "MUG",
        "safety_stock": None,
        "safety_percent": None,
        "quantity_max": None,
        "quantity_floor": None,
        "preorder_units": 0,
        "closed": False,
        "closed_by_channel": False,
        "fulfilled_by_channel": False,
        "quantity_wanted": None,
        "quantity_published": None,
        "quantity_known": None,
        "published_at": None,
        "known_at": None,
        "stale": False,
        "wanted_at": None,
        "lane": None,
        "failure": None,
        "why": "10 = 10 on hand − 0 reserved − 0 safety stock",
    }
    async with database.transaction() as session:
        listing = await session.get_one(Listing, 1)
        listing.quantity_wanted, listing.quantity_published, listing.revision_wanted = 10, 8, 1

    shown = (await admin.get(f"{store}/listings/1")).json()
    assert (shown["stale"], shown["quantity_wanted"], shown["quantity_published"]) == (True, 10, 8)
    stale_ones = await admin.get(f"{store}/listings", params={"stale": "true"})
    assert [row["id"] for row in stale_ones.json()["items"]] == [1]

    changed = await admin.patch(f"{store}/listings/1", json={"safety_percent": 50})
    assert changed.json()["why"] == "5 = 10 on hand − 0 reserved − 5 safety stock"
    for address in (f"{store}/listings/2", "/channels/house/listings/1"):
        assert problem(await admin.patch(address, json={})) == (404, "not_found")
        assert problem(await admin.get(address)) == (404, "unknown_listing")
