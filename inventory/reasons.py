"""The decision table of giving an order up: what may be done, for what reason, does it count.

Pure data, keyed by the kind of channel, the state of the order and who asked for its end. What no
row lists goes to a person. A reason is always the true one (L10): out of stock is sent as out of
stock, and a buyer's reason only where the marketplace itself shows that the buyer asked.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import StrEnum

from msgspec import Struct

from inventory.errors import InventoryError
from inventory.vocabulary import CancelRequest, Kind, Party, Reason

# Seller Central help 201722390: Amazon itself cancels 7 days after the ship-by date.
LAPSES_AFTER = timedelta(days=7)


class OrderState(StrEnum):
    """Where an order stands. `locked`: the channel accepts no cancellation by the shop just now."""

    OPEN = "open"
    LOCKED = "locked"
    PARTLY_SHIPPED = "partly_shipped"
    SHIPPED = "shipped"
    CANCELLED = "cancelled"
    BY_CHANNEL = "by_channel"


class Asker(StrEnum):
    """Who asked for the order's end, and why.

    `buyer_self` is the buyer's own button, `buyer_request` a request that the shop carries out,
    `marketplace_lapsed` the marketplace's end of an order that the shop let lie.
    """

    SHOP_OUT_OF_STOCK = "shop_out_of_stock"
    SHOP_OTHER = "shop_other"
    BUYER_SELF = "buyer_self"
    BUYER_REQUEST = "buyer_request"
    MARKETPLACE = "marketplace"
    MARKETPLACE_LAPSED = "marketplace_lapsed"
    UNKNOWN = "unknown"


class Action(StrEnum):
    """What is left to do: end the order, wait, nothing, or ask a person what to do.

    An order is ended by the channel's API, or by a person in its admin where it has none.
    """

    CANCEL = "cancel"
    WAIT = "wait"
    NOTHING = "nothing"
    PERSON = "person"


class Counts(StrEnum):
    """Whether a cancellation counts against the marketplace's metric."""

    YES = "yes"
    NO = "no"
    UNCONFIRMED = "unconfirmed"


class Rule(Struct, frozen=True, kw_only=True):
    """One row. `source` names the marketplace's page, or says how well the row is known.

    `weighs`: our metric is computed with it, because it counts or because it may count and the
    shop caused it (the worst case is shown).
    """

    action: Action
    reason_code: str = ""
    counts: Counts = Counts.UNCONFIRMED
    weighs: bool = False
    source: str = ""


class ReasonRefused(InventoryError):
    """A reason that must not be sent for an order, as it would not be the true one."""

    code = "reason_refused"


OUT_OF_STOCK_CODES = {
    Kind.RAKUTEN: "8",
    Kind.YAHOO: "210",
    Kind.AMAZON: "NoInventory",
    Kind.SHOPIFY: "INVENTORY",
}
# Amazon's newer orders API has its own word for the same reason.
_OUT_OF_STOCK_WORDS = {*OUT_OF_STOCK_CODES.values(), "NO_INVENTORY"}
_BUYER_CODES = {
    Kind.RAKUTEN: {"1", "2", "3", "4", "5", "6"},
    Kind.YAHOO: {"100", "110", "120", "130", "140", "150", "160", "170", "180"},
    Kind.SHOPIFY: {"CUSTOMER"},
}
# Only Amazon's orders API shows that the buyer asked (BuyerRequestedCancel, cancellationRequest).
_SHOWS_BUYER_REQUESTS = {Kind.AMAZON}

YES, NO, UNCONFIRMED = Counts.YES, Counts.NO, Counts.UNCONFIRMED
OUT_OF_STOCK, SHOP_OTHER = Asker.SHOP_OUT_OF_STOCK, Asker.SHOP_OTHER
BUYER_SELF, BUYER_REQUEST = Asker.BUYER_SELF, Asker.BUYER_REQUEST
MARKETPLACE, LAPSED = Asker.MARKETPLACE, Asker.MARKETPLACE_LAPSED

