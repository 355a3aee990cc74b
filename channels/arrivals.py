"""When a call reached the channel at the latest: calls are counted there, not where they leave."""

from __future__ import annotations

import time
from collections import defaultdict, deque
from typing import Any

ROUND_TRIPS = 16


class Trip:
    """One call on its way. `left_at` is when it was put on the wire, connecting not included."""

    def __init__(self) -> None:
        self.left_at = time.monotonic()

    async def trace(self, name: str, _: dict[str, Any]) -> None:
        """What httpcore tells of its steps."""
        if name.endswith(".send_request_headers.started"):
            self.left_at = time.monotonic()


class Arrivals:
    """Learns what a round trip takes at least, endpoint by endpoint.

    An answer comes after the call has arrived, and the way back and the channel's own work take
    part of the trip. So the shortest of the last trips is taken off an answer's time: whatever a
    call took longer than that may all have been on its way there. While fewer than sixteen trips
    are known, the shortest of them may be a long one, and nothing is taken off.
    """

    def __init__(self) -> None:
        self._trips: defaultdict[str, deque[float]] = defaultdict(lambda: deque(maxlen=ROUND_TRIPS))

    def answered(self, endpoint: str, trip: Trip) -> float:
        """An answer begins now: when its call had arrived at the latest (the monotonic clock)."""
        now = time.monotonic()
        trips = self._trips[endpoint]
        known = min(trips) if len(trips) == ROUND_TRIPS else 0.0
        trips.append(now - trip.left_at)
        return now - min(known, trips[-1])
