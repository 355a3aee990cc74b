"""Facts of one house in a few words, for staged races. A call with the same words is a repeat."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

from inventory import facts as f
from inventory.vocabulary import OrderLine, OrderSeen, Party
from tests.ledger.machine.house import House


class Short:
    """Names every fact after its words, on the house's first shop or on the desk's channel 0."""

    def __init__(self, house: House) -> None:
        self.house = house

    def _named(self, name: str, *, channel: int | None = None, age: float = 0) -> dict[str, Any]:
        return {
            "channel_id": self.house.channels[0] if channel is None else channel,
            "fact_ref": self.house.name(name),
            "occurred_at": self.house.clock.now() - timedelta(seconds=age),
        }

    def _lines(self, units: Mapping[str, int]) -> tuple[f.SaleLine, ...]:
        """Upper case is a SKU, lower case a listing."""
        return tuple(
            f.SaleLine(
                line_ref=code,
                quantity=n,
                sku=self.house.name(code) if code.isupper() else None,
                channel_sku=code if code.islower() else None,
            )
            for code, n in units.items()
        )

    def receive(
        self, code: str, units: int, place: str | None = None, *, supply: str | None = None
    ) -> f.Fact:
        return f.StockReceived(
            **self._named(f"in-{code}-{units}-{place}-{supply}", channel=0),
            sku=self.house.name(code),
            quantity=units,
            location=place,
            supply_ref=supply and self.house.name(supply),
        )

    def sale(
        self,
        order: str,
        units: Mapping[str, int],
        *,
        hold: str | None = None,
        keep_rest: bool = False,
        shop: int = 0,
    ) -> f.Fact:
        return f.SaleReceived(
            **self._named(f"sale-{order}", channel=self.house.channels[shop]),
            order_ref=self.house.name(order),
            lines=self._lines(units),
            reservation_ref=hold and self.house.name(f"ask-{hold}"),
            keep_rest=keep_rest,
        )

    def cancel(self, order: str) -> f.Fact:
        return f.CancellationReceived(
            **self._named(f"cancel-{order}"), order_ref=self.house.name(order), by=Party.BUYER
        )

    def ship(self, order: str) -> f.Fact:
        return f.ShipmentSeen(**self._named(f"ship-{order}"), order_ref=self.house.name(order))

    def ask(self, hold: str, units: Mapping[str, int]) -> f.Fact:
        return f.ReservationAsked(**self._named(f"ask-{hold}"), lines=self._lines(units))

    def release(self, hold: str, *, name: str = "release") -> f.Fact:
        return f.ReservationReleased(
            **self._named(f"{name}-{hold}"), reservation_ref=self.house.name(f"ask-{hold}")
        )

    def expect(self, supply: str, code: str, units: int) -> f.Fact:
        return f.SupplyExpected(
            **self._named(f"expect-{supply}-{units}", channel=0),
            supply_ref=self.house.name(supply),
            sku=self.house.name(code),
            quantity=units,
            due_on=date(2026, 12, 1),
        )

    def end_supply(self, supply: str) -> f.Fact:
        return f.SupplyEnded(
            **self._named(f"end-{supply}", channel=0), supply_ref=self.house.name(supply)
        )

    def move(self, code: str, units: int) -> f.Fact:
        return f.StockTransferred(
            **self._named(f"move-{code}-{units}", channel=0),
            sku=self.house.name(code),
            quantity=units,
            from_location="main",
            to_location="annex",
        )

    def send(self, transfer: str, code: str, units: int, *, channel: int = 0) -> f.Fact:
        return f.TransferSent(
            **self._named(transfer, channel=channel and self.house.channels[channel]),
            sku=self.house.name(code),
            quantity=units,
            from_location="main",
            to_location="annex",
        )

    def arrive(self, transfer: str, units: int, *, name: str = "a") -> f.Fact:
        return f.TransferArrived(
            **self._named(f"{transfer}-{name}", channel=0),
            transfer_ref=self.house.name(transfer),
            quantity=units,
        )

    def count(
        self, name: str, code: str, units: int, *, age: float = 0, of: str | None = None
    ) -> f.Fact:
        return f.StockCounted(
            **self._named(name, channel=0, age=age),
            sku=self.house.name(code),
            on_hand=units,
            reason=f.AdjustReason.COUNT,
            recount_of=of and self.house.name(of),
        )

    def see(self, order: str, units: int, second: int) -> f.Fact:
        channel_id, now = self.house.channels[0], self.house.clock.now()
        seen = OrderSeen(
            order_ref=self.house.name(order),
            ordered_at=now,
            observed_at=now + timedelta(seconds=second),
            lines=(OrderLine(line_ref="1", channel_sku="mug", quantity=units),),
        )
        listings = {"mug": (self.house.listing_ids[channel_id, "mug"], self.house.name("MUG"))}
        return f.OrderObserved(channel_id=channel_id, order=seen, listings=listings)
