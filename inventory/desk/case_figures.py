"""One case in figures: what was chosen, what it cost, and what simpler rules would have. Pure.

Where a case was weighed more than once, as sales went on, each choice came on top of what was
decided by then, and took the place of what was only proposed: its figures are the sums of what
stayed.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from fractions import Fraction
from typing import Any

from msgspec import Struct


class GivenUp(Struct, frozen=True, kw_only=True):
    """A cancellation of a case: its order, where it stands, and what was sent."""

    channel: str
    order_ref: str
    state: str
    reason_code: str


class CaseFigures(Struct, frozen=True, kw_only=True):
    """What a case came to. Units, whole yen, and orders as `channel/order_ref`.

    `mitigated` are units that something else covered: other locations, holds, supply. `runner_up`
    is that of the last choice.
    `confirmed`: every order that was given up was seen cancelled.
    """

    sku: str
    shortage: int
    mitigated: int
    chosen: tuple[str, ...]
    runner_up: tuple[str, ...]
    why_runner_up_lost: str
    reason_codes: tuple[str, ...]
    cost_yen: int
    cost_yen_newest_first: int
    cost_yen_last_imported: int
    limits_crossed: tuple[str, ...]
    orders_cancelled: int
    margin_lost_yen: int
    confirmed: bool


def figures(
    *,
    sku: str,
    shortage: int,
    weighed: Sequence[Mapping[str, Any]],
    mitigated: Sequence[int],
    given_up: Sequence[GivenUp],
) -> CaseFigures:
    """Put together a case's `weighed` steps, its mitigations' units and its cancellations.

    `shortage` is the case's greatest one.
    """
    last = weighed[-1]["runner_up"] if weighed else None
    ended = [each for each in given_up if each.state == "confirmed"]
    gone = [each for each in given_up if each.state not in {"refused", "observed"}]
    names = tuple(f"{each.channel}/{each.order_ref}" for each in gone)
    shares = _shares(weighed, names)

    def total(name: str) -> int:
        return sum(round(step[name] * share) for step, share in shares)

    return CaseFigures(
        sku=sku,
        shortage=shortage,
        mitigated=sum(mitigated),
        chosen=names,
        runner_up=_named(last["orders"]) if last else (),
        why_runner_up_lost=last["why"] if last else "",
        reason_codes=tuple(sorted({each.reason_code for each in gone})),
        cost_yen=total("cost_yen"),
        cost_yen_newest_first=total("cost_yen_newest_first"),
        cost_yen_last_imported=total("cost_yen_last_imported"),
        limits_crossed=tuple(
            limit for step, share in shares if share for limit in step["limits_crossed"]
        ),
        orders_cancelled=len(ended),
        margin_lost_yen=total("margin_lost_yen"),
        confirmed=bool(gone) and len(ended) == len(gone),
    )


def units_chosen(weighed: Sequence[Mapping[str, Any]], gone: Collection[str]) -> int:
    """For how many units orders were chosen in all, those that gave way to others left out."""
    return sum(round(step["units"] * share) for step, share in _shares(weighed, gone))


def _shares(
    weighed: Sequence[Mapping[str, Any]], gone: Collection[str]
) -> list[tuple[Mapping[str, Any], Fraction]]:
    """Each choice with the share of it that stayed, by units.

    Of the last one that is what is given up, of the others what was decided before the next. A
    choice of before this was noted stayed whole.
    """
    found = []
    for number, step in enumerate(weighed, start=1):
        following = weighed[number] if number < len(weighed) else None
        told = step if following is None else following
        if "decided_before" not in told:
            found.append((step, Fraction(1)))
            continue
        stays = set(gone) if following is None else set(gone) & set(told["decided_before"])
        orders = [(f"{o['channel']}/{o['order_ref']}", o["units"]) for o in step["orders"]]
        units = sum(each for _, each in orders)
        stayed = sum(each for name, each in orders if name in stays)
        found.append((step, Fraction(stayed, units or 1)))
    return found


def _named(orders: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    return tuple(f"{order['channel']}/{order['order_ref']}" for order in orders)
