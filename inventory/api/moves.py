"""What may be told of the warehouse's own work, and the facts that it makes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, datetime

from msgspec import Struct, structs

from inventory import facts as f
from inventory.facts import AdjustReason, Condition
from inventory.fields import Change, Code, Count, Moment, Ref, Units, moment


class _Told(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind"):
    ref: Ref
    occurred_at: Moment | None = None


class Receive(_Told, frozen=True, kw_only=True, tag="receive"):
    """Units arrive and are counted; without `location` at the first sellable one.

    `supply_ref` names the expected supply that they are part of; they then go where it said.
    """

    sku: Code
    quantity: Units
    location: Code | None = None
    supply_ref: Ref | None = None


class Adjust(_Told, frozen=True, kw_only=True, tag="adjust"):
    """On hand is corrected by `change` units, or to `on_hand` units; give exactly one."""

    sku: Code
    reason: AdjustReason
    change: Change | None = None
    on_hand: Count | None = None
    location: Code | None = None


class Counted(_Told, frozen=True, kw_only=True, tag="count"):
    """`on_hand` units were counted at `occurred_at` (棚卸) while selling went on.

    What left or came after that moment is kept; what happened before it and is told later is
    contained in the count. `reason` says why there may be a difference. A count far from the book
    is not applied, and its answer has the code `recount_wanted`: count once more without knowing
    either number, and name the first count in `recount_of`; the second one is applied.
    """

    sku: Code
    on_hand: Count
    occurred_at: Moment
    reason: AdjustReason = AdjustReason.COUNT
    location: Code | None = None
    recount_of: Ref | None = None


class Transfer(_Told, frozen=True, kw_only=True, tag="transfer"):
    """Units move from one location to another at once; refused when fewer are on hand there."""

    sku: Code
    quantity: Units
    from_location: Code
    to_location: Code


class TransferOut(_Told, frozen=True, kw_only=True, tag="transfer_out"):
    """Units leave a location and are in transit until `transfer_in`; `ref` names the transfer."""

    sku: Code
    quantity: Units
    from_location: Code
    to_location: Code


class TransferIn(_Told, frozen=True, kw_only=True, tag="transfer_in"):
    """Of the transfer `transfer_ref`, `quantity` units arrived and `missing` ones never will."""

    transfer_ref: Ref
    quantity: Count
    missing: Count = 0


class Return(_Told, frozen=True, kw_only=True, tag="return"):
    """Shipped units come back and were looked at: `sellable`, `damaged`, or `missing`.

    Without `location`, sellable ones go to the first sellable location, damaged ones to `damaged`;
    missing ones (an empty parcel) change no balance.
    """

    sku: Code
    quantity: Units
    condition: Condition
    location: Code | None = None


class Supply(_Told, frozen=True, kw_only=True, tag="supply"):
    """A supplier will deliver `quantity` units in all by `due_on` (入荷予定).

    Told again under a new `ref` with the same `supply_ref`, it is changed. The units are outside
    available until `receive` names the supply.
    """

    supply_ref: Ref
    sku: Code
    quantity: Units
    due_on: date
    location: Code | None = None


class SupplyEnd(_Told, frozen=True, kw_only=True, tag="supply_end"):
    """Nothing more of an expected supply will come."""

    supply_ref: Ref


Move = (
    Receive | Adjust | Counted | Transfer | TransferOut | TransferIn | Return | Supply | SupplyEnd
)
# Their members have the names of the facts' own.
FACTS: Mapping[type[Move], Callable[..., f.Fact]] = {
    Receive: f.StockReceived,
    Adjust: f.StockAdjusted,
    Counted: f.StockCounted,
    Transfer: f.StockTransferred,
    TransferOut: f.TransferSent,
    TransferIn: f.TransferArrived,
    Return: f.ReturnAccepted,
    Supply: f.SupplyExpected,
    SupplyEnd: f.SupplyEnded,
}


def fact_of(move: Move, now: datetime) -> f.Fact:
    """The fact that a movement tells; it happened `now` unless it says when. Raises `BadInput`."""
    content = structs.asdict(move)
    occurred_at = moment(content.pop("occurred_at") or now)
    return FACTS[type(move)](
        channel_id=f.HOUSE_CHANNEL_ID,
        fact_ref=content.pop("ref"),
        occurred_at=occurred_at,
        **content,
    )


def subject_of(move: Move) -> str:
    """What a movement is about, for people: its SKU, or the transfer or supply that it goes on."""
    match move:
        case TransferIn():
            return move.transfer_ref
        case SupplyEnd():
            return move.supply_ref
        case _:
            return move.sku
