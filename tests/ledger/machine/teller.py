"""Who draws the facts of one house: few names and small numbers, so that they meet."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from datetime import timedelta
from typing import Any, TypeVar

import msgspec
from hypothesis import strategies as st

from inventory import facts as f
from tests.ledger.machine.house import KITS, POTS, SKUS, House

T = TypeVar("T")
# Draws a fact of one kind.
Kind = Callable[["Teller"], f.Fact]
ORDERS = ("a", "b", "c", "d")
LINES = ("1", "2", "3")
# Seconds before now at which something happened; a clock may also run a little ahead.
AGES = (0, 0, 0, 20, 600, 3600, 7200, -30)
RECENT = 6
PER_KIT = st.integers(1, 3)
FEEDS: tuple[tuple[str, ...], ...] = (
    (),
    ("main",),
    ("annex",),
    ("annex", "main"),
    ("main", "annex"),
)


class Teller:
    """Draws facts of these kinds and remembers what they have named. `draw` is Hypothesis's."""

    def __init__(self, house: House, kinds: Sequence[Kind]) -> None:
        self.house = house
        self.kinds = kinds
        self.told: list[f.Fact] = []
        self.holds: list[tuple[int, str]] = []
        self.transfers: list[str] = []
        self.counts: list[tuple[str, str, str | None]] = []
        self.supplies: list[tuple[str, str]] = []
        self._numbers = 0
        self.draw: Callable[[Any], Any] = lambda _: None

    def stock(self) -> list[f.Fact]:
        """What lies there at first."""
        there = ((20, "MUG", "main"), (9, "MUG", "annex"), (24, "TEE", "main"), (9, "BOX", "main"))
        return [
            f.StockReceived(
                channel_id=0,
                fact_ref=self.house.name(f"first{number}"),
                occurred_at=self.house.clock.now() - timedelta(days=1),
                sku=self.house.name(code),
                quantity=units,
                location=place,
            )
            for number, (units, code, place) in enumerate(there)
        ]

    def nothing(self) -> f.Fact:
        """A fact that is refused and leaves nothing behind."""
        return f.ReservationReleased(
            channel_id=0,
            fact_ref=self.house.name("nothing"),
            occurred_at=self.house.clock.now(),
            reservation_ref=self.house.name("none"),
        )

    def pick(self, choices: Sequence[T]) -> T:
        """One of these."""
        picked: T = self.draw(st.sampled_from(choices))
        return picked

    def rarely(self) -> bool:
        """Once in twenty-five times."""
        return self.pick(range(25)) == 7

    def units(self, most: int = 6) -> int:
        """A quantity, now and then a wrong one."""
        if self.rarely():
            return self.pick((0, f.QUANTITY_MAX + 1))
        return self.pick(range(1, most + 1))

    def fact(self) -> f.Fact:
        """Any fact."""
        fact: f.Fact = self.pick(self.kinds)(self)
        self.told.append(fact)
        return fact

    def repeated(self) -> f.Fact | None:
        """A fact that was told before, as it was, told at another time, or with other content."""
        if not self.told:
            return None
        fact = self.pick(self.told[-30:])
        how = self.pick(("same", "same", "later", "other"))
        if isinstance(fact, f.OrderObserved):
            later = self.house.clock.now() if how == "later" else fact.order.observed_at
            order = msgspec.structs.replace(fact.order, observed_at=later)
            return msgspec.structs.replace(fact, order=order)
        if how == "later":
            return msgspec.structs.replace(fact, occurred_at=self.house.clock.now())
        if how == "other":
            other = self.fact()
            if not isinstance(other, f.OrderObserved):
                named = {"channel_id": fact.channel_id, "fact_ref": fact.fact_ref}
                return msgspec.structs.replace(other, **named)
        return fact

    def setting(self) -> Coroutine[Any, Any, None]:
        """A change of the catalogue, to be awaited. Nothing is expected of a kit."""
        house, units = self.house, self.draw(st.integers(0, 5))
        match self.pick(("recipe", "pot", "safety", "pool")):
            case "recipe":
                parts = self.draw(
                    st.dictionaries(st.sampled_from(("MUG", "TEE", "CAP")), PER_KIT, min_size=1)
                )
                kit = self.pick(tuple(KITS))
                inner = {"SET": 1} if kit == "BIG" and units % 2 else {}
                return house.change_recipe(kit, parts | inner)
            case "pot":
                return house.fill_pot(self.channel(), self.pick(("mug", "tee")), units)
            case "safety":
                code = self.pick(("MUG", "TEE", "SET"))
                return house.hold_back(code, units // 2, self.pick((0, 0, 30)))
            case _:
                return house.feed(self.channel(), self.pick(FEEDS))

    def named(self, *, ages: Sequence[int] = AGES, channel_id: int | None = None) -> dict[str, Any]:
        """The name and the time of a new fact."""
        self._numbers += 1
        age = timedelta(seconds=self.pick(ages))
        return {
            "channel_id": self.channel() if channel_id is None else channel_id,
            "fact_ref": self.house.name(f"f{self._numbers}"),
            "occurred_at": self.house.clock.now() - age,
        }

    def channel(self) -> int:
        """Who tells it: mostly a shop that takes from all sellable locations."""
        one, two, three, four = self.house.channels
        return self.pick((one, one, one, two, two, three, four))

    def sku(self) -> str:
        """Mostly one that has stock of its own."""
        codes = (*KITS, "NONE") if self.rarely() else (*SKUS, "MUG", "MUG", "TEE")
        return self.house.name(self.pick(codes))

    def place(self) -> str | None:
        """Mostly the first one, or none, which means the same."""
        places = ("damaged", "fba", "nowhere") if self.rarely() else (None, None, "main", "annex")
        return self.pick(places)

    def lines(self) -> tuple[f.SaleLine, ...]:
        """One to three lines; each names a SKU or a listing."""
        refs = self.draw(st.lists(st.sampled_from(LINES), min_size=1, max_size=3, unique=True))
        return tuple(self._line(ref) for ref in refs)

    def _line(self, ref: str) -> f.SaleLine:
        units = self.units(4)
        if self.pick((True, False)):
            return f.SaleLine(line_ref=ref, quantity=units, channel_sku=self.channel_sku())
        sku = self.house.name(self.pick(tuple(KITS))) if self.pick(range(4)) == 1 else self.sku()
        return f.SaleLine(line_ref=ref, quantity=units, sku=sku)

    def channel_sku(self) -> str:
        """A listing's name at its channel."""
        return "unknown" if self.rarely() else self.pick([*map(str.lower, POTS)])

    def line_units(self) -> tuple[f.LineUnits, ...]:
        """Units of some lines; none of them: the whole order."""
        refs = self.draw(st.lists(st.sampled_from(LINES), max_size=2))
        return tuple(f.LineUnits(line_ref=ref, quantity=self.units(3)) for ref in refs)

    def order_ref(self) -> str:
        """Few orders, so that they meet."""
        return self.house.name(self.pick(ORDERS))

    def hold(self) -> tuple[int, str]:
        """A hold that was asked for lately, or one that never was."""
        return self.known(self.holds, (self.house.channels[0], self.house.name("none")))

    def known(self, names: list[T], unknown: T) -> T:
        """A name that was told lately; seldom one that never was."""
        return unknown if not names or self.rarely() else self.pick(names[-RECENT:])
