"""What channels may tell us, as accepted by the REST door and stored in the inbox."""

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
TOLD_MAX = 1_000


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
    """An order was placed at the store; up to 200 lines, each `line_ref` once.

    With `keep_rest`, what the order does not take of the reservation that it names stays held.
    """

    event_id: Ref
    order_ref: Ref
    lines: Annotated[list[ToldLine], Meta(min_length=1, max_length=LINES_MAX)]
    occurred_at: Moment | None = None
    ship_by: Moment | None = None
    reservation_ref: Ref | None = None
    keep_rest: bool = False


class OrdersTold(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Up to 1,000 orders, with up to 1,000 lines in all; `together`: all are recorded, or none."""

    orders: Annotated[list[SaleTold], Meta(min_length=1, max_length=TOLD_MAX)]
    together: bool = False


class CancellationTold(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An order (no `lines`) or units of its lines ended at the store."""

    event_id: Ref
    by: Party = Party.BUYER
    lines: Annotated[list[ToldUnits], Meta(max_length=LINES_MAX)] = []
    reason: Annotated[str, Meta(max_length=200)] | None = None
    occurred_at: Moment | None = None


class ShipmentTold(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All that is open of an order (no `lines`) or units of its lines left the house."""

    event_id: Ref
    lines: Annotated[list[ToldUnits], Meta(max_length=LINES_MAX)] = []
    occurred_at: Moment | None = None


Event = SaleTold | CancellationTold | ShipmentTold
EVENT_KINDS = {
    "order": OrderSeen,
    "sale": SaleTold,
    "cancellation": CancellationTold,
    "shipment": ShipmentTold,
}
