"""What may happen to stock, as facts handed to the ledger, and the outcomes it answers with.

A fact is named by (`channel_id`, `fact_ref`): the same name with the same content is recorded
once, with other content it is refused (L4). Quantities are units and at least 1.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum

import msgspec
from msgspec import Struct

from inventory.vocabulary import OrderSeen, Party

QUANTITY_MAX = 1_000_000
FACTS_MAX = 1_000


class AdjustReason(StrEnum):
    """Why on hand was corrected."""

    COUNT = "count"
    DAMAGE = "damage"
    LOSS = "loss"
    FOUND = "found"
    CORRECTION = "correction"


class Named(Struct, frozen=True, kw_only=True):
    """Who told us, the name of the fact, and when it happened (UTC)."""

    channel_id: int
    fact_ref: str
    occurred_at: datetime


class StockReceived(Named, frozen=True, kw_only=True, tag="receive"):
    """Units arrive and are counted; `location` None is the first location."""

    sku: str
    quantity: int
    location: str | None = None


class StockAdjusted(Named, frozen=True, kw_only=True, tag="adjust"):
    """On hand is corrected by `change` units, or to `on_hand` units; exactly one is given."""

    sku: str
    reason: AdjustReason
    change: int | None = None
    on_hand: int | None = None
    location: str | None = None


class StockTransferred(Named, frozen=True, kw_only=True, tag="transfer"):
    """Units move between locations. Refused when fewer are on hand there."""

    sku: str
    quantity: int
    from_location: str
    to_location: str


class ReturnAccepted(Named, frozen=True, kw_only=True, tag="return"):
    """Shipped units come back sellable."""

    sku: str
    quantity: int
    location: str | None = None


class SaleLine(Struct, frozen=True, kw_only=True):
    """One line of a sale told to us. `listing_id` is set where the channel has a listing of it."""

    line_ref: str
    sku: str
    quantity: int
    unit_price: int | None = None
    listing_id: int | None = None


class SaleReceived(Named, frozen=True, kw_only=True, tag="sale"):
    """An order was placed. Recorded even below zero (L3).

    `reservation_ref` names a reservation that this order fulfils; it is released with it.
    """

    order_ref: str
    lines: tuple[SaleLine, ...]
    reservation_ref: str | None = None
    ship_by: datetime | None = None


class LineUnits(Struct, frozen=True, kw_only=True):
    """Units of one order line."""

    line_ref: str
    quantity: int


class CancellationReceived(Named, frozen=True, kw_only=True, tag="cancel"):
    """The buyer, the shop or the marketplace ended an order (no `lines`) or units of its lines."""

    order_ref: str
    by: Party
    lines: tuple[LineUnits, ...] = ()
    reason: str | None = None


class ShipmentSeen(Named, frozen=True, kw_only=True, tag="ship"):
    """Units left the house: all that is open of the order (no `lines`) or units of its lines."""

    order_ref: str
    lines: tuple[LineUnits, ...] = ()


class OrderObserved(Struct, frozen=True, kw_only=True, tag="observe"):
    """An order as a channel shows it now; the ledger books the difference to what it holds.

    `listings` maps the channel SKUs that we know to (listing id, SKU); lines of others are left
    out. The ledger names the fact itself: order ref and our next revision of that order.
    """

    channel_id: int
    order: OrderSeen
    listings: Mapping[str, tuple[int, str]]


class ReservationAsked(Named, frozen=True, kw_only=True, tag="reserve"):
    """An own store asks to hold units; granted in full or refused (L3)."""

    lines: tuple[SaleLine, ...]
    expires_at: datetime | None = None


class ReservationReleased(Named, frozen=True, kw_only=True, tag="release"):
    """A reservation is given back."""

    reservation_ref: str


Fact = (
    StockReceived
    | StockAdjusted
    | StockTransferred
    | ReturnAccepted
    | SaleReceived
    | CancellationReceived
    | ShipmentSeen
    | OrderObserved
    | ReservationAsked
    | ReservationReleased
)


class Status(StrEnum):
    """`unchanged`: a snapshot that says nothing new. `outdated`: an older one than we hold."""

    RECORDED = "recorded"
    GRANTED = "granted"
    REFUSED = "refused"
    UNCHANGED = "unchanged"
    OUTDATED = "outdated"
    CONFLICT = "conflict"


class Outcome(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What became of a fact. `code` and `detail` say why it was refused or in conflict.

    `repeated`: the name was used before with the same content, and this is the first outcome.
    """

    status: Status
    code: str = ""
    detail: str = ""
    repeated: bool = False


def content_hash(fact: Fact) -> bytes:
    """Sixteen bytes that differ when the content does; the time of happening does not count."""
    content = msgspec.to_builtins(fact)
    content.pop("occurred_at", None)
    if isinstance(fact, OrderObserved):
        content["order"].pop("observed_at")
    encoded = msgspec.json.encode(content, order="deterministic")
    return hashlib.blake2b(encoded, digest_size=16).digest()
