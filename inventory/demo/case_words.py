"""The hard night in sentences: each case with its choice and cost, and what simpler rules lose."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

RULES = {
    "chosen": "the orders that cost least",
    "newest_first": "newest order loses",
    "last_imported": "order imported last loses",
}
# Prices of what a marketplace might do, in words; the shop sets them.
GUESSED = {
    "breach_yen": "crossing the limit (a suspension, or worse)",
    "fines_yen": "violation points, per level",
    "beyond_yen": "each cancellation beyond a limit",
}


def sentences(report: Mapping[str, Any]) -> list[str]:
    """What was short, what was given up for it, and what other choices would have cost."""
    told = [
        f"{report['units_short_by_stocktake']} units were missing when the shelves were counted."
    ]
    for case in report["cases"]:
        told += _case(case)
    told.append("The whole night by three rules, on the same orders and the same prices:")
    told += [f"  {_rule(RULES[name], each)}" for name, each in report["compared"].items()]
    told.append("Prices that nobody publishes are settings (`costs` of a channel):")
    told += [f"  {line}" for line in _prices(report["assumed_prices"])]
    return told


def _case(case: Mapping[str, Any]) -> Iterator[str]:
    yield (
        f"{case['sku']}: {case['shortage']} units short, {case['mitigated']} covered otherwise,"
        f" {case['orders_cancelled']} of {len(case['chosen'])} orders cancelled and confirmed;"
        f" cost {_yen(case['cost_yen'])}, margin lost {_yen(case['margin_lost_yen'])},"
        f" limits crossed: {_listed(case['limits_crossed'])}."
    )
    for way in case["mitigations"]:
        found = f"{way['units']} units ({way['state']})" if way["units"] else way["result"]
        yield f"  {way['kind'].replace('_', ' ')}: {found}"
    yield f"  given up: {_listed(case['chosen'])} (reasons {_listed(case['reason_codes'])})"
    if case["runner_up"]:
        yield f"  runner-up: {_listed(case['runner_up'])}: {case['why_runner_up_lost']}"
    for name in ("newest_first", "last_imported"):
        if name in case:
            yield f"  {RULES[name]}: {_loss(case[name], len(case[name]['orders']))}"


def _rule(name: str, rule: Mapping[str, Any]) -> str:
    channels = ", ".join(f"{kind} {count}" for kind, count in rule["orders_by_channel"].items())
    metrics = ", ".join(_metric(kind, each) for kind, each in rule["metrics"].items())
    return (
        f"{name}: {_loss(rule, rule['orders'])} ({channels}; worth {_yen(rule['value_yen'])});"
        f" by the books at the end: {metrics}"
    )


def _loss(loss: Mapping[str, Any], orders: int) -> str:
    counted = f"{orders} order" if orders == 1 else f"{orders} orders"
    return (
        f"{counted}, cost {_yen(loss['cost_yen'])}, margin lost"
        f" {_yen(loss['margin_lost_yen'])}, limits crossed: {_listed(loss['limits_crossed'])}"
    )


def _metric(kind: str, metric: Mapping[str, Any]) -> str:
    name = "percent" if "percent" in metric else "points"
    return f"{kind} {metric[name]:g} {name} (limit {metric['limit']})"


def _prices(prices: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    for channel, each in prices.items():
        shown = [
            f"{words} {_amount(each[name])}" for name, words in GUESSED.items() if name in each
        ]
        margin = f"margin {each['margin_percent']:g} % of an order"
        yield f"{channel}: {'; '.join([*shown, margin])} (as of {each['as_of']})"


def _amount(value: int | Sequence[int]) -> str:
    return _yen(value) if isinstance(value, int) else ", ".join(_yen(each) for each in value)


def _yen(yen: int) -> str:
    return f"{yen:,} yen"


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names) or "none"
