"""Rows of the decision table for Amazon (Japan), each with its page. Pure data.

Read on 2026-11-01. The pages carry no date.
"""

from __future__ import annotations

from inventory.decision_table.words import (
    BUYERS,
    EITHER_EXTENT,
    EITHER_NOTICE,
    EVERY_STATE,
    HONEST_ASKERS,
    OPEN_STATES,
    SHOPS,
    Action,
    Asker,
    Counts,
    Extent,
    Fulfilment,
    Market,
    OrderState,
    Row,
    Rule,
    ShipNotice,
)

CANCELLING = "Amazon: Seller Central help 201722390, who cancelled and what counts"
CANCEL_RATE = "Amazon: Seller Central help 200285210, pre-fulfilment cancel rate"
_CODES = "Amazon: Orders API cancelOrder, cancelReasonCode"
_PART = (
    "Amazon: Seller Central help 201722390 (order-adjustment feed), 200198080 (United Kingdom,"
    " partial stock); cancelOrder ends whole orders only; UNCONFIRMED whether an item counts"
)
_WITHOUT_SHIPMENT = (
    "Amazon: Seller Central help 201722390; that a notice without a shipment leads to suspension"
    " is known from one seller only"
)
_NOT_IN_METRIC = "not in the pre-fulfilment cancel rate"


def _row(
    states: tuple[OrderState, ...],
    askers: tuple[Asker, ...],
    rule: Rule,
    *,
    notices: tuple[ShipNotice, ...] = (ShipNotice.NOT_SENT,),
    extents: tuple[Extent, ...] = (Extent.WHOLE,),
) -> Row:
    return Row(
        market=Market.AMAZON,
        states=states,
        askers=askers,
        rule=rule,
        notices=notices,
        extents=extents,
    )


def _cancel(code: str, *others: str, counts: Counts, task: str, source: str) -> Rule:
    return Rule(
        action=Action.CANCEL,
        reason_code=code,
        other_codes=others,
        counts=counts,
        weighs=counts is Counts.YES,
        task=task,
        source=source,
    )


def _not_ours(action: Action, task: str, source: str) -> Rule:
    return Rule(action=action, counts=Counts.NO, task=task, source=source)


_STILL_PENDING = Rule(
    action=Action.WAIT,
    task="Payment is pending: do not ship, and wait until the order is unshipped.",
    source=CANCEL_RATE,
)
_BUYERS_REQUEST = _cancel(
    "BuyerCanceled",
    "BUYER_CANCELLED",
    counts=Counts.NO,
    task="The marketplace shows the buyer's request: cancel promptly as the buyer's.",
    source=CANCELLING,
)
_BUYER_FIRST = _cancel(
    "BuyerCanceled",
    "BUYER_CANCELLED",
    counts=Counts.NO,
    task="The flag was there before our word of the shortage: cancel as the buyer's.",
    source=f"{CANCELLING}; the flag's time is kept beside that of our message",
)
_OUT_OF_STOCK = _cancel(
    "NoInventory",
    "NO_INVENTORY",
    counts=Counts.YES,
    task="Find the units elsewhere if that can be; else cancel now, with an apology.",
    source=CANCELLING,
)
_ADDRESS = _cancel(
    "ShippingAddressUndeliverable",
    "SHIPPING_ADDRESS_UNDELIVERABLE",
    counts=Counts.YES,
    task="Ask the buyer for the right address; a person cancels if there is none.",
    source=CANCELLING,
)
_PRICE = _cancel(
    "PRICING_ERROR",
    counts=Counts.YES,
    task="Ship at the price shown if that can be borne; a person cancels if not.",
    source=f"{CANCEL_RATE}: what the shop starts counts; {_CODES}",
)
_MESSAGE_ONLY = Rule(
    action=Action.WAIT,
    counts=Counts.YES,
    weighs=True,
    task="A message is no request: cancelled now it counts; wait for the marketplace's own flag.",
    source=CANCELLING,
)
_SILENT = Rule(
    action=Action.PERSON,
    counts=Counts.YES,
    weighs=True,
    task="Ship if that can be; else a person cancels with whatever reason is the true one.",
    source=CANCELLING,
)
_PART_SHORT = Rule(
    action=Action.ADJUST,
    reason_code="NoInventory",
    weighs=True,
    task="Ship and confirm the lines that are there, then adjust the rest as out of stock.",
    source=_PART,
)
_HANDED_OVER = _not_ours(
    Action.SHIP_NOTICE,
    "It has left the house: send the ship notice, then advise to refuse it or to return it.",
    CANCELLING,
)
_NOTICE_SENT = _not_ours(
    Action.REPAY,
    "The ship notice is out and nothing was shipped: it cannot be cancelled; keep it, refund.",
    _WITHOUT_SHIPMENT,
)
_RETURNED = _not_ours(Action.RETURNED, "Return and refund.", CANCEL_RATE)
_LAPSES = Rule(
    action=Action.NOTHING,
    counts=Counts.YES,
    weighs=True,
    task="Amazon ends it 7 days after its ship-by date: be told before that day.",
    source=CANCELLING,
)
_AMAZONS_END = _not_ours(
    Action.NOTHING, "Fraud, or a payment that failed: nothing to do.", CANCELLING
)
_SELF = _not_ours(Action.NOTHING, "The buyer ended it: release what was reserved.", CANCELLING)
_ENDED_BY_SHOP = Rule(action=Action.NOTHING, counts=Counts.YES, weighs=True, source=CANCELLING)
_ENDED_BY_BUYER = Rule(action=Action.NOTHING, counts=Counts.NO, source=CANCELLING)
_AMAZON_SHIPS = _not_ours(
    Action.NOTHING,
    "Amazon ships it (FBA): a shop cannot cancel it.",
    f"{CANCEL_RATE}: orders that Amazon ships are {_NOT_IN_METRIC}",
)

