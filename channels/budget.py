"""What an endpoint permits, the leave to make one call of it, and what became of it."""

from __future__ import annotations

from msgspec import Struct

# What lies between two calls of a channel that permits one at a time, as a part of its interval.
GAP = 1.05


class Budget(Struct, frozen=True, kw_only=True):
    """What one endpoint permits: `seconds` between calls in the long run, `burst` calls at once.

    A burst of 1 means one call at a time, with 5 % more than `seconds` between two arrivals.
    Where a channel counts points and not calls, both are meant per point, and a call costs many.
    `kept` of the burst are for zeros and cancels only. `per_day` is the most calls in one day
    (Asia/Tokyo), None where the channel states none; endpoints with the same name in `day` share
    those calls. `per_credential`: the channel counts per key and not per shop, so that two shops
    behind one key share the budget; `day_per_credential` is the same for the calls of a day.
    """

    endpoint: str
    seconds: float
    burst: int = 1
    kept: int = 0
    per_day: int | None = None
    day: str = ""
    per_credential: bool = False
    day_per_credential: bool = False

    def __post_init__(self) -> None:
        """Raises ValueError when nobody could ever call."""
        if self.seconds <= 0 or not 0 <= self.kept < self.burst:
            raise ValueError(f"{self.endpoint}: seconds above 0, and kept less than burst")

    @property
    def single(self) -> bool:
        """Whether calls go one at a time."""
        return self.burst == 1

    @property
    def interval_ms(self) -> float:
        """Between two calls in the long run."""
        return self.seconds * 1000 * (GAP if self.single else 1.0)


class Grant(Struct, frozen=True, kw_only=True):
    """The leave to make one call, given at `at` (the machine's monotonic clock)."""

    budget: Budget
    token: str
    cost: int
    at: float


class Observed(Struct, frozen=True, kw_only=True):
    """One endpoint's budget now. `used`: calls or points since the channel was connected here.

    `refused`: calls that the channel answered as too many. `level`: calls that could be made at
    once. `used_today` and `per_day` are None where the day is not limited.
    """

    endpoint: str
    used: int
    refused: int
    level: float
    used_today: int | None
    per_day: int | None
