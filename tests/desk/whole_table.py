"""All that the decision table says, a second time: no case more and none less.

A row: marketplace, state, who asked, ship notice, fulfilment, extent; then the permitted action,
the reason codes (the first is sent), whether it counts, and a word that its source must name.
`*` stands for every value, `|` for or, `_` for a space. `+`: our metric is computed with it, though
it may not count, or only money is lost.
"""

from __future__ import annotations

from msgspec import Struct

CODES = {
    "-": (),
    "BUYER": ("BuyerCanceled", "BUYER_CANCELLED"),
    "SHORT": ("NoInventory", "NO_INVENTORY"),
    "ADDRESS": ("ShippingAddressUndeliverable", "SHIPPING_ADDRESS_UNDELIVERABLE"),
}

UNSHIPPED = ("just_placed", "unpaid", "open")
BUYERS = ("buyer_self", "buyer_request", "buyer_first", "buyer_message")
SHOPS = (
    *("shop_out_of_stock", "shop_discontinued", "shop_address", "shop_buyer_silent"),
    *("shop_price", "shop_other"),
)
SEVERAL = {
    "unshipped": UNSHIPPED,
    "asked": ("buyer_request", "buyer_first"),
    "buyers": BUYERS,
    "shops": SHOPS,
    "honest": (*BUYERS, *SHOPS, "marketplace", "marketplace_lapsed", "unknown"),
}

