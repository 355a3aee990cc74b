"""Which window an end belongs to, where it is not the one that ends now."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from inventory.penalties import GivenUp, own_window_end, rules_of, window_start
from inventory.vocabulary import Kind
from tests.desk.tokyo import TICK, tokyo

NOW = tokyo(2026, 3, 2, 12)
# kind, placed and ended; the end of the window that it belongs to, None for the one of now
WINDOWS: list[tuple[Kind, datetime, datetime, datetime | None]] = [
    (Kind.AMAZON, NOW - timedelta(days=9), NOW, NOW - timedelta(days=2) - TICK),
    (Kind.AMAZON, NOW - timedelta(days=7), NOW, NOW - TICK),
    (Kind.AMAZON, NOW - timedelta(days=7) + TICK, NOW, None),
    (Kind.YAHOO, NOW - timedelta(days=90), NOW, None),
    (Kind.YAHOO, NOW - timedelta(days=90), NOW - timedelta(days=31), NOW - timedelta(1) - TICK),
    (Kind.RAKUTEN, NOW, tokyo(2026, 1, 1), None),
    (Kind.RAKUTEN, NOW, tokyo(2026, 1, 1) - TICK, tokyo(2026, 1, 1) - TICK),
    (Kind.RAKUTEN, NOW, tokyo(2025, 2, 1), tokyo(2026, 1, 1) - TICK),
    (Kind.SHOPIFY, NOW, tokyo(2026, 3, 1), None),
    (Kind.SHOPIFY, NOW, tokyo(2026, 2, 3), tokyo(2026, 3, 1) - TICK),
    (Kind.SHOPIFY, NOW, tokyo(2025, 12, 31), tokyo(2026, 1, 1) - TICK),
]


@pytest.mark.parametrize(("kind", "placed", "ended", "until"), WINDOWS)
def test_the_window_that_an_end_belongs_to(
    kind: Kind, placed: datetime, ended: datetime, until: datetime | None
) -> None:
    rules = rules_of(kind, {})
    assert rules is not None
    end = GivenUp(ordered_at=placed, ended_at=ended, yen=None)

    assert own_window_end(rules, end, now=NOW) == until

    if until is not None:
        moment = placed if kind is Kind.AMAZON else ended
        assert window_start(rules, until) <= moment <= until
        assert own_window_end(rules, end, now=until) is None


def test_an_end_without_a_date_or_to_come_has_no_window_of_its_own() -> None:
    rules = rules_of(Kind.AMAZON, {})
    assert rules is not None
    for placed in (None, NOW + TICK):
        end = GivenUp(ordered_at=placed, ended_at=NOW, yen=None)
        assert own_window_end(rules, end, now=NOW) is None
