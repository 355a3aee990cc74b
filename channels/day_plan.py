"""A day's calls planned over the day, so that a busy morning leaves enough for the evening.

A channel that permits so many calls a day (Asia/Tokyo) does not mind when they are made; we do. Of
them some are for zeros and cancels alone, some for polling, a few for background work. The rest
is shared. Each part is a line that rises until midnight, and a call may be made while the calls
made so far lie under it: what was not needed by day is there for the sale night, and however much
was spent early, some calls are left for every hour. Polling and background work may use less of
what is shared than pushing, so they are stretched first, and never stopped.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta, timezone

from msgspec import Struct

from channels.purposes import Purpose

TOKYO = timezone(timedelta(hours=9), "Asia/Tokyo")
DAY_SECONDS = 86_400.0
URGENT = "urgent"
SHARED = "shared"


class Line(Struct, frozen=True, kw_only=True):
    """`share` of a day's calls by midnight, `ahead` of that in the first second; evenly between."""

    share: float
    ahead: float

    def at(self, fraction: float) -> float:
        """The share of the day's calls that may be made by this fraction of the day."""
        return self.share * (self.ahead + (1.0 - self.ahead) * fraction)

    def reaches(self, share: float) -> float:
        """The fraction of the day at which the line reaches a share; above 1 when it does not."""
        return (share / self.share - self.ahead) / (1.0 - self.ahead)


# What is kept for zeros and cancels; they may use all that others leave as well.
RESERVED = 0.10
# Together with the reserve 0.95: the rest is for urgent calls that Valkey may have forgotten.
SHARE = Line(share=0.60, ahead=0.25)
OWN: Mapping[Purpose, Line] = {
    Purpose.PULL: Line(share=0.23, ahead=0.10),
    Purpose.BACKGROUND: Line(share=0.02, ahead=0.10),
}
OF_SHARED: Mapping[Purpose, Line] = {
    Purpose.NUMBER: SHARE,
    Purpose.READ_BACK: SHARE,
    Purpose.PULL: Line(share=0.50, ahead=0.20),
    Purpose.BACKGROUND: Line(share=0.35, ahead=0.10),
}


class Allowance(Struct, frozen=True, kw_only=True):
    """What one purpose may spend by one moment, in calls of the day.

    `own` names the part that is its own and `own_most` the calls of it that may have been made,
    `shared_most` the same of what is shared; 0 where it has none. `assumed` is what each part is
    taken to have spent where nobody knows: all it could, and of the reserve one half.
    """

    day: str
    own: str
    own_most: float
    shared_most: float
    assumed: Mapping[str, int]


def allowance(purpose: Purpose, *, per_day: int, now: datetime) -> Allowance:
    """What `purpose` may spend of `per_day` calls at `now` (aware)."""
    day, fraction = today(now), _fraction(now)
    own, shared = OWN.get(purpose), OF_SHARED.get(purpose)
    assumed = {part.value: int(per_day * line.at(fraction)) for part, line in OWN.items()}
    assumed[SHARED] = int(per_day * SHARE.at(fraction))
    assumed[URGENT] = int(per_day * RESERVED / 2)
    return Allowance(
        day=day,
        own=URGENT if purpose.urgent else purpose.value,
        own_most=per_day if purpose.urgent else per_day * own.at(fraction) if own else 0.0,
        shared_most=per_day * shared.at(fraction) if shared else 0.0,
        assumed=assumed,
    )


def seconds_until(
    purpose: Purpose, *, per_day: int, own: float, shared: float, now: datetime
) -> float:
    """Seconds until one call more is affordable, at most those until midnight in Tokyo.

    `own`, `shared`: calls made today of the purpose's own part, and of what is shared.
    """
    fraction = _fraction(now)
    reached = [1.0]
    if purpose in OWN:
        reached.append(OWN[purpose].reaches((own + 1) / per_day))
    if purpose in OF_SHARED:
        reached.append(OF_SHARED[purpose].reaches((shared + 1) / per_day))
    return max(min(reached) - fraction, 0.0) * DAY_SECONDS


def today(now: datetime) -> str:
    """The day in Tokyo."""
    return now.astimezone(TOKYO).date().isoformat()


def _fraction(now: datetime) -> float:
    local = now.astimezone(TOKYO)
    midnight = local.replace(hour=0, minute=0, second=0, microsecond=0)
    return (local - midnight).total_seconds() / DAY_SECONDS
