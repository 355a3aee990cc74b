"""Facts of every kind, as a teller draws them."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from hypothesis import strategies as st

from inventory import facts as f
from inventory.vocabulary import OrderLine, OrderSeen, Party
from tests.ledger.machine.house import POTS
from tests.ledger.machine.teller import AGES, LINES, RECENT, Kind, Teller

SUPPLIES = ("s1", "s2", "s3")
COUNT_AGES = (0, 0, 10, 300, 4000, -30, -300)


def receive(t: Teller) -> f.Fact:
    supply = t.known(t.supplies, ("none", t.sku())) if t.pick((0, 0, 1)) else None
    return f.StockReceived(
        **t.named(channel_id=0),
        sku=supply[1] if supply and not t.rarely() else t.sku(),
        quantity=t.units(12),
        location=t.place(),
        supply_ref=supply and t.house.name(supply[0]),
    )


def adjust(t: Teller) -> f.Fact:
    wrong: tuple[tuple[int | None, int | None], ...] = ((-40, None), (1, 1), (None, None))
    change, on_hand = t.pick(wrong if t.rarely() else ((-2, None), (3, None), (None, 5), (None, 0)))
    return f.StockAdjusted(
        **t.named(channel_id=0),
        sku=t.sku(),
        reason=f.AdjustReason.DAMAGE,
        change=change,
        on_hand=on_hand,
        location=t.place(),
    )


def count(t: Teller) -> f.Fact:
    named = t.named(ages=COUNT_AGES, channel_id=t.pick((0, 0, 0, t.house.channels[0])))
    sku, place, first = t.sku(), t.place(), None
    again: bool = t.pick((True, False, False))
    if t.counts and again:
        first, sku, place = t.pick(t.counts[-RECENT:])
    if t.counts and t.rarely():
        named["fact_ref"] = t.pick(t.counts[-RECENT:])[0]
    level = t.house.model.state.levels.get((sku, place or "main"))
    near = level.on_hand if level else 0
    fact = f.StockCounted(
        **named,
        sku=sku,
        on_hand=max(near + t.pick((0, 1, -2, 4, 30, -20)), 0),
        reason=f.AdjustReason.COUNT,
        location=place,
        recount_of=first,
    )
    t.counts.append((fact.fact_ref, sku, place))
    return fact


def transfer(t: Teller) -> f.Fact:
    return f.StockTransferred(
        **t.named(channel_id=0),
        sku=t.sku(),
        quantity=t.units(4),
        **_route(t),
    )


def _route(t: Teller) -> dict[str, Any]:
    routes = (("main", "annex"), ("main", "fba"), ("annex", "main"))
    wrong = (("main", "main"), ("main", "in-transit"), ("main", "nowhere"), ("damaged", "main"))
    here, there = t.pick(wrong if t.rarely() else routes)
    route: dict[str, Any] = {"from_location": here, "to_location": there}
    return route


def send(t: Teller) -> f.Fact:
    named = t.named(channel_id=t.pick((0, 0, 0, t.house.channels[0])))
    if t.transfers and t.rarely():
        named["fact_ref"] = t.pick(t.transfers[-RECENT:])
    t.transfers.append(named["fact_ref"])
    return f.TransferSent(
        **named,
        sku=t.sku(),
        quantity=t.units(4),
        **_route(t),
    )


def arrive(t: Teller) -> f.Fact:
    return f.TransferArrived(
        **t.named(channel_id=0),
        transfer_ref=t.known(t.transfers, t.house.name("none")),
        quantity=t.pick((1, 1, 2, 0)),
        missing=t.pick((0, 0, 1)),
    )


def give_back(t: Teller) -> f.Fact:
    return f.ReturnAccepted(
        **t.named(channel_id=0),
        sku=t.sku(),
        quantity=t.units(3),
        condition=t.pick(tuple(f.Condition)),
        location=t.place(),
    )


def expect(t: Teller) -> f.Fact:
    supply_ref, sku = t.pick(SUPPLIES), t.pick((t.sku(), t.house.name("MUG")))
    known = [told for told in t.supplies if told[0] == supply_ref]
    if known and not t.rarely():
        sku = known[0][1]
    t.supplies.append((supply_ref, sku))
    return f.SupplyExpected(
        **t.named(channel_id=0),
        supply_ref=t.house.name(supply_ref),
        sku=sku,
        quantity=t.units(12),
        due_on=date(2026, 12, 1),
        location=t.place(),
    )


def end_supply(t: Teller) -> f.Fact:
    supply_ref, _ = t.known(t.supplies, ("none", ""))
    return f.SupplyEnded(**t.named(channel_id=0), supply_ref=t.house.name(supply_ref))


def sale(t: Teller) -> f.Fact:
    named = t.named()
    hold = t.pick((None, None, t.hold()))
    if hold is not None:
        named["channel_id"] = hold[0]
    return f.SaleReceived(
        **named,
        order_ref=t.order_ref(),
        lines=t.lines(),
        reservation_ref=hold and hold[1],
        keep_rest=t.pick((True, False)),
    )


def cancel(t: Teller) -> f.Fact:
    return f.CancellationReceived(
        **t.named(), order_ref=t.order_ref(), by=Party.BUYER, lines=t.line_units()
    )


def ship(t: Teller) -> f.Fact:
    return f.ShipmentSeen(**t.named(), order_ref=t.order_ref(), lines=t.line_units())


def observe(t: Teller) -> f.Fact:
    channel_id = t.channel()
    listings = {
        code.lower(): (t.house.listing_ids[channel_id, code.lower()], t.house.name(code))
        for code in POTS
    }
    if t.pick((False, False, False, True)):
        listings.pop(t.pick(tuple(listings)))
    now = t.house.clock.now()
    refs = t.draw(st.lists(st.sampled_from(LINES), max_size=3, unique=True))
    order = OrderSeen(
        order_ref=t.order_ref(),
        ordered_at=now - timedelta(seconds=t.pick(AGES)),
        observed_at=now - timedelta(seconds=t.pick(AGES)),
        lines=tuple(_seen(t, ref) for ref in refs),
        cancelled=t.pick((False, False, False, True)),
        fulfilled_by_channel=t.pick((False, False, False, False, False, True)),
    )
    return f.OrderObserved(channel_id=channel_id, order=order, listings=listings)


def _seen(t: Teller, ref: str) -> OrderLine:
    units = t.draw(st.integers(min_value=0, max_value=4))
    cancelled = t.draw(st.integers(min_value=0, max_value=units))
    return OrderLine(
        line_ref=ref,
        channel_sku=t.channel_sku(),
        quantity=units,
        cancelled=cancelled,
        shipped=t.draw(st.integers(min_value=0, max_value=units - cancelled)),
    )


def reserve(t: Teller) -> f.Fact:
    named = t.named()
    t.holds.append((named["channel_id"], named["fact_ref"]))
    expires_at = t.pick((None, t.house.clock.now() + timedelta(minutes=15)))
    return f.ReservationAsked(**named, lines=t.lines(), expires_at=expires_at)


def small_hold(t: Teller, sku: str) -> f.Fact:
    """A hold of one unit."""
    line = f.SaleLine(line_ref="1", sku=sku, quantity=1)
    hold = f.ReservationAsked(**t.named(), lines=(line,))
    t.told.append(hold)
    return hold


def release(t: Teller) -> f.Fact:
    channel_id, reservation_ref = t.hold()
    return f.ReservationReleased(**t.named(channel_id=channel_id), reservation_ref=reservation_ref)


# What makes stock, and what promises it, come more often than the rest.
KINDS: tuple[Kind, ...] = (
    *(sale, sale, sale, sale, reserve, reserve, reserve, release, receive, receive, receive),
    *(observe, observe, observe, cancel, ship, ship, count, count, expect, expect, arrive, arrive),
    *(send, send, transfer, give_back, adjust, end_supply),
)
