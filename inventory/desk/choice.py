"""The set of orders whose end costs least for a shortage of so many units: exact, and pure.

Up to 12 orders every set is tried. Beyond, a table over units and counted orders is built channel
by channel (dynamic programming): the price of a limit is added where the number of a channel's
orders that count is known, so that a cost which does not add up order by order is still exact.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from itertools import groupby
from typing import Any

from msgspec import Struct

from inventory.desk import costs
from inventory.desk.costs import Offer, SetCost, Shop

SEARCH_MAX = 12
# One number holds what is minimised: yen, then how many orders, then which (older ones weigh more).
COUNT_BITS = 16

States = dict[tuple[int, int], int]


class Choice(Struct, frozen=True, kw_only=True):
    """The orders to give up, newest first, and the best set that spares one of them.

    `runner_up` is empty where no other set covers as much. `kept`: the runner-up costs the same,
    and would have taken the place of what is proposed already.
    """

    orders: tuple[Offer, ...]
    cost: SetCost
    runner_up: tuple[Offer, ...]
    runner_up_cost: SetCost | None
    method: str
    kept: bool = False

    @property
    def units(self) -> int:
        """Units that end with the chosen orders."""
        return sum(order.units for order in self.orders)


class _Problem:
    """Offers, newest first, in whole numbers: what each costs by itself, and what numbers cost."""

    def __init__(
        self, offers: Iterable[Offer], shops: Mapping[int, Shop], need: int, now: datetime
    ) -> None:
        self.offers = sorted(offers, key=_age, reverse=True)
        self.need = min(need, sum(offer.units for offer in self.offers))
        self.size = len(self.offers)
        self.shift = COUNT_BITS + self.size
        self.own = [costs.own_cost(o, shops[o.channel_id], now).total_yen for o in self.offers]
        self.shelf_yen = {
            o.shelf.listing_id: costs.closed_cost(o.shelf, shops[o.channel_id])
            for o in self.offers
            if o.shelf is not None
        }
        self.limits = {
            channel_id: costs.limit_yen(shops[channel_id], weighing, now)
            for channel_id, weighing in self._weighing(range(self.size)).items()
        }

    def _weighing(self, members: Iterable[int]) -> dict[int, int]:
        """Channel → how many of these offers weigh there."""
        found: dict[int, int] = {}
        for member in members:
            offer = self.offers[member]
            found[offer.channel_id] = found.get(offer.channel_id, 0) + offer.weighs
        return found

    def key(self, member: int) -> int:
        """An offer's part in the number that is minimised, without limit and shelf."""
        return (self.own[member] << self.shift) + (1 << self.size) + (1 << member)

    def yen(self, amount: int) -> int:
        """Yen in the number that is minimised."""
        return amount << self.shift

    def shelf_of(self, member: int) -> int:
        """The listing that closes with an offer, 0 for none."""
        shelf = self.offers[member].shelf
        return 0 if shelf is None else shelf.listing_id

    def kind_of(self, member: int) -> tuple[int, int, int, bool]:
        """Offers of one kind differ in nothing but their own cost and their age."""
        offer = self.offers[member]
        return offer.channel_id, self.shelf_of(member), offer.units, offer.weighs

    def worth(self, members: Sequence[int]) -> int:
        """The number that is minimised, of a whole set."""
        shelves = {self.shelf_of(member) for member in members} - {0}
        limits = [self.limits[channel][n] for channel, n in self._weighing(members).items()]
        extra = sum(limits) + sum(self.shelf_yen[shelf] for shelf in shelves)
        return sum(self.key(member) for member in members) + self.yen(extra)

    def members(self, worth: int) -> list[int]:
        """The set that a number stands for: its lowest bits."""
        return [member for member in range(self.size) if worth >> member & 1]


def choose(offers: Sequence[Offer], shops: Mapping[int, Shop], units: int, now: datetime) -> Choice:
    """The set of whole orders that covers `units` at the least cost; all of them if too few.

    Of sets that cost the same the smaller one is chosen, then the one that spares the oldest
    orders, so that the newest lose ties. `shops` has every channel of the offers.
    """
    return _choose(offers, shops, units, now, search_max=SEARCH_MAX)


def _choose(
    offers: Sequence[Offer],
    shops: Mapping[int, Shop],
    units: int,
    now: datetime,
    *,
    search_max: int,
) -> Choice:
    problem = _Problem(offers, shops, units, now)
    solve = _search if problem.size <= search_max else _table
    best = _solved(problem, solve, spared=None) or 0
    chosen = problem.members(best)
    others = [_solved(problem, solve, spared=each) for each in _last_of_kind(problem, chosen)]
    found = min((other for other in others if other is not None), default=None)
    runner_up = _orders(problem, problem.members(found) if found is not None else ())
    orders = _orders(problem, chosen)
    return Choice(
        orders=orders,
        cost=costs.price(orders, shops, now),
        runner_up=runner_up,
        runner_up_cost=costs.price(runner_up, shops, now) if runner_up else None,
        method="search" if solve is _search else "table",
    )


