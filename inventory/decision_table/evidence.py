"""When a buyer's reason is the true one (L10): what must be on record before it may be sent. Pure.

Seller Central help 201722390 for Amazon: the marketplace's own flag, there before our word of a
shortage. Rakuten's and Yahoo!'s APIs show no request, so there a named person records the buyer's
message; that a primary text of theirs demands it is UNCONFIRMED, it is our own rule.
"""

from __future__ import annotations

from datetime import datetime

from msgspec import Struct

from inventory.decision_table.words import NOBODY, Market

# Only Amazon's orders API shows that the buyer asked (BuyerRequestedCancel, cancellationRequest).
SHOWN_BY_MARKETPLACE = frozenset({Market.AMAZON})
RECORDED_BY_PERSON = frozenset({Market.RAKUTEN, Market.YAHOO})


class Evidence(Struct, frozen=True, kw_only=True):
    """What is on record about a buyer's wish to cancel.

    `by_marketplace`: it is the marketplace's own flag, and `asked_at` when we first saw it; else
    it is a message with its date and `reference`. `recorded_at` is when it was put on record, by
    `recorded_by`. `short_since` is when our first shortage case for a SKU of the order opened,
    `told_at` when the buyer was first told of a shortage by us; None: never.
    """

    by_marketplace: bool
    asked_at: datetime
    recorded_at: datetime
    recorded_by: str = ""
    reference: str = ""
    short_since: datetime | None = None
    told_at: datetime | None = None


def objection(market: Market, evidence: Evidence | None) -> str | None:
    """Why a buyer's reason would not be true. None: it may be sent."""
    if evidence is None:
        return "nothing on record says that the buyer asked"
    if market in SHOWN_BY_MARKETPLACE:
        return _of_flag(evidence)
    if market in RECORDED_BY_PERSON:
        return _of_message(evidence)
    return "this marketplace has no row for a buyer's reason"


def _of_flag(evidence: Evidence) -> str | None:
    if not evidence.by_marketplace:
        return (
            "the marketplace does not show that the buyer asked; a message is no request,"
            " wait for its flag"
        )
    if evidence.told_at is not None and evidence.told_at <= evidence.asked_at:
        return "the buyer asked after we had written of a shortage"
    return None


def _of_message(evidence: Evidence) -> str | None:
    name = evidence.recorded_by.strip()
    if not name or name.lower() in NOBODY:
        return "the buyer's message must be recorded by a named person"
    if not evidence.reference.strip():
        return "the buyer's message needs a reference"
    if evidence.asked_at > evidence.recorded_at:
        return "the buyer's message lies in the future"
    if evidence.short_since is not None and evidence.short_since <= evidence.recorded_at:
        return "our own shortage case for a SKU of this order was open before it was recorded"
    if evidence.told_at is not None and evidence.told_at <= evidence.recorded_at:
        return "it was recorded after we had written to the buyer of a shortage"
    return None