TEXT = """
# Payment pending: the buyer ends it directly, nothing to do; else wait for the payment.
amazon locked buyer_self not_sent shop * -> nothing - no 200285210
amazon locked shop_out_of_stock|asked not_sent shop whole -> wait - unconfirmed 200285210
# The first five minutes: the buyer ends it alone.
amazon just_placed buyer_self not_sent shop * -> nothing - no 201722390
# Unshipped, an official request with the marketplace's flag.
amazon unshipped buyer_request not_sent shop whole -> cancel BUYER no 201722390
# Unshipped, asked by message only: wait for the flag; ended now, it counts.
amazon unshipped buyer_message not_sent shop whole -> wait - yes 201722390
# Unshipped, out of stock.
amazon unshipped shop_out_of_stock not_sent shop whole -> cancel SHORT yes 201722390
# Unshipped, out of stock, and the buyer had asked before, of his own wish.
amazon unshipped buyer_first not_sent shop whole -> cancel BUYER no 201722390
# Out of stock, and having the buyer file a request; calling it the buyer's; a ship notice; waiting.
amazon * shop_via_buyer * * * -> forbidden - unconfirmed 201722390
amazon * shop_as_buyer * * * -> forbidden - yes 201722390
amazon * shop_ship_notice * * * -> forbidden - unconfirmed suspension
amazon * shop_lets_lapse * * * -> forbidden - unconfirmed 201722390
# Unshipped: an address that cannot be reached, a buyer who is silent, a price that was wrong.
amazon unshipped shop_address not_sent shop whole -> cancel ADDRESS yes 201722390
amazon unshipped shop_buyer_silent not_sent shop whole -> person - yes 201722390
amazon unshipped shop_price not_sent shop whole -> cancel PRICING_ERROR yes 200285210
# Unshipped, and only some lines are short: whether it counts is not known, so it weighs.
amazon unshipped shop_out_of_stock not_sent shop part -> adjust NoInventory unconfirmed+ 200198080
# It has left the house and no notice was sent.
amazon shipped buyers not_sent shop * -> ship_notice - no 201722390
# A notice was sent and it has not left the house, whoever asks.
amazon unshipped|locked buyers|shops sent shop * -> repay - no suspension
# Shipped and delivered.
amazon shipped buyers sent shop * -> returned - no 200285210
# Seven days past the ship-by date.
amazon unshipped|locked|cancelled marketplace_lapsed not_sent shop * -> nothing - yes 201722390
# Fraud, or a payment that failed.
amazon unshipped|locked|screened|cancelled marketplace not_sent shop * -> nothing - no 201722390
# Ended already: what the shop did counts, also on a message alone; what the buyer asked does not.
amazon cancelled shops|buyer_message not_sent shop whole -> nothing - yes 201722390
amazon cancelled buyer_self|asked not_sent shop whole -> nothing - no 201722390
# What Amazon ships itself, in whatever state.
amazon * honest * channel * -> nothing - no 200285210
amazon by_channel honest * shop * -> nothing - no 200285210

# The buyer's own 30 minutes.
rakuten just_placed buyer_self not_sent shop * -> nothing - unconfirmed UNCONFIRMED
# 100, 200, 300: out of stock; the buyer asked.
rakuten unshipped shop_out_of_stock not_sent shop whole -> cancel 8 unconfirmed+ cancelOrder
rakuten unshipped asked not_sent shop whole -> cancel 1,4,6 unconfirmed cancelOrder
# 400: a change is under way, whoever asks.
rakuten locked honest not_sent shop * -> wait - unconfirmed RMS
# 500 to 800: real returns, and shipments that were undone.
rakuten shipped buyers * shop * -> returned 2,3,5 unconfirmed cancelOrderAfterShipping
rakuten shipped shop_other * shop * -> returned 15,13 unconfirmed+ cancelOrderAfterShipping
# A line is short; a payment that failed.
rakuten unshipped shop_out_of_stock not_sent shop part -> edit_lines - unconfirmed+ UNCONFIRMED
rakuten unshipped|screened marketplace not_sent shop * -> nothing - unconfirmed 7_days
# Ended already.
rakuten cancelled shops not_sent shop whole -> nothing - unconfirmed+ violation_points
rakuten cancelled buyers|marketplace not_sent shop whole -> nothing - unconfirmed UNCONFIRMED

# The buyer's own 10 minutes.
yahoo just_placed buyer_self not_sent shop * -> nothing - unconfirmed UNCONFIRMED
# 1, 2, 3: out of stock; discontinued; the buyer asked.
yahoo unshipped shop_out_of_stock not_sent shop whole -> cancel 210 yes orderStatusChange
yahoo unshipped shop_discontinued not_sent shop whole -> cancel 220 yes CancelReason
yahoo unshipped asked not_sent shop whole -> cancel 100,160,120 no orderStatusChange
# Held as fraud or as a prank.
yahoo screened marketplace not_sent shop whole -> cancel 170 no UNCONFIRMED
# 5, completed: the API would do it; only for real returns.
yahoo shipped buyers * shop * -> returned 110 unconfirmed orderStatusChange
# A line is short.
yahoo unshipped shop_out_of_stock not_sent shop part -> edit_lines - unconfirmed+ orderChange
# Ended already.
yahoo cancelled shops not_sent shop whole -> nothing - yes cancel_rate
yahoo cancelled asked not_sent shop whole -> nothing - no cancel_rate
yahoo cancelled buyer_self|marketplace not_sent shop whole -> nothing - unconfirmed UNCONFIRMED

au_pay unshipped shop_out_of_stock not_sent shop * -> cancel - unconfirmed+ UNCONFIRMED
# Qoo10: up to 6 hours, anyone; later, shop or buyer; shipped.
qoo10 just_placed shops|buyers not_sent shop * -> cancel - no 6_hours
qoo10 unpaid|open shops|buyers not_sent shop * -> cancel - yes SetCancelProcess
qoo10 shipped buyers * shop * -> returned - no Qoo10
# Shopify: nothing captured; captured, which loses the fee; partly shipped; ended already.
shopify unpaid shop_out_of_stock not_sent shop whole -> cancel INVENTORY no not_captured
shopify just_placed|open shop_out_of_stock not_sent shop whole -> cancel INVENTORY no+ card_fee
shopify unshipped|partly_shipped shop_out_of_stock * shop part -> edit_lines - no+ UNCONFIRMED
shopify cancelled shops|buyers not_sent shop whole -> nothing - no+ card_fee
shopify cancelled marketplace not_sent shop whole -> nothing - no not_captured
mercari_shops unshipped shop_out_of_stock not_sent shop * -> cancel out_of_stock unconfirmed+ guide
# Own stores have no metric; a person ends an order in their own admin.
eccube unshipped shop_out_of_stock not_sent shop whole -> cancel out_of_stock no EC-CUBE
eccube cancelled honest not_sent shop whole -> nothing - no no_metric
own_store cancelled honest not_sent shop whole -> nothing - no no_metric

# A part that has ended while the rest lives on: no page says how it counts, and what the shop
# caused weighs as one order.
amazon cancelled shops|buyer_message not_sent shop part -> nothing - unconfirmed+ 200285210
amazon cancelled buyer_self|asked not_sent shop part -> nothing - no 201722390
rakuten cancelled shops not_sent shop part -> nothing - unconfirmed+ changed_orders
rakuten cancelled buyers|marketplace not_sent shop part -> nothing - unconfirmed buyer's_change
yahoo cancelled shops not_sent shop part -> nothing - unconfirmed+ UNCONFIRMED
yahoo cancelled asked not_sent shop part -> nothing - no own_cancellations
yahoo cancelled buyer_self|marketplace not_sent shop part -> nothing - unconfirmed UNCONFIRMED
shopify cancelled shops|buyers|unknown not_sent shop part -> nothing - no+ pro_rata
shopify cancelled marketplace not_sent shop part -> nothing - no pro_rata
eccube cancelled honest not_sent shop part -> nothing - no own_store
own_store cancelled honest not_sent shop part -> nothing - no own_store
"""


class Said(Struct, frozen=True, kw_only=True):
    """One row of the text. `case`: the values of each of its columns, none for all of them."""

    market: str
    case: tuple[tuple[str, ...], ...]
    action: str
    codes: tuple[str, ...]
    counts: str
    weighs: bool
    named: str


def _values(word: str) -> tuple[str, ...]:
    """The values that a word of a column stands for."""
    if word == "*":
        return ()
    return tuple(value for each in word.split("|") for value in SEVERAL.get(each, (each,)))


def _said(line: str) -> Said:
    (market, *case), (action, codes, counts, named) = (half.split() for half in line.split(" -> "))
    return Said(
        market=market,
        case=tuple(_values(word) for word in case),
        action=action,
        codes=CODES.get(codes, tuple(codes.split(","))),
        counts=counts.removesuffix("+"),
        weighs=counts == "yes" or counts.endswith("+"),
        named=named.replace("_", " "),
    )


WHOLE = [_said(line) for line in TEXT.splitlines() if line and not line.startswith("#")]
