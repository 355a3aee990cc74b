"""What a batch of facts names, so that all of it can be locked and read at once. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from inventory import facts as f


class Mentions(Struct, frozen=True, kw_only=True):
    """The names in the order in which they are locked; (channel id, name) where both are needed."""

    names: list[tuple[int, str]]
    sku_codes: list[str]
    listings: list[tuple[int, str]]
    orders: list[tuple[int, str]]
    holds: list[tuple[int, str]]
    transfers: list[str]
    supplies: list[str]
    counts: list[str]


class _Gathered:
    def __init__(self) -> None:
        self.skus: set[str] = set()
        self.listings: set[tuple[int, str]] = set()
        self.orders: set[tuple[int, str]] = set()
        self.holds: set[tuple[int, str]] = set()
        self.transfers: set[str] = set()
        self.supplies: set[str] = set()
        self.counts: set[str] = set()

    def take(self, fact: f.Fact) -> None:
        match fact:
            case f.ReservationAsked():
                self.lines(fact)
            case f.SaleReceived():
                self.lines(fact)
                self.orders.add((fact.channel_id, fact.order_ref))
                if fact.reservation_ref is not None:
                    self.holds.add((fact.channel_id, fact.reservation_ref))
            case f.ReservationReleased():
                self.holds.add((fact.channel_id, fact.reservation_ref))
            case f.CancellationReceived() | f.ShipmentSeen():
                self.orders.add((fact.channel_id, fact.order_ref))
            case f.OrderObserved():
                self.skus.update(sku for _, sku in fact.listings.values())
                self.orders.add((fact.channel_id, fact.order.order_ref))
            case f.TransferArrived():
                self.transfers.add(fact.transfer_ref)
            case f.SupplyEnded():
                self.supplies.add(fact.supply_ref)
            case _:
                self.stock(fact)

    def lines(self, fact: f.SaleReceived | f.ReservationAsked) -> None:
        for line in fact.lines:
            if line.channel_sku is not None:
                self.listings.add((fact.channel_id, line.channel_sku))
            elif line.sku is not None:
                self.skus.add(line.sku)

    def stock(self, fact: f.StockFact) -> None:
        self.skus.add(fact.sku)
        if isinstance(fact, (f.StockReceived, f.SupplyExpected)) and fact.supply_ref is not None:
            self.supplies.add(fact.supply_ref)
        if isinstance(fact, f.TransferSent):
            self.transfers.add(fact.fact_ref)
        if isinstance(fact, f.StockCounted):
            self.counts.update(name for name in (fact.fact_ref, fact.recount_of) if name)


def mentions(facts: Sequence[f.Fact]) -> Mentions:
    """Everything that the facts name, each once."""
    gathered = _Gathered()
    for fact in facts:
        gathered.take(fact)
    return Mentions(
        names=[
            (fact.channel_id, fact.fact_ref)
            for fact in facts
            if not isinstance(fact, f.OrderObserved)
        ],
        sku_codes=list(gathered.skus),
        listings=list(gathered.listings),
        orders=sorted(gathered.orders),
        holds=sorted(gathered.holds),
        transfers=sorted(gathered.transfers),
        supplies=sorted(gathered.supplies),
        counts=sorted(gathered.counts),
    )
