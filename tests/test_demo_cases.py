"""The hard night's report: its shape, its arithmetic, and when it does not pass."""

from __future__ import annotations

import random
import re
from collections import Counter
from typing import Any

import msgspec
import pytest

from inventory.demo import case_report, case_words, report, rivals, shop, shortage
from inventory.vocabulary import Kind
from tests import demo_cases
from tests.documents import ROOT, blocks, code, shapes

FIELDS = [
    "sku",
    "shortage",
    "mitigated",
    "chosen",
    "runner_up",
    "reason_codes",
    "cost_yen",
    "cost_yen_newest_first",
    "cost_yen_last_imported",
    "limits_crossed",
    "orders_cancelled",
    "margin_lost_yen",
    "confirmed",
]
# Margin, the card fee at Shopify, the work for one order, and each cancellation that counts.
SHOPIFY = 300 + 50 + 500
RAKUTEN = 300 + 500 + 300
AMAZON = 300 + 500 + 300


def built(**changed: Any) -> dict[str, Any]:
    """The report of the made-up night, the first case changed."""
    found = demo_cases.night()
    first, second = found.cases
    found = msgspec.structs.replace(
        found, cases=(msgspec.structs.replace(first, **changed), second)
    )
    return case_report.build(found, demo_cases.evidence(found))


def test_each_case_has_its_figures_and_what_simpler_rules_cost() -> None:
    mug, tee = built()["cases"]

    assert set(FIELDS) <= mug.keys()
    assert (mug["sku"], mug["shortage"], mug["mitigated"]) == ("MUG", 2, 1)
    assert (mug["chosen"], mug["reason_codes"]) == (("shopify/o-1",), ("shopify",))
    assert (mug["cost_yen"], mug["cost_yen_foreseen"]) == (SHOPIFY, 4321)
    assert (mug["orders_cancelled"], mug["margin_lost_yen"], mug["confirmed"]) == (1, 300, True)
    # 15 of the 35 points to the first level: as much of a tenth of its fine.
    assert mug["newest_first"]["orders"] == ["rakuten/o-3"]
    assert mug["cost_yen_newest_first"] == RAKUTEN + 4285
    assert mug["last_imported"]["orders"] == ["amazon/o-2"]
    assert mug["cost_yen_last_imported"] == AMAZON + 300_000
    assert mug["last_imported"]["limits_crossed"] == ["amazon: 2.5 % in 7 days"]
    # The same rule comes to the second case with what it has done in the first.
    assert tee["cost_yen_newest_first"] == RAKUTEN + 4286
    assert tee["cost_yen_last_imported"] == AMAZON + 30_000
    assert tee["last_imported"]["limits_crossed"] == []


def test_the_rules_are_compared_over_the_night_and_counted_in_the_books() -> None:
    compared = built()["compared"]

    assert {name: each["orders"] for name, each in compared.items()} == {
        "chosen": 2,
        "newest_first": 2,
        "last_imported": 2,
    }
    chosen, newest, imported = compared.values()
    assert (chosen["cost_yen"], chosen["limits_crossed"]) == (2 * SHOPIFY, [])
    assert chosen["value_yen"] == newest["value_yen"] == imported["value_yen"] == 2000
    assert newest["orders_by_channel"] == {"rakuten": 2, "yahoo": 0, "amazon": 0, "shopify": 0}
    assert newest["metrics"]["rakuten"] == {"points": 30.0, "limit": 35}
    assert imported["metrics"]["amazon"] == {"percent": 100.0, "limit": 2.5}
    assert imported["limits_crossed"] == ["amazon: 2.5 % in 7 days"]


def test_an_order_that_waits_for_supply_is_given_up_by_no_rule() -> None:
    supply = {"kind": "inbound_supply", "state": "done", "units": 1, "result": "waits"}
    waits = supply | {"orders": [{"order_ref": "o-3", "units": 1}]}

    mug, _ = built(mitigations=(waits,))["cases"]

    assert mug["newest_first"]["orders"] == ["amazon/o-2"]


def test_what_was_counted_on_and_did_not_come_covers_nothing() -> None:
    supply = {"kind": "inbound_supply", "state": "undone", "units": 5, "result": "supply is late"}
    holds = {"kind": "holds", "state": "done", "units": 2, "result": "2 units"}

    mug, _ = built(mitigations=(supply, holds))["cases"]

    assert mug["mitigated"] == 2


