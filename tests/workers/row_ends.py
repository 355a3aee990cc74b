"""How orders end at a marketplace: every way that its screens or its own rules know.

A line: the row of the decision table (as `tests/desk/rows.py` writes it, without its marketplace;
`-` for an end that is only ever observed), what is done at the marketplace, whom and what the
adapter tells of it, what the desk makes of that, whether it counts, whether it weighs (is in the
metric). A line that begins with `=` opens a night: its marketplace and its name.
"""

from __future__ import annotations

from msgspec import Struct

TEXT = """
= rakuten by everybody
just_placed buyer_self not_sent shop *; buyer-cancel; buyer 1; buyer_self unconfirmed -
# RMS shows a payment that was not put right as a reason of the customer's.
open marketplace not_sent shop *; marketplace-cancel; buyer 4; buyer_self unconfirmed -
open shop_out_of_stock not_sent shop whole; cancel-as-8
 ; seller 8; shop_out_of_stock unconfirmed weighs
-; cancel-as-10; seller 10; shop_other unconfirmed weighs
# Done by hand, nobody can tell it from the buyer's own button.
open buyer_request not_sent shop whole; cancel-as-6; buyer 6; buyer_self unconfirmed -

= rakuten after shipping
shipped buyer_request sent shop *; ship cancel-as-2; buyer 2; buyer_self unconfirmed -
shipped shop_other sent shop *; ship cancel-as-15; seller 15; shop_other unconfirmed weighs

= yahoo by the store
open shop_out_of_stock not_sent shop whole; cancel-as-210
 ; seller 210; shop_out_of_stock yes weighs
open shop_discontinued not_sent shop whole; cancel-as-220
 ; seller 220; shop_discontinued yes weighs
# What Yahoo! notes where a store leaves the reason blank.
-; cancel-as-230; seller 230; shop_other yes weighs

= yahoo after shipping
shipped buyer_request sent shop *; ship cancel-as-110; buyer 110; buyer_self unconfirmed -

= yahoo by others
open buyer_request not_sent shop whole; cancel-as-160; buyer 160; buyer_self unconfirmed -
just_placed buyer_self not_sent shop *; buyer-cancel; buyer 100; buyer_self unconfirmed -
# An order that has ended no longer shows that it was under suspicion, so that it may count.
screened marketplace not_sent shop whole; mark-prank cancel-as-170
 ; buyer 170; marketplace unconfirmed -
-; cancel-as-400; marketplace 400; marketplace unconfirmed -

= amazon by everybody
just_placed buyer_self not_sent shop *; buyer-cancel; buyer BuyerCanceled; buyer_self no -
open buyer_request not_sent shop whole; ask-cancel cancel-as-BuyerCanceled
 ; seller BuyerCanceled; buyer_request no -
# The same code without the marketplace's flag, whatever the shop's reason was.
open buyer_message not_sent shop whole; cancel-as-BuyerCanceled
 ; seller BuyerCanceled; buyer_message yes weighs
open shop_out_of_stock not_sent shop whole; cancel-as-NoInventory
 ; seller NoInventory; shop_out_of_stock yes weighs
open shop_address not_sent shop whole; cancel-as-ShippingAddressUndeliverable
 ; seller ShippingAddressUndeliverable; shop_address yes weighs
# There is no code for a buyer who is silent: whatever else is the true one.
open shop_buyer_silent not_sent shop whole; cancel-as-GeneralAdjustment
 ; seller GeneralAdjustment; shop_other yes weighs
open shop_price not_sent shop whole; cancel-as-PRICING_ERROR
 ; seller PRICING_ERROR; shop_price yes weighs
cancelled marketplace not_sent shop *; marketplace-cancel
 ; marketplace PaymentFailed; marketplace no -
* shop_other * channel *; fba marketplace-cancel; marketplace PaymentFailed; marketplace no -
* shop_out_of_stock * channel *; fba buyer-cancel; buyer BuyerCanceled; buyer_self no -

= amazon while payment is pending
locked buyer_self not_sent shop *; buyer-cancel; buyer BuyerCanceled; buyer_self no -
open marketplace not_sent shop *; marketplace-cancel; marketplace PaymentFailed; marketplace no -

= shopify by everybody
open shop_out_of_stock not_sent shop whole; cancel-as-INVENTORY
 ; seller INVENTORY; shop_out_of_stock no weighs
-; cancel-as-OTHER; seller OTHER; shop_other no weighs
-; buyer-cancel; buyer CUSTOMER; buyer_self no weighs
-; marketplace-cancel; marketplace DECLINED; marketplace no -
-; cancel-as-FRAUD; marketplace FRAUD; marketplace no -
"""


class End(Struct, frozen=True, kw_only=True):
    """One line of the text; `by_channel`: the marketplace ships the order itself."""

    row: str
    before: tuple[str, ...]
    end: str
    shown: tuple[str, str]
    asker: str
    counts: str
    weighs: bool
    by_channel: bool

    @property
    def shipped(self) -> bool:
        """Whether the units had left the house before."""
        return "ship" in self.before


def _end(line: str) -> End:
    row, done, shown, found = (part.strip() for part in line.split(";"))
    *before, end = done.split()
    by, code = shown.split()
    asker, counts, weighs = found.split()
    return End(
        row=row,
        before=tuple(step for step in before if step != "fba"),
        end=end,
        shown=(by, code),
        asker=asker,
        counts=counts,
        weighs=weighs == "weighs",
        by_channel="fba" in before,
    )


def _nights() -> dict[str, list[End]]:
    found: dict[str, list[End]] = {}
    text = TEXT.replace("\n ;", ";")
    for line in text.splitlines():
        if line.startswith("= "):
            ends = found.setdefault(line.removeprefix("= "), [])
        elif line and not line.startswith("#"):
            ends.append(_end(line))
    return found


# The nights by name, of which the first word is the marketplace.
NIGHTS = _nights()
