"""Comparing the ledger with the sandbox's books, and measuring how fast sales were shown. Pure."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from msgspec import Struct
from sqlalchemy import RowMapping

from inventory.demo.evidence import Evidence, moment

# A push is timed on our clock and its write on the sandbox's; on one machine they agree to this.
CLOCKS = timedelta(milliseconds=20)


class Put(Struct, frozen=True, kw_only=True):
    """What the demo itself put into the house and what it broke there, per SKU."""

    units: int
    damaged: int


def units_by_sku(evidence: Evidence) -> dict[str, tuple[int, int]]:
    """SKU → (units in live orders, units shipped), by the marketplaces' own books."""
    live: dict[str, int] = defaultdict(int)
    shipped: dict[str, int] = defaultdict(int)
    sku_of = evidence.sku_of()
    for kind, order in evidence.placed():
        for line in order["lines"]:
            sku = sku_of.get((kind, line["key"]), f"{kind}:{line['key']}")
            shipped[sku] += line["shipped"]
            if order["state"] != "cancelled":
                live[sku] += line["quantity"] - line["cancelled"] - line["shipped"]
    return {sku: (live[sku], shipped[sku]) for sku in {*live, *shipped}}


def disagreements(evidence: Evidence, put: Mapping[str, Put]) -> list[str]:
    """SKUs of which the marketplaces' books and the ledger do not tell the same.

    Units put in − damaged must be live + shipped + on hand − reserved, reserved being those live.
    """
    levels = {row["sku"]: row for row in evidence.rows["levels"]}
    orders = units_by_sku(evidence)
    wrong = []
    for sku in sorted({*put, *orders, *levels}):
        live, shipped = orders.get(sku, (0, 0))
        level = levels.get(sku)
        on_hand, reserved = (level["on_hand"], level["reserved"]) if level else (0, 0)
        units = put.get(sku, Put(units=0, damaged=0))
        left = units.units - units.damaged
        if left != live + shipped + on_hand - reserved or reserved != live:
            wrong.append(
                f"{sku}: {units.units} put in, {units.damaged} damaged; marketplaces: {live} live,"
                f" {shipped} shipped; ledger: {on_hand} on hand, {reserved} reserved"
            )
    return wrong


def stale(evidence: Evidence) -> list[str]:
    """Listings whose marketplace does not display what is on hand less reserved and held back."""
    displayed = {
        (kind, listing["key"]): listing
        for kind, market in evidence.books["markets"].items()
        for listing in market["listings"]
    }
    found = []
    for row in evidence.rows["listings"]:
        listing = displayed.get((row["kind"], row["channel_sku"]))
        if listing is None or listing["closed"] or row["fulfilled_by_channel"]:
            continue
        late = row["revision_published"] < row["revision_wanted"]
        if late or listing["displayed"] != row["allowed"]:
            found.append(
                f"{row['kind']} {row['channel_sku']}: shows {listing['displayed']},"
                f" allowed {row['allowed']} ({row['lane'] or 'in sync'})"
            )
    return found


def recorded(evidence: Evidence) -> dict[str, list[float]]:
    """Selling kind → milliseconds from the marketplace's order time to the ledger's commit."""
    placed = {(kind, order["ref"]): moment(order["placed_at"]) for kind, order in evidence.placed()}
    waits: dict[str, list[float]] = defaultdict(list)
    for row in evidence.rows["sales"]:
        since = placed.get((row["kind"], row["order_ref"]))
        if since is not None:
            waits[row["kind"]].append((row["recorded_at"] - since).total_seconds() * 1000)
    return waits


def given_back(evidence: Evidence) -> int:
    """Units that absolute numbers other than raises put back at a marketplace (see L7).

    The margin for unseen sales is a quantile, so this is rare and not quite impossible.
    """
    raises = {
        (row["kind"], row["channel_sku"], row["quantity"])
        for row in evidence.rows["pushes"]
        if row["lane"] == "raise"
    }
    return sum(
        max(write["after"] - write["before"], 0)
        for kind, market in evidence.books["markets"].items()
        for write in market["writes"]
        if write["mode"] == "absolute" and (kind, write["key"], write["after"]) not in raises
    )


class Delays(Struct, frozen=True, kw_only=True):
    """How long sales took to be shown: milliseconds by (selling kind, showing kind).

    `shown` has every sale that got a write containing it; `lowered` only those whose listing stood
    above what was allowed when the ledger learned of the sale, so that it had to be lowered.
    `unshown` counts pairs of a sale and another listing that never got such a write;
    `not_needed` those of them whose listing shows the wanted number all the same.
    """

    shown: dict[tuple[str, str], list[float]]
    lowered: dict[tuple[str, str], list[float]]
    unshown: dict[str, int]
    not_needed: dict[str, int]


