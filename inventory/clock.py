"""One clock (L12): rules take `now` as an argument, edges ask it here; tests can move it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

JST = timezone(timedelta(hours=9), "Asia/Tokyo")


class Clock:
    """The time in UTC. `offset` moves it in tests and training."""

    def __init__(self, offset: timedelta = timedelta()) -> None:
        self.offset = offset

    def now(self) -> datetime:
        """The current time, UTC, with time zone."""
        return datetime.now(UTC) + self.offset


def tokyo_midnight(moment: datetime) -> datetime:
    """The start of the business day (Asia/Tokyo) that `moment` lies in, as UTC."""
    local = moment.astimezone(JST)
    return local.replace(hour=0, minute=0, second=0, microsecond=0).astimezone(UTC)
