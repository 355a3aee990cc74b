"""Messages to buyers whose order was given up: Japanese drafts, for a person to send. Pure.

Buyer data is never known here: placeholders in 【】 stand for it (L13). What is said of refunds and
points follows the channel; what only shops say of a marketplace is UNCONFIRMED in the notes.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import StrEnum

from msgspec import Struct

from inventory.decision_table.nevers import TextRefused, wrong_in
from inventory.decision_table.words import Extent, Market
from inventory.desk import draft_texts as texts

# Recommended by one guide for Amazon sellers; no page of a marketplace asks for it.
REPAY_WITHIN = timedelta(hours=48)
ITEMS_MAX = 20
NAME_CHARACTERS_MAX = 200


class Money(StrEnum):
    """Whether the buyer has paid: none was taken, it was, or it depends on the way of payment."""

    NOT_TAKEN = "not_taken"
    TAKEN = "taken"
    DEPENDS = "depends"


class Item(Struct, frozen=True, kw_only=True):
    """What could not be supplied: our own name of the SKU, in units."""

    name: str
    units: int


class Draft(Struct, frozen=True, kw_only=True):
    """A draft. `notes` are rules of the channel for whoever sends it, `before_cancel` is one.

    `repay_due_at`: money moved, or may have moved and is the shop's own to refund; the refund
    should be seen to by then.
    """

    subject: str
    body: str
    notes: tuple[str, ...]
    placeholders: tuple[str, ...]
    before_cancel: bool
    repay_due_at: datetime | None


def money_of(market: Market, *, captured_at_shipment: bool) -> Money:
    """Whether an order that was not shipped has been paid for.

    Amazon charges at the ship notice (Seller Central help 201722390). Shopify captures at the order
    or at shipment, as the shop set it. Elsewhere it depends on the way of payment, which we do not
    keep.
    """
    if market is Market.AMAZON:
        return Money.NOT_TAKEN
    if market is Market.SHOPIFY:
        return Money.NOT_TAKEN if captured_at_shipment else Money.TAKEN
    return Money.TAKEN if market is Market.MERCARI_SHOPS else Money.DEPENDS


def out_of_stock(
    market: Market,
    *,
    order_ref: str,
    items: Sequence[Item],
    money: Money,
    extent: Extent = Extent.WHOLE,
    ended_at: datetime | None = None,
) -> Draft:
    """The draft for an order, or a part of it, that is given up for want of stock.

    A SKU's name that would do what the house never does gives way to a placeholder. Raises
    `TextRefused` where a text of ours would do it, which no release should have.
    """
    whole = extent is Extent.WHOLE
    paid = (texts.MONEY if whole else texts.MONEY_PART)[money]
    paragraphs = [
        texts.GREETING,
        texts.APOLOGY_WHOLE if whole else texts.APOLOGY_PART,
        texts.ORDER,
        paid.get(market) or paid[None],
        texts.POINTS.get(market, ""),
        texts.ALTERNATIVE.get(market, texts.ALTERNATIVE[None]),
        texts.CLOSING,
    ]
    template = "\n\n".join(paragraph for paragraph in paragraphs if paragraph)
    title = texts.SUBJECT if whole else texts.SUBJECT_PART
    listed = _items(items)
    _guard(f"{title}\n{template}\n{listed}")
    body = template.format(order_ref=order_ref, items=listed)
    due = ended_at + REPAY_WITHIN if ended_at and _by_the_shop(market, money) else None
    return Draft(
        subject=title.format(order_ref=order_ref),
        body=body,
        notes=_notes(market, money),
        placeholders=tuple(name for name in texts.PLACEHOLDERS if name in body),
        before_cancel=market in texts.BEFORE_CANCEL,
        repay_due_at=due,
    )


def _by_the_shop(market: Market, money: Money) -> bool:
    """Whether a refund is surely due, or left to the shop where it is: nobody else sees to it."""
    return money is Money.TAKEN or (money is Money.DEPENDS and market in texts.OWN_STORES)


def _notes(market: Market, money: Money) -> tuple[str, ...]:
    paid = () if money is Money.NOT_TAKEN else (texts.REPAY_NOTE,)
    return (*paid, *texts.NOTES.get(market, ()), *texts.NOTES[None])


def _items(items: Sequence[Item]) -> str:
    lines = [f"・{_plain(item.name)}　{item.units}点" for item in items[:ITEMS_MAX]]
    if len(items) > ITEMS_MAX:
        lines.append(f"・ほか{len(items) - ITEMS_MAX}件")
    return "\n".join(lines)


def _plain(name: str) -> str:
    """A name on one line, without what would look like one of our placeholders."""
    text = " ".join(name.replace("【", "［").replace("】", "］").split())[:NAME_CHARACTERS_MAX]
    return texts.ITEM if wrong_in(text) else text


def _guard(text: str) -> None:
    wrong = wrong_in(text)
    if wrong:
        raise TextRefused(f"this text must not go to a buyer: it {', '.join(wrong)}")
