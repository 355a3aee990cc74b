"""Call limits as the marketplaces keep them, counted at the moment a call arrives."""

from __future__ import annotations

from typing import Protocol

DAY_SECONDS = 86_400


class Limit(Protocol):
    """One budget of a marketplace. `name` is its key in the books; times are ticks in seconds."""

    name: str
    used: int
    refused: int

    def take(self, tick: float, cost: float = 1.0) -> bool:
        """Count one call that arrives now; False when the marketplace refuses it."""
        ...

    def permitted(self, tick: float) -> int:
        """How many calls the limit would have let through since it began."""
        ...


class TokenBucket:
    """`rate_per_s` tokens a second, at most `burst` saved up; starts full."""

    def __init__(self, name: str, *, rate_per_s: float, burst: float, tick: float) -> None:
        self.name = name
        self.used = 0
        self.refused = 0
        self.rate_per_s = rate_per_s
        self.burst = burst
        self._began = self._at = tick
        self._level = burst

    def level(self, tick: float) -> float:
        """Tokens that could be spent at `tick`."""
        return min(self.burst, self._level + max(tick - self._at, 0.0) * self.rate_per_s)

    def take(self, tick: float, cost: float = 1.0) -> bool:
        """Spend `cost` tokens, or refuse and spend nothing."""
        self._level, self._at = self.level(tick), tick
        if self._level < cost:
            self.refused += 1
            return False
        self._level -= cost
        self.used += 1
        return True

    def give_back(self, cost: float) -> None:
        """Return tokens that turned out not to be needed (cost-based limits)."""
        self._level = min(self.burst, self._level + cost)

    def permitted(self, tick: float) -> int:
        """The first burst and everything that flowed in since, in tokens."""
        return int(self.burst + (tick - self._began) * self.rate_per_s)


class Spacing:
    """At most one call every `seconds`, measured from the last call that was let through.

    `block_seconds`: the first call that comes too early closes the door for at least that long
    (0: only that call is refused); knocking meanwhile does not make it longer.
    """

    def __init__(
        self, name: str, *, seconds: float, tick: float, block_seconds: float = 0.0
    ) -> None:
        self.name = name
        self.used = 0
        self.refused = 0
        self._seconds = seconds
        self._block_seconds = block_seconds
        self._began = tick
        self._next_at = tick
        self._blocked = False

    def take(self, tick: float, cost: float = 1.0) -> bool:
        """Let the call through, or refuse it; `cost` is always one call."""
        del cost
        if tick < self._next_at:
            self.refused += 1
            if not self._blocked:
                self._next_at = max(self._next_at, tick + self._block_seconds)
                self._blocked = True
            return False
        self._blocked = False
        self.used += 1
        self._next_at = tick + self._seconds
        return True

    def permitted(self, tick: float) -> int:
        """One call at once and one for every full interval since."""
        return 1 + int((tick - self._began) / self._seconds)


class DailyQuota:
    """At most `per_day` calls in one day of the process (days are counted from its start)."""

    def __init__(self, name: str, *, per_day: int, tick: float) -> None:
        self.name = name
        self.used = 0
        self.refused = 0
        self._per_day = per_day
        self._began = tick
        self._day = 0
        self._used_today = 0

    def take(self, tick: float, cost: float = 1.0) -> bool:
        """Count one call of today; `cost` is always one call."""
        del cost
        day = int((tick - self._began) / DAY_SECONDS)
        if day != self._day:
            self._day, self._used_today = day, 0
        if self._used_today >= self._per_day:
            self.refused += 1
            return False
        self._used_today += 1
        self.used += 1
        return True

    def permitted(self, tick: float) -> int:
        """All calls of the days begun so far."""
        return self._per_day * (1 + int((tick - self._began) / DAY_SECONDS))
