"""The decision table: total, truthful, and the only place where a cancellation can be asked for."""

from __future__ import annotations

import ast
from datetime import UTC, datetime, timedelta
from itertools import product
from pathlib import Path
from typing import Any

import msgspec
import pytest

from inventory import reasons
from inventory.decision_table.words import NEVER_ASKERS, SHOPS
from inventory.reasons import (
    Action,
    Asker,
    Case,
    Counts,
    Extent,
    Fulfilment,
    Market,
    OrderState,
    ReasonRefused,
    ShipNotice,
)
from inventory.vocabulary import Kind, Party, Reason
from tests.desk.rows import LISTED, Listed

ROOT = Path(__file__).parents[2]
EVERY_CASE = [
    (
        market,
        Case(state=state, asker=asker, ship_notice=notice, fulfilment=fulfilment, extent=extent),
    )
    for market, state, asker, notice, fulfilment, extent in product(
        Market, OrderState, Asker, ShipNotice, Fulfilment, Extent
    )
]
BUYER_CODES = {
    Market.RAKUTEN: {"1", "2", "3", "4", "5", "6"},
    Market.YAHOO: {"100", "110", "120", "130", "140", "150", "160", "170", "180"},
    Market.AMAZON: {"BuyerCanceled", "BUYER_CANCELLED"},
    Market.SHOPIFY: {"CUSTOMER"},
}


def test_every_case_has_a_rule_and_unlisted_ones_are_refused_to_a_person() -> None:
    assert len(EVERY_CASE) == 10 * 9 * 17 * 2 * 2 * 2
    for asked in EVERY_CASE:
        rule = reasons.decide(*asked)
        if asked in reasons.TABLE:
            assert rule.source
        else:
            assert (rule.action, rule.reason_code, rule.weighs) == (Action.PERSON, "", False)
            assert rule.counts is Counts.UNCONFIRMED


def test_the_table_has_no_case_outside_the_product() -> None:
    assert set(reasons.TABLE) <= set(EVERY_CASE)


def _cases(listed: Listed) -> list[tuple[Market, Case]]:
    market, *words = listed.case
    kinds: list[Any] = [OrderState, Asker, ShipNotice, Fulfilment, Extent]
    values = [
        list(kind) if word == "*" else [kind(word)] for kind, word in zip(kinds, words, strict=True)
    ]
    return [
        (
            Market(market),
            Case(state=state, asker=asker, ship_notice=notice, fulfilment=ships, extent=extent),
        )
        for state, asker, notice, ships, extent in product(*values)
    ]


@pytest.mark.parametrize("listed", LISTED, ids=lambda listed: "-".join(listed.case))
def test_every_rule_that_was_found_is_in_the_table(listed: Listed) -> None:
    for asked in _cases(listed):
        rule = reasons.TABLE[asked]
        sent = (rule.reason_code, *rule.other_codes) if rule.reason_code else ()
        assert (rule.action.value, sent) == (listed.action, listed.codes)
        assert rule.counts.value == listed.counts
        assert listed.named in rule.source
        assert rule.task or rule.action is Action.NOTHING


def test_a_row_twice_with_other_words_is_refused() -> None:
    row = reasons.ROWS[0]
    other = msgspec.structs.replace(
        row, rule=msgspec.structs.replace(row.rule, action=Action.CANCEL)
    )
    with pytest.raises(ValueError, match="two rows"):
        reasons._table([row, other])


def test_only_orders_that_nobody_has_shipped_are_cancelled_and_only_with_a_code() -> None:
    for (market, case), rule in reasons.TABLE.items():
        if rule.action is not Action.CANCEL:
            continue
        assert case.ship_notice is ShipNotice.NOT_SENT
        assert case.fulfilment is Fulfilment.SHOP
        assert case.state in {
            OrderState.JUST_PLACED,
            OrderState.UNPAID,
            OrderState.OPEN,
            OrderState.SCREENED,
        }
        if market in {Market.AU_PAY, Market.QOO10}:
            assert "UNCONFIRMED" in rule.source
        else:
            assert rule.reason_code


