"""That every row of the decision table that ends at a connected marketplace has its story."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from inventory import reasons
from inventory.decision_table.words import NEVER_ASKERS
from inventory.reasons import Action, Asker, Fulfilment, Market, OrderState
from tests.desk.rows import LISTED
from tests.desk.test_reasons import _cases as cases
from tests.workers.row_ends import NIGHTS

HERE = Path(__file__).parent
CONNECTED = (Market.RAKUTEN, Market.YAHOO, Market.AMAZON, Market.SHOPIFY)

# Stories in functions of their own, by the row that they prove: file, then function.
ALSO = {
    **dict.fromkeys(
        [f"{market} open shop_out_of_stock not_sent shop whole" for market in CONNECTED],
        "test_desk.test_a_cancellation_without_an_answer_is_looked_at_before_it_is_sent_again",
    ),
    **dict.fromkeys(
        [
            f"{market} open buyer_request not_sent shop whole"
            for market in ("rakuten", "yahoo", "amazon")
        ],
        "test_buyers.test_a_buyers_wish_is_carried_out_with_the_buyers_code",
    ),
    **dict.fromkeys(
        [
            "rakuten open shop_out_of_stock not_sent shop part",
            "yahoo open shop_out_of_stock not_sent shop part",
            "amazon open shop_out_of_stock not_sent shop part",
            "shopify partly_shipped shop_out_of_stock sent shop part",
        ],
        "test_rows.test_a_part_that_staff_take_out_is_released_and_on_record_once",
    ),
    **dict.fromkeys(
        [
            "amazon open marketplace_lapsed not_sent shop *",
            "amazon cancelled marketplace_lapsed not_sent shop *",
        ],
        "test_rows.test_what_amazon_ends_seven_days_after_its_ship_by_date_counts",
    ),
    "amazon open buyer_first not_sent shop whole": (
        "test_rows.test_a_buyer_who_asked_before_the_units_ran_short_is_the_one_who_ended_it"
    ),
    "shopify unpaid shop_out_of_stock not_sent shop whole": (
        "test_rows.test_what_shopify_has_not_captured_costs_no_fee"
    ),
}
# Rows after which no order ends at the marketplace, and why.
ENDS_NOTHING = {
    "rakuten locked shop_out_of_stock not_sent shop *": "400: one waits until it is settled",
    "rakuten locked buyer_request not_sent shop *": "400: one waits until it is settled",
    "rakuten locked unknown not_sent shop *": "400: one waits until it is settled",
    "amazon shipped buyer_request not_sent shop *": "a ship notice, and no cancellation",
    "amazon shipped buyer_message not_sent shop *": "a ship notice, and no cancellation",
    "amazon open buyer_request sent shop *": "money goes back, the order stays shipped",
    "amazon open shop_out_of_stock sent shop *": "money goes back, the order stays shipped",
    "amazon shipped buyer_request sent shop *": "a return, the order stays shipped",
}

# Ends that no marketplace shows as what they were, and as what it shows them instead.
UNSEEN = {
    (Market.AMAZON, Asker.BUYER_FIRST): "ours: settled as the buyer's request",
    (Market.AMAZON, Asker.SHOP_DISCONTINUED): "no code: shop_other",
    (Market.AMAZON, Asker.SHOP_BUYER_SILENT): "no code: shop_other",
    (Market.RAKUTEN, Asker.BUYER_REQUEST): "ours: test_buyers; by hand: buyer_self",
    (Market.RAKUTEN, Asker.BUYER_FIRST): "by hand: buyer_self",
    (Market.RAKUTEN, Asker.BUYER_MESSAGE): "by hand: buyer_self",
    (Market.RAKUTEN, Asker.MARKETPLACE): "changeReason knows the shop and the customer alone",
    (Market.YAHOO, Asker.BUYER_REQUEST): "ours: test_buyers; by hand: buyer_self",
    (Market.YAHOO, Asker.BUYER_FIRST): "by hand: buyer_self",
    (Market.SHOPIFY, Asker.BUYER_REQUEST): "CUSTOMER: buyer_self",
    (Market.SHOPIFY, Asker.BUYER_FIRST): "CUSTOMER: buyer_self",
    (Market.SHOPIFY, Asker.BUYER_MESSAGE): "CUSTOMER: buyer_self",
    **{
        (market, asker): "no code: shop_other"
        for market, askers in {
            Market.RAKUTEN: (Asker.SHOP_DISCONTINUED,),
            Market.SHOPIFY: (Asker.SHOP_DISCONTINUED,),
        }.items()
        for asker in (*askers, Asker.SHOP_ADDRESS, Asker.SHOP_BUYER_SILENT, Asker.SHOP_PRICE)
    },
    (Market.YAHOO, Asker.SHOP_ADDRESS): "no code: shop_other",
    (Market.YAHOO, Asker.SHOP_BUYER_SILENT): "no code: shop_other",
    (Market.YAHOO, Asker.SHOP_PRICE): "no code: shop_other",
}

ROWS = {
    " ".join(listed.case): listed
    for listed in LISTED
    if listed.case[0] in CONNECTED and listed.case[2] not in NEVER_ASKERS
}
TOLD = {
    f"{name.partition(' ')[0]} {end.row}"
    for name, ends in NIGHTS.items()
    for end in ends
    if end.row != "-"
}


def functions(path: Path) -> set[str]:
    """The tests of a file."""
    tree = ast.parse(path.read_text())
    return {node.name for node in tree.body if isinstance(node, ast.AsyncFunctionDef)}


@pytest.mark.parametrize("row", ROWS)
def test_a_row_has_its_story_or_ends_nothing(row: str) -> None:
    proved = row in TOLD or row in ALSO
    assert proved is not (row in ENDS_NOTHING), f"{row}: no story, or a needless excuse"


def test_no_story_is_told_of_a_row_that_is_not_there() -> None:
    assert TOLD | set(ALSO) | set(ENDS_NOTHING) <= set(ROWS)


def test_every_row_of_the_table_is_asked_for() -> None:
    """A rule that no listed row leads to makes one wait, or is about an order that has ended."""
    rules = [reasons.TABLE[case] for listed in ROWS.values() for case in cases(listed)]
    for row in reasons.ROWS:
        if row.market in CONNECTED and row.rule.action not in {Action.FORBIDDEN, Action.WAIT}:
            assert row.states == (OrderState.CANCELLED,) or row.rule in rules, row


@pytest.mark.parametrize("named", sorted(set(ALSO.values())))
def test_a_story_that_is_named_is_there(named: str) -> None:
    file, _, function = named.partition(".")
    assert function in functions(HERE / f"{file}.py")


def test_what_is_excused_cancels_nothing() -> None:
    assert not {row for row in ENDS_NOTHING if ROWS[row].action in {"cancel", "adjust"}}


def test_every_end_that_a_marketplace_can_show_is_told() -> None:
    """Every case of the table for an order that has ended, whoever asked for it."""
    told = {
        (Market(name.partition(" ")[0]), Asker(end.asker))
        for name, ends in NIGHTS.items()
        for end in ends
    }
    told.add((Market.AMAZON, Asker.MARKETPLACE_LAPSED))
    # Of a part alone: Shopify does not say who took a line out.
    told.add((Market.SHOPIFY, Asker.UNKNOWN))
    listed = {
        (market, case.asker)
        for (market, case), rule in reasons.TABLE.items()
        if market in CONNECTED
        and case.state is OrderState.CANCELLED
        and case.fulfilment is Fulfilment.SHOP
        and rule.action is not Action.FORBIDDEN
    }
    assert listed - told == set(UNSEEN)
    assert not told & set(UNSEEN)