_WORKED_ON = (*OPEN_STATES, OrderState.LOCKED)

ROWS = (
    _row(
        (OrderState.LOCKED,),
        (Asker.BUYER_SELF,),
        _not_ours(Action.NOTHING, "Payment is pending: do not ship.", CANCEL_RATE),
        extents=EITHER_EXTENT,
    ),
    _row(
        (OrderState.LOCKED,),
        (Asker.SHOP_OUT_OF_STOCK, Asker.BUYER_REQUEST, Asker.BUYER_FIRST),
        _STILL_PENDING,
    ),
    _row((OrderState.JUST_PLACED,), (Asker.BUYER_SELF,), _SELF, extents=EITHER_EXTENT),
    _row(OPEN_STATES, (Asker.BUYER_REQUEST,), _BUYERS_REQUEST),
    _row(OPEN_STATES, (Asker.BUYER_FIRST,), _BUYER_FIRST),
    _row(OPEN_STATES, (Asker.BUYER_MESSAGE,), _MESSAGE_ONLY),
    _row(OPEN_STATES, (Asker.SHOP_OUT_OF_STOCK,), _OUT_OF_STOCK),
    _row(OPEN_STATES, (Asker.SHOP_OUT_OF_STOCK,), _PART_SHORT, extents=(Extent.PART,)),
    _row(OPEN_STATES, (Asker.SHOP_ADDRESS,), _ADDRESS),
    _row(OPEN_STATES, (Asker.SHOP_BUYER_SILENT,), _SILENT),
    _row(OPEN_STATES, (Asker.SHOP_PRICE,), _PRICE),
    _row((OrderState.SHIPPED,), BUYERS, _HANDED_OVER, extents=EITHER_EXTENT),
    _row(
        _WORKED_ON,
        (*BUYERS, *SHOPS),
        _NOTICE_SENT,
        notices=(ShipNotice.SENT,),
        extents=EITHER_EXTENT,
    ),
    _row(
        (OrderState.SHIPPED,),
        BUYERS,
        _RETURNED,
        notices=(ShipNotice.SENT,),
        extents=EITHER_EXTENT,
    ),
    _row(
        (*_WORKED_ON, OrderState.CANCELLED),
        (Asker.MARKETPLACE_LAPSED,),
        _LAPSES,
        extents=EITHER_EXTENT,
    ),
    _row(
        (*_WORKED_ON, OrderState.SCREENED, OrderState.CANCELLED),
        (Asker.MARKETPLACE,),
        _AMAZONS_END,
        extents=EITHER_EXTENT,
    ),
    _row((OrderState.CANCELLED,), (*SHOPS, Asker.BUYER_MESSAGE), _ENDED_BY_SHOP),
    _row(
        (OrderState.CANCELLED,),
        (Asker.BUYER_SELF, Asker.BUYER_REQUEST, Asker.BUYER_FIRST),
        _ENDED_BY_BUYER,
    ),
    Row(
        market=Market.AMAZON,
        states=EVERY_STATE,
        askers=HONEST_ASKERS,
        rule=_AMAZON_SHIPS,
        notices=EITHER_NOTICE,
        fulfilments=(Fulfilment.CHANNEL,),
        extents=EITHER_EXTENT,
    ),
    Row(
        market=Market.AMAZON,
        states=(OrderState.BY_CHANNEL,),
        askers=HONEST_ASKERS,
        rule=_AMAZON_SHIPS,
        notices=EITHER_NOTICE,
        extents=EITHER_EXTENT,
    ),
)
