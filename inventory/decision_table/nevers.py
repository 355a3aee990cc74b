"""What the house never does about a shortage, in words, and a guard for what buyers may read. Pure.

The list is held by what is not there: no function of any adapter sends a ship notice, writes to a
buyer or refunds, and no setting names a reason or a restock. Tests look for all of it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from msgspec import Struct

from inventory.errors import InventoryError


class Never(Struct, frozen=True, kw_only=True):
    """One thing that is never done, where it is held, and who says so."""

    letter: str
    words: str
    held_by: str
    source: str


NEVER = (
    Never(
        letter="a",
        words="Invite a buyer to file a cancel request for what the shop caused.",
        held_by="the guard of drafts; the table's row `shop_via_buyer`; nothing writes to buyers",
        source="Amazon: Seller Central help 201722390",
    ),
    Never(
        letter="b",
        words="Send a buyer's reason without the marketplace's flag or a recorded message.",
        held_by="cancel_request, the only place that makes one, and its evidence",
        source="Amazon: Seller Central help 201722390; Rakuten, Yahoo!: our own rule, UNCONFIRMED",
    ),
    Never(
        letter="c",
        words="Send a ship notice without a hand-over.",
        held_by="no adapter can send one; the table's row `shop_ship_notice`",
        source="Amazon: a notice of suspension that one seller shows",
    ),
    Never(
        letter="d",
        words="Let an order lie until the marketplace ends it, as a way out.",
        held_by="no policy and no row waits with an open order; the row `shop_lets_lapse`",
        source="Amazon: Seller Central help 201722390",
    ),
    Never(
        letter="e",
        words="Leave Yahoo!'s reason blank.",
        held_by="every reason has its code, and a request without a code is refused",
        source="Yahoo!: a blank CancelReason is kept as 230; known from one client",
    ),
    Never(
        letter="f",
        words="Have a channel put units back on sale when an order ends as out of stock.",
        held_by="constants of the adapters, which no setting changes",
        source="Rakuten: inventoryRestoreType; Shopify: orderCancel restock; Amazon: NoInventory",
    ),
    Never(
        letter="g",
        words="Refund outside the platform.",
        held_by="no function moves money; the guard of drafts",
        source="Mercari Shops: help on refunds; a rule everywhere",
    ),
)

_ASKED_TO_CANCEL = "asks the buyer to cancel"
_BLAMED = "says that it was the buyer's wish"
_SHIPPED = "speaks of a shipment"
_OUTSIDE = "refunds outside the platform"
_CONTACT = "names a way around the marketplace"
# What the shop does by itself （取り消させていただきます） is no request.
_CANCEL = r"(?:キャンセル|取り?消し?(?![さし]))"
_BUYER = r"(?:お客様|ご?購入者様?|ご?注文者様?)"
# Sentences of a draft are looked at one by one, so that an apology may thank and ask elsewhere.
_PATTERNS: Mapping[str, tuple[str, ...]] = {
    _ASKED_TO_CANCEL: (
        rf"{_CANCEL}の?(?:申請|リクエスト|ご?依頼|お?申し?込み|ボタン)",
        rf"{_CANCEL}[^。\n]{{0,30}}(?:いただけ|いただきた|頂け|頂きた|くださ|下さ|お願い|ほしい|欲しい)",
        r"(?:(?:注文|購入)履歴|マイページ)(?:から|より|で|にて)",
        rf"{_BUYER}(?:側)?(?:から|より|の方で|にて|ご自身)[^。\n]{{0,20}}{_CANCEL}",
        r"(?i)(?:please|kindly|could you|you (?:can|may))[^.\n]{0,40}cancel",
        r"(?i)(?:request|file|submit|apply for)[^.\n]{0,20}cancel",
        r"(?i)cancel[^.\n]{0,30}(?:yourself|from your (?:account|order))",
    ),
    _BLAMED: (
        rf"{_BUYER}(?:側)?(?:の)?(?:ご)?都合",
        rf"{_BUYER}(?:の)?ご(?:希望|要望)(?:により|による|で)[^。\n]{{0,10}}{_CANCEL}",
        r"(?i)(?:at|upon|per) your request",
    ),
    _SHIPPED: (
        r"(?:発送|配送)(?:済|完了|いたしました|しました|通知)",
        r"出荷(?:済|完了|いたしました|しました)",
    ),
    _OUTSIDE: (
        r"振込先|口座(?:番号|情報)|現金書留|直接(?:ご)?返金|個別に(?:ご)?返金",
        r"(?:振り?込み?|現金|ギフト券)[^。\n]{0,8}(?:返金|お返し)|返金[^。\n]{0,8}(?:振り?込|現金)",
        r"(?i)bank (?:account|transfer)|paypal|paypay[^。\n]{0,6}送金",
    ),
    _CONTACT: (r"(?i)https?://|www\.", r"(?i)[\w.+-]+@[\w-]+\.\w+", r"\d{2,4}-\d{2,4}-\d{3,4}"),
}
_COMPILED = {
    why: tuple(re.compile(pattern) for pattern in patterns) for why, patterns in _PATTERNS.items()
}


class TextRefused(InventoryError):
    """A text for a buyer that does what the house never does."""

    code = "text_refused"


def wrong_in(text: str) -> list[str]:
    """What is wrong in a text for a buyer of an order that the shop gave up; empty: nothing."""
    return [
        why
        for why, patterns in _COMPILED.items()
        if any(pattern.search(text) for pattern in patterns)
    ]