_CANCELLING = "Amazon: Seller Central help 201722390, who cancelled and what counts"
_CANCEL_RATE = "Amazon: Seller Central help 200285210, pre-fulfilment cancel rate"
_RMS = "Rakuten: RMS RakutenPayOrderAPI cancelOrder"
_POINTS = "Rakuten: RMS violation points; whether every cancellation scores is UNCONFIRMED"
_NO_POINTS = "Rakuten: no page says that it scores; UNCONFIRMED, taken as not"
_STORE_RATE = "Yahoo!: order cancel rate on the store's rating page; reason group of CancelReason"
_NOT_SAID = "Yahoo!: the rate's page does not name this case; UNCONFIRMED, taken as not"
_ADMIN = "Shopify: no metric of its own; Shopify Payments keeps the card fee on a refund"
_VOIDED = "Shopify: no metric of its own; a declined or fraudulent payment is not captured"
_BY_HAND = "EC-CUBE: its Web API plugin has no cancel mutation; a person does it in the admin"
_OWN = "an own store has no marketplace and no metric"

# The shop may ask the channel to cancel an open order: reason code, counts, weighs.
_MAY_CANCEL = (
    (Kind.AMAZON, OUT_OF_STOCK, "NoInventory", YES, True, _CANCELLING),
    (Kind.AMAZON, BUYER_REQUEST, "BuyerCanceled", NO, False, _CANCELLING),
    (Kind.RAKUTEN, OUT_OF_STOCK, "8", UNCONFIRMED, True, _POINTS),
    (Kind.YAHOO, OUT_OF_STOCK, "210", YES, True, _STORE_RATE),
    (Kind.SHOPIFY, OUT_OF_STOCK, "INVENTORY", NO, True, _ADMIN),
    (Kind.ECCUBE, OUT_OF_STOCK, "out_of_stock", NO, False, _BY_HAND),
)
# No cancellation is taken just now: Amazon while payment is pending, Rakuten in status 400.
_MUST_WAIT = (
    (Kind.AMAZON, OUT_OF_STOCK, _CANCEL_RATE),
    (Kind.AMAZON, BUYER_REQUEST, _CANCEL_RATE),
    (Kind.RAKUTEN, OUT_OF_STOCK, _RMS),
)
# The order has ended already: counts, weighs.
_HAS_ENDED = (
    (Kind.AMAZON, (OUT_OF_STOCK, SHOP_OTHER, LAPSED), YES, True, _CANCELLING),
    (Kind.AMAZON, (BUYER_SELF, BUYER_REQUEST, MARKETPLACE), NO, False, _CANCELLING),
    (Kind.RAKUTEN, (OUT_OF_STOCK, SHOP_OTHER), UNCONFIRMED, True, _POINTS),
    (Kind.RAKUTEN, (BUYER_SELF, BUYER_REQUEST, MARKETPLACE), UNCONFIRMED, False, _NO_POINTS),
    (Kind.YAHOO, (OUT_OF_STOCK, SHOP_OTHER), YES, True, _STORE_RATE),
    (Kind.YAHOO, (BUYER_REQUEST,), NO, False, _STORE_RATE),
    (Kind.YAHOO, (BUYER_SELF, MARKETPLACE), UNCONFIRMED, False, _NOT_SAID),
    (Kind.SHOPIFY, (OUT_OF_STOCK, SHOP_OTHER, BUYER_SELF, BUYER_REQUEST), NO, True, _ADMIN),
    (Kind.SHOPIFY, (MARKETPLACE,), NO, False, _VOIDED),
    (Kind.ECCUBE, tuple(Asker), NO, False, _OWN),
    (Kind.OWN_STORE, tuple(Asker), NO, False, _OWN),
)


def _table() -> dict[tuple[Kind, OrderState, Asker], Rule]:
    rows = {
        (kind, OrderState.OPEN, asker): Rule(
            action=Action.CANCEL, reason_code=code, counts=counts, weighs=weighs, source=source
        )
        for kind, asker, code, counts, weighs, source in _MAY_CANCEL
    }
    for kind, asker, source in _MUST_WAIT:
        rows[kind, OrderState.LOCKED, asker] = Rule(action=Action.WAIT, source=source)
    for kind, askers, counts, weighs, source in _HAS_ENDED:
        rule = Rule(action=Action.NOTHING, counts=counts, weighs=weighs, source=source)
        rows |= {(kind, OrderState.CANCELLED, asker): rule for asker in askers}
    # What Amazon fulfils itself is in no metric of the shop (FBA).
    theirs = Rule(action=Action.NOTHING, counts=NO, source=_CANCEL_RATE)
    rows |= {(Kind.AMAZON, OrderState.BY_CHANNEL, asker): theirs for asker in Asker}
    return rows


