"""What could cover a shortage before an order is given up: judged from what is there now. Pure.

Nothing is remembered between two judgements but what a person was asked: units that have arrived
are no longer at another location nor outstanding, so they are never counted twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, time, timedelta

from msgspec import Struct

from inventory.clock import JST

# A transfer that has not arrived by then is not waited for any longer.
TRANSIT_MAX = timedelta(days=3)


class Elsewhere(Struct, frozen=True, array_like=True):
    """Units available at a sellable location that does not feed the short pool."""

    location: str
    units: int


class UnderWay(Struct, frozen=True, array_like=True):
    """Units of a transfer into the short pool that have not arrived yet."""

    transfer_ref: str
    units: int
    sent_at: datetime


class Supply(Struct, frozen=True, array_like=True):
    """Outstanding units of a supplier's delivery into the short pool, and its day in Tokyo."""

    supply_ref: str
    units: int
    due_on: date


class Waiter(Struct, frozen=True, array_like=True):
    """An order that holds units of the SKU in the short pool and tells its ship-by date.

    `proposed`: the desk has proposed to give it up. `cancellable`: the channel would let it.
    """

    order_id: int
    order_ref: str
    units: int
    ship_by: datetime
    proposed: bool
    cancellable: bool


class Seen(Struct, frozen=True, kw_only=True):
    """What is there at one moment. `ahead` units of supply are sold as pre-orders already.

    `asked`: the warehouse may still be asked to bring units from other locations.
    """

    elsewhere: tuple[Elsewhere, ...] = ()
    under_way: tuple[UnderWay, ...] = ()
    supplies: tuple[Supply, ...] = ()
    waiters: tuple[Waiter, ...] = ()
    ahead: int = 0
    asked: bool = True


class Plan(Struct, frozen=True, kw_only=True):
    """Units that each way covers, what it takes, and the orders that wait for supply instead."""

    transfers: tuple[UnderWay, ...] = ()
    elsewhere: tuple[Elsewhere, ...] = ()
    supplies: tuple[Supply, ...] = ()
    waiters: tuple[Waiter, ...] = ()
    late: tuple[str, ...] = ()

    @property
    def other_location(self) -> int:
        """Units that come, or are asked for, from other locations."""
        return sum(each.units for each in self.transfers) + sum(
            each.units for each in self.elsewhere
        )

    @property
    def inbound_supply(self) -> int:
        """Units of orders that wait for supply."""
        return sum(each.units for each in self.waiters)

    @property
    def units(self) -> int:
        """All of them."""
        return self.other_location + self.inbound_supply

    @property
    def waiting(self) -> frozenset[int]:
        """The orders that wait for supply, and must not be given up for this shortage."""
        return frozenset(each.order_id for each in self.waiters)


def ready_at(due_on: date) -> datetime:
    """When what is due on a day can surely be shipped: the Tokyo midnight after it."""
    return datetime.combine(due_on + timedelta(days=1), time.min, JST)


def plan(seen: Seen, units: int, now: datetime) -> Plan:
    """Cover up to so many units: what is under way first, then other locations, then supply."""
    left = units
    fresh = [each for each in seen.under_way if now - each.sent_at <= TRANSIT_MAX]
    transfers = []
    for each in fresh:
        taken = min(each.units, left)
        if taken > 0:
            transfers.append(UnderWay(each.transfer_ref, taken, each.sent_at))
            left -= taken
    elsewhere = []
    for other in seen.elsewhere if seen.asked else ():
        taken = min(other.units, left)
        if taken > 0:
            elsewhere.append(Elsewhere(other.location, taken))
            left -= taken
    supplies, late = _outstanding(seen, now)
    waiters = _waiters(seen.waiters, supplies, left)
    return Plan(
        transfers=tuple(transfers),
        elsewhere=tuple(elsewhere),
        supplies=_used(supplies, waiters),
        waiters=tuple(waiters),
        late=tuple(late),
    )


def _outstanding(seen: Seen, now: datetime) -> tuple[list[Supply], list[str]]:
    """Supply that nobody else has been promised, the soonest first, and what is late.

    Pre-orders take the soonest units. What should have come before today is not relied on.
    """
    today = now.astimezone(JST).date()
    ahead, found, late = seen.ahead, [], []
    for supply in sorted(seen.supplies, key=lambda each: each.due_on):
        if supply.due_on < today:
            late.append(supply.supply_ref)
            continue
        taken = min(ahead, supply.units)
        ahead -= taken
        if supply.units > taken:
            found.append(Supply(supply.supply_ref, supply.units - taken, supply.due_on))
    return found, late


def _waiters(found: Sequence[Waiter], supplies: Sequence[Supply], units: int) -> list[Waiter]:
    """Orders that can wait: at every date no more units are promised than will be there.

    Those that nobody has proposed go first, then those that could not be given up anyway, then
    those with the most time. Any order may be taken or left alone: whether it fits on top of the
    ones before is all that matters, so taking them one by one wastes none.
    """
    taken: list[Waiter] = []
    wishes = sorted(found, key=lambda each: (each.proposed, each.cancellable, -_seconds(each)))
    for waiter in wishes:
        most = min(waiter.units, units, _room(waiter, taken, supplies))
        # A proposal is taken back for supply that replaces it whole, or left alone.
        if most == waiter.units or (most > 0 and not waiter.proposed):
            taken.append(
                Waiter(
                    waiter.order_id,
                    waiter.order_ref,
                    most,
                    waiter.ship_by,
                    waiter.proposed,
                    waiter.cancellable,
                )
            )
            units -= most
    return taken


def _seconds(waiter: Waiter) -> float:
    return waiter.ship_by.timestamp()


def _room(waiter: Waiter, taken: Sequence[Waiter], supplies: Sequence[Supply]) -> int:
    """Units that an order may still wait for without taking those of the ones before it."""
    moments = {waiter.ship_by} | {each.ship_by for each in taken}
    return min(
        sum(each.units for each in supplies if ready_at(each.due_on) <= moment)
        - sum(each.units for each in taken if each.ship_by <= moment)
        for moment in moments
        if moment >= waiter.ship_by
    )


def _used(supplies: Sequence[Supply], waiters: Sequence[Waiter]) -> tuple[Supply, ...]:
    """The supplies that the last of the waiting orders may take from."""
    if not waiters:
        return ()
    last = max(each.ship_by for each in waiters)
    return tuple(each for each in supplies if ready_at(each.due_on) <= last)
