"""Rows of the decision table for Rakuten and Yahoo!, each with its page. Pure data.

Read on 2026-11-01. What only shops and their tools say, and no page of the marketplace, is
UNCONFIRMED in the source.
"""

from __future__ import annotations

from inventory.decision_table.words import (
    BUYERS,
    EITHER_EXTENT,
    EITHER_NOTICE,
    HONEST_ASKERS,
    OPEN_STATES,
    SHOPS,
    Action,
    Asker,
    Counts,
    Extent,
    Market,
    OrderState,
    Row,
    Rule,
)

_RMS = "Rakuten: RMS RakutenPayOrderAPI cancelOrder, changeReasonDetailApply"
_POINTS = "Rakuten: RMS violation points; whether every cancellation scores is UNCONFIRMED"
_NO_POINTS = "Rakuten: no page says that it scores; UNCONFIRMED, taken as not"
_AFTER = "Rakuten: RMS RakutenPayOrderAPI cancelOrderAfterShipping, orderProgress 500 to 800"
_LINES = "Rakuten: an old help page on changed orders; whether a line scores is UNCONFIRMED"
_STORE_RATE = "Yahoo!: order cancel rate on the store's rating page; reason group of CancelReason"
_NOT_SAID = "Yahoo!: the rate's page does not name this case; UNCONFIRMED, taken as not"
_STATUS = "Yahoo!: Shopping API orderStatusChange, CancelReason"
_PRANK = (
    "Yahoo!: pranks are left out of the cancel rate; an order under review can only be cancelled;"
    " that a payment screening is 170, and does not count, is UNCONFIRMED"
)

_RELEASE = "The buyer ended it: release what was reserved."
_CONSENT = "With the buyer's consent a person takes the lines out; a mail may not go by itself."


def _wait(task: str, source: str) -> Rule:
    return Rule(action=Action.WAIT, task=task, source=source)


def _ended(counts: Counts, source: str, *, weighs: bool = False, task: str = "") -> Rule:
    return Rule(action=Action.NOTHING, counts=counts, weighs=weighs, task=task, source=source)


RAKUTEN = (
    Row(
        market=Market.RAKUTEN,
        states=(OrderState.JUST_PLACED,),
        askers=(Asker.BUYER_SELF,),
        extents=EITHER_EXTENT,
        rule=_ended(Counts.UNCONFIRMED, _NO_POINTS, task=_RELEASE),
    ),
    Row(
        market=Market.RAKUTEN,
        states=OPEN_STATES,
        askers=(Asker.SHOP_OUT_OF_STOCK,),
        rule=Rule(
            action=Action.CANCEL,
            reason_code="8",
            weighs=True,
            task="Cancel with inventoryRestoreType 2 (nothing goes back on sale); apologise.",
            source=f"{_RMS}; {_POINTS}",
        ),
    ),
    Row(
        market=Market.RAKUTEN,
        states=OPEN_STATES,
        askers=(Asker.BUYER_REQUEST, Asker.BUYER_FIRST),
        rule=Rule(
            action=Action.CANCEL,
            reason_code="1",
            other_codes=("4", "6"),
            task="Cancel as the buyer's wish; the buyer's message stays on record.",
            source=f"{_RMS}; {_NO_POINTS}",
        ),
    ),
    Row(
        market=Market.RAKUTEN,
        states=(OrderState.LOCKED,),
        askers=HONEST_ASKERS,
        extents=EITHER_EXTENT,
        rule=_wait("A change is under way (400): wait until the buyer has settled it.", _RMS),
    ),
    Row(
        market=Market.RAKUTEN,
        states=(OrderState.SHIPPED,),
        askers=BUYERS,
        notices=EITHER_NOTICE,
        extents=EITHER_EXTENT,
        rule=Rule(
            action=Action.RETURNED,
            reason_code="2",
            other_codes=("3", "5"),
            task="Only where units really come back: a person cancels after shipping, in RMS.",
            source=f"{_AFTER}; {_NO_POINTS}",
        ),
    ),
    Row(
        market=Market.RAKUTEN,
        states=(OrderState.SHIPPED,),
        askers=(Asker.SHOP_OTHER,),
        notices=EITHER_NOTICE,
        extents=EITHER_EXTENT,
        rule=Rule(
            action=Action.RETURNED,
            reason_code="15",
            other_codes=("13",),
            weighs=True,
            task="Only where a shipment was undone, late or wrong: a person does it in RMS.",
            source=f"{_AFTER}; {_POINTS}",
        ),
    ),
    Row(
        market=Market.RAKUTEN,
        states=OPEN_STATES,
        askers=(Asker.SHOP_OUT_OF_STOCK,),
        extents=(Extent.PART,),
        rule=Rule(action=Action.EDIT_LINES, weighs=True, task=_CONSENT, source=_LINES),
    ),
    Row(
        market=Market.RAKUTEN,
        states=(*OPEN_STATES, OrderState.SCREENED),
        askers=(Asker.MARKETPLACE,),
        extents=EITHER_EXTENT,
        rule=_ended(
            Counts.UNCONFIRMED,
            f"Rakuten: card payment help, 7 days to put a card right; {_NO_POINTS}",
            task="A payment that was not put right: nothing to do.",
        ),
    ),
    Row(
        market=Market.RAKUTEN,
        states=(OrderState.CANCELLED,),
        askers=SHOPS,
        rule=_ended(Counts.UNCONFIRMED, _POINTS, weighs=True),
    ),
    Row(
        market=Market.RAKUTEN,
        states=(OrderState.CANCELLED,),
        askers=(*BUYERS, Asker.MARKETPLACE),
        rule=_ended(Counts.UNCONFIRMED, _NO_POINTS),
    ),
)

