"""Knobs that make a marketplace misbehave in the ways real ones do, by the run's own dice."""

from __future__ import annotations

import random
from collections.abc import Mapping
from datetime import datetime, timedelta, timezone

from msgspec import Struct

JST = timezone(timedelta(hours=9))
SUNDAY = 6
# The hours of maintenance that Rakuten announces most often; how long one lasts differs.
MAINTENANCE_HOURS = range(2, 8)

KNOBS = frozenset(
    {
        "latency_ms",  # every answer takes this much longer, milliseconds
        "error_rate",  # share of calls answered 503 with nothing done
        "throttle_rate",  # share of calls answered 429 with nothing done
        "retry_after_s",  # calls turned away so, or for maintenance, are told to wait, seconds
        "maintenance",  # share of calls answered as in the marketplace's maintenance window
        "sunday_maintenance",  # the same, only on Sundays from 02:00 to 08:00 in Japan
        "auth_expired",  # share of calls answered as with an expired key
        "timeout_after_apply",  # share of calls done, then the connection ends with no answer
        "hold_s",  # how long such a connection is held open first, seconds
        "ignore_writes",  # share of calls answered well, with nothing written
        "error_inside",  # share of calls answered 200 with an error in the body, nothing done
        "garbage",  # share of calls done and answered 200 with a body that nobody can read
        "truncated",  # share of calls done, their answer's body cut in the middle
        "wrong_charset",  # share of calls done, their answer's body in UTF-16, which no header says
        "huge_mb",  # answers with a body are followed by this many megabytes of blanks
        "repeat_orders",  # share of order lists that name orders twice
        "shuffle_orders",  # share of pages of orders whose rows come in no order
        "shift_pages",  # so many rows of pages read before have left the list; below 0: have come
        "order_delay_s",  # orders become visible this much later, seconds
        "lose_notices",  # share of webhooks that are never sent
        "repeat_notices",  # share of webhooks that are sent twice
        "forge_notices",  # share of webhooks whose proof is wrong
        "notice_delay_s",  # webhooks come this much later, seconds
        "shuffle_notices_s",  # each webhook comes up to this much later, by the dice: out of order
    }
)


class Fault(Struct, kw_only=True):
    """One knob. `value` is a rate 0–1, or an amount in the knob's unit.

    `calls`: how many more calls it may hit, None for all. `endpoint`: only that one, None for all.
    """

    value: float = 1.0
    calls: int | None = None
    endpoint: str | None = None


def is_sunday_night(moment: datetime) -> bool:
    """Whether it is Sunday from 02:00 to 08:00 in Japan."""
    there = moment.astimezone(JST)
    return there.weekday() == SUNDAY and there.hour in MAINTENANCE_HOURS


class Faults:
    """The knobs of one marketplace. Amounts apply always; rates are drawn per call."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._faults: dict[str, Fault] = {}

    def replace(self, faults: Mapping[str, Fault]) -> None:
        """Set all knobs at once; what is not named is off.

        Raises ValueError for a knob that does not exist.
        """
        unknown = sorted(set(faults) - KNOBS)
        if unknown:
            raise ValueError(f"no such fault: {', '.join(unknown)}; known: {sorted(KNOBS)}")
        self._faults = dict(faults)

    def current(self) -> dict[str, Fault]:
        """The knobs that are on now."""
        return dict(self._faults)

    def hit(self, knob: str, endpoint: str) -> bool:
        """Draw for one call: does the fault strike it? Uses up one of its calls when it does."""
        fault = self._applying(knob, endpoint)
        if fault is None or (fault.value < 1 and self._rng.random() >= fault.value):
            return False
        self._use(fault)
        return True

    def amount(self, knob: str, endpoint: str) -> float:
        """The amount of a knob for one call, 0 when it is off; uses up one of its calls."""
        fault = self._applying(knob, endpoint)
        if fault is None:
            return 0.0
        self._use(fault)
        return fault.value

    def _applying(self, knob: str, endpoint: str) -> Fault | None:
        fault = self._faults.get(knob)
        if fault is None or fault.calls == 0 or fault.endpoint not in {None, endpoint}:
            return None
        return fault

    def _use(self, fault: Fault) -> None:
        if fault.calls is not None:
            fault.calls -= 1
