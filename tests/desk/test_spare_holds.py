"""Holds of an own store's baskets: which are given back before an order is given up."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import select

from inventory.facts import ReservationAsked, SaleLine
from inventory.models import Delivery, Mitigation, Reservation
from tests.desk.conftest import Floor


async def hold(floor: Floor, ref: str, units: int, *, seconds: int | None = None) -> None:
    """The own store holds mugs for a basket."""
    now = floor.clock.now()
    asked = ReservationAsked(
        channel_id=floor.ids["shopify"],
        fact_ref=ref,
        occurred_at=now,
        lines=(SaleLine(line_ref="1", sku="MUG", quantity=units),),
        expires_at=None if seconds is None else now + timedelta(seconds=seconds),
    )
    [outcome] = await floor.ledger.apply([asked])
    assert outcome.status == "granted"


async def test_a_hold_that_nobody_paid_goes_before_an_order(floor: Floor) -> None:
    await floor.receive("MUG", 4)
    await hold(floor, "b-1", 1)
    await hold(floor, "b-2", 1)
    await hold(floor, "b-3", 1)
    await floor.sell("rakuten", "o-1")
    floor.later(15 * 60)
    await floor.damage("MUG", 2)

    await floor.work()

    assert await floor.states() == {}
    assert await floor.stock() == (2, 2)
    [held] = await floor.rows(select(Mitigation).where(Mitigation.kind == "holds"))
    assert (held.state, held.units) == ("done", 2)
    told = await floor.rows(select(Delivery).where(Delivery.event == "reservation.released"))
    assert [row.body["reservation_ref"] for row in told] == ["b-3", "b-2"]
    assert (await floor.case()).state == "closed"


async def test_a_basket_that_is_just_being_paid_is_left_alone(floor: Floor) -> None:
    await floor.receive("MUG", 2)
    await hold(floor, "b-1", 1)
    await floor.sell("rakuten", "o-1")
    await floor.damage("MUG", 1)

    await floor.work()

    assert await floor.states() == {"o-1": "submitted"}


async def test_of_a_shop_that_reviews_only_holds_that_are_over_are_given_back(
    floor: Floor,
) -> None:
    await floor.set_channel("shopify", desk_policy="review")
    await floor.receive("MUG", 3)
    await hold(floor, "b-1", 1)
    await hold(floor, "b-2", 1, seconds=60)
    await floor.sell("rakuten", "o-1")
    floor.later(20 * 60)
    await floor.damage("MUG", 1)

    await floor.work()

    assert await floor.states() == {}
    assert len(await floor.rows(select(Reservation))) == 1
    assert await floor.rows(select(Delivery).where(Delivery.event == "reservation.released")) == []
    await floor.damage("MUG", 1)
    await floor.work()
    assert await floor.states() == {"o-1": "submitted"}


async def test_a_basket_that_nobody_paid_goes_before_an_order_that_is_only_proposed(
    floor: Floor,
) -> None:
    await floor.set_channel("rakuten", desk_policy="review")
    await floor.receive("MUG", 2)
    await hold(floor, "b-1", 1)
    await floor.sell("rakuten", "o-1")
    await floor.damage("MUG", 1)
    await floor.work()
    assert await floor.states() == {"o-1": "proposed"}

    floor.later(15 * 60)
    await floor.work(2)

    assert await floor.states() == {"o-1": "refused"}
    assert await floor.messages("shipping.release") == ["o-1"]
    told = await floor.rows(select(Delivery).where(Delivery.event == "reservation.released"))
    assert [row.body["reservation_ref"] for row in told] == ["b-1"]
    assert (await floor.case()).state == "closed"