YAHOO = (
    Row(
        market=Market.YAHOO,
        states=(OrderState.JUST_PLACED,),
        askers=(Asker.BUYER_SELF,),
        extents=EITHER_EXTENT,
        rule=_ended(Counts.UNCONFIRMED, _NOT_SAID, task=_RELEASE),
    ),
    Row(
        market=Market.YAHOO,
        states=OPEN_STATES,
        askers=(Asker.SHOP_OUT_OF_STOCK,),
        rule=Rule(
            action=Action.CANCEL,
            reason_code="210",
            counts=Counts.YES,
            weighs=True,
            task="Cancel, which cannot be taken back; then a person lifts the item's close.",
            source=f"{_STATUS}; {_STORE_RATE}; that 210 closes the item is known from one vendor",
        ),
    ),
    Row(
        market=Market.YAHOO,
        states=OPEN_STATES,
        askers=(Asker.SHOP_DISCONTINUED,),
        rule=Rule(
            action=Action.CANCEL,
            reason_code="220",
            counts=Counts.YES,
            weighs=True,
            task="The item is discontinued: a person cancels, which cannot be taken back.",
            source=f"{_STATUS}; {_STORE_RATE}",
        ),
    ),
    Row(
        market=Market.YAHOO,
        states=OPEN_STATES,
        askers=(Asker.BUYER_REQUEST, Asker.BUYER_FIRST),
        rule=Rule(
            action=Action.CANCEL,
            reason_code="100",
            other_codes=("160", "120"),
            counts=Counts.NO,
            task="Cancel as the buyer's wish; the buyer's message stays on record.",
            source=f"{_STATUS}; {_STORE_RATE}",
        ),
    ),
    Row(
        market=Market.YAHOO,
        states=(OrderState.SCREENED,),
        askers=(Asker.MARKETPLACE,),
        rule=Rule(
            action=Action.CANCEL,
            reason_code="170",
            counts=Counts.NO,
            task="Yahoo! suspects the order: it can only be cancelled, by a person.",
            source=_PRANK,
        ),
    ),
    Row(
        market=Market.YAHOO,
        states=(OrderState.SHIPPED,),
        askers=BUYERS,
        notices=EITHER_NOTICE,
        extents=EITHER_EXTENT,
        rule=Rule(
            action=Action.RETURNED,
            reason_code="110",
            task="Yahoo! lets a completed order be cancelled: only where units really come back.",
            source=f"{_STATUS}, OrderStatus 5; {_NOT_SAID}",
        ),
    ),
    Row(
        market=Market.YAHOO,
        states=OPEN_STATES,
        askers=(Asker.SHOP_OUT_OF_STOCK,),
        extents=(Extent.PART,),
        rule=Rule(
            action=Action.EDIT_LINES,
            weighs=True,
            task=_CONSENT,
            source="Yahoo!: Shopping API orderStatusChange ends whole orders, orderChange lowers"
            " lines; whether a line counts is UNCONFIRMED",
        ),
    ),
    Row(
        market=Market.YAHOO,
        states=(OrderState.CANCELLED,),
        askers=SHOPS,
        rule=_ended(Counts.YES, _STORE_RATE, weighs=True),
    ),
    Row(
        market=Market.YAHOO,
        states=(OrderState.CANCELLED,),
        askers=(Asker.BUYER_REQUEST, Asker.BUYER_FIRST),
        rule=_ended(Counts.NO, _STORE_RATE),
    ),
    Row(
        market=Market.YAHOO,
        states=(OrderState.CANCELLED,),
        askers=(Asker.BUYER_SELF, Asker.MARKETPLACE),
        rule=_ended(Counts.UNCONFIRMED, _NOT_SAID),
    ),
)
