"""Rows for own stores and for marketplaces without an adapter; what no shop may do anywhere.

Pure data, read on 2026-11-01. What only shops and their tools say is UNCONFIRMED in the source.
"""

from __future__ import annotations

from inventory.decision_table.words import (
    BUYERS,
    EITHER_EXTENT,
    EITHER_FULFILMENT,
    EITHER_NOTICE,
    EVERY_STATE,
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

_ADMIN = "Shopify: no metric of its own; Shopify Payments keeps the card fee on a refund"
_CANCEL = "Shopify: Admin GraphQL orderCancel, reason INVENTORY, restock false"
_NOT_CAPTURED = f"{_CANCEL}; a payment that was not captured costs no fee"
_PARTLY = (
    "Shopify: Admin GraphQL refundCreate and order edits; orderCancel ends whole orders;"
    " that the fee is lost pro rata is UNCONFIRMED"
)
_VOIDED = "Shopify: no metric of its own; a declined or fraudulent payment is not captured"
_BY_HAND = "EC-CUBE: its Web API plugin has no cancel mutation; a person does it in the admin"
_OWN = "an own store has no marketplace and no metric"
_AU_PAY = (
    "au PAY Market: separate operations end an order or an item; reason codes and whether it"
    " counts are UNCONFIRMED"
)
_QOO10 = (
    "Qoo10: cancel rate as sellers tell it, orders that end within 6 hours left out; Claim API"
    " SetCancelProcess; values of CancelReason are UNCONFIRMED"
)
_MERCARI = (
    "Mercari Shops: an older guide to cancelling, refunds are made by the marketplace; route and"
    " whether it counts are UNCONFIRMED"
)
_NEVER = {
    Asker.SHOP_VIA_BUYER: "Never ask a buyer to file a request for what the shop caused.",
    Asker.SHOP_AS_BUYER: "Never send a buyer's reason for what the shop caused.",
    Asker.SHOP_SHIP_NOTICE: "Never send a ship notice without a hand-over.",
    Asker.SHOP_LETS_LAPSE: "Never let an order lie until the marketplace ends it.",
}
_NEVER_SOURCES = {
    Asker.SHOP_VIA_BUYER: "Amazon: Seller Central help 201722390 forbids it; a rule everywhere",
    Asker.SHOP_AS_BUYER: "Amazon: Seller Central help 201722390, it counts all the same;"
    " Rakuten, Yahoo!: our own rule, a primary text is UNCONFIRMED",
    Asker.SHOP_SHIP_NOTICE: "Amazon: a notice of suspension that one seller shows; a rule"
    " everywhere",
    Asker.SHOP_LETS_LAPSE: "Amazon: Seller Central help 201722390, an order that lapses counts;"
    " a rule everywhere",
}


def _give_up(code: str, task: str, source: str, *, counts: Counts, weighs: bool = False) -> Rule:
    return Rule(
        action=Action.CANCEL,
        reason_code=code,
        counts=counts,
        weighs=weighs,
        task=task,
        source=source,
    )


def _ended(market: Market, askers: tuple[Asker, ...], source: str, *, weighs: bool = False) -> Row:
    rule = Rule(action=Action.NOTHING, counts=Counts.NO, weighs=weighs, source=source)
    return Row(market=market, states=(OrderState.CANCELLED,), askers=askers, rule=rule)


SHOPIFY = (
    Row(
        market=Market.SHOPIFY,
        states=(OrderState.UNPAID,),
        askers=(Asker.SHOP_OUT_OF_STOCK,),
        rule=_give_up(
            "INVENTORY",
            "Cancel with restock off; no fee, as nothing was captured.",
            _NOT_CAPTURED,
            counts=Counts.NO,
        ),
    ),
    Row(
        market=Market.SHOPIFY,
        states=(OrderState.JUST_PLACED, OrderState.OPEN),
        askers=(Asker.SHOP_OUT_OF_STOCK,),
        rule=_give_up(
            "INVENTORY",
            "Cancel and refund with restock off; the card fee is lost.",
            f"{_CANCEL}; {_ADMIN}",
            counts=Counts.NO,
            weighs=True,
        ),
    ),
    Row(
        market=Market.SHOPIFY,
        states=(OrderState.PARTLY_SHIPPED, *OPEN_STATES),
        askers=(Asker.SHOP_OUT_OF_STOCK,),
        notices=EITHER_NOTICE,
        extents=(Extent.PART,),
        rule=Rule(
            action=Action.EDIT_LINES,
            counts=Counts.NO,
            weighs=True,
            task="A person refunds the open lines, or takes them out of the order.",
            source=_PARTLY,
        ),
    ),
    _ended(Market.SHOPIFY, (*SHOPS, *BUYERS), _ADMIN, weighs=True),
    _ended(Market.SHOPIFY, (Asker.MARKETPLACE,), _VOIDED),
)

OWN = (
    Row(
        market=Market.ECCUBE,
        states=OPEN_STATES,
        askers=(Asker.SHOP_OUT_OF_STOCK,),
        rule=_give_up(
            "out_of_stock",
            "A person ends it in the shop's own admin, as out of stock.",
            _BY_HAND,
            counts=Counts.NO,
        ),
    ),
    _ended(Market.ECCUBE, HONEST_ASKERS, _OWN),
    _ended(Market.OWN_STORE, HONEST_ASKERS, _OWN),
)

WITHOUT_ADAPTER = (
    Row(
        market=Market.AU_PAY,
        states=OPEN_STATES,
        askers=(Asker.SHOP_OUT_OF_STOCK,),
        extents=EITHER_EXTENT,
        rule=_give_up(
            "",
            "Tell the buyer first; then a person ends the order, or the item of it.",
            _AU_PAY,
            counts=Counts.UNCONFIRMED,
            weighs=True,
        ),
    ),
    Row(
        market=Market.QOO10,
        states=(OrderState.JUST_PLACED,),
        askers=(*SHOPS, *BUYERS),
        extents=EITHER_EXTENT,
        rule=_give_up(
            "",
            "Within 6 hours of the order it is left out: cancel now if the shortage is certain.",
            _QOO10,
            counts=Counts.NO,
        ),
    ),
    Row(
        market=Market.QOO10,
        states=(OrderState.UNPAID, OrderState.OPEN),
        askers=(*SHOPS, *BUYERS),
        extents=EITHER_EXTENT,
        rule=_give_up(
            "",
            "A person cancels with the true reason; after 6 hours a buyer's wish counts too.",
            _QOO10,
            counts=Counts.YES,
            weighs=True,
        ),
    ),
    Row(
        market=Market.QOO10,
        states=(OrderState.SHIPPED,),
        askers=BUYERS,
        notices=EITHER_NOTICE,
        extents=EITHER_EXTENT,
        rule=Rule(
            action=Action.RETURNED,
            counts=Counts.NO,
            task="By the marketplace's own way of returns.",
            source="Qoo10: returns, as sellers tell it",
        ),
    ),
    Row(
        market=Market.MERCARI_SHOPS,
        states=OPEN_STATES,
        askers=(Asker.SHOP_OUT_OF_STOCK,),
        extents=EITHER_EXTENT,
        rule=_give_up(
            "out_of_stock",
            "Write to the buyer first, as it cannot be done after; then cancel there. The"
            " marketplace refunds: never privately.",
            _MERCARI,
            counts=Counts.UNCONFIRMED,
            weighs=True,
        ),
    ),
)


def _never(market: Market, asker: Asker) -> Row:
    # What counts either way is said, so that an end found out later is put on record.
    counts = market is Market.AMAZON and asker is Asker.SHOP_AS_BUYER
    return Row(
        market=market,
        states=EVERY_STATE,
        askers=(asker,),
        notices=EITHER_NOTICE,
        fulfilments=EITHER_FULFILMENT,
        extents=EITHER_EXTENT,
        rule=Rule(
            action=Action.FORBIDDEN,
            counts=Counts.YES if counts else Counts.UNCONFIRMED,
            weighs=counts,
            task=_NEVER[asker],
            source=_NEVER_SOURCES[asker],
        ),
    )


FORBIDDEN = tuple(_never(market, asker) for market in Market for asker in _NEVER)