def test_what_the_shop_caused_never_bears_a_buyers_code() -> None:
    for (market, case), rule in reasons.TABLE.items():
        if case.asker in SHOPS:
            codes = {rule.reason_code, *rule.other_codes}
            assert not codes & BUYER_CODES.get(market, set()), (market, case)


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


def test_a_part_of_an_order_is_decided_on_its_own_and_never_ends_the_whole() -> None:
    short = {
        kind.value: reasons.decide(
            kind,
            reasons.case_of(OrderState.OPEN, Asker.SHOP_OUT_OF_STOCK, extent=Extent.PART),
        ).action.value
        for kind in Kind
    }
    assert short == {
        "amazon": "adjust",
        "rakuten": "edit_lines",
        "yahoo": "edit_lines",
        "shopify": "edit_lines",
        "eccube": "person",
        "own_store": "person",
        "house": "person",
    }


def test_nothing_that_was_shipped_or_that_others_fulfil_is_cancelled() -> None:
    for market, asker in product(Market, Asker):
        for state in (OrderState.SHIPPED, OrderState.PARTLY_SHIPPED, OrderState.BY_CHANNEL):
            rule = reasons.decide(market, state, asker)
            assert rule.action not in {Action.CANCEL, Action.ADJUST, Action.WAIT}


def test_what_no_shop_may_do_is_forbidden_everywhere() -> None:
    for asked in EVERY_CASE:
        forbidden = reasons.decide(*asked).action is Action.FORBIDDEN
        assert forbidden is (asked[1].asker in NEVER_ASKERS)


def test_what_counts_weighs_and_what_surely_does_not_weighs_only_as_money() -> None:
    for (market, _), rule in reasons.TABLE.items():
        if rule.counts is Counts.YES:
            assert rule.weighs
        if rule.counts is Counts.NO and rule.weighs:
            assert market is Market.SHOPIFY


def test_every_kind_of_channel_has_its_market() -> None:
    assert {kind.value for kind in Kind} < {market.value for market in Market}


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
        (Kind.AMAZON, Party.SELLER, "BuyerCanceled", False, Asker.BUYER_MESSAGE),
        (Kind.AMAZON, Party.SELLER, "BUYER_CANCELLED", False, Asker.BUYER_MESSAGE),
        (Kind.AMAZON, Party.SELLER, "BuyerCanceled", True, Asker.BUYER_REQUEST),
        (Kind.AMAZON, Party.SELLER, None, True, Asker.BUYER_REQUEST),
        (Kind.AMAZON, Party.SELLER, "PRICING_ERROR", False, Asker.SHOP_PRICE),
        (Kind.AMAZON, Party.SELLER, "ShippingAddressUndeliverable", False, Asker.SHOP_ADDRESS),
        (Kind.AMAZON, Party.SELLER, "GeneralAdjustment", False, Asker.SHOP_OTHER),
        (Kind.AMAZON, Party.BUYER, None, False, Asker.BUYER_SELF),
        (Kind.AMAZON, None, "NoInventory", False, Asker.UNKNOWN),
        (Kind.RAKUTEN, Party.SELLER, "6", False, Asker.BUYER_REQUEST),
        (Kind.RAKUTEN, Party.SELLER, "10", False, Asker.SHOP_OTHER),
        (Kind.RAKUTEN, Party.SELLER, "210", False, Asker.SHOP_OTHER),
        (Kind.YAHOO, Party.SELLER, "160", False, Asker.BUYER_REQUEST),
        (Kind.YAHOO, Party.SELLER, "220", False, Asker.SHOP_DISCONTINUED),
        (Kind.YAHOO, Party.SELLER, "230", False, Asker.SHOP_OTHER),
        (Kind.YAHOO, Party.SELLER, None, False, Asker.SHOP_OTHER),
        (Kind.YAHOO, Party.BUYER, "100", False, Asker.BUYER_SELF),
        (Kind.YAHOO, Party.BUYER, "170", False, Asker.MARKETPLACE),
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
