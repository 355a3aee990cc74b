"""Ends that lie outside of the window of today are shown against the window that they belong to."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from inventory.penalty_record import dry_run, report, tables
from inventory.penalty_record.report import Period
from inventory.vocabulary import Party
from tests.desk.conftest import Floor
from tests.desk.tokyo import tokyo


@pytest.fixture(autouse=True)
async def stocked(floor: Floor) -> None:
    await floor.receive("MUG", 100)


async def lapsed(floor: Floor) -> Any:
    """Amazon ends an order that lay for a week after its ship-by date; the shop goes on selling."""
    await floor.sell("amazon", "o-1", ship_by=floor.clock.now() + timedelta(days=2))
    await floor.sell("amazon", "o-2")
    await floor.sell("amazon", "o-3")
    await floor.sell("amazon", "o-4")
    floor.clock.moment += timedelta(days=9)
    await floor.sell("amazon", "o-5")
    floor.later(1)
    await floor.pull("amazon", floor.malls["amazon"].end("o-1", Party.MARKETPLACE))
    await floor.work()
    [entry] = await floor.entries()
    return entry


async def test_an_order_that_amazon_ended_is_shown_against_its_own_week(floor: Floor) -> None:
    entry = await lapsed(floor)

    assert (entry.cause, entry.counts_against_metric, entry.weighs) == (
        "marketplace_lapsed",
        "yes",
        True,
    )
    assert entry.metric_before == entry.metric_after
    own = entry.own_window
    assert (own["before"]["value"], own["after"]["value"]) == (0, 25)
    assert (own["before"]["headroom"], own["after"]["limit"]) == (0, 2.5)
    assert own["said"] == (
        "it lies outside of the window that ends now, whose metric it leaves as it is; in its own,"
        " 2026-11-21 21:00 to 2026-11-28 21:00, cancel_rate_7_days goes from 0 % to 25 %"
        " and reaches the limit of 2.5 % (thresholds as of 2026-11-01)"
    )


async def test_the_report_says_so_in_words(floor: Floor) -> None:
    entry = await lapsed(floor)

    async with floor.database.sessions() as session:
        found = await report.report(
            session, period=Period.WEEK, now=floor.clock.now(), channel="amazon"
        )
        [row] = await tables.rows_of(session, found, tables.Table.ENTRIES)

    [amazon] = found.channels
    assert amazon.notes == (f"o-1: {entry.own_window['said']}",)
    assert amazon.notes[0] in tables.sentences(amazon)
    assert entry.own_window["said"] in row
    assert amazon.now is not None
    assert amazon.now.value == 0


async def test_an_order_inside_of_the_window_has_no_other(floor: Floor) -> None:
    await floor.sell("amazon", "o-1")
    floor.later(1)
    await floor.pull("amazon", floor.malls["amazon"].end("o-1", Party.SELLER, "NoInventory"))
    await floor.work()
    [entry] = await floor.entries()
    assert entry.own_window is None
    assert entry.metric_before != entry.metric_after


async def test_an_end_heard_of_in_the_new_year_is_last_years(floor: Floor) -> None:
    floor.clock.moment = tokyo(2026, 12, 31, 23)
    await floor.sell("rakuten", "o-1")
    floor.later(1)
    await floor.pull("rakuten", floor.malls["rakuten"].end("o-1", Party.SELLER, "8"))
    floor.clock.moment = tokyo(2027, 1, 1, 1)
    await floor.work()
    [entry] = await floor.entries()
    assert (entry.metric_before["value"], entry.metric_after["value"]) == (0, 0)
    own = entry.own_window
    assert (own["before"]["value"], own["after"]["value"]) == (0, 15)


async def test_a_dry_run_of_an_old_order_says_what_becomes_of_its_own_week(floor: Floor) -> None:
    await floor.sell("amazon", "o-1")
    floor.clock.moment += timedelta(days=8)
    await floor.sell("amazon", "o-2")
    async with floor.database.sessions() as session:
        found = await dry_run.dry_run(session, "amazon", "o-1", floor.clock.now())
    assert found.before == found.after
    assert "cancel_rate_7_days stays at 0 %" in found.sentence
    assert "in its own, " in found.sentence
    assert "goes from 0 % to 100 % and reaches the limit of 2.5 %" in found.sentence
