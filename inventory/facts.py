"""What may happen to stock, as facts handed to the ledger, and the outcomes it answers with.

A fact is named by (`channel_id`, `fact_ref`): the same name with the same content is recorded
once, with other content it is refused (L4). Quantities are units and at least 1. Facts hold no
cycles, so the garbage collector need not look at them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import UTC, date, datetime
from enum import StrEnum

import msgspec
from msgspec import Struct

from inventory.vocabulary import OrderSeen, Party

QUANTITY_MAX = 1_000_000
FACTS_MAX = 1_000
# The warehouse desk itself, which is a channel like others.
HOUSE_CHANNEL_ID = 0


class AdjustReason(StrEnum):
    """Why on hand was corrected."""

    COUNT = "count"
    DAMAGE = "damage"
    LOSS = "loss"
    FOUND = "found"
    CORRECTION = "correction"


class Named(Struct, frozen=True, kw_only=True, gc=False):
    """Who told us, the name of the fact, and when it happened (UTC)."""

    channel_id: int
    fact_ref: str
    occurred_at: datetime


class StockReceived(Named, frozen=True, kw_only=True, gc=False, tag="receive"):
    """Units arrive and are counted; `location` None is the first location.

    `supply_ref` names the expected supply that they are part of.
    """

    sku: str
    quantity: int
    location: str | None = None
    supply_ref: str | None = None


class StockAdjusted(Named, frozen=True, kw_only=True, gc=False, tag="adjust"):
    """On hand is corrected by `change` units, or to `on_hand` units; exactly one is given."""

    sku: str
    reason: AdjustReason
    change: int | None = None
    on_hand: int | None = None
    location: str | None = None


class StockCounted(Named, frozen=True, kw_only=True, gc=False, tag="count"):
    """`on_hand` units were counted at `occurred_at` (棚卸); selling goes on meanwhile.

    What changed on hand after that moment is kept; what happened before it and is told later is
    contained in the count. Too far from the book, a second count is wanted: `recount_of` names
    the first one.
    """

    sku: str
    on_hand: int
    reason: AdjustReason
    location: str | None = None
    recount_of: str | None = None


class StockOpened(StockCounted, frozen=True, kw_only=True, gc=False, tag="open"):
    """The first count of a SKU at a location, when a running shop begins with our books.

    There is no book yet that it could be far from. Refused where units lie there by the book, or
    a count was applied: those are counted as always.
    """


class StockTransferred(Named, frozen=True, kw_only=True, gc=False, tag="transfer"):
    """Units move between locations at once. Refused when fewer are on hand there."""

    sku: str
    quantity: int
    from_location: str
    to_location: str


class TransferSent(Named, frozen=True, kw_only=True, gc=False, tag="transfer_out"):
    """Units leave a location and are in transit until they arrive; the fact names the transfer."""

    sku: str
    quantity: int
    from_location: str
    to_location: str


class TransferArrived(Named, frozen=True, kw_only=True, gc=False, tag="transfer_in"):
    """`quantity` units of a transfer arrived and `missing` ones never will."""

    transfer_ref: str
    quantity: int
    missing: int = 0


class Condition(StrEnum):
    """What came back: fit for sale, not fit, or an empty parcel."""

    SELLABLE = "sellable"
    DAMAGED = "damaged"
    MISSING = "missing"


class ReturnAccepted(Named, frozen=True, kw_only=True, gc=False, tag="return"):
    """Shipped units come back and were looked at: only `sellable` ones are offered again.

    Damaged ones go to a location that is not sellable; missing ones change no balance.
    """

    sku: str
    quantity: int
    condition: Condition
    location: str | None = None


class SupplyExpected(Named, frozen=True, kw_only=True, gc=False, tag="supply"):
    """A supplier will deliver `quantity` units in all by `due_on` (入荷予定); told again, changed.

    Outside available until received. Less than was received already is refused.
    """

    supply_ref: str
    sku: str
    quantity: int
    due_on: date
    location: str | None = None


class SupplyEnded(Named, frozen=True, kw_only=True, gc=False, tag="supply_end"):
    """Nothing more of an expected supply will come."""

    supply_ref: str


class SaleLine(Struct, frozen=True, kw_only=True, gc=False):
    """One line of a sale told to us: a SKU, or the channel's own name of its listing."""

    line_ref: str
    quantity: int
    sku: str | None = None
    channel_sku: str | None = None
    unit_price: int | None = None


class SaleReceived(Named, frozen=True, kw_only=True, gc=False, tag="sale"):
    """An order was placed. Recorded even below zero (L3).

    `reservation_ref` names a reservation that this order fulfils: it takes the units held there.
    What the order does not take is released, or stays held with `keep_rest`.
    """

    order_ref: str
    lines: tuple[SaleLine, ...]
    reservation_ref: str | None = None
    keep_rest: bool = False
    ship_by: datetime | None = None


class LineUnits(Struct, frozen=True, kw_only=True):
    """Units of one order line."""

    line_ref: str
    quantity: int


class CancellationReceived(Named, frozen=True, kw_only=True, gc=False, tag="cancel"):
    """The buyer, the shop or the marketplace ended an order (no `lines`) or units of its lines."""

    order_ref: str
    by: Party
    lines: tuple[LineUnits, ...] = ()
    reason: str | None = None


class ShipmentSeen(Named, frozen=True, kw_only=True, gc=False, tag="ship"):
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


class PastOrder(OrderObserved, frozen=True, kw_only=True, tag="past"):
    """An order that was over before we came, for its channel's metric: no stock moves by it, ever.

    One that we hold already stays as it is.
    """


class ReservationAsked(Named, frozen=True, kw_only=True, gc=False, tag="reserve"):
    """An own store asks to hold units; granted in full or refused (L3)."""

    lines: tuple[SaleLine, ...]
    expires_at: datetime | None = None


class ReservationReleased(Named, frozen=True, kw_only=True, gc=False, tag="release"):
    """A reservation is given back: what is still held of it."""

    reservation_ref: str


StockFact = (
    StockReceived
    | StockAdjusted
    | StockCounted
    | StockOpened
    | StockTransferred
    | TransferSent
    | ReturnAccepted
    | SupplyExpected
)
Fact = (
    StockFact
    | TransferArrived
    | SupplyEnded
    | SaleReceived
    | CancellationReceived
    | ShipmentSeen
    | OrderObserved
    | PastOrder
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


class Outcome(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """What became of a fact. `code` and `detail` say why it was refused or in conflict.

    `repeated`: the name was used before with the same content, and this is the first outcome.
    """

    status: Status
    code: str = ""
    detail: str = ""
    repeated: bool = False


RECORDED = Outcome(status=Status.RECORDED)
GRANTED = Outcome(status=Status.GRANTED)
_ENCODER = msgspec.json.Encoder(order="deterministic")
_NO_TIME = datetime(2000, 1, 1, tzinfo=UTC)


def content_hash(fact: Fact) -> int:
    """Sixty-four bits that differ when the content does; the time of happening does not count."""
    if isinstance(fact, OrderObserved):
        order = msgspec.structs.replace(fact.order, observed_at=_NO_TIME)
        content: Fact = msgspec.structs.replace(fact, order=order)
    else:
        content = msgspec.structs.replace(fact, occurred_at=_NO_TIME)
    encoded = _ENCODER.encode(content)
    return int.from_bytes(hashlib.blake2b(encoded, digest_size=8).digest(), "big", signed=True)
