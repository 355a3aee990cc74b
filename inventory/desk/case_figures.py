"""One case in figures: what was chosen, what it cost, and what simpler rules would have. Pure.

Where a case was weighed more than once, as sales went on, its figures are the sums: each choice
came on top of what was under way.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct

SIMPLER = ("cost_yen_newest_first", "cost_yen_last_imported")


class GivenUp(Struct, frozen=True, kw_only=True):
    """A cancellation of a case: its order, where it stands, and what was sent."""

    channel: str
    order_ref: str
    state: str
    reason_code: str


class CaseFigures(Struct, frozen=True, kw_only=True):
    """What a case came to. Units, whole yen, and orders as `channel/order_ref`.

    `mitigated` are units that something else covered: other locations, holds, supply.
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
    simpler = {name: sum(step[name] for step in weighed) for name in SIMPLER}
    return CaseFigures(
        sku=sku,
        shortage=shortage,
        mitigated=sum(mitigated),
        chosen=tuple(f"{each.channel}/{each.order_ref}" for each in gone),
        runner_up=_named(last["orders"]) if last else (),
        why_runner_up_lost=last["why"] if last else "",
        reason_codes=tuple(sorted({each.reason_code for each in gone})),
        cost_yen=sum(step["cost_yen"] for step in weighed),
        limits_crossed=tuple(limit for step in weighed for limit in step["limits_crossed"]),
        orders_cancelled=len(ended),
        margin_lost_yen=sum(step["margin_lost_yen"] for step in weighed),
        confirmed=bool(gone) and len(ended) == len(gone),
        **simpler,
    )


def _named(orders: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    return tuple(f"{order['channel']}/{order['order_ref']}" for order in orders)
