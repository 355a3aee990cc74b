"""A hard night for real: the command's report against the marketplaces' own books."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from msgspec import Struct

from inventory.demo import case_words
from inventory.demo.shop import KINDS, ON_SHELF, articles

ROOT = Path(__file__).parent.parent
SEED = 4
SECONDS = 10
# One night at a time: it goes after the ordinary one, on the same worker.
pytestmark = pytest.mark.xdist_group("night")
OUT_OF_STOCK = {"rakuten": "8", "yahoo": "210", "amazon": "NoInventory", "shopify": "INVENTORY"}
FIELDS = {
    *("sku", "shortage", "mitigated", "chosen", "runner_up", "reason_codes", "cost_yen"),
    *("cost_yen_newest_first", "cost_yen_last_imported", "limits_crossed", "orders_cancelled"),
    *("margin_lost_yen", "confirmed"),
}
SKU_OF = {
    (kind, key): article.sku for article in articles() for kind, key in article.listings.items()
}


class Told(Struct, frozen=True, kw_only=True):
    """What the command left: its report, the marketplaces' books by order name, its words."""

    report: dict[str, Any]
    orders: dict[str, dict[str, Any]]
    printed: str

    @property
    def cases(self) -> dict[str, dict[str, Any]]:
        """The cases of the shelves that were counted wrong, by SKU."""
        return {case["sku"]: case for case in self.report["cases"] if case["sku"] in ON_SHELF}

    def units(self, name: str, sku: str) -> int:
        """Units of a SKU that a buyer ordered."""
        kind = name.split("/", maxsplit=1)[0]
        lines = self.orders[name]["lines"]
        return sum(each["quantity"] for each in lines if SKU_OF[kind, each["key"]] == sku)


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory) -> Told:
    """One hard night, which ended well."""
    folder = tmp_path_factory.mktemp("hard_night")
    done = subprocess.run(
        [
            *(sys.executable, "-m", "inventory", "demo", "--scenario", "shortage"),
            *("--seed", str(SEED), "--seconds", str(SECONDS)),
            *("--report", str(folder / "report.json"), "--books", str(folder / "books.json")),
            *("--data-dir", str(folder / "data")),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    books = json.loads((folder / "books.json").read_text())
    return Told(
        report=json.loads((folder / "report.json").read_text()),
        orders={
            f"{kind}/{order['ref']}": order
            for kind, market in books["markets"].items()
            for order in market["orders"]
        },
        printed=done.stdout,
    )


def test_three_skus_were_short_on_all_four_channels(night: Told) -> None:
    assert (night.report["scenario"], night.report["seed"]) == ("shortage", SEED)
    assert night.cases.keys() == ON_SHELF.keys()
    assert night.report["laws_broken"] == {}
    for sku, case in night.cases.items():
        assert case.keys() >= FIELDS
        sellers = {name.split("/")[0] for name in night.orders if night.units(name, sku)}
        assert sellers == set(KINDS)


def test_what_was_given_up_and_what_came_otherwise_cover_each_shortage(night: Told) -> None:
    ways = {
        sku: {way["kind"]: (way["state"], way["units"]) for way in case["mitigations"]}
        for sku, case in night.cases.items()
    }
    assert ways["MUG-RED"]["other_location"] == ("done", 2)
    assert ways["LAMP-BLACK"]["inbound_supply"] == ("done", 2)
    for sku, case in night.cases.items():
        given_up = sum(night.units(name, sku) for name in case["chosen"])
        assert given_up + case["mitigated"] >= case["shortage"] > 0
        assert case["mitigated"] == sum(units for _, units in ways[sku].values())
        assert case["runner_up"]
        assert set(case["runner_up"]) != set(case["chosen"])
        assert case["why_runner_up_lost"]


def test_every_order_given_up_is_out_of_stock_in_the_marketplaces_books(night: Told) -> None:
    for case in night.cases.values():
        assert (case["confirmed"], case["orders_cancelled"]) == (True, len(case["chosen"]))
        codes = {OUT_OF_STOCK[name.split("/")[0]] for name in case["chosen"]}
        assert set(case["reason_codes"]) == codes
    chosen = {name for case in night.report["cases"] for name in case["chosen"]}
    ended = {name for name, order in night.orders.items() if order["cancelled_by"] == "seller"}
    assert ended == chosen
    for name in ended:
        order = night.orders[name]
        assert (order["state"], order["restocked"]) == ("cancelled", False)
        assert str(order["cancel_code"]) == OUT_OF_STOCK[name.split("/")[0]]


def test_simpler_rules_are_priced_by_the_same_model_and_counted_in_the_same_books(
    night: Told,
) -> None:
    compared = night.report["compared"]
    for rule, field in (
        ("chosen", "cost_yen"),
        ("newest_first", "cost_yen_newest_first"),
        ("last_imported", "cost_yen_last_imported"),
    ):
        assert compared[rule]["cost_yen"] == sum(case[field] for case in night.report["cases"])
        assert compared["chosen"]["cost_yen"] <= compared[rule]["cost_yen"]
    ended = Counter(
        name.split("/")[0]
        for name, order in night.orders.items()
        if order["cancelled_by"] == "seller"
    )
    assert compared["chosen"]["orders_by_channel"] == {kind: ended[kind] for kind in KINDS}
    assert compared["chosen"]["metrics"]["rakuten"]["points"] == 15 * ended["rakuten"]


def test_the_printed_words_are_those_of_the_report(night: Told) -> None:
    for sentence in case_words.sentences(night.report):
        assert sentence in night.printed
    for name, prices in night.report["assumed_prices"].items():
        assert f"(as of {prices['as_of']})" in night.printed, name
    assert "The books agree" in night.printed
