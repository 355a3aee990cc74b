"""What the decision table must say: every rule that was found, in words of our own.

A row: marketplace, state, who asked, ship notice, fulfilment, extent; then the permitted action,
the reason codes (the first is sent), whether it counts, and a word that its source must name.
`*` stands for every value, `_` for a space.
"""

from __future__ import annotations

from msgspec import Struct

CODES = {
    "-": (),
    "BUYER": ("BuyerCanceled", "BUYER_CANCELLED"),
    "SHORT": ("NoInventory", "NO_INVENTORY"),
    "ADDRESS": ("ShippingAddressUndeliverable", "SHIPPING_ADDRESS_UNDELIVERABLE"),
}

TEXT = """
# Payment pending, and the buyer ends it directly: nothing, do not ship.
amazon locked buyer_self not_sent shop * -> nothing - no 200285210
# The first five minutes: the buyer ends it alone.
amazon just_placed buyer_self not_sent shop * -> nothing - no 201722390
# Unshipped, an official request with the marketplace's flag.
amazon open buyer_request not_sent shop whole -> cancel BUYER no 201722390
# Unshipped, asked by message only: wait for the flag; ended now, it counts.
amazon open buyer_message not_sent shop whole -> wait - yes 201722390
# Unshipped, out of stock.
amazon open shop_out_of_stock not_sent shop whole -> cancel SHORT yes 201722390
# Unshipped, out of stock, and the buyer had asked before, of his own wish.
amazon open buyer_first not_sent shop whole -> cancel BUYER no 201722390
# Out of stock, and having the buyer file a request; calling it the buyer's; a ship notice.
amazon open shop_via_buyer not_sent shop * -> forbidden - unconfirmed 201722390
amazon open shop_as_buyer not_sent shop whole -> forbidden - yes 201722390
amazon open shop_ship_notice * shop * -> forbidden - unconfirmed suspension
# Unshipped: an address that cannot be reached, a buyer who is silent, a price that was wrong.
amazon open shop_address not_sent shop whole -> cancel ADDRESS yes 201722390
amazon open shop_buyer_silent not_sent shop whole -> person - yes 201722390
amazon open shop_price not_sent shop whole -> cancel PRICING_ERROR yes 200285210
# Unshipped, and only some lines are short.
amazon open shop_out_of_stock not_sent shop part -> adjust NoInventory unconfirmed 200198080
# It has left the house and no notice was sent.
amazon shipped buyer_request not_sent shop * -> ship_notice - no 201722390
amazon shipped buyer_message not_sent shop * -> ship_notice - no 201722390
# A notice was sent and it has not left the house, whoever asks.
amazon open buyer_request sent shop * -> repay - no 201722390
amazon open shop_out_of_stock sent shop * -> repay - no suspension
# Shipped and delivered.
amazon shipped buyer_request sent shop * -> returned - no 200285210
# Seven days past the ship-by date.
amazon open marketplace_lapsed not_sent shop * -> nothing - yes 201722390
amazon cancelled marketplace_lapsed not_sent shop * -> nothing - yes 201722390
# Fraud, or a payment that failed.
amazon open marketplace not_sent shop * -> nothing - no 201722390
amazon cancelled marketplace not_sent shop * -> nothing - no 201722390
# What Amazon ships itself, in whatever state.
amazon * shop_out_of_stock * channel * -> nothing - no 200285210
amazon * shop_other * channel * -> nothing - no 200285210

# The buyer's own 30 minutes.
rakuten just_placed buyer_self not_sent shop * -> nothing - unconfirmed UNCONFIRMED
# 100, 200, 300: out of stock; the buyer asked.
rakuten open shop_out_of_stock not_sent shop whole -> cancel 8 unconfirmed cancelOrder
rakuten open buyer_request not_sent shop whole -> cancel 1,4,6 unconfirmed cancelOrder
# 400: a change is under way, whoever asks.
rakuten locked shop_out_of_stock not_sent shop * -> wait - unconfirmed RMS
rakuten locked buyer_request not_sent shop * -> wait - unconfirmed RMS
rakuten locked unknown not_sent shop * -> wait - unconfirmed RMS
# 500 to 800: real returns, and shipments that were undone.
rakuten shipped buyer_request sent shop * -> returned 2,3,5 unconfirmed cancelOrderAfterShipping
rakuten shipped shop_other sent shop * -> returned 15,13 unconfirmed cancelOrderAfterShipping
# A line is short; a payment that failed.
rakuten open shop_out_of_stock not_sent shop part -> edit_lines - unconfirmed UNCONFIRMED
rakuten open marketplace not_sent shop * -> nothing - unconfirmed 7_days

# The buyer's own 10 minutes.
yahoo just_placed buyer_self not_sent shop * -> nothing - unconfirmed UNCONFIRMED
# 1, 2, 3: out of stock; discontinued; the buyer asked.
yahoo open shop_out_of_stock not_sent shop whole -> cancel 210 yes orderStatusChange
yahoo open shop_discontinued not_sent shop whole -> cancel 220 yes CancelReason
yahoo open buyer_request not_sent shop whole -> cancel 100,160,120 no orderStatusChange
# Held as fraud or as a prank.
yahoo screened marketplace not_sent shop whole -> cancel 170 no UNCONFIRMED
# 5, completed: the API would do it; only for real returns.
yahoo shipped buyer_request sent shop * -> returned 110 unconfirmed orderStatusChange
# A line is short.
yahoo open shop_out_of_stock not_sent shop part -> edit_lines - unconfirmed orderChange

au_pay open shop_out_of_stock not_sent shop * -> cancel - unconfirmed UNCONFIRMED
# Qoo10: up to 6 hours, anyone; later, shop or buyer; shipped.
qoo10 just_placed shop_out_of_stock not_sent shop * -> cancel - no 6_hours
qoo10 just_placed buyer_request not_sent shop * -> cancel - no 6_hours
qoo10 open shop_out_of_stock not_sent shop * -> cancel - yes SetCancelProcess
qoo10 open buyer_request not_sent shop * -> cancel - yes SetCancelProcess
qoo10 shipped buyer_request sent shop * -> returned - no Qoo10
# Shopify: nothing captured; captured; partly shipped.
shopify unpaid shop_out_of_stock not_sent shop whole -> cancel INVENTORY no not_captured
shopify open shop_out_of_stock not_sent shop whole -> cancel INVENTORY no card_fee
shopify partly_shipped shop_out_of_stock sent shop part -> edit_lines - no UNCONFIRMED
mercari_shops open shop_out_of_stock not_sent shop * -> cancel out_of_stock unconfirmed UNCONFIRMED
"""


class Listed(Struct, frozen=True, kw_only=True):
    """One row of the text."""

    case: tuple[str, ...]
    action: str
    codes: tuple[str, ...]
    counts: str
    named: str


def _listed(line: str) -> Listed:
    case, said = (half.split() for half in line.split(" -> "))
    action, codes, counts, named = said
    return Listed(
        case=tuple(case),
        action=action,
        codes=CODES.get(codes, tuple(codes.split(","))),
        counts=counts,
        named=named.replace("_", " "),
    )


LISTED = [_listed(line) for line in TEXT.splitlines() if line and not line.startswith("#")]
