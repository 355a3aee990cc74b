"""All that a batch of facts may read and change, in memory under the ledger's locks. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime

from msgspec import Struct

from inventory import orders
from inventory.booking.book import Book
from inventory.facts import SaleLine
from inventory.orders import Order, SoldLine
from inventory.quantities import held_back

IN_TRANSIT = "in-transit"
DAMAGED = "damaged"


class Refusal(Exception):
    """A fact that cannot be booked. It leaves nothing behind, not even its name."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code


class SkuRead(Struct, frozen=True, array_like=True):
    """A SKU as the batch found it.

    `recipe` is its parts in pairs (SKU id, units), None unless it is a kit. `ahead` is how far
    below zero it may be promised: expected supply, at most the greatest pre-order pot of a listing.
    `outstanding` is the expected supply alone. `case`: a shortage case of it is open. `version`
    changes with every change of the SKU itself.
    """

    id: int
    code: str
    safety_stock: int
    safety_percent: int
    outstanding: int
    ahead: int
    case: bool
    version: int
    recipe: tuple[tuple[int, int], ...] | None = None


class ListingRead(Struct, frozen=True, array_like=True):
    """What a channel calls a SKU of ours, and how many units it may sell ahead of supply."""

    channel_id: int
    channel_sku: str
    id: int
    sku_id: int
    preorder_units: int


class LocationRead(Struct, frozen=True, array_like=True):
    """A location as the batch found it."""

    id: int
    code: str
    sellable: bool


class Hold(Struct, gc=False):
    """What a reservation still holds: (SKU id, location id) → units; empty once it has ended."""

    fact_id: int
    channel_id: int
    expires_at: datetime | None
    parts: dict[tuple[int, int], int]


@dataclass(slots=True)
class Transfer:
    """A transfer as the ledger holds it."""

    transfer_ref: str
    sku_id: int
    from_location_id: int
    to_location_id: int
    quantity: int
    sent_at: datetime
    arrived: int = 0
    missing: int = 0
    stored: bool = False


@dataclass(slots=True)
class Supply:
    """Expected supply as the ledger holds it."""

    supply_ref: str
    sku_id: int
    location_id: int
    expected: int
    due_on: date
    received: int = 0
    ended: bool = False
    stored: bool = False

    @property
    def outstanding(self) -> int:
        """Units that are still to come."""
        return 0 if self.ended else max(self.expected - self.received, 0)


@dataclass(slots=True)
class Count:
    """A stocktake count as the ledger holds it."""

    count_ref: str
    sku_id: int
    location_id: int
    counted: int
    difference: int
    reason: str
    state: str
    counted_at: datetime
    stored: bool = False


@dataclass(slots=True)
class Changes:
    """What a batch may change beside balances and movements, by name; and what it has changed."""

    orders: dict[tuple[int, str], Order] = field(default_factory=dict)
    changed_orders: dict[tuple[int, str], Order] = field(default_factory=dict)
    holds: dict[tuple[int, str], Hold] = field(default_factory=dict)
    new_holds: list[Hold] = field(default_factory=list)
    changed_holds: dict[int, Hold] = field(default_factory=dict)
    transfers: dict[str, Transfer] = field(default_factory=dict)
    changed_transfers: dict[str, Transfer] = field(default_factory=dict)
    supplies: dict[str, Supply] = field(default_factory=dict)
    changed_supplies: dict[str, Supply] = field(default_factory=dict)
    counts: dict[str, Count] = field(default_factory=dict)
    changed_counts: dict[str, Count] = field(default_factory=dict)
    outstanding: dict[int, int] = field(default_factory=dict)


