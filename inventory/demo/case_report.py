"""What the hard night's report has besides: each case, what simpler rules would have cost. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from inventory.demo import rivals
from inventory.demo.case_evidence import Case, Cases
from inventory.demo.evidence import Evidence
from inventory.demo.rivals import Loss, Name
from inventory.demo.shop import KINDS
from inventory.desk.case_figures import figures
from inventory.desk.prices import prices_of
from inventory.penalties import RakutenRules, RateRules, rules_of

SIMPLER = ("newest_first", "last_imported")


def build(found: Cases, evidence: Evidence) -> dict[str, Any]:
    """The cases, the three rules compared over the whole night, and the prices that are assumed."""
    losses = {rule: rivals.replay(found, pick) for rule, pick in rivals.RULES.items()}
    numbers = {id(case): number for number, case in enumerate(rivals.weighed(found))}
    cases = []
    for case in found.cases:
        number = numbers.get(id(case))
        mine = {} if number is None else {rule: losses[rule][number] for rule in losses}
        cases.append(_case(case, mine))
    return {
        "scenario": "shortage",
        "units_short_by_stocktake": sum(
            row["shortage_max"] for row in evidence.rows["cases"] if row["cause"] == "count"
        ),
        "cases": cases,
        "compared": {rule: _compared(each, found, evidence) for rule, each in losses.items()},
        "assumed_prices": assumed(found),
    }


def _case(case: Case, losses: Mapping[str, Loss]) -> dict[str, Any]:
    """One case; `cost_yen_foreseen` is what the desk put on record when it chose."""
    own = figures(
        sku=case.sku,
        shortage=case.shortage,
        weighed=[each.detail for each in case.weighed],
        # What was counted on and did not come covers nothing.
        mitigated=[way["units"] for way in case.mitigations if way["state"] != "undone"],
        given_up=case.given_up,
    )
    told: dict[str, Any] = msgspec.to_builtins(own)
    if losses:
        told |= {
            "cost_yen": losses["chosen"].cost.total_yen,
            "margin_lost_yen": losses["chosen"].margin_yen,
            "limits_crossed": list(losses["chosen"].cost.limits_crossed),
            **{f"cost_yen_{rule}": losses[rule].cost.total_yen for rule in SIMPLER},
        }
    return told | {
        "cost_yen_foreseen": own.cost_yen,
        "mitigations": [
            {name: way.get(name) for name in ("kind", "state", "units", "result")}
            for way in case.mitigations
        ],
        **{rule: _loss(losses[rule]) for rule in SIMPLER if losses},
    }


def _loss(loss: Loss) -> dict[str, Any]:
    return {
        "orders": [_named(name) for name in loss.orders],
        "units": sum(offer.units for offer in loss.offers),
        "cost_yen": loss.cost.total_yen,
        "margin_lost_yen": loss.margin_yen,
        "limits_crossed": list(loss.cost.limits_crossed),
    }


def _compared(losses: Sequence[Loss], found: Cases, evidence: Evidence) -> dict[str, Any]:
    """One rule over all cases: by the model, and by plain counting in the marketplaces' books."""
    names = [name for loss in losses for name in loss.orders]
    return {
        "orders": len(names),
        "cost_yen": sum(loss.cost.total_yen for loss in losses),
        "margin_lost_yen": sum(loss.margin_yen for loss in losses),
        "limits_crossed": [limit for loss in losses for limit in loss.cost.limits_crossed],
        "orders_by_channel": _by_channel(names),
        "value_yen": _value(names, evidence),
        "metrics": _metrics(names, found, evidence),
    }


def _by_channel(names: Iterable[Name]) -> dict[str, int]:
    counted = Counter(channel for channel, _ in names)
    return {kind: counted[kind] for kind in KINDS}


def _value(names: Sequence[Name], evidence: Evidence) -> int:
    """Yen that the buyers of these orders would have paid, by the marketplaces' books."""
    worth = {
        (kind, order["ref"]): sum(line["price"] * line["quantity"] for line in order["lines"])
        for kind, order in evidence.placed()
    }
    return sum(worth[name] for name in names)


def _metrics(names: Sequence[Name], found: Cases, evidence: Evidence) -> dict[str, Any]:
    """What so many cancellations are in each marketplace's metric, by nothing but counting.

    Percent of all orders that the marketplace's books have at the end of the night, and points.
    """
    placed = Counter(kind for kind, _ in evidence.placed())
    counted = _by_channel(names)
    told: dict[str, Any] = {}
    for each in found.channels:
        rules, gone = rules_of(each.kind, each.metrics), counted.get(each.code, 0)
        if isinstance(rules, RateRules):
            percent = 100 * gone / placed[each.kind.value] if placed[each.kind.value] else 0.0
            told[each.code] = {"percent": round(percent, 2), "limit": rules.limit_percent}
        elif isinstance(rules, RakutenRules):
            points = gone * rules.points_per_cancel * rules.probability
            told[each.code] = {"points": points, "limit": rules.steps[0]}
    return told


def assumed(found: Cases) -> dict[str, dict[str, Any]]:
    """Channel → the prices that nobody publishes, as they are set, with their day."""
    return {
        each.code: msgspec.to_builtins(prices_of(each.kind, each.costs)) for each in found.channels
    }


def _named(name: Name) -> str:
    return "/".join(name)
