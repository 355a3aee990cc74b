"""Why a channel shows another number than the one expected: the evidence, and the verdict. Pure."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from msgspec import Struct

from inventory.availability import Shown
from inventory.clock import JST

# A number that was accepted without effect so many times is a matter for a person.
IGNORED_TIMES_MAX = 3


class Cause(StrEnum):
    """What explains a difference.

    `order_not_pulled`: units were sold there whose orders we do not see yet. `ignored`: our number
    was accepted and has had no effect. `lost_update`: an older number of ours stands there again.
    `hand_edit`: neither a push nor an order explains it, so somebody changed it there.
    `mapping_error`: the channel has no such listing. `closed_listing`: it is kept sold out there.
    """

    ORDER_NOT_PULLED = "order_not_pulled"
    IGNORED = "ignored"
    LOST_UPDATE = "lost_update"
    HAND_EDIT = "hand_edit"
    MAPPING_ERROR = "mapping_error"
    CLOSED_LISTING = "closed_listing"


class Pushed(Struct, frozen=True, kw_only=True):
    """A number of ours. `before` is the lowest that stood there when it was sent, if known."""

    quantity: int
    before: int | None
    sent_at: datetime
    accepted: bool = True


class Evidence(Struct, frozen=True, kw_only=True):
    """What is known of one reading. `expected` is None where nothing was known of the number.

    `seen_all`: every order placed before the reading is in the ledger. `pushes` are what we sent
    in the last days, newest first. `confirmed`: a reading since the newest accepted one agreed.
    What was on its way when we asked is no evidence; such readings are left out.
    """

    shown: int | None
    closed: bool = False
    expected: Shown | None
    seen_all: bool
    pushes: tuple[Pushed, ...] = ()
    confirmed: bool = False


class Verdict(Struct, frozen=True, kw_only=True):
    """What explains a difference, in one sentence, and whether a person is needed."""

    cause: Cause
    story: str

    def alarms(self, times: int) -> bool:
        """Whether a person must hear of it, seen for the `times`-th time."""
        if self.cause is Cause.IGNORED:
            return times >= IGNORED_TIMES_MAX
        return self.cause in {Cause.HAND_EDIT, Cause.MAPPING_ERROR, Cause.CLOSED_LISTING}


def classify(evidence: Evidence) -> Verdict | None:
    """What explains the number shown; None where it is as expected, or nothing was expected."""
    shown, expected = evidence.shown, evidence.expected
    if shown is None:
        return Verdict(
            cause=Cause.MAPPING_ERROR,
            story="the channel has no such listing: list it there, or map the SKU to another one",
        )
    if evidence.closed:
        return Verdict(
            cause=Cause.CLOSED_LISTING,
            story="the channel keeps this listing sold out until a person reopens it there",
        )
    if expected is None or expected.low <= shown <= expected.high:
        return None
    if shown < expected.low and not evidence.seen_all:
        missing = expected.low - shown
        return Verdict(
            cause=Cause.ORDER_NOT_PULLED,
            story=f"{_shows(shown, expected)}: {missing} held until the orders are here, or until"
            " it is certain that there are none",
        )
    return _ours(shown, expected, evidence) or Verdict(
        cause=Cause.HAND_EDIT,
        story=f"{_shows(shown, expected)}, and no push or order explains it: somebody changed it"
        " there; our number is sent again",
    )


def _ours(shown: int, expected: Shown, evidence: Evidence) -> Verdict | None:
    """Whether one of our own numbers explains it."""
    accepted = [push for push in evidence.pushes if push.accepted]
    if not accepted:
        return None
    last = accepted[0]
    # Units sold there since the last push, which would have lowered any other number as well.
    sold = Shown(low=max(last.quantity - expected.high, 0), high=last.quantity - expected.low)

    def explains(number: int | None) -> bool:
        if number is None or number == last.quantity:
            return False
        return shown == number or number - sold.high <= shown <= number - sold.low

    at = _clock(last.sent_at)
    if not evidence.confirmed and explains(last.before):
        return Verdict(
            cause=Cause.IGNORED,
            story=f"{_shows(shown, expected)}: {last.quantity} was accepted at {at} and has had no"
            " effect; it is sent again",
        )
    older = next((one for one in evidence.pushes if one != last and explains(one.quantity)), None)
    if older is None:
        return None
    return Verdict(
        cause=Cause.LOST_UPDATE,
        story=f"{_shows(shown, expected)}: {older.quantity}, which we sent at"
        f" {_clock(older.sent_at)}, stands there instead of {last.quantity}, sent at {at}; it is"
        " sent again",
    )


def _shows(shown: int, expected: Shown) -> str:
    where = (
        f"{expected.low}" if expected.low == expected.high else f"{expected.low} to {expected.high}"
    )
    return f"shows {shown} where {where} was expected"


def _clock(moment: datetime) -> str:
    return f"{moment.astimezone(JST):%H:%M:%S}"
