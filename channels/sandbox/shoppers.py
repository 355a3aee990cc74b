"""Shoppers of one sale night: who comes when and wants what, planned by a seed, then let in."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping, Sequence

from msgspec import Struct

from channels.sandbox.market import Market, NotAllowed, NotDisplayed

SECONDS_MAX = 86_400.0
ORDERS_MAX = 200_000
TWO_UNITS_SHARE = 0.15
TWO_LISTINGS_SHARE = 0.10
STAFF_DELAY_SECONDS = (3.0, 15.0)
REGRET_DELAY_SECONDS = (3.0, 20.0)


class Night(Struct, kw_only=True, forbid_unknown_fields=True):
    """One sale night.

    `orders_per_second` is the mean of a Poisson stream over all marketplaces; `weights` share it
    out by marketplace (a marketplace not named gets nobody; empty means all alike). Between
    `hot_from` and `hot_to` (fractions of the night) the listing named in `hot` for a marketplace
    is `hot_factor` times as likely as any other. `shipping` is the share of orders that the
    store's staff ship during the night, `buyer_cancel` the share that buyers cancel themselves;
    orders with a key of `no_ship_keys` are left alone by both.
    """

    seed: int = 1
    seconds: float = 60.0
    orders_per_second: float = 1.0
    weights: dict[str, float] = {}
    hot: dict[str, str] = {}
    hot_factor: float = 10.0
    hot_from: float = 0.3
    hot_to: float = 0.7
    shipping: float = 0.0
    buyer_cancel: float = 0.0
    no_ship_keys: list[str] = []

    def __post_init__(self) -> None:
        """Raises ValueError when a number is out of bounds."""
        shares = (self.shipping, self.buyer_cancel, self.hot_from, self.hot_to)
        if not 0 < self.seconds <= SECONDS_MAX:
            raise ValueError(f"seconds must be above 0 and at most {SECONDS_MAX:.0f}")
        if not 0 < self.orders_per_second * self.seconds <= ORDERS_MAX:
            raise ValueError(f"a night has above 0 and at most {ORDERS_MAX} orders")
        if not all(0 <= share <= 1 for share in shares):
            raise ValueError("shipping, buyer_cancel, hot_from and hot_to are shares from 0 to 1")
        if self.hot_factor < 0 or any(weight < 0 for weight in self.weights.values()):
            raise ValueError("weights and hot_factor cannot be negative")


class Visit(Struct, kw_only=True, frozen=True):
    """One shopper of the plan: `at` seconds into the night, wanting (key, units) of a marketplace.

    `ships_after` and `cancels_after` are seconds after the purchase, None for never.
    """

    at: float
    market: str
    wants: tuple[tuple[str, int], ...]
    ships_after: float | None
    cancels_after: float | None


def plan(night: Night, listings: Mapping[str, Sequence[str]]) -> list[Visit]:
    """Who comes when and wants what; the same night and listings give the same plan.

    `listings` are the keys on sale by marketplace. Raises ValueError when nobody could come.
    """
    names = sorted(name for name, keys in listings.items() if keys)
    weights = [night.weights.get(name, 0.0) if night.weights else 1.0 for name in names]
    if not names or not sum(weights):
        raise ValueError("no marketplace with listings has a weight")
    dice = random.Random(night.seed)
    visits: list[Visit] = []
    at = dice.expovariate(night.orders_per_second)
    while at < night.seconds:
        [name] = dice.choices(names, weights)
        hot = night.hot.get(name) if night.hot_from <= at / night.seconds < night.hot_to else None
        wants = _wants(dice, sorted(listings[name]), hot=hot, factor=night.hot_factor)
        ships, regrets = dice.random() < night.shipping, dice.random() < night.buyer_cancel
        ships_after, cancels_after = (
            dice.uniform(*STAFF_DELAY_SECONDS),
            dice.uniform(*REGRET_DELAY_SECONDS),
        )
        left_alone = any(key in night.no_ship_keys for key, _ in wants)
        visits.append(
            Visit(
                at=at,
                market=name,
                wants=wants,
                ships_after=ships_after if ships and not left_alone else None,
                cancels_after=cancels_after if regrets and not left_alone else None,
            )
        )
        at += dice.expovariate(night.orders_per_second)
    return visits


def _wants(
    dice: random.Random, keys: Sequence[str], *, hot: str | None, factor: float
) -> tuple[tuple[str, int], ...]:
    weights = [factor if key == hot else 1.0 for key in keys]
    chosen = dice.choices(keys, weights)
    others = [key for key in keys if key not in chosen]
    if dice.random() < TWO_LISTINGS_SHARE and others:
        chosen.append(dice.choice(others))
    return tuple((key, 2 if dice.random() < TWO_UNITS_SHARE else 1) for key in chosen)


class Shoppers:
    """Lets the shoppers of one night in, each at his time, and keeps count."""

    def __init__(self, night: Night, markets: Mapping[str, Market]) -> None:
        self.night = night
        self.placed = 0
        self.units = 0
        self.lost_sales = 0
        self.shipped = 0
        self.buyer_cancelled = 0
        self.running = True
        self._markets = markets
        self._plan = plan(night, {name: list(market.listings) for name, market in markets.items()})
        self._chores: list[tuple[float, str, str, str]] = []

    def report(self) -> dict[str, object]:
        """How the night goes, as JSON-ready values."""
        return {
            "running": self.running,
            "seed": self.night.seed,
            "seconds": self.night.seconds,
            "planned": len(self._plan),
            "placed": self.placed,
            "units": self.units,
            "lost_sales": self.lost_sales,
            "shipped": self.shipped,
            "buyer_cancelled": self.buyer_cancelled,
        }

    async def run(self) -> None:
        """Let everybody in; ends by itself when the night is over."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        try:
            for visit in [*self._plan, None]:
                until = self.night.seconds if visit is None else visit.at
                await self._chores_until(until, began)
                await asyncio.sleep(max(began + until - loop.time(), 0))
                if visit is not None:
                    self._shop(visit)
        finally:
            self.running = False

    def _shop(self, visit: Visit) -> None:
        market = self._markets[visit.market]
        basket = []
        for key, units in visit.wants:
            listing = market.listings.get(key)
            displayed = listing.buyable if listing else 0
            self.lost_sales += displayed < units
            if displayed:
                basket.append((key, min(units, displayed)))
        if not basket:
            return
        try:
            order = market.place(basket)
        except NotDisplayed:
            self.lost_sales += 1
            return
        self.placed += 1
        self.units += sum(units for _, units in basket)
        for chore, after in (("ship", visit.ships_after), ("regret", visit.cancels_after)):
            if after is not None:
                self._chores.append((visit.at + after, chore, visit.market, order.ref))

    async def _chores_until(self, until: float, began: float) -> None:
        loop = asyncio.get_running_loop()
        while self._chores and min(self._chores)[0] < until:
            due = min(self._chores)
            self._chores.remove(due)
            at, chore, name, ref = due
            await asyncio.sleep(max(began + at - loop.time(), 0))
            try:
                if chore == "ship":
                    self._markets[name].ship(ref)
                    self.shipped += 1
                else:
                    self._markets[name].buyer_cancel(ref)
                    self.buyer_cancelled += 1
            except NotAllowed:
                continue  # the other chore, or the shop, was first
