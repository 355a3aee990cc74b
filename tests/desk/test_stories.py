"""One oversell, one story, told from books that the desk has made."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import bindparam, select, text
from sqlalchemy.dialects.postgresql import JSONB

from inventory.errors import NotFound
from inventory.models import KitPart, Listing, Oversell, Push, PushRow, StockReading
from inventory.story import lines as story_lines
from inventory.story import listings, oversell, sales
from inventory.story.delay import Where
from inventory.story.oversell import OversellStory
from tests.conftest import Save
from tests.desk.conftest import Floor
from tests.factories import ListingFactory, SkuFactory


async def story_of(floor: Floor, case_id: int | None = None) -> OversellStory:
    number = case_id if case_id is not None else (await floor.case()).id
    async with floor.database.sessions() as session:
        return await oversell.tell(session, number, floor.clock.now())


async def settled(floor: Floor) -> None:
    await floor.work()
    floor.later(3)
    await floor.work()


async def pushed(
    floor: Floor, save: Save, channel: str, quantity: int, *, took: float = 0.2, **more: Any
) -> None:
    """The listing of MUG was told a number now."""
    [listing] = [
        row for row in await floor.rows(_listing_of(floor, channel)) if row.channel_sku == "MUG"
    ]
    now = floor.clock.now()
    push = Push(
        channel_id=floor.ids[channel], lane="number", sent_at=now, ended_at=now + _seconds(took)
    )
    await save(push)
    values: dict[str, Any] = {"change": None, "lane": "zero", "status": "accepted"}
    values |= {"revision": 1, "stock_revision": 1, "decided_at": now, "unseen": 0}
    await save(
        PushRow(push_id=push.id, listing_id=listing.id, quantity=quantity, **(values | more))
    )


def _listing_of(floor: Floor, channel: str) -> Any:

    return select(Listing).where(Listing.channel_id == floor.ids[channel])


def _seconds(number: float) -> timedelta:
    return timedelta(seconds=number)


async def read(floor: Floor, save: Save, channel: str, quantity: int) -> None:
    """The listing of MUG showed a number now, and that was expected."""
    [listing] = [
        row for row in await floor.rows(_listing_of(floor, channel)) if row.channel_sku == "MUG"
    ]
    await save(
        StockReading(
            listing_id=listing.id,
            quantity=quantity,
            closed=False,
            expected_low=quantity,
            expected_high=quantity,
            agrees=True,
            read_at=floor.clock.now(),
        )
    )


async def test_a_sale_that_reached_us_late_and_the_push_that_came_too_late(
    floor: Floor, save: Save
) -> None:
    """Rakuten sells the last mug and shows the order 20 s later; Yahoo! sells another meanwhile."""
    await floor.receive("MUG", 1)
    await read(floor, save, "yahoo", 1)
    sold_at = floor.clock.now() + _seconds(1)
    floor.later(20)
    await floor.sell("rakuten", "o-1", ordered_at=sold_at)
    floor.later(0.5)
    await pushed(floor, save, "yahoo", 0)
    late = sold_at + _seconds(5)
    floor.later(1.5)
    await floor.sell("yahoo", "o-2", ordered_at=late)
    await settled(floor)

    told = await story_of(floor)

    first, second = told.sales
    assert (first.order_ref, first.sold_at, first.late_seconds) == ("o-1", sold_at, 20)
    assert (second.order_ref, second.beyond_stock, first.beyond_stock) == ("o-2", True, False)
    [delay] = told.delays
    assert (delay.where, delay.seconds) == (Where.ARRIVAL, 20)
    assert delay.told_quantity == 0
    assert delay.too_late_seconds == pytest.approx(15.7)
    assert told.headline == (
        "MUG was short by 1: yahoo sold o-2 (1) at 21:00:06, rakuten o-1 had taken the last unit"
        " at 21:00:01. The delay was on the way to us: rakuten told us of it after 20.0 s."
        " yahoo was told 0 at 21:00:21 and took it 15.7 s too late."
    )
    [yahoo] = [each for each in told.listings if each.channel == "yahoo"]
    assert [(each.what, each.quantity) for each in yahoo.moments] == [("read", 1), ("told", 0)]
    steps = [each.step for each in told.decisions]
    assert steps[0] == "detected"
    assert steps[-1] == "closed"
    [given_up] = told.given_up
    assert (given_up.order_ref, given_up.counts_against_metric) == ("o-2", "yes")
    assert given_up.worth_yen == 1000
    assert (told.cost.orders, told.cost.worth_yen) == (1, 1000)


async def test_people_read_it_in_the_shops_zone(floor: Floor, save: Save) -> None:
    await floor.receive("MUG", 1)
    await floor.sell("rakuten", "o-1")
    await pushed(floor, save, "yahoo", 0, took=0.25, status="refused", code="E-1")
    await floor.sell("yahoo", "o-2")
    await settled(floor)

    lines = story_lines.lines(await story_of(floor))

    page = "\n".join(lines)
    assert lines[0] == "oversell 1: MUG, closed; short by 0 (at most 1)"
    assert lines[1].startswith("opened 2026-11-21 21:00:02, closed 2026-11-21 21:00:0")
    assert lines[1].endswith("(Asia/Tokyo)")
    assert "  11-21 21:00:01.00  rakuten o-1: 1 from MUG; reached us 11-21 21:00:01.00" in page
    assert "told 0, lane zero; refused E-1 after 0.25 s" in page
    assert "yahoo had refused the new number 0.8 s before." in page
    assert "policy: approved" in page
    assert lines[-2].startswith("  in all: 0 yen")
    assert lines[-2].endswith("the orders were worth 1,000 yen")
    assert "12:00" not in page


async def test_damage_is_nobodys_delay(floor: Floor) -> None:
    await floor.receive("MUG", 2)
    await floor.sell("rakuten", "o-1")
    await floor.sell("yahoo", "o-2")
    floor.later(60)
    await floor.damage("MUG", 1)

    told = await story_of(floor)

    assert told.cause_kind == "adjust"
    [delay] = told.delays
    assert (delay.where, delay.order_ref) == (Where.STOCK_FELL, "o-2")
    assert told.headline == (
        "MUG was short by 1 by a correction of stock at 21:01:02: no sale was late."
    )
    assert (told.state, told.given_up, told.decisions) == ("open", (), ())


async def test_what_the_desk_reckoned_is_the_cost_also_before_the_end(floor: Floor) -> None:
    """The columns `cost` and `runner_up` of a cancellation, where there are any."""
    await floor.set_channel("yahoo", desk_policy="review")
    await floor.receive("MUG", 1)
    await floor.sell("rakuten", "o-1")
    await floor.sell("yahoo", "o-2")
    await floor.work()
    columns = "ADD COLUMN IF NOT EXISTS cost jsonb, ADD COLUMN IF NOT EXISTS runner_up jsonb"
    async with floor.database.transaction() as session:
        await session.execute(text(f"ALTER TABLE cancellation {columns}"))
        other = {"channel": "rakuten", "order_ref": "o-1"}
        reckoned = {"margin_yen": 400, "total_yen": 400, "part_saves_yen": 0}
        runner_up = {"orders": [other], "cost_yen": 900, "why": "500 yen dearer"}
        await session.execute(
            text("UPDATE cancellation SET cost = :cost, runner_up = :other").bindparams(
                bindparam("cost", type_=JSONB), bindparam("other", type_=JSONB)
            ),
            {"cost": reckoned, "other": runner_up},
        )
    told = await story_of(floor)
    [given_up] = told.given_up
    assert (given_up.state, given_up.entry, given_up.cost) == (
        "proposed",
        None,
        reckoned,
    )
    assert (told.cost.total_yen, told.cost.parts) == (400, {"margin_yen": 400})
    page = "\n".join(story_lines.lines(told))
    assert "cost: 400 yen (margin 400); the order was worth 1,000 yen" in page
    assert "runner-up: rakuten o-1; 900 yen; 500 yen dearer" in page


async def test_kits_are_told_in_units_of_the_part(floor: Floor, save: Save) -> None:
    kit = SkuFactory.build(code="SET")
    await save(kit)
    [mug] = [
        row for row in await floor.rows(_listing_of(floor, "yahoo")) if row.channel_sku == "MUG"
    ]
    await save(
        KitPart(kit_id=kit.id, part_id=mug.sku_id, quantity=3),
        ListingFactory.build(channel_id=floor.ids["yahoo"], channel_sku="SET", sku_id=kit.id),
    )
    await floor.receive("MUG", 3)
    await floor.sell("rakuten", "o-1", {"MUG": 2})
    await floor.sell("yahoo", "o-2", {"SET": 1})

    told = await story_of(floor)

    assert [(each.channel_sku, each.units, each.beyond_stock) for each in told.sales] == [
        ("MUG", 2, False),
        ("SET", 3, True),
    ]
    assert told.shortage == 2
    assert {each.channel_sku for each in told.listings} == {"MUG", "SET"}


async def test_a_story_is_bounded_and_counts_what_it_leaves_out(
    floor: Floor, save: Save, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sales, "SALES_MAX", 3)
    monkeypatch.setattr(listings, "MOMENTS_MAX", 2)
    monkeypatch.setattr(oversell, "STEPS_MAX", 1)
    await floor.receive("MUG", 6)
    for number in range(7):
        await floor.sell("rakuten" if number % 2 else "shopify", f"o-{number}")
        await pushed(floor, save, "yahoo", 6 - number)
    await settled(floor)

    told = await story_of(floor)

    assert [each.order_ref for each in told.sales] == ["o-4", "o-5", "o-6"]
    assert told.sales_left_out >= 1
    [yahoo] = [each for each in told.listings if each.channel == "yahoo"]
    assert (len(yahoo.moments), yahoo.moments_left_out) == (2, 1)
    assert (len(told.steps), len(told.decisions)) == (1, 1)
    assert told.steps_left_out >= 3
    page = "\n".join(story_lines.lines(told))
    assert "more steps are left out" in page
    assert "more sales are left out" in page


async def test_a_case_without_cause_or_sales_says_so(floor: Floor, save: Save) -> None:
    [listing] = [
        row for row in await floor.rows(_listing_of(floor, "yahoo")) if row.channel_sku == "MUG"
    ]
    opened: datetime = floor.clock.now() - timedelta(days=3)
    await save(
        Oversell(
            sku_id=listing.sku_id, shortage=2, shortage_max=2, cause_fact_id=None, opened_at=opened
        )
    )
    told = await story_of(floor)
    assert (told.cause_kind, told.sales, told.delays) == (None, (), ())
    assert "no sale is found that went beyond stock" in told.headline
    notes = " ".join(told.notes)
    assert "rules changed" in notes
    assert "kept for a day only" in notes
    assert "only 0 of the 2 units short" in notes
    assert "no sale is on record" in "\n".join(story_lines.lines(told))
    with pytest.raises(NotFound):
        await story_of(floor, 4711)
