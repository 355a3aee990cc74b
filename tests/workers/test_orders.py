"""Orders that are not simply sold: unknown listings, cancellations, shipments, FBA."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select

from inventory.models import OrderLine, SalesOrder
from tests.workers.night import KINDS, Night, channel_sku

# Ended orders are looked for in every pull, not only in every third.
ATTENTIVE = {"rakuten": {"live_search_every": 1}, "yahoo": {"sweep_every": 1}}


@pytest.mark.parametrize("kind", KINDS)
async def test_an_order_of_an_unknown_listing_waits_for_it_in_sight(
    night: Night, kind: str
) -> None:
    await night.open(kind, units=10)
    night.sandbox.list_items(kind, {channel_sku(kind, "TEE"): 5})
    ref = night.buy(kind, 2, sku="TEE")

    await night.pulled(kind, ref)

    [event] = await night.events(kind)
    assert (event.state, event.code, event.subject) == ("parked", "unknown_listing", ref)
    assert channel_sku(kind, "TEE") in event.detail
    assert await night.alerts() == {("health.events_parked", f"channel:{kind}")}

    await night.add("TEE", 5)
    replayed = await night.runtime.inbox.replay(event.id)

    assert replayed.state == "handled"
    assert await night.stock("TEE") == (5, 2)
    assert ("health.events_parked", f"channel:{kind}") not in await night.alerts()
    await night.agree(3, "TEE")


@pytest.mark.parametrize("kind", KINDS)
async def test_a_basket_with_one_unknown_listing_holds_the_units_that_are_known(
    night: Night, kind: str
) -> None:
    await night.open(kind, units=10)
    tee = channel_sku(kind, "TEE")
    night.sandbox.list_items(kind, {tee: 5})
    ref = night.sandbox.buy(kind, {channel_sku(kind, "MUG"): 1, tee: 1})

    await night.pulled(kind, ref)
    known = await night.stock()
    [event] = await night.events(kind)
    await night.add("TEE", 5)
    await night.runtime.inbox.replay(event.id)

    assert known == (10, 1)
    assert (await night.stock(), await night.stock("TEE")) == ((10, 1), (5, 1))


@pytest.mark.parametrize("kind", KINDS)
async def test_orders_that_end_free_or_ship_their_units_once(night: Night, kind: str) -> None:
    await night.connect(kind, settings=ATTENTIVE.get(kind))
    night.sandbox.list_items(kind, {channel_sku(kind, "MUG"): 10})
    await night.add("MUG", 10)
    await night.pull_all()
    unseen, seen, sent = (night.buy(kind, units) for units in (1, 2, 4))
    night.sandbox.act(kind, unseen, "buyer-cancel")
    await night.pulled(kind, seen)
    await night.pulled(kind, sent)
    before = await night.stock()

    night.sandbox.act(kind, seen, "buyer-cancel")
    night.sandbox.act(kind, sent, "ship")
    await night.pulled_until(kind, seen, lambda order: order.cancelled)
    await night.until(lambda: shipped(night, kind, sent))

    assert before == (10, 6)
    assert await night.stock() == (6, 0)
    await night.agree(6)
    order = await night.order(kind, seen)
    assert order is not None
    assert order.cancelled_by == "buyer"


async def shipped(night: Night, kind: str, ref: str) -> bool:
    """One more pull; whether the order's units have left the house."""
    await night.pull_all()
    query = (
        select(OrderLine)
        .join(SalesOrder, SalesOrder.id == OrderLine.order_id)
        .where(SalesOrder.order_ref == ref)
    )
    return all(line.shipped == line.ordered for line in await night.rows(query))


async def test_an_order_that_amazon_ships_leaves_our_stock_alone(night: Night) -> None:
    await night.open("amazon", units=10)
    night.sandbox.list_items("amazon", {"MUG-FBA": 50}, by_channel=True)
    ref = night.sandbox.buy("amazon", {"MUG-FBA": 3})

    order = await night.pulled("amazon", ref)
    await night.round()

    assert order.fulfilled_by_channel
    assert await night.stock() == (10, 0)
    assert night.sandbox.displayed("amazon") == {"MUG-A": 10, "MUG-FBA": 47}
    assert [event.state for event in await night.events("amazon")] == ["handled"]
    assert night.sandbox.books("amazon")["writes"] == []


@pytest.mark.parametrize("kind", KINDS)
async def test_what_was_sold_before_the_first_pull_is_booked_while_it_is_live(
    night: Night, kind: str
) -> None:
    await night.connect(kind)
    night.sandbox.list_items(kind, {channel_sku(kind, "MUG"): 10})
    await night.add("MUG", 10)
    ref = night.buy(kind, 4)

    order = await night.pulled(kind, ref)

    assert await night.stock() == (10, 4)
    assert order.ordered_at is not None
    assert order.recorded_at - order.ordered_at < timedelta(seconds=60)
