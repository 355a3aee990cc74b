"""The report of a night: one dictionary for programs, a few sentences for the shop's owner."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from msgspec import Struct
from sqlalchemy import RowMapping

from inventory.demo import audit, case_words, laws
from inventory.demo.audit import Put
from inventory.demo.evidence import Evidence
from inventory.demo.shop import KINDS, ON_SHELF

LIVE = ("proposed", "approved", "submitted")


class Circumstances(Struct, frozen=True, kw_only=True):
    """What the books do not say: how the night was run, and what came in at the webhook."""

    seed: int
    seconds: float
    drain_seconds: float
    put: Mapping[str, Put]
    alerts_delivered: int
    late: Sequence[str]


def build(evidence: Evidence, night: Circumstances) -> dict[str, Any]:
    """All figures of the night. Times are milliseconds, money whole yen."""
    return {
        "seed": night.seed,
        "seconds": night.seconds,
        "drain_seconds": round(night.drain_seconds, 1),
        **_trade(evidence),
        **_desk(evidence),
        "alerts_fired": len(evidence.rows["alerts"]),
        "alerts_delivered": night.alerts_delivered,
        **_books(evidence, night),
    }


def _trade(evidence: Evidence) -> dict[str, Any]:
    placed = evidence.placed()
    return {
        "orders": len(placed),
        "units_sold": sum(line["quantity"] for _, order in placed for line in order["lines"]),
        "sales_by_channel": _counted(kind for kind, _ in placed),
        "units_given_back": audit.given_back(evidence),
        "lost_sales": evidence.books.get("night", {}).get("lost_sales"),
        "pushes_by_channel": _counted(row["kind"] for row in evidence.rows["pushes"]),
        "calls_used_and_permitted": {
            kind: evidence.market(kind)["calls"] for kind in evidence.books["markets"]
        },
        "sale_to_ledger_ms": {
            kind: audit.summary(waits) for kind, waits in audit.recorded(evidence).items()
        },
        "sale_to_shown_ms": shown(evidence),
    }


def _desk(evidence: Evidence) -> dict[str, Any]:
    cases, cancellations = evidence.rows["cases"], evidence.rows["cancellations"]
    by_damage, by_count = (_short(cases, cause) for cause in ("adjust", "count"))
    return {
        "oversold_units": sum(row["shortage_max"] for row in cases) - by_damage - by_count,
        "units_short_by_damage": by_damage,
        "cancellations": [_cancellation(row) for row in cancellations],
        "unconfirmed_cancels": sum(row["state"] in LIVE for row in cancellations),
        "cases_open": sum(row["state"] == "open" for row in cases),
        "cancellations_failed": sum(row["state"] == "failed" for row in cancellations),
    }


def _short(cases: Iterable[RowMapping], cause: str) -> int:
    return sum(row["shortage_max"] for row in cases if row["cause"] == cause)


def _books(evidence: Evidence, night: Circumstances) -> dict[str, Any]:
    disagree, stale = audit.disagreements(evidence, night.put), audit.stale(evidence)
    return {
        "inbox_parked": _events(evidence, "parked"),
        "ledger_balanced": not evidence.rows["unbalanced"],
        "inbox_unhandled": _events(evidence, "new"),
        "listings_stale": len(stale),
        "marketplace_books_agree": not disagree,
        "problems": {"books": disagree, "stale": stale} if disagree or stale else {},
        "laws_broken": laws.broken(evidence, late=night.late),
    }


def _counted(names: Iterable[str]) -> dict[str, int]:
    counted = Counter(names)
    return {kind: counted[kind] for kind in KINDS}


def _events(evidence: Evidence, state: str) -> int:
    return sum(row["events"] for row in evidence.rows["events"] if row["state"] == state)


def _cancellation(row: RowMapping) -> dict[str, Any]:
    return {
        "channel": row["kind"],
        "kind": "ours" if row["oversell_id"] is not None else "observed",
        "order": row["order_ref"],
        "state": row["state"],
        "reason_code": row["reason_code"],
        "counts_against_metric": row["counts_against_metric"] or "no",
        "metric_before": row["metric_before"],
        "metric_after": row["metric_after"],
    }


def shown(evidence: Evidence) -> dict[str, Any]:
    """Per selling channel: how long until the others showed it, in all and by showing channel.

    `when_lowered` leaves out listings that stood low enough already, whose next write came when it
    came.
    """
    measured = audit.delays(evidence)
    return {
        kind: {
            "sold": sum(seller == kind for seller, _ in evidence.placed()),
            **audit.summary(_of_seller(measured.shown, kind)),
            "unshown": measured.unshown.get(kind, 0),
            "not_needed": measured.not_needed.get(kind, 0),
            "when_lowered": audit.summary(_of_seller(measured.lowered, kind)),
            "to": {
                other: audit.summary(values)
                for (seller, other), values in sorted(measured.shown.items())
                if seller == kind
            },
        }
        for kind in KINDS
    }


def _of_seller(measured: Mapping[tuple[str, str], list[float]], kind: str) -> list[float]:
    return [value for (seller, _), values in measured.items() if seller == kind for value in values]


def clean(report: Mapping[str, Any]) -> bool:
    """Whether the night was as it must be.

    No law is broken, the books are clean, nothing waits, and every channel gave up an order; of a
    hard night, each short SKU has a case, and all orders given up were seen cancelled.
    """
    if "cases" in report:
        found = report["cases"]
        given_up = {case["sku"] for case in found} >= ON_SHELF.keys() and all(
            case["confirmed"] or not case["chosen"] for case in found
        )
    else:
        ours = [row for row in report["cancellations"] if row["kind"] == "ours"]
        given_up = {row["channel"] for row in ours} == set(KINDS)
    return given_up and _settled(report)


def _settled(report: Mapping[str, Any]) -> bool:
    return bool(
        not report["laws_broken"]
        and report["ledger_balanced"]
        and report["inbox_unhandled"] == 0
        and report["listings_stale"] == 0
        and report["marketplace_books_agree"]
        and report["inbox_parked"] == 0
        and report["cases_open"] == 0
        and report["unconfirmed_cancels"] == 0
        and report["cancellations_failed"] == 0
    )


def sentences(report: Mapping[str, Any]) -> list[str]:
    """What a shop owner wants to know in the morning."""
    ours = [row for row in report["cancellations"] if row["kind"] == "ours"]
    confirmed = [row for row in ours if row["state"] == "confirmed"]
    by_channel = ", ".join(f"{kind} {sales}" for kind, sales in report["sales_by_channel"].items())
    told = [
        f"{report['orders']} orders for {report['units_sold']} units came in: {by_channel}.",
        f"{report['oversold_units']} units were sold that were not there.",
        f"{report['units_short_by_damage']} units were promised and then damaged in the warehouse.",
        f"{len(confirmed)} of {len(ours)} orders given up are cancelled and confirmed.",
        f"{report['alerts_delivered']} alerts reached the buyers' team.",
    ]
    told += [f"  {row['channel']} {row['order']}: {_metric(row)}" for row in confirmed]
    for kind, figures in report["sale_to_shown_ms"].items():
        lowered = figures["when_lowered"]
        if lowered["count"]:
            told.append(
                f"  A sale on {kind} lowered the others after {lowered['p50']} ms (half),"
                f" {lowered['p99']} ms (99 %), {lowered['max']} ms at most."
            )
    if "cases" in report:
        told += case_words.sentences(report)
    told.append(_verdict(report))
    return told


def _metric(row: Mapping[str, Any]) -> str:
    before, after = row["metric_before"], row["metric_after"]
    if not before or not after:
        return f"reason {row['reason_code']}, no penalty recorded"
    limit = "" if after["limit"] is None else f", limit {after['limit']}"
    return (
        f"reason {row['reason_code']}; {after['name']} {_shown(before['value'])} →"
        f" {_shown(after['value'])} {after['unit']}{limit} (as of {after['as_of']})"
    )


def _shown(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.2f}".rstrip("0").rstrip(".")


def _verdict(report: Mapping[str, Any]) -> str:
    if clean(report):
        return (
            "The books agree: every unit put in is in a live order, shipped, or on the shelf;"
            " every listing shows what the ledger wants."
        )
    parts = [f"{law}: {found[0]}" for law, found in report["laws_broken"].items()]
    for name, found in report["problems"].items():
        parts += [f"{name}: {line}" for line in found[:5]]
    return "NOT CLEAN. " + "; ".join(parts or ["an event, a case or a cancellation is left over"])
