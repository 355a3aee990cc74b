"""Which order goes, at real marketplaces: the cheapest one, none at all, or one at its deadline."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import select

from inventory.clock import JST
from inventory.facts import SupplyExpected
from inventory.models import Cancellation, Mitigation, Oversell, OversellStep
from tests.workers.night import KINDS, Night
from workers import desk


def cancelled(night: Night) -> list[tuple[str, str, str, bool]]:
    """What the marketplaces have cancelled: (kind, order, code, whether put back on display)."""
    return [
        (kind, order["ref"], order["cancel_code"], order["restocked"])
        for kind in night.ids
        for order in night.sandbox.books(kind)["orders"]
        if order["state"] == "cancelled"
    ]


async def closed(night: Night) -> bool:
    """Whether the one case is closed."""
    [case] = await night.rows(select(Oversell))
    return bool(case.state == "closed")


async def expect(night: Night, units: int, days: int) -> None:
    """A supplier will deliver so many days from now, Tokyo's days."""
    now = night.runtime.clock.now()
    day = (now + timedelta(days=days)).astimezone(JST).date()
    name = f"po-{days}"
    await night.tell(
        SupplyExpected(
            channel_id=0,
            fact_ref=name,
            occurred_at=now,
            supply_ref="po-1",
            sku="MUG",
            quantity=units,
            due_on=day,
        )
    )


async def test_of_four_marketplaces_the_one_without_a_limit_gives_up_its_order(
    night: Night,
) -> None:
    await night.open(*KINDS, units=10)
    oldest = night.buy("shopify", 2)
    await night.pulled("shopify", oldest)
    for kind in ("rakuten", "yahoo", "amazon"):
        await night.full_second()
        await night.pulled(kind, night.buy(kind, 2))
    await night.damage(4)
    await night.round()

    await night.desk_until(lambda: closed(night))

    assert cancelled(night) == [("shopify", oldest, "INVENTORY", False)]
    assert await night.stock() == (6, 6)
    [weighed] = [
        step.detail
        for step in await night.rows(select(OversellStep).where(OversellStep.step == "weighed"))
    ]
    assert (weighed["orders_weighed"], weighed["limits_crossed"]) == (4, [])
    assert weighed["cost_yen"] < weighed["cost_yen_newest_first"]
    row = await night.cancellation("shopify", oldest)
    assert row is not None
    assert row.cost is not None
    assert row.cost["total_yen"] == weighed["cost_yen"]


async def test_supply_in_time_spares_an_amazon_order_until_it_is_put_off(night: Night) -> None:
    await night.open("amazon", units=3)
    order = night.buy("amazon", 3)
    ship_by = (await night.pulled("amazon", order)).ship_by
    assert ship_by is not None
    days = (ship_by - night.runtime.clock.now()).days
    await expect(night, 5, days - 1)
    await night.damage(2)
    await night.round()

    for _ in range(3):
        await desk.work(night.runtime)
    assert cancelled(night) == []
    assert await night.rows(select(Cancellation)) == []
    [kept] = await night.rows(select(Mitigation).where(Mitigation.kind == "inbound_supply"))
    assert (kept.state, kept.units) == ("covering", 2)

    await expect(night, 5, days + 3)
    await night.desk_until(lambda: closed(night))

    assert cancelled(night) == [("amazon", order, "NoInventory", False)]


async def test_what_nobody_decides_is_given_up_at_its_deadline(night: Night) -> None:
    await night.open("rakuten", units=3, desk_policy="auto_at_deadline")
    order = night.buy("rakuten", 3)
    await night.pulled("rakuten", order)
    await night.damage(1)
    await night.round()
    for _ in range(3):
        await desk.work(night.runtime)
    assert cancelled(night) == []

    await night.execute("UPDATE cancellation SET decide_by = now()")
    await night.desk_until(lambda: closed(night))

    assert cancelled(night) == [("rakuten", order, "8", False)]
    row = await night.cancellation("rakuten", order)
    assert row is not None
    assert row.decided_by == "policy"
