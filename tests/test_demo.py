"""The whole house in one night: the real command, its exit code, its report against the books."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.documents import blocks, shapes

ROOT = Path(__file__).parent.parent
SEED = 7
SECONDS = 20
# One night serves all tests of this file.
pytestmark = pytest.mark.xdist_group("night")
OUT_OF_STOCK = {"rakuten": "8", "yahoo": "210", "amazon": "NoInventory", "shopify": "INVENTORY"}


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], dict[str, Any], str]:
    """The report, the sandbox's books, and what was printed."""
    folder = tmp_path_factory.mktemp("night")
    done = subprocess.run(
        [
            *(sys.executable, "-m", "inventory", "demo", "--seed", str(SEED)),
            *("--seconds", str(SECONDS), "--report", str(folder / "report.json")),
            *("--books", str(folder / "books.json"), "--data-dir", str(folder / "data")),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    report = json.loads((folder / "report.json").read_text())
    books = json.loads((folder / "books.json").read_text())
    return report, books, done.stderr + done.stdout


def orders_of(books: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    return [
        (kind, order)
        for kind, market in books["markets"].items()
        for order in market["orders"]
        if not order["by_channel"]
    ]


def test_the_night_is_clean(night: tuple[dict[str, Any], dict[str, Any], str]) -> None:
    report, _, printed = night
    assert report["seed"] == SEED
    assert report["laws_broken"] == {}
    assert report["ledger_balanced"] is True
    assert report["inbox_unhandled"] == 0
    assert report["listings_stale"] == 0
    assert report["marketplace_books_agree"] is True
    assert report["unconfirmed_cancels"] == 0
    assert report["drain_seconds"] <= 120
    assert "The books agree" in printed


def test_sales_are_those_of_the_books(night: tuple[dict[str, Any], dict[str, Any], str]) -> None:
    report, books, _ = night
    orders = orders_of(books)
    units = sum(line["quantity"] for _, order in orders for line in order["lines"])
    assert len(orders) > SECONDS
    assert (report["orders"], report["units_sold"]) == (len(orders), units)
    assert report["sales_by_channel"] == Counter(kind for kind, _ in orders)


def test_every_channel_gave_up_an_order_for_the_true_reason(
    night: tuple[dict[str, Any], dict[str, Any], str],
) -> None:
    report, books, _ = night
    ours = [row for row in report["cancellations"] if row["kind"] == "ours"]
    by_ref = {(kind, order["ref"]): order for kind, order in orders_of(books)}
    assert {row["channel"] for row in ours} == set(OUT_OF_STOCK)
    for row in ours:
        order = by_ref[row["channel"], row["order"]]
        assert (order["state"], order["cancelled_by"]) == ("cancelled", "seller")
        assert str(order["cancel_code"]) == row["reason_code"] == OUT_OF_STOCK[row["channel"]]
        assert order["restocked"] is False
        assert row["counts_against_metric"] in {"yes", "no", "unconfirmed"}
        assert {"name", "value", "unit", "limit", "as_of"} <= row["metric_after"].keys()


def test_no_call_went_beyond_what_is_permitted(
    night: tuple[dict[str, Any], dict[str, Any], str],
) -> None:
    report, books, _ = night
    for kind, market in books["markets"].items():
        assert report["calls_used_and_permitted"][kind] == market["calls"]
        for calls in market["calls"].values():
            assert calls["used"] <= calls["permitted"]


def test_sales_were_shown_and_the_buyers_were_told(
    night: tuple[dict[str, Any], dict[str, Any], str],
) -> None:
    report, _, _ = night
    for kind, figures in report["sale_to_shown_ms"].items():
        assert figures["unshown"] == 0, kind
        assert 0 < figures["p50"] <= figures["p99"] <= figures["max"]
    assert report["alerts_delivered"] > 0


def test_the_readme_shows_what_is_printed(
    night: tuple[dict[str, Any], dict[str, Any], str],
) -> None:
    shown = blocks("text", document=ROOT / "README.md")[0]
    assert shapes(shown.text) <= shapes(night[2])