def delays(evidence: Evidence) -> Delays:
    """From the marketplace's order time to the first write elsewhere that contains the sale."""
    writes, displays = _writes(evidence), Displays(evidence)
    sales = {(row["kind"], row["order_ref"], row["sku"]): row for row in evidence.rows["sales"]}
    wrong = {line.split(":")[0] for line in stale(evidence)}
    shown: dict[tuple[str, str], list[float]] = defaultdict(list)
    lowered: dict[tuple[str, str], list[float]] = defaultdict(list)
    unshown: dict[str, int] = defaultdict(int)
    not_needed: dict[str, int] = defaultdict(int)
    for kind, order, sku, other in _pairs(evidence):
        sale = sales.get((kind, order["ref"], sku))
        at = _first(writes[other["id"]], sale)
        if sale is not None and at is not None:
            late = (at - moment(order["placed_at"])).total_seconds() * 1000
            shown[kind, other["kind"]].append(late)
            stood = displays.at(other["kind"], other["channel_sku"], sale["recorded_at"])
            if stood > sale["wanted"]:
                lowered[kind, other["kind"]].append(late)
        elif sale is None or f"{other['kind']} {other['channel_sku']}" in wrong:
            unshown[kind] += 1
        else:
            not_needed[kind] += 1
    return Delays(
        shown=dict(shown), lowered=dict(lowered), unshown=dict(unshown), not_needed=dict(not_needed)
    )


class Displays:
    """What each marketplace displayed at any moment, replayed from its own books."""

    def __init__(self, evidence: Evidence) -> None:
        self._events: dict[tuple[str, str], list[tuple[datetime, int | None, int]]]
        self._events = defaultdict(list)
        for kind, market in evidence.books["markets"].items():
            for write in market["writes"]:
                event = (moment(write["at"]), write["after"], 0)
                self._events[kind, write["key"]].append(event)
            for order in market["orders"]:
                for line in order["lines"]:
                    event = (moment(order["placed_at"]), None, line["quantity"])
                    self._events[kind, line["key"]].append(event)
        for events in self._events.values():
            events.sort(key=lambda event: event[0])

    def at(self, kind: str, key: str, when: datetime) -> int:
        """The number displayed at a moment."""
        displayed = 0
        for at, written, sold in self._events[kind, key]:
            if at > when:
                break
            displayed = displayed - sold if written is None else written
        return displayed


def _pairs(evidence: Evidence) -> Iterator[tuple[str, dict[str, Any], str, RowMapping]]:
    """(selling kind, order, SKU, listing) for every listing elsewhere of every SKU sold."""
    sku_of = evidence.sku_of()
    listings: dict[str, list[RowMapping]] = defaultdict(list)
    for row in evidence.rows["listings"]:
        listings[row["sku"]].append(row)
    for kind, order in evidence.placed():
        skus = {sku_of.get((kind, line["key"]), "") for line in order["lines"]}
        for other in [row for sku in skus for row in listings.get(sku, [])]:
            if other["kind"] != kind:
                yield kind, order, other["sku"], other


def _writes(evidence: Evidence) -> dict[int, list[tuple[datetime, int]]]:
    """Listing id → (sandbox's time of the write, ledger revision that it contains)."""
    by_key: dict[tuple[str, str], list[tuple[datetime, dict[str, Any]]]] = defaultdict(list)
    for kind, market in evidence.books["markets"].items():
        for write in market["writes"]:
            by_key[kind, write["key"]].append((moment(write["at"]), write))
    found: dict[int, list[tuple[datetime, int]]] = defaultdict(list)
    for push in evidence.rows["pushes"]:
        since = push["sent_at"] - CLOCKS
        until = (push["ended_at"] or datetime.max.replace(tzinfo=UTC) - CLOCKS) + CLOCKS
        for at, write in by_key[push["kind"], push["channel_sku"]]:
            if since <= at <= until and write["mode"] in {"absolute", "relative"}:
                found[push["listing_id"]].append((at, int(push["stock_revision"])))
    return found


def _first(writes: Iterable[tuple[datetime, int]], sale: RowMapping | None) -> datetime | None:
    if sale is None:
        return None
    return min((at for at, revision in writes if revision >= sale["revision"]), default=None)


def percentile(values: Sequence[float], share: float) -> float | None:
    """The smallest value that at least `share` of the values do not exceed; None for none."""
    if not values:
        return None
    return sorted(values)[max(math.ceil(share * len(values)) - 1, 0)]


def summary(values: Sequence[float]) -> dict[str, float | int | None]:
    """Median, 99th percentile and maximum, in whole milliseconds."""
    figures = (percentile(values, 0.5), percentile(values, 0.99), max(values, default=None))
    rounded = [None if figure is None else round(figure) for figure in figures]
    return {"p50": rounded[0], "p99": rounded[1], "max": rounded[2], "count": len(values)}