TABLE = _table()
_TO_A_PERSON = Rule(action=Action.PERSON, source="no row of the table lists this")


def decide(kind: Kind, state: OrderState, asker: Asker) -> Rule:
    """The rule for this case; what no row lists goes to a person and may count."""
    return TABLE.get((kind, state, asker), _TO_A_PERSON)


def cancels_out_of_stock() -> list[Kind]:
    """The kinds that let the shop cancel an open order for want of stock."""
    return [
        kind for kind in Kind if decide(kind, OrderState.OPEN, OUT_OF_STOCK).action is Action.CANCEL
    ]


def order_state(
    *, cancelled: bool, cancellable: bool, by_channel: bool, open_units: int, shipped_units: int
) -> OrderState:
    """Where an order stands, from what its channel shows; units over all its lines."""
    if by_channel:
        return OrderState.BY_CHANNEL
    if cancelled:
        return OrderState.CANCELLED
    if shipped_units:
        return OrderState.PARTLY_SHIPPED if open_units else OrderState.SHIPPED
    return OrderState.OPEN if cancellable else OrderState.LOCKED


def lapsed(*, ship_by: datetime | None, ended_at: datetime | None) -> bool:
    """Whether a marketplace's cancellation came so late that it is the one for lying unshipped.

    Seller Central help 201722390. The end is taken as the moment we heard of it.
    """
    return ship_by is not None and ended_at is not None and ended_at >= ship_by + LAPSES_AFTER


def who_asked(
    kind: Kind, by: Party | None, reason_code: str | None, *, buyer_asked: bool, late: bool
) -> Asker:
    """Who was behind a cancellation that has happened, from the channel's own record.

    On Amazon the marketplace's flag decides, not the code that was picked: a buyer's code without
    the flag counts as the shop's (Seller Central help 201722390).
    """
    if by is Party.BUYER:
        return Asker.BUYER_SELF
    if by is Party.MARKETPLACE:
        return Asker.MARKETPLACE_LAPSED if late else Asker.MARKETPLACE
    if by is None:
        return Asker.UNKNOWN
    if reason_code in _OUT_OF_STOCK_WORDS:
        return Asker.SHOP_OUT_OF_STOCK
    asked = (
        buyer_asked if kind in _SHOWS_BUYER_REQUESTS else reason_code in _BUYER_CODES.get(kind, ())
    )
    return Asker.BUYER_REQUEST if asked else Asker.SHOP_OTHER


def cancel_request(
    kind: Kind,
    reason: Reason,
    *,
    order_ref: str,
    line_refs: Sequence[str],
    buyer_asked: bool = False,
    note: str = "",
) -> CancelRequest:
    """The only place where a request to cancel is made, so that its reason is a true one (L10).

    Raises `ReasonRefused` for a buyer's reason without the marketplace's own flag that the buyer
    asked (which only Amazon has), and where the table has no way to cancel.
    """
    if reason is Reason.BUYER_REQUEST and not (buyer_asked and kind in _SHOWS_BUYER_REQUESTS):
        raise ReasonRefused(
            f"{order_ref}: a buyer's reason needs the marketplace's own record that the buyer asked"
        )
    asker = Asker.BUYER_REQUEST if reason is Reason.BUYER_REQUEST else Asker.SHOP_OUT_OF_STOCK
    if decide(kind, OrderState.OPEN, asker).action is not Action.CANCEL:
        raise ReasonRefused(
            f"{order_ref}: {kind.value} orders cannot be cancelled as {reason.value}"
        )
    return CancelRequest(order_ref=order_ref, line_refs=tuple(line_refs), reason=reason, note=note)
