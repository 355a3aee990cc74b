"""An own store beside a marketplace: it tells its orders by REST and is told its number."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from sqlalchemy import select

from inventory.clock import Clock
from inventory.models import Oversell, OversellStep
from inventory.outgoing.endpoints import add_endpoint
from tests.api.conftest import Caller, app, caller, rings
from tests.notices.receiver import Receiver
from tests.workers.night import Night
from workers import desk, notify, sweep

__all__ = ["app", "caller", "rings"]


@pytest.fixture
def clock() -> Clock:
    """The app lives in the same time as the workers."""
    return Clock()


@pytest.fixture
async def store(night: Night, caller: Caller) -> httpx.AsyncClient:
    """An own store with ten cups, which Shopify displays too; its calls of the REST door."""
    await night.connect("own_store")
    await night.open("shopify", units=10)
    return await caller("orders:write", "stock:read", channel="own_store")


@pytest.fixture
async def receiver(night: Night) -> AsyncIterator[Receiver]:
    """Where the store is told its numbers."""
    async with Receiver() as receiver, night.runtime.database.transaction() as session:
        networks = night.runtime.settings.webhook_networks
        await add_endpoint(
            session,
            night.runtime.vault,
            url=receiver.url,
            events=["listing.quantity"],
            networks=networks,
        )
        await session.commit()
        yield receiver


def told(receiver: Receiver) -> list[dict[str, Any]]:
    """The messages that the store was sent, in order."""
    return [json.loads(request.body)["data"] for request in receiver.requests]


async def sell(store: httpx.AsyncClient, ref: str, units: int) -> None:
    """The store tells an order."""
    line = {"line_ref": "1", "channel_sku": "S-MUG", "quantity": units}
    order = {"event_id": f"sale-{ref}", "order_ref": ref, "lines": [line]}
    answer = await store.post("/channels/own_store/orders", json=order)
    assert answer.status_code == 201, answer.text


async def test_its_sale_lowers_the_marketplace_and_its_own_number(
    night: Night, store: httpx.AsyncClient, receiver: Receiver
) -> None:
    await sell(store, "o-1", 3)

    await night.rounds(1)
    await notify.work(night.runtime)

    assert night.shown() == {"shopify": 7}
    newest = told(receiver)[-1]
    assert (newest["channel"], newest["channel_sku"], newest["quantity"]) == (
        "own_store",
        "S-MUG",
        7,
    )
    answer = await store.get("/channels/own_store/listings")
    [listing] = answer.json()["items"]
    assert (listing["channel_sku"], listing["quantity_published"]) == ("S-MUG", 7)


async def test_a_sale_at_the_marketplace_is_told_to_the_store_without_pulling_it(
    night: Night, store: httpx.AsyncClient, receiver: Receiver
) -> None:
    ref = night.buy("shopify", 4)
    await night.pulled("shopify", ref)
    await night.rounds(1)
    await notify.work(night.runtime)
    await night.execute("UPDATE channel SET pull_due_at = now(), pull_may_at = now()")
    await sweep.work(night.runtime)

    assert told(receiver)[-1]["quantity"] == 6
    pulled = {ring[1] for ring in night.rings if ring[0] == "pull"}
    assert pulled == {night.ids["shopify"]}


async def test_an_order_below_zero_is_recorded_and_opens_a_case(
    night: Night, store: httpx.AsyncClient, receiver: Receiver
) -> None:
    await sell(store, "o-1", 12)
    await night.rounds(1)
    await notify.work(night.runtime)
    for _ in range(3):
        await desk.work(night.runtime)

    assert await night.stock() == (10, 12)
    assert (night.shown(), told(receiver)[-1]["quantity"]) == ({"shopify": 0}, 0)
    [case] = await night.rows(select(Oversell))
    assert (case.state, case.shortage) == ("open", 2)
    # A store of our own has no door to cancel by: a person is called.
    steps = [step.step for step in await night.rows(select(OversellStep).order_by(OversellStep.id))]
    assert steps == ["detected", "listings_to_zero", "mitigations", "needs_person"]
    assert ("oversell_stuck", "sku:MUG") in await night.alerts()


async def test_a_number_whose_sender_died_is_told_again(
    night: Night, store: httpx.AsyncClient, receiver: Receiver
) -> None:
    await sell(store, "o-1", 3)
    await night.sender_dies("own_store")
    await sweep.work(night.runtime)

    await night.rounds(2)
    await notify.work(night.runtime)

    assert told(receiver)[-1]["quantity"] == 7
    listing = await night.listing("own_store")
    assert listing.revision_published == listing.revision_wanted
