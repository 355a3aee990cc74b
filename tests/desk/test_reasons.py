"""The decision table: total, truthful, and the only place where a cancellation can be asked for."""

from __future__ import annotations

import ast
from datetime import UTC, datetime, timedelta
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from inventory import reasons
from inventory.reasons import Action, Asker, Counts, OrderState, ReasonRefused
from inventory.vocabulary import Kind, Party, Reason

ROOT = Path(__file__).parents[2]
EVERY_CASE = list(product(Kind, OrderState, Asker))


def test_every_case_has_a_rule_and_unlisted_ones_go_to_a_person() -> None:
    for case in EVERY_CASE:
        rule = reasons.decide(*case)
        if case in reasons.TABLE:
            assert rule.action is not Action.PERSON
            assert rule.source
        else:
            assert (rule.action, rule.reason_code, rule.weighs) == (Action.PERSON, "", False)
            assert rule.counts is Counts.UNCONFIRMED


def test_only_open_orders_are_cancelled_and_only_with_a_code() -> None:
    for kind, state, asker in EVERY_CASE:
        rule = reasons.decide(kind, state, asker)
        assert (rule.action is Action.CANCEL) == bool(rule.reason_code)
        if rule.action is Action.CANCEL:
            assert state is OrderState.OPEN


def test_out_of_stock_is_sent_as_out_of_stock() -> None:
    sent = {
        kind.value: reasons.decide(kind, OrderState.OPEN, Asker.SHOP_OUT_OF_STOCK).reason_code
        for kind in reasons.cancels_out_of_stock()
    }
    assert sent == {
        "rakuten": "8",
        "yahoo": "210",
        "amazon": "NoInventory",
        "shopify": "INVENTORY",
        # A person ends it in the shop's admin, which asks for no code.
        "eccube": "out_of_stock",
    }


def test_nothing_that_was_shipped_or_that_others_fulfil_is_cancelled() -> None:
    for kind, asker in product(Kind, Asker):
        for state in (OrderState.SHIPPED, OrderState.PARTLY_SHIPPED, OrderState.BY_CHANNEL):
            assert reasons.decide(kind, state, asker).action in {Action.PERSON, Action.NOTHING}


def test_what_counts_weighs_and_what_surely_does_not_weighs_only_as_money() -> None:
    for (kind, _, _), rule in reasons.TABLE.items():
        if rule.counts is Counts.YES:
            assert rule.weighs
        if rule.counts is Counts.NO and rule.weighs:
            assert kind is Kind.SHOPIFY


@pytest.mark.parametrize("kind", list(Kind))
@pytest.mark.parametrize("flag", [False, True])
def test_a_buyers_reason_needs_amazons_own_flag(kind: Kind, flag: bool) -> None:
    def ask() -> Reason:
        request = reasons.cancel_request(
            kind, Reason.BUYER_REQUEST, order_ref="o-1", line_refs=["1"], buyer_asked=flag
        )
        return request.reason

    if kind is Kind.AMAZON and flag:
        assert ask() is Reason.BUYER_REQUEST
    else:
        with pytest.raises(ReasonRefused):
            ask()


@pytest.mark.parametrize("kind", [Kind.OWN_STORE, Kind.HOUSE])
def test_where_no_row_says_how_nothing_is_asked_for(kind: Kind) -> None:
    with pytest.raises(ReasonRefused):
        reasons.cancel_request(kind, Reason.OUT_OF_STOCK, order_ref="o-1", line_refs=["1"])


def test_no_other_module_makes_a_cancel_request() -> None:
    makers = set()
    for folder in ("inventory", "workers", "channels"):
        for path in (ROOT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Call) and "CancelRequest" in ast.unparse(node.func):
                    makers.add(path.relative_to(ROOT).as_posix())
    assert makers == {"inventory/reasons.py"}


@pytest.mark.parametrize(
    ("kind", "by", "code", "flag", "asker"),
    [
        (Kind.AMAZON, Party.SELLER, "NO_INVENTORY", False, Asker.SHOP_OUT_OF_STOCK),
        (Kind.AMAZON, Party.SELLER, "NoInventory", True, Asker.SHOP_OUT_OF_STOCK),
        (Kind.AMAZON, Party.SELLER, "BuyerCanceled", False, Asker.SHOP_OTHER),
        (Kind.AMAZON, Party.SELLER, "BuyerCanceled", True, Asker.BUYER_REQUEST),
        (Kind.AMAZON, Party.SELLER, None, True, Asker.BUYER_REQUEST),
        (Kind.AMAZON, Party.SELLER, "PRICING_ERROR", False, Asker.SHOP_OTHER),
        (Kind.AMAZON, Party.BUYER, None, False, Asker.BUYER_SELF),
        (Kind.AMAZON, None, "NoInventory", False, Asker.UNKNOWN),
        (Kind.RAKUTEN, Party.SELLER, "6", False, Asker.BUYER_REQUEST),
        (Kind.RAKUTEN, Party.SELLER, "10", False, Asker.SHOP_OTHER),
        (Kind.YAHOO, Party.SELLER, "160", False, Asker.BUYER_REQUEST),
        (Kind.YAHOO, Party.SELLER, "230", False, Asker.SHOP_OTHER),
        (Kind.YAHOO, Party.SELLER, None, False, Asker.SHOP_OTHER),
        (Kind.YAHOO, Party.MARKETPLACE, "400", False, Asker.MARKETPLACE),
        (Kind.SHOPIFY, Party.SELLER, "CUSTOMER", False, Asker.BUYER_REQUEST),
        (Kind.SHOPIFY, Party.SELLER, "STAFF", False, Asker.SHOP_OTHER),
    ],
)
def test_who_asked_follows_the_channels_record(
    kind: Kind, by: Party | None, code: str | None, flag: bool, asker: Asker
) -> None:
    assert reasons.who_asked(kind, by, code, buyer_asked=flag, late=False) is asker


@pytest.mark.parametrize(("days", "late"), [(6.999, False), (7, True)])
def test_amazons_end_counts_from_seven_days_after_ship_by(days: float, late: bool) -> None:
    ship_by = datetime(2026, 11, 1, tzinfo=UTC)
    ended_at = ship_by + timedelta(days=days)
    assert reasons.lapsed(ship_by=ship_by, ended_at=ended_at) is late
    asker = reasons.who_asked(Kind.AMAZON, Party.MARKETPLACE, None, buyer_asked=False, late=late)
    rule = reasons.decide(Kind.AMAZON, OrderState.CANCELLED, asker)
    assert (rule.counts is Counts.YES) is late


def test_without_a_ship_by_date_nothing_has_lapsed() -> None:
    assert not reasons.lapsed(ship_by=None, ended_at=datetime(2026, 11, 1, tzinfo=UTC))


@pytest.mark.parametrize(
    ("values", "state"),
    [
        ({"open_units": 2}, OrderState.OPEN),
        ({"open_units": 2, "cancellable": False}, OrderState.LOCKED),
        ({"open_units": 1, "shipped_units": 1}, OrderState.PARTLY_SHIPPED),
        ({"shipped_units": 2, "cancellable": False}, OrderState.SHIPPED),
        ({"cancelled": True, "shipped_units": 1}, OrderState.CANCELLED),
        ({"by_channel": True, "cancelled": True}, OrderState.BY_CHANNEL),
    ],
)
def test_where_an_order_stands(values: dict[str, Any], state: OrderState) -> None:
    plain: dict[str, Any] = {"cancelled": False, "cancellable": True, "by_channel": False}
    plain |= {"open_units": 0, "shipped_units": 0}
    assert reasons.order_state(**(plain | values)) is state