def test_an_order_that_was_chosen_counts_however_late_it_came_in() -> None:
    mug, _ = built(given_up=demo_cases.case("MUG", 1, (Kind.RAKUTEN, "o-9")).given_up)["cases"]

    assert (mug["chosen"], mug["cost_yen"]) == (("rakuten/o-9",), RAKUTEN + 4285)


def test_a_case_that_needed_no_choice_has_nothing_to_compare() -> None:
    mug, tee = built(weighed=(), given_up=())["cases"]

    assert "newest_first" not in mug
    assert (mug["cost_yen"], mug["confirmed"]) == (0, False)
    assert tee["cost_yen"] == SHOPIFY


def test_the_first_choice_comes_first_whichever_case_was_opened_first() -> None:
    found = demo_cases.night()
    later = demo_cases.case("MUG", 3, (Kind.SHOPIFY, "o-1"))
    found = msgspec.structs.replace(found, cases=(later, found.cases[1]))

    assert [each.sku for each in rivals.weighed(found)] == ["TEE", "MUG"]
    [mug, tee] = case_report.build(found, demo_cases.evidence(found))["cases"]
    assert (mug["sku"], mug["cost_yen_last_imported"]) == ("MUG", AMAZON + 30_000)
    assert (tee["sku"], tee["cost_yen_last_imported"]) == ("TEE", AMAZON + 300_000)


def test_prices_that_nobody_knows_are_shown_as_settings_with_their_day() -> None:
    figures = built()

    told = case_words.sentences(figures)

    assert figures["assumed_prices"]["amazon"]["breach_yen"] == 300_000
    assert figures["assumed_prices"]["rakuten"]["as_of"] == "2022-02-16"
    text = "\n".join(told)
    assert "Prices that nobody publishes are settings" in text
    assert "amazon: crossing the limit (a suspension, or worse) 300,000 yen" in text
    assert "(as of 2026-11-01)" in text
    assert "MUG: 2 units short, 1 covered otherwise, 1 of 1 orders cancelled" in text
    assert "newest order loses: 1 order, cost 5,385 yen" in text
    assert figures["units_short_by_stocktake"] == 4


def test_the_readme_shows_what_is_printed_and_names_every_field() -> None:
    _, shown, *_ = blocks("text", document=ROOT / "README.md")
    assert shapes(shown.text) <= shapes("\n".join(case_words.sentences(built())))
    text = (ROOT / "README.md").read_text("utf-8")
    [fields] = re.findall(r"carries `cases` besides: ([^.]+)\.", text)
    assert code(fields) == FIELDS


GOOD: dict[str, Any] = {
    "laws_broken": {},
    "ledger_balanced": True,
    "inbox_unhandled": 0,
    "inbox_parked": 0,
    "listings_stale": 0,
    "marketplace_books_agree": True,
    "cases_open": 0,
    "unconfirmed_cancels": 0,
    "cancellations_failed": 0,
}
CASES = [{"sku": sku, "confirmed": True, "chosen": ["a/1"]} for sku in shop.ON_SHELF]


@pytest.mark.parametrize(
    ("changed", "passes"),
    [
        ({}, True),
        ({"laws_broken": {"L10": ["cancelled with 99"]}}, False),
        ({"cases": CASES[:2]}, False),
        ({"cases": [*CASES[:2], CASES[2] | {"confirmed": False}]}, False),
        ({"cases": [*CASES, {"sku": "PEN-RED", "confirmed": False, "chosen": []}]}, True),
    ],
)
def test_a_law_or_a_case_that_is_not_confirmed_fails_the_night(
    changed: dict[str, Any], *, passes: bool
) -> None:
    assert report.clean(GOOD | {"cases": CASES} | changed) is passes


@pytest.mark.parametrize("seed", range(1, 21))
def test_on_any_seed_every_channel_promises_more_than_lies_on_the_shelf(seed: int) -> None:
    orders = shortage.promises(shop.articles(), random.Random(seed))

    units: Counter[str] = Counter()
    for _, basket in orders:
        for article, quantity in basket:
            units[article.sku] += quantity
    covered = max(shortage.ANNEX_UNITS, shortage.SUPPLY_UNITS)
    for sku, shelf in shop.ON_SHELF.items():
        channels = Counter(kind for kind, basket in orders if basket[0][0].sku == sku)
        assert channels == dict.fromkeys(shop.KINDS, shortage.PROMISES_EACH)
        assert units[sku] - shelf > covered
    assert orders == shortage.promises(shop.articles(), random.Random(seed))
