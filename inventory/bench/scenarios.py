"""What callers buy, as streams that a seed repeats."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator

from msgspec import Struct

# SKUs are numbered from 0. One unit of each is wanted.
Basket = tuple[int, ...]

# So many baskets are drawn; then the stream begins anew.
DRAWN = 1 << 16


class Scenario(Struct, frozen=True, kw_only=True):
    """Baskets of `lines` distinct SKUs out of `skus`.

    SKU number n is wanted with weight 1 / (n + 1) ** `exponent`; 0.0 means uniformly.
    """

    name: str
    skus: int
    lines: int = 1
    exponent: float = 0.0


HOT = Scenario(name="HOT", skus=1)
SPREAD = Scenario(name="SPREAD", skus=10_000)
ZIPF = Scenario(name="ZIPF", skus=10_000, exponent=1.0)
MULTI = Scenario(name="MULTI", skus=50, lines=3)
SCENARIOS = (HOT, SPREAD, ZIPF, MULTI)


def baskets(scenario: Scenario, *, seed: int, count: int = DRAWN) -> list[Basket]:
    """The first `count` baskets of a scenario; the same seed gives the same ones."""
    dice = random.Random(seed)  # noqa: S311 -- a repeatable seed is wanted, not a secret
    numbers = range(scenario.skus)
    if scenario.lines > 1:
        return [tuple(dice.sample(numbers, scenario.lines)) for _ in range(count)]
    weights = [(number + 1) ** -scenario.exponent for number in numbers]
    return [(number,) for number in dice.choices(numbers, weights=weights, k=count)]


def refs(run: int) -> Iterator[str]:
    """Names of facts, such as `250-1234567-0000001`; those of another run never meet them."""
    # Made without a turn in Python: what callers cost is measured with what they ask for.
    return map(f"250-{run:07d}-%07d".__mod__, itertools.count(1))


def sales(scenario: Scenario, *, run: int, seed: int) -> Iterator[tuple[str, Basket]]:
    """What is asked, one after the other, without end: a fresh name and a basket."""
    return zip(refs(run), itertools.cycle(baskets(scenario, seed=seed)), strict=False)
