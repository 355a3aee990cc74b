"""What Yahoo! does not publish, or publishes loosely; the sandbox takes the stricter reading."""

from __future__ import annotations

import msgspec


class YahooRules(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """What Yahoo! does not publish, or publishes loosely; defaults are the stricter reading.

    `visible_after_s`: an order shows in lists that long after it was placed.
    `block_s`: a call above one a second shuts that address for so long ("blocked for a while").
    `result_max`: the most orders of one orderList page.
    `token_s`, `consent_days`, `unproved_hours`: life of an access token, of the store's consent,
    and of that consent where the proof by public key is missing.
    `rotates`: every refresh hands out a new refresh token, and the old one is dead.
    `stock_needs_proof`, `token_needs_proof`: the hours without a proof hold there too.
    `tells_proof`: answers of order functions carry X-SWS-Authorize-Status.
    `signature_skew_s`: how far the time inside the proof may be off.
    `buyer_cancel_s`: buyers may cancel by themselves that long.
    `restocks_on_cancel`: a cancel puts the units back on display by itself.
    `negative_stock`: a relative change may go below 0.
    `line_to_zero`: orderChange takes Quantity 0.
    `omitted_overdraft_resets`: a number without `allow_overdraft` sets that flag to 0.
    `overdraft`: keys whose orders may exceed the stock from the beginning.
    `refused`: keys whose number is not written (ed-10001, the meaning of which is not said).
    `unread`: keys whose number is written and then cannot be read again (ed-10002).
    `file_s`: how long the file of stock rows takes to be made.
    """

    visible_after_s: float = 1.0
    block_s: float = 1.0
    result_max: int = 100
    token_s: float = 3600.0
    consent_days: float = 28.0
    unproved_hours: float = 12.0
    rotates: bool = False
    stock_needs_proof: bool = False
    token_needs_proof: bool = False
    tells_proof: bool = True
    signature_skew_s: float = 60.0
    buyer_cancel_s: float = 600.0
    restocks_on_cancel: bool = False
    negative_stock: bool = False
    line_to_zero: bool = False
    omitted_overdraft_resets: bool = True
    overdraft: tuple[str, ...] = ()
    refused: tuple[str, ...] = ()
    unread: tuple[str, ...] = ()
    file_s: float = 5.0
