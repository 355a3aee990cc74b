"""Drift and resync over REST."""

from __future__ import annotations

from datetime import timedelta

import httpx
import pytest

from inventory.models import Channel, Drift, Listing
from tests.api.conftest import Caller, Rung
from tests.conftest import Save
from tests.factories import NOON, ChannelFactory, ListingFactory, SkuFactory


@pytest.fixture
async def shops(save: Save) -> tuple[Channel, Channel, list[Listing]]:
    """Two shops that list the same three SKUs."""
    first, second = ChannelFactory.build(code="rmart"), ChannelFactory.build(code="ymall")
    skus = [SkuFactory.build(code=code) for code in ("MUG", "POT", "CUP")]
    await save(first, second, *skus)
    listings = [
        ListingFactory.build(channel_id=shop.id, sku_id=sku.id, channel_sku=sku.code.lower())
        for shop in (first, second)
        for sku in skus
    ]
    await save(*listings)
    return first, second, listings


def case(listing: Listing, cause: str = "hand_edit", *, closed: bool = False) -> Drift:
    return Drift(
        listing_id=listing.id,
        cause=cause,
        story="shows 12 where 8 was expected",
        shown=12,
        expected_low=8,
        expected_high=8,
        read_at=NOON,
        first_seen=NOON,
        last_seen=NOON,
        closed_at=NOON + timedelta(minutes=1) if closed else None,
    )


@pytest.fixture
async def client(caller: Caller) -> httpx.AsyncClient:
    """Somebody who may read stock and change channels."""
    return await caller("stock:read", "channels:write")


async def test_cases_are_listed_newest_first_page_by_page(
    client: httpx.AsyncClient, shops: tuple[Channel, Channel, list[Listing]], save: Save
) -> None:
    *_, listings = shops
    await save(
        case(listings[0], closed=True),
        case(listings[0]),
        case(listings[1], "lost_update"),
        case(listings[4], "mapping_error"),
    )
    found = (await client.get("/drift", params={"limit": 2})).json()
    assert [(row["channel"], row["cause"]) for row in found["items"]] == [
        ("ymall", "mapping_error"),
        ("rmart", "lost_update"),
    ]
    more = (await client.get("/drift", params={"limit": 2, "cursor": found["next"]})).json()
    assert [row["closed_at"] is None for row in more["items"]] == [True, False]
    assert more["next"] is None

    params = {"channel_code": "rmart", "open": "true"}
    only = (await client.get("/drift", params=params)).json()["items"]
    assert [(row["sku"], row["channel_sku"]) for row in only] == [("POT", "pot"), ("MUG", "mug")]
    assert only[0]["story"] == "shows 12 where 8 was expected"
    ended = (await client.get("/drift", params={"open": "false"})).json()["items"]
    assert len(ended) == 1


async def test_a_resync_is_asked_for_and_watched(
    client: httpx.AsyncClient,
    shops: tuple[Channel, Channel, list[Listing]],
    rung: Rung,
) -> None:
    assert shops
    missing = await client.get("/channels/rmart/resync")
    assert (missing.status_code, missing.json()["code"]) == (404, "not_found")
    asked = await client.post("/channels/rmart/resync")
    assert asked.status_code == httpx.codes.ACCEPTED
    assert (asked.json()["total"], asked.json()["done"]) == (3, 0)
    assert "sweep" in await rung()
    seen = (await client.get("/channels/rmart/resync")).json()
    assert (seen["channel"], seen["total"], seen["ended_at"]) == ("rmart", 3, None)
    house = await client.post("/channels/house/resync")
    assert (house.status_code, house.json()["code"]) == (409, "wrong_state")
