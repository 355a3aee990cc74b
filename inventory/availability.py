"""How many units a listing may show now, and how that number may be brought there. Pure (L7)."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct

from inventory.quantities import available_to_promise, held_back, publishable

# No listing needs to show more; the number and its changes then fit their columns.
SHOWN_MAX = 1_000_000_000


class Lane(StrEnum):
    """How a number travels. A zero goes first; a raise waits for the raise barrier.

    `read` is no push: the number at the channel must be read before anything else is decided.
    """

    ZERO = "zero"
    LOWER = "lower"
    RAISE = "raise"
    READ = "read"


class Rules(Struct, frozen=True, kw_only=True):
    """The seller's rules for one listing, after SKU, channel and listing were put together.

    `ahead` is how many units may be sold below zero now: the listing's pre-order pot, at most the
    supply that is expected.
    """

    safety_stock: int = 0
    safety_percent: int = 0
    quantity_max: int | None = None
    quantity_floor: int = 0
    ahead: int = 0
    closed: bool = False


class Shown(Struct, frozen=True, kw_only=True):
    """The range in which the number at the channel lies, as far as the ledger can know.

    Sales near the moment of the last write may or may not be contained in it, hence a range.
    """

    low: int
    high: int


class Target(Struct, frozen=True, kw_only=True):
    """What a listing should show. `lane` None: nothing needs to be sent.

    `quantity` is the number to send, `wanted` the number that the rules allow; an absolute channel
    may be kept below it by the margin for its own unseen sales.
    """

    wanted: int
    quantity: int
    lane: Lane | None
    change: int | None = None


def wanted_quantity(available: int, rules: Rules) -> int:
    """The number that the rules allow for a pool with `available` units, at most 1,000,000,000.

    Of a kit, `available` counts the whole kits that its parts make.
    """
    if rules.closed:
        return 0
    safety_stock = held_back(available, units=rules.safety_stock, percent=rules.safety_percent)
    allowed = publishable(
        atp=available_to_promise(available=available, safety_stock=safety_stock, ahead=rules.ahead),
        quantity_max=rules.quantity_max,
        quantity_floor=rules.quantity_floor,
    )
    return min(allowed, SHOWN_MAX)


def target_absolute(
    wanted: int, shown: Shown | None, *, lower_margin: int, raise_margin: int
) -> Target:
    """For a channel whose number can only be overwritten.

    Overwriting gives back what was sold there unseen, so a number counts as lower only if it is at
    most the lowest number that may stand there less `lower_margin`, the units that may have been
    sold since that number was known. A number that must fall is sent that low at once; anything
    above waits as a raise, less `raise_margin`, the units that may have been sold since the
    watermark.
    """
    if shown is None:
        lane = Lane.READ if wanted else Lane.ZERO
        return Target(wanted=wanted, quantity=wanted, lane=lane)
    if shown.high > wanted:
        quantity = max(min(wanted, shown.low - lower_margin), 0)
        lane = Lane.LOWER if quantity else Lane.ZERO
        return Target(wanted=wanted, quantity=quantity, lane=lane)
    raised = max(wanted - raise_margin, 0)
    lane_or_none = Lane.RAISE if raised > shown.low else None
    return Target(wanted=wanted, quantity=raised if lane_or_none else shown.low, lane=lane_or_none)


def target_again(
    wanted: int, shown: Shown, *, lower_margin: int, raise_margin: int, passed: bool
) -> Target:
    """For a number that is in sync as far as we know, and shall be written once more all the same.

    Where nothing can have been sold unseen, the lowest number that may stand there gives nothing
    back. Elsewhere it goes as a raise: only when the barrier has `passed` since it was asked for,
    less the margin, and not where that would close the listing.
    """
    if not wanted:
        return Target(wanted=0, quantity=0, lane=Lane.ZERO)
    if not lower_margin:
        quantity = min(wanted, shown.low)
        return Target(wanted=wanted, quantity=quantity, lane=Lane.LOWER if quantity else Lane.ZERO)
    quantity = max(wanted - raise_margin, 0)
    lane = Lane.RAISE if passed and quantity else None
    return Target(wanted=wanted, quantity=quantity, lane=lane)


def taken_back(target: Target, shown: Shown | None) -> Target | None:
    """The same by taking away what is too much, where only the margin keeps the number lower.

    None where the number that stands there is not certain, or no unit would be left. A guarded
    decrement never gives back what was just sold, so no margin is needed (L7).
    """
    if shown is None or shown.low != shown.high or target.lane not in {Lane.LOWER, Lane.ZERO}:
        return None
    change = target.wanted - shown.low
    if change >= 0 or target.wanted == target.quantity:
        return None
    return Target(wanted=target.wanted, quantity=target.wanted, lane=Lane.LOWER, change=change)


def target_relative(wanted: int, shown: Shown | None, *, doubted: bool = False) -> Target:
    """For a channel whose number can be changed by a difference, which is safe at any time.

    `doubted`: a change of unknown outcome cannot be told apart from sales, so the number starts
    anew from an absolute 0 (L8).
    """
    if shown is None and doubted:
        return Target(wanted=wanted, quantity=0, lane=Lane.ZERO)
    if shown is None or (shown.low != shown.high and (not wanted or shown.low <= wanted)):
        lane = Lane.READ if wanted else Lane.ZERO
        return Target(wanted=wanted, quantity=wanted, lane=lane)
    # Where the number is not certain, the part that is surely too much is taken back at once.
    change = wanted - shown.low
    if change == 0:
        return Target(wanted=wanted, quantity=wanted, lane=None, change=0)
    lowered = Lane.LOWER if wanted else Lane.ZERO
    lane = Lane.RAISE if change > 0 else lowered
    return Target(wanted=wanted, quantity=wanted, lane=lane, change=change)
