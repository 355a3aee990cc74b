"""The one clock of the sandbox: a movable time of day, and a tick that nobody can move."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta


class Clock:
    """`now()` is UTC and can be moved by `move()`; `tick()` is for limits and never moves.

    Limits run on the tick, so that moving the time of day never lends anyone a call.
    """

    def __init__(self) -> None:
        self._offset = timedelta()

    @property
    def offset_seconds(self) -> float:
        """How far `now()` is ahead of the machine's clock, in seconds."""
        return self._offset.total_seconds()

    def now(self) -> datetime:
        """The sandbox's time, aware, UTC."""
        return datetime.now(UTC) + self._offset

    def tick(self) -> float:
        """Seconds on the machine's monotonic clock."""
        return time.monotonic()

    def move(self, offset_seconds: float) -> None:
        """Set the distance to the machine's clock, in seconds; negative is the past."""
        self._offset = timedelta(seconds=offset_seconds)


def stamp(moment: datetime | None) -> str | None:
    """ISO 8601 in UTC with microseconds, or None."""
    return None if moment is None else moment.astimezone(UTC).isoformat(timespec="microseconds")
