"""Buyers at real marketplaces: a wish on record carried out as such, and ends that others made."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from inventory.desk import buyer_requests, messages
from inventory.desk.buyer_requests import BuyerAsked
from inventory.models import PenaltyEntry
from inventory.oversells import decide_cancellation
from inventory.reasons import ReasonRefused
from tests.workers.night import Night, channel_sku
from workers import desk

# What the marketplace shows afterwards: Rakuten and Yahoo! make a buyer's code the buyer's end.
SHOWN = {
    "rakuten": ("cancelled", "buyer", "1"),
    "yahoo": ("cancelled", "buyer", "100"),
    "amazon": ("cancelled", "seller", "BuyerCanceled"),
}


async def record(night: Night, kind: str, ref: str) -> int:
    """Mori puts the buyer's wish on record; the cancellation that waits for a decision."""
    now = night.runtime.clock.now()
    told = BuyerAsked(person="mori", asked_at=now - timedelta(seconds=1), reference="inquiry 12")
    async with night.runtime.database.transaction() as session:
        row = await buyer_requests.record(session, kind, ref, told, by="a key", now=now)
    return row.cancellation_id


async def state(night: Night, kind: str, ref: str) -> str:
    """Where the cancellation of an order stands."""
    row = await night.cancellation(kind, ref)
    return "" if row is None else row.state


def ended(night: Night, kind: str, ref: str) -> tuple[Any, ...]:
    """What the marketplace itself says of an order."""
    order = night.sandbox.order(kind, ref)
    return order["state"], order["cancelled_by"], order["cancel_code"]


@pytest.mark.parametrize("kind", SHOWN)
async def test_a_buyers_wish_is_carried_out_with_the_buyers_code(night: Night, kind: str) -> None:
    await night.open(kind, units=10)
    ref = night.buy(kind, 3)
    await night.pulled(kind, ref)
    if kind == "amazon":
        with pytest.raises(ReasonRefused):
            await record(night, kind, ref)
        night.sandbox.act(kind, ref, "ask-cancel")
        order = await night.pulled_until(kind, ref, lambda seen: seen.buyer_asked_to_cancel)
        assert order.buyer_asked_at is not None

    cancellation = await record(night, kind, ref)
    await desk.work(night.runtime)
    assert ended(night, kind, ref)[0] == "live"
    async with night.runtime.database.transaction() as session:
        now = night.runtime.clock.now()
        await decide_cancellation(session, cancellation, approve=True, by="mori", now=now)

    async def confirmed() -> bool:
        return await state(night, kind, ref) == "confirmed"

    await night.desk_until(confirmed)
    assert ended(night, kind, ref) == SHOWN[kind]
    assert await night.stock() == (10, 0)
    entries = await night.rows(select(PenaltyEntry))
    assert [entry.weighs for entry in entries] in ([], [False])
    assert not (await night.listing(kind)).closed_by_channel


@pytest.mark.parametrize(
    ("kind", "action", "asker", "counts"),
    [
        ("rakuten", "buyer-cancel", "buyer_self", "unconfirmed"),
        ("rakuten", "marketplace-cancel", "buyer_self", "unconfirmed"),
        ("yahoo", "buyer-cancel", "buyer_self", "unconfirmed"),
        ("yahoo", "marketplace-cancel", "marketplace", "unconfirmed"),
        ("amazon", "buyer-cancel", "buyer_self", "no"),
        ("amazon", "marketplace-cancel", "marketplace", "no"),
        ("shopify", "buyer-cancel", "buyer_self", "no"),
        ("shopify", "marketplace-cancel", "marketplace", "no"),
    ],
)
async def test_what_others_end_is_classified_by_what_the_marketplace_shows(
    night: Night, kind: str, action: str, asker: str, counts: str
) -> None:
    await night.open(kind, units=10)
    ref = night.buy(kind, 2)
    await night.pulled(kind, ref)
    night.sandbox.act(kind, ref, action)
    await night.pulled_until(kind, ref, lambda seen: seen.cancelled)

    await desk.work(night.runtime)

    row = await night.cancellation(kind, ref)
    assert row is not None
    entries = await night.rows(select(PenaltyEntry))
    assert (row.state, row.reason, [entry.counts_against_metric for entry in entries]) == (
        "observed",
        asker,
        [counts],
    )


@pytest.mark.parametrize(
    ("kind", "action"),
    [
        ("rakuten", "open-change"),
        ("yahoo", "mark-prank"),
        ("yahoo", "begin-shipping"),
        ("amazon", "ship"),
        ("shopify", "ship"),
    ],
)
async def test_an_order_that_the_table_keeps_from_the_desk_is_not_given_up(
    night: Night, kind: str, action: str
) -> None:
    await night.open(kind, units=3)
    ref = night.buy(kind, 1)
    await night.pulled(kind, ref)
    other = night.buy(kind, 2)
    await night.pulled(kind, other)
    night.sandbox.act(kind, ref, action)
    await night.pulled_until(kind, ref, lambda seen: not seen.cancellable)
    await night.damage(2 if action == "ship" else 3)

    async def given_up() -> bool:
        return await state(night, kind, other) == "confirmed"

    await night.desk_until(given_up)
    assert ended(night, kind, ref)[1:] == (None, None)
    assert await night.cancellation(kind, ref) is None


async def test_what_amazon_ships_itself_is_nobodys_to_give_up(night: Night) -> None:
    await night.open("amazon", units=3)
    key = channel_sku("amazon", "MUG")
    purchase = {"lines": [{"key": key, "quantity": 1}], "by_channel": True}
    ref = night.sandbox._json("POST", "/_sandbox/amazon/orders", purchase)["ref"]
    await night.pulled("amazon", ref)
    await night.damage(3)
    night.sandbox.act("amazon", ref, "marketplace-cancel")
    await night.pulled_until("amazon", ref, lambda seen: seen.cancelled)

    await desk.work(night.runtime)

    row = await night.cancellation("amazon", ref)
    assert row is not None
    [entry] = await night.rows(select(PenaltyEntry))
    assert (row.state, entry.counts_against_metric, entry.weighs) == ("observed", "no", False)


async def test_no_message_leaves_the_house_and_none_knows_the_buyer(night: Night) -> None:
    await night.open("rakuten", units=1)
    ref = night.buy("rakuten", 1)
    await night.pulled("rakuten", ref)
    await night.damage(1)
    await night.round()

    async def confirmed() -> bool:
        return await state(night, "rakuten", ref) == "confirmed"

    await night.desk_until(confirmed)
    row = await night.cancellation("rakuten", ref)
    assert row is not None
    async with night.runtime.database.sessions() as session:
        drafted = await messages.message(session, row.id)
    assert (drafted.order_ref, drafted.sent_at) == (ref, None)
    assert "【お客様名】" in drafted.body