@dataclass(slots=True)
class Page:
    """Made by the ledger under its locks.

    `pools` has each channel's locations in the order in which its sales take stock.
    `moved_since` is (SKU id, location id, counted at) → units by which on hand changed after that
    moment; for the counts of this batch. `rules` is what PostgreSQL makes of sellable locations
    and pools, for comparing.
    """

    now: datetime
    skus: Mapping[str, SkuRead]
    skus_by_id: Mapping[int, SkuRead]
    listings: Mapping[tuple[int, str], ListingRead]
    locations: Mapping[str, LocationRead]
    sellable: tuple[int, ...]
    pools: Mapping[int, tuple[int, ...]]
    book: Book
    changes: Changes
    rules: str = ""
    moved_since: Mapping[tuple[int, int, datetime], int] = field(default_factory=dict)

    def sku(self, code: str) -> SkuRead:
        """The SKU. Refuses an unknown one."""
        found = self.skus.get(code)
        if found is None:
            raise Refusal("unknown_sku", f"no SKU {code!r}")
        return found

    def stocked(self, code: str) -> int:
        """The id of a SKU that has stock of its own. Refuses an unknown one and a kit."""
        found = self.sku(code)
        if found.recipe is not None:
            raise Refusal("kit_has_no_stock", f"{code} is a kit: book its parts")
        return found.id

    def recipe(self, sku_id: int) -> dict[int, int]:
        """SKU → units in one unit of this SKU: itself, or the parts of a kit."""
        found = self.skus_by_id.get(sku_id)
        return dict(found.recipe) if found is not None and found.recipe else {sku_id: 1}

    def location(self, code: str | None) -> int:
        """The location's id, the first sellable one for None. Refuses an unknown one."""
        if code is None:
            return self.sellable[0]
        if code not in self.locations:
            raise Refusal("unknown_location", f"no location {code!r}")
        return self.locations[code].id

    def pool(self, channel_id: int) -> tuple[int, ...]:
        """The locations that feed a channel."""
        return self.pools.get(channel_id) or self.sellable

    def find(self, channel_id: int, line: SaleLine) -> tuple[SkuRead, ListingRead | None]:
        """The SKU of a line, and its listing where the channel's name was told."""
        if line.channel_sku is None:
            return self.sku(line.sku or ""), None
        listing = self.listings.get((channel_id, line.channel_sku))
        if listing is None:
            raise Refusal("unknown_listing", f"no listing of {line.channel_sku}")
        return self.skus_by_id[listing.sku_id], listing

    def sold(self, channel_id: int, lines: Sequence[SaleLine]) -> list[SoldLine]:
        """The lines with their SKUs and listings."""
        found = [(line, *self.find(channel_id, line)) for line in lines]
        return [
            SoldLine(
                line_ref=line.line_ref,
                sku_id=sku.id,
                recipe=self.recipe(sku.id),
                listing_id=listing.id if listing else None,
                quantity=line.quantity,
                unit_price=line.unit_price,
            )
            for line, sku, listing in found
        ]

    def promisable(self, sku_id: int, pool: Sequence[int], *, preorder_units: int = 0) -> int:
        """Available to promise: what is available in the pool less the SKU's safety stock.

        Units may be promised ahead of expected supply as far as the listing's pot goes.
        """
        sku = self.skus_by_id[sku_id]
        available = self.book.available(sku_id, pool)
        if sku.safety_stock or sku.safety_percent:
            available -= held_back(available, units=sku.safety_stock, percent=sku.safety_percent)
        return available + min(preorder_units, self.outstanding(sku_id))

    def promisable_kits(self, kit_id: int, pool: Sequence[int]) -> int:
        """Whole kits that can be promised from their parts, less the kit's own safety stock."""
        kit = self.skus_by_id[kit_id]
        whole = min(self.promisable(part, pool) // per for part, per in self.recipe(kit_id).items())
        return whole - held_back(whole, units=kit.safety_stock, percent=kit.safety_percent)

    def moved_after(self, sku_id: int, location_id: int, moment: datetime) -> int:
        """Units by which on hand changed after a moment, by when it happened: a count's own time.

        Read from the ledger before this batch, and added up in this batch.
        """
        return self.moved_since.get((sku_id, location_id, moment), 0) + sum(
            movement.on_hand_delta
            for movement in self.book.movements
            if (movement.sku_id, movement.location_id) == (sku_id, location_id)
            and movement.occurred_at > moment
        )

    def outstanding(self, sku_id: int) -> int:
        """Units of expected supply that have not been received."""
        known = self.skus_by_id.get(sku_id)
        return self.changes.outstanding.get(sku_id, known.outstanding if known else 0)

    def shortage(self, sku_id: int) -> int:
        """The most units that any pool promises beyond what it holds and what it may sell ahead."""
        if not self.pools:
            worst = self.book.available(sku_id, self.sellable)
        else:
            pools = {self.sellable, *self.pools.values()}
            worst = min(self.book.available(sku_id, pool) for pool in pools)
        if worst >= 0:
            return 0
        sku = self.skus_by_id.get(sku_id)
        ahead = min(sku.ahead, self.outstanding(sku_id)) if sku else 0
        return max(-worst - ahead, 0)

    def order(self, channel_id: int, order_ref: str) -> Order:
        """The order for changing, made at first mention."""
        key = (channel_id, order_ref)
        if key not in self.changes.orders:
            self.changes.orders[key] = Order(channel_id, order_ref)
        self.changes.changed_orders[key] = self.changes.orders[key]
        return self.changes.orders[key]

    def settle(self, order: Order, *, shipped_at: datetime | None = None) -> None:
        """Bring stock in line with the order."""
        orders.settle(order, self.book, self.pool(order.channel_id), shipped_at=shipped_at)

    def anchor(self, sku_ids: Collection[int]) -> None:
        """Have one balance of each SKU written, although no unit of it may move.

        Who waits for a SKU's balances looks again when one of them was written meanwhile, and
        two who both make its first one collide.
        """
        if not sku_ids:
            return
        places = {
            sku_id: location_id
            for (sku_id, location_id), level in self.book.levels.items()
            if level.stored and sku_id in sku_ids
        }
        for sku_id in sku_ids:
            self.book.touch(sku_id, places.get(sku_id, self.sellable[0]))
