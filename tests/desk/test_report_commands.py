"""`hikiate report` and `hikiate oversell show`, as a person or a script calls them."""

from __future__ import annotations

import csv
import json
from datetime import timedelta
from pathlib import Path

import pytest
from defusedxml import ElementTree

from inventory.clock import Clock
from inventory.errors import BadInput, NotFound
from inventory.vocabulary import Party
from tests.conftest import HandClock
from tests.desk.conftest import Floor, Hikiate


@pytest.fixture
def clock() -> HandClock:
    """The commands' own clock goes on, so that the shop's must be of today."""
    return HandClock(Clock().now() - timedelta(minutes=10))


@pytest.fixture
async def ended(floor: Floor) -> Floor:
    """Yahoo! has no limit; one of its two orders was cancelled by the shop for want of stock."""
    await floor.receive("MUG", 10)
    await floor.sell("yahoo", "o-1")
    await floor.sell("yahoo", "o-2")
    await floor.pull("yahoo", floor.malls["yahoo"].end("o-2", Party.SELLER, "210"))
    await floor.work()
    return floor


async def test_the_report_is_a_table_json_csv_and_a_picture(
    ended: Floor, hikiate: Hikiate, tmp_path: Path
) -> None:
    done = await hikiate("report", "penalties")
    assert done.exit_code == 0, done.output
    assert "now: cancel_rate_30_days 50 %, no limit (as of 2026-11-01)" in done.output
    assert "headroom: no limit is set: 50 % now" in done.output
    assert "yahoo    MUG  shop_out_of_stock       1      0      1        1" in done.output

    done = await hikiate("report", "penalties", "--period", "month", "--json", "--channel", "yahoo")
    [yahoo] = json.loads(done.stdout)["channels"]
    assert (len(yahoo["days"]), yahoo["days"][-1]["counted"]) == (30, 1)

    chart, table = tmp_path / "penalties.html", tmp_path / "entries.csv"
    done = await hikiate(
        *("report", "penalties", "--chart", str(chart), "--csv", str(table), "--table", "entries")
    )
    assert done.exit_code == 0, done.output
    assert chart.read_text("utf-8").startswith("<!doctype html>")
    [entry] = csv.DictReader(table.read_text("utf-8").splitlines())
    assert (entry["order_ref"], entry["cause"]) == ("o-2", "shop_out_of_stock")
    assert sorted(each.name for each in tmp_path.iterdir()) == ["entries.csv", "penalties.html"]

    picture = tmp_path / "penalties.svg"
    await hikiate("report", "penalties", "--chart", str(picture))
    assert ElementTree.parse(picture).getroot() is not None
    only = await hikiate("report", "penalties", "--csv", "-")
    assert only.stdout.startswith("channel,kind,day,metric,value")
    assert "headroom: " not in only.stdout


async def test_what_is_asked_wrongly_is_named(ended: Floor, hikiate: Hikiate) -> None:
    for wrong in (("--period", "year"), ("--table", "all"), ("--chart", "penalties.png")):
        done = await hikiate("report", "penalties", *wrong)
        assert done.exit_code == 2, wrong
    for wrong, error in (
        (("--last-day", "yesterday"), BadInput),
        (("--last-day", "2100-01-01"), BadInput),
        (("--channel", "nowhere"), NotFound),
    ):
        done = await hikiate("report", "penalties", *wrong)
        assert isinstance(done.exception, error), wrong


async def test_a_dry_run_is_one_sentence_and_what_follows(ended: Floor, hikiate: Hikiate) -> None:
    done = await hikiate("report", "dry-run", "yahoo", "o-1")
    sentence, *rest = done.output.splitlines()
    assert sentence == (
        "o-1 is open and may be given up, reason 210, counts: yes; cancel_rate_30_days goes from"
        " 50 % to 100 % (thresholds as of 2026-11-01)"
    )
    assert rest == [
        "  now: no limit is set: 50 % now",
        "  then: no limit is set: 100 % now",
        "  the order is worth 1,000 yen; it costs 0 yen",
        "  MUG: 1 units come back, available 9 → 10",
    ]
    done = await hikiate("report", "dry-run", "yahoo", "o-2")
    assert "there is a cancellation of it already: observed, penalty entry 1" in done.output
    done = await hikiate("report", "dry-run", "yahoo", "o-1", "--json")
    assert json.loads(done.stdout)["after"]["value"] == 100
    done = await hikiate("report", "dry-run", "yahoo", "o-9")
    assert isinstance(done.exception, NotFound)


async def test_a_story_is_for_people_in_tokyo_time_and_for_programs_in_utc(
    floor: Floor, hikiate: Hikiate
) -> None:
    await floor.receive("MUG", 1)
    await floor.sell("rakuten", "o-1")
    await floor.sell("yahoo", "o-2")
    sold = floor.clock.now()

    done = await hikiate("oversell", "show", "1")
    assert done.exit_code == 0, done.output
    assert "(Asia/Tokyo)" in done.output
    assert f"{sold + timedelta(hours=9):%m-%d %H:%M:%S}" in done.output
    told = json.loads((await hikiate("oversell", "show", "1", "--json")).stdout)
    assert told["sales"][-1]["sold_at"] == sold.isoformat().replace("+00:00", "Z")
    assert isinstance((await hikiate("oversell", "show", "9")).exception, NotFound)