def newest_first(offers: Sequence[Offer], units: int) -> list[Offer]:
    """What "the newest order loses" would give up for so many units; to compare with."""
    return _until(sorted(offers, key=_age, reverse=True), units)


def last_imported(offers: Sequence[Offer], units: int) -> list[Offer]:
    """What "the order imported last loses" would give up for so many units; to compare with."""
    return _until(sorted(offers, key=lambda offer: offer.order_id, reverse=True), units)


def why_lost(choice: Choice) -> str:
    """One sentence on why the runner-up was not chosen: yen in the parts that differ."""
    other = choice.runner_up_cost
    if other is None:
        return "no other orders would cover as much"
    more = other.total_yen - choice.cost.total_yen
    if not more:
        if choice.kept:
            return "it costs the same, and what is proposed stays"
        if len(choice.runner_up) > len(choice.orders):
            return "it costs the same and gives up more orders"
        return "it costs the same, and its orders are older"
    parts = [(other.part(name) - choice.cost.part(name), name) for name in costs.PARTS]
    told = [
        f"{name.removesuffix('_yen')} {abs(yen)} {'more' if yen > 0 else 'less'}"
        for yen, name in sorted(parts, key=lambda part: part[0], reverse=True)
        if yen
    ]
    words = f"it costs {more} yen more ({', '.join(told)})"
    limits = [each for each in other.limits_crossed if each not in choice.cost.limits_crossed]
    return words + (f"; it would cross {', '.join(limits)}" if limits else "")


def _age(offer: Offer) -> tuple[datetime, int]:
    return offer.ordered_at, offer.order_id


def _until(offers: Sequence[Offer], units: int) -> list[Offer]:
    chosen: list[Offer] = []
    covered = 0
    for offer in offers:
        if covered >= units:
            break
        chosen.append(offer)
        covered += offer.units
    return chosen


def _orders(problem: _Problem, members: Iterable[int]) -> tuple[Offer, ...]:
    return tuple(problem.offers[member] for member in members)


def _last_of_kind(problem: _Problem, chosen: Sequence[int]) -> list[int]:
    """The dearest chosen offer of each kind: the best other set spares one of them.

    A set that spares another one of the kind can take that one for the dearest, at no more cost.
    """
    last: dict[Any, int] = {}
    for member in sorted(chosen, key=problem.key):
        last[problem.kind_of(member)] = member
    return list(last.values())


def _solved(
    problem: _Problem, solve: Callable[[_Problem, list[int]], int | None], spared: int | None
) -> int | None:
    """The least number of a set without the one that is spared; None where too few are left."""
    if not problem.need:
        return None
    return solve(problem, [member for member in range(problem.size) if member != spared])


def _search(problem: _Problem, members: list[int]) -> int | None:
    """Every set is tried."""
    best = None
    for bits in range(1, 1 << len(members)):
        some = [member for place, member in enumerate(members) if bits >> place & 1]
        if sum(problem.offers[member].units for member in some) < problem.need:
            continue
        worth = problem.worth(some)
        best = worth if best is None or worth < best else best
    return best


def _table(problem: _Problem, members: list[int]) -> int | None:
    """Channel by channel, the least number for each count of units up to the need."""
    best = {0: 0}
    by_channel = sorted(members, key=problem.kind_of)
    for channel_id, group in groupby(by_channel, lambda each: problem.offers[each].channel_id):
        limits = problem.limits[channel_id]
        least: dict[int, int] = {}
        for (units, weighing), worth in _channel(problem, list(group)).items():
            _keep(least, units, worth + problem.yen(limits[weighing]))
        joined: dict[int, int] = {}
        for units, worth in best.items():
            for more, added in least.items():
                _keep(joined, min(units + more, problem.need), worth + added)
        best = joined
    return best.get(problem.need)


def _channel(problem: _Problem, group: list[int]) -> States:
    """(units, orders that weigh) → the least number of a set of one channel's offers."""
    states: States = {(0, 0): 0}
    for shelf, shelved in groupby(group, problem.shelf_of):
        paid = problem.yen(problem.shelf_yen.get(shelf, 0))
        opened = {state: worth + paid for state, worth in states.items()}
        for _, alike in groupby(list(shelved), problem.kind_of):
            opened = _with_some_of(problem, opened, sorted(alike, key=problem.key))
        for state, worth in opened.items():
            _keep(states, state, worth)
    return states


def _with_some_of(problem: _Problem, states: States, alike: Sequence[int]) -> States:
    """Each state with 0, 1, 2 … of the cheapest offers of one kind: no others can be better."""
    offer = problem.offers[alike[0]]
    keys = [problem.key(member) for member in alike]
    found = dict(states)
    for (units, weighing), worth in states.items():
        now_units, now_weighing, now_worth = units, weighing, worth
        for key in keys:
            if now_units >= problem.need:
                break
            now_units = min(now_units + offer.units, problem.need)
            now_weighing += offer.weighs
            now_worth += key
            _keep(found, (now_units, now_weighing), now_worth)
    return found


def _keep(table: dict[Any, int], place: Any, worth: int) -> None:
    if place not in table or worth < table[place]:
        table[place] = worth
