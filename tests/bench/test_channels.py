"""The bench of the channels: what it reckons from calls, sales and the marketplaces' books."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from inventory.bench.channels import report as reports
from inventory.bench.channels import sales, shop
from inventory.bench.channels.bounds import BOUNDS, KINDS
from inventory.bench.channels.report import ChannelFigures, ChannelsReport
from inventory.bench.channels.resync import Resync, Urgent, overtaken
from inventory.bench.channels.sales import Sale
from inventory.bench.channels.watch import Calls, Look, backlog, limits, refused
from inventory.bench.machine import Machine

BEGAN = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


def calls(kind: str, name: str, used: int, *, refused: int = 0) -> Calls:
    return {kind: {name: {"used": used, "permitted": 100, "refused": refused}}}


def writing(period: float, *, stops_at: float = 1000, waiting: int = 20_000) -> list[Look]:
    """A look every half second at a Rakuten that is written to once in `period` seconds."""
    looks = []
    for half in range(80):
        at = half / 2
        done = int(min(at, stops_at) / period)
        left = max(waiting - 400 * done, 0) if at <= stops_at else 0
        found = calls("rakuten", "bulk-upsert", done)
        looks.append(Look(at, found, 0, {"rakuten": left}, {"rakuten": 400 * done}))
    return looks


@pytest.mark.parametrize(("period", "used"), [(1.0, 1.0), (1.25, 0.8), (2.0, 0.5)])
def test_a_backlogs_use_is_calls_by_time(period: float, used: float) -> None:
    found = backlog("rakuten", writing(period))

    assert found is not None
    assert found.budget_used == pytest.approx(used, abs=0.03)
    assert found.numbers_per_second == pytest.approx(400 * used, rel=0.03)


def test_time_without_a_backlog_does_not_count() -> None:
    found = backlog("rakuten", writing(1.0, stops_at=20))

    assert found is not None
    assert found.budget_used == pytest.approx(1.0, abs=0.05)
    assert found.seconds < 20


def test_too_short_a_backlog_is_none() -> None:
    assert backlog("rakuten", writing(1.0, stops_at=3)) is None


def test_the_bounds_are_those_of_the_limits() -> None:
    assert BOUNDS["yahoo"].orders_per_second == 1
    assert BOUNDS["amazon"].orders_per_second == pytest.approx(0.56)
    assert BOUNDS["rakuten"].push_seconds(100_000) == 250
    assert BOUNDS["yahoo"].drain_seconds(1000, saved=0) == 1000
    assert BOUNDS["amazon"].drain_seconds(1000, saved=10) == 0


def written(key: str, *numbers: tuple[float, int]) -> list[dict[str, Any]]:
    return [
        {"at": (BEGAN + timedelta(seconds=after)).isoformat(), "key": key, "after": number}
        for after, number in numbers
    ]


def test_a_sale_is_shown_once_the_mirror_shows_no_more_than_is_left() -> None:
    [article, *_] = shop.plan(["yahoo"]).busy["yahoo"]
    sold = [
        Sale("yahoo", f"o-{after}", article.sku, BEGAN + timedelta(seconds=after))
        for after in (0, 1, 2, 3)
    ]
    # Two sales come in together; a margin kept beforehand hides the third at once.
    writes = written(
        article.listings["rakuten"],
        (2, shop.UNITS - 2),
        (2.0, shop.UNITS - 3),
        (60, shop.UNITS - 3),
    )
    books = {"markets": {"rakuten": {"writes": writes}}}

    found = sales.shown("yahoo", sold, [article], books)

    assert (found.orders, found.missing, found.p50_ms, found.p99_ms) == (4, 1, 1000, None)


def test_a_burst_that_did_not_drain_is_reckoned_at_the_pace_seen() -> None:
    sold = [Sale("yahoo", f"o-{number}", "S", BEGAN) for number in range(1000)]
    found = {f"o-{number}": BEGAN + timedelta(seconds=2 * number) for number in range(50)}

    half = sales.burst("yahoo", sold, found, saved=0, used=50, watched_seconds=100)

    assert (half.booked, half.drain_seconds, half.intake_used) == (50, None, 0.5)
    assert (half.bound_seconds, half.reckoned_seconds) == (1000, 100 + 950 / 0.5)
    assert half.beyond_bound_seconds == 1000


def test_a_burst_that_drained_says_when() -> None:
    sold = [Sale("rakuten", f"o-{number}", "S", BEGAN) for number in range(1000)]
    found = {sale.ref: BEGAN + timedelta(seconds=14) for sale in sold}

    done = sales.burst("rakuten", sold, found, saved=0, used=20, watched_seconds=20)

    assert (done.drain_seconds, done.bound_seconds, done.beyond_bound_seconds) == (14, 11, 3)


def test_every_articles_names_suit_its_marketplaces() -> None:
    plan = shop.plan(KINDS)

    assert {kind: len(some) for kind, some in plan.quiet.items()} == {
        kind: bound.listings for kind, bound in BOUNDS.items()
    }
    codes = [article.sku for article in plan.articles()]
    assert len(set(codes)) == len(codes)
    assert all(shop.MIRROR[kind] != kind for kind in KINDS)


def test_the_calls_from_a_sale_to_its_number_are_counted() -> None:
    def write(second: float, key: str, after: int) -> dict[str, Any]:
        at = BEGAN + timedelta(seconds=second)
        return {"at": at.isoformat(), "key": key, "before": 10, "after": after}

    writes = [write(0.9, "b", 9), write(1.0, "a", 10), write(1.01, "c", 10)]
    writes += [write(2.05, "d", 10), write(2.06, "e", 10), write(3.1, "f", 9), write(3.11, "b", 9)]

    assert overtaken(writes, "b", BEGAN + timedelta(seconds=1.5)) == Urgent(seconds=1.61, calls=2)
    assert overtaken(writes, "a", BEGAN) is None


def a_report(exceeded: int) -> ChannelsReport:
    machine = Machine(
        processors=2,
        processor="any",
        memory_gib=4,
        system="any",
        python="3",
        postgresql="18",
        settings={},
        file_system="ext4",
        syncs_per_second=1,
        load_average=0,
        warnings=(),
    )
    measured = ChannelFigures(
        kind="rakuten",
        backlog=backlog("rakuten", writing(1.05)),
        resync=Resync(
            listings=20_000,
            seconds=52.0,
            bound_seconds=50.0,
            urgent=Urgent(seconds=1.5, calls=2),
        ),
        exceeded=exceeded,
    )
    return ChannelsReport(
        started_at=BEGAN,
        took_seconds=1,
        machine=machine,
        channels=[measured, ChannelFigures(kind="yahoo")],
    )


def test_the_report_tells_programs_and_people_the_same() -> None:
    found = a_report(0).as_json()["channels"]
    text = "\n".join(reports.lines(a_report(0)))

    assert found["rakuten"]["budget_used"] >= 0.9
    assert (found["rakuten"]["budget_exceeded"], found["rakuten"]["resync_vs_bound"]) == (0, 1.04)
    assert found["yahoo"]["budget_used"] is None
    assert "rakuten: budget used met (≥ 0.9), exceeded met (0), resync met (≤ 1.1)" in text
    assert "of 20,000 listings was written with call 2 after 1.5 s" in text
    assert "yahoo: budget used not measured (≥ 0.9), exceeded met (0), resync not measured" in text


def test_one_call_too_many_fails_the_run() -> None:
    counted = calls("rakuten", "order", 7, refused=1)

    assert refused(counted, "rakuten") == 1
    assert limits(counted, "rakuten")[0]["limit"] == "order"
    assert a_report(0).ok
    assert not a_report(1).ok
