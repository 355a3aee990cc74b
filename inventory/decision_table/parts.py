"""Rows of the decision table for parts of orders that have ended while the rest lives on.

Pure data, read on 2026-11-01. No page says how a part counts: what the shop caused is weighed as an
order of its own, the worst case, and stays UNCONFIRMED.
"""

from __future__ import annotations

from inventory.decision_table.words import (
    BUYERS,
    HONEST_ASKERS,
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

_ITEM = (
    "Amazon: Seller Central help 200285210, of which only pages for other countries name items"
    " beside orders; UNCONFIRMED whether an item counts in Japan"
)
_REQUEST = (
    "Amazon: Seller Central help 201722390: an official request does not count when the whole order"
    " ends, so no more when a part does"
)
_LINE = "Rakuten: an old help page on changed orders; whether a line scores is UNCONFIRMED"
_NO_POINTS = "Rakuten: no page says that a buyer's change scores; UNCONFIRMED, taken as not"
_RATE = "Yahoo!: the store's cancel rate speaks of orders; whether a line counts is UNCONFIRMED"
_BUYERS_LINE = "Yahoo!: the cancel rate is of the store's own cancellations"
_FEE = (
    "Shopify: no metric of its own; that Shopify Payments keeps the card fee pro rata on a part's"
    " refund is UNCONFIRMED"
)
_OWN = "an own store has no marketplace and no metric"
_WISHED = (Asker.BUYER_SELF, Asker.BUYER_REQUEST, Asker.BUYER_FIRST)


def _ended(
    market: Market,
    askers: tuple[Asker, ...],
    counts: Counts,
    source: str,
    *,
    weighs: bool = False,
) -> Row:
    return Row(
        market=market,
        states=(OrderState.CANCELLED,),
        askers=askers,
        extents=(Extent.PART,),
        rule=Rule(action=Action.NOTHING, counts=counts, weighs=weighs, source=source),
    )


ROWS = (
    _ended(Market.AMAZON, (*SHOPS, Asker.BUYER_MESSAGE), Counts.UNCONFIRMED, _ITEM, weighs=True),
    _ended(Market.AMAZON, _WISHED, Counts.NO, _REQUEST),
    _ended(Market.RAKUTEN, SHOPS, Counts.UNCONFIRMED, _LINE, weighs=True),
    _ended(Market.RAKUTEN, (*BUYERS, Asker.MARKETPLACE), Counts.UNCONFIRMED, _NO_POINTS),
    _ended(Market.YAHOO, SHOPS, Counts.UNCONFIRMED, _RATE, weighs=True),
    _ended(Market.YAHOO, (Asker.BUYER_REQUEST, Asker.BUYER_FIRST), Counts.NO, _BUYERS_LINE),
    _ended(Market.YAHOO, (Asker.BUYER_SELF, Asker.MARKETPLACE), Counts.UNCONFIRMED, _RATE),
    # It never tells who took a line out, and the fee is lost whoever did.
    _ended(Market.SHOPIFY, (*SHOPS, *BUYERS, Asker.UNKNOWN), Counts.NO, _FEE, weighs=True),
    _ended(Market.SHOPIFY, (Asker.MARKETPLACE,), Counts.NO, _FEE),
    _ended(Market.ECCUBE, HONEST_ASKERS, Counts.NO, _OWN),
    _ended(Market.OWN_STORE, HONEST_ASKERS, Counts.NO, _OWN),
)
