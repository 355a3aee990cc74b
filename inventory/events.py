"""What channels may tell us, as stored in the inbox and accepted by the REST door."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from msgspec import Meta, Struct

from inventory.facts import QUANTITY_MAX
from inventory.vocabulary import OrderSeen, Party

Ref = Annotated[str, Meta(min_length=1, max_length=200, pattern=r"^[!-~]([ -~]*[!-~])?\Z")]
Units = Annotated[int, Meta(ge=1, le=QUANTITY_MAX)]
Moment = Annotated[datetime, Meta(tz=True)]
Yen = Annotated[int, Meta(ge=0, le=1_000_000_000)]
LINES_MAX = 200


class ToldLine(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One line of an order, named by the store's own SKU text. `unit_price` is whole yen."""

    line_ref: Ref
    channel_sku: Ref
    quantity: Units
    unit_price: Yen | None = None


class ToldUnits(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Units of one order line."""

    line_ref: Ref
    quantity: Units


class SaleTold(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An order was placed at the store; up to 200 lines, each `line_ref` once."""

    event_id: Ref
    order_ref: Ref
    lines: Annotated[tuple[ToldLine, ...], Meta(min_length=1, max_length=LINES_MAX)]
    occurred_at: Moment | None = None
    ship_by: Moment | None = None
    reservation_ref: Ref | None = None


class CancellationTold(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An order (no `lines`) or units of its lines ended at the store."""

    event_id: Ref
    by: Party = Party.BUYER
    lines: Annotated[tuple[ToldUnits, ...], Meta(max_length=LINES_MAX)] = ()
    reason: Annotated[str, Meta(max_length=200)] | None = None
    occurred_at: Moment | None = None


class ShipmentTold(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All that is open of an order (no `lines`) or units of its lines left the house."""

    event_id: Ref
    lines: Annotated[tuple[ToldUnits, ...], Meta(max_length=LINES_MAX)] = ()
    occurred_at: Moment | None = None


EVENT_KINDS = {
    "order": OrderSeen,
    "sale": SaleTold,
    "cancellation": CancellationTold,
    "shipment": ShipmentTold,
}
