"""Whether a law was broken during the night, each judged from rows and books. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from itertools import pairwise

from sqlalchemy import RowMapping

from inventory.demo.evidence import Evidence, moment

OUT_OF_STOCK = {"rakuten": "8", "yahoo": "210", "amazon": "NoInventory", "shopify": "INVENTORY"}


def broken(evidence: Evidence, *, late: Sequence[str]) -> dict[str, list[str]]:
    """Law → what broke it; empty when every law was kept. `late` is what health found late."""
    found = {law: judge(evidence) for law, judge in JUDGES.items()}
    found["L11"] = list(late)
    return {law: problems for law, problems in found.items() if problems}


def _l1(evidence: Evidence) -> list[str]:
    """Sum of movements = balance."""
    return [
        f"{row['sku']}: {row['on_hand']}/{row['reserved']} stored,"
        f" {row['moved']}/{row['held']} moved"
        for row in evidence.rows["unbalanced"]
        if (row["on_hand"], row["reserved"]) != (row["moved"], row["held"])
    ]


def _l2(evidence: Evidence) -> list[str]:
    """Every change of a balance came through the ledger: as many revisions as movements."""
    return [
        f"{row['sku']}: {row['revision']} revisions, {row['entries']} movements"
        for row in evidence.rows["unbalanced"]
        if row["revision"] != row["entries"]
    ]


def _l3(evidence: Evidence) -> list[str]:
    """Every sale at a marketplace is recorded, whatever the stock."""
    held = {(row["kind"], row["order_ref"]) for row in evidence.rows["orders"]}
    return [
        f"{kind} order {order['ref']} is not recorded"
        for kind, order in evidence.placed()
        if (kind, order["ref"]) not in held and order["state"] != "cancelled"
    ]


def _l4(evidence: Evidence) -> list[str]:
    """No sale is counted twice: ordered units are those of the marketplace."""
    ordered: dict[tuple[str, str], int] = defaultdict(int)
    for row in evidence.rows["orders"]:
        ordered[row["kind"], row["order_ref"]] += row["ordered"] or 0
    problems = []
    for kind, order in evidence.placed():
        units = sum(line["quantity"] for line in order["lines"])
        found = ordered.get((kind, order["ref"]), units)
        if found != units:
            problems.append(f"{kind} order {order['ref']}: {units} units sold, {found} recorded")
    return problems


def _l5(evidence: Evidence) -> list[str]:
    """No order placed before a channel's watermark is missing."""
    held = {(row["kind"], row["order_ref"]) for row in evidence.rows["orders"]}
    watermarks = {row["kind"]: row["watermark"] for row in evidence.rows["channels"]}
    return [
        f"{kind} order {order['ref']} was placed before the watermark and is missing"
        for kind, order in evidence.placed()
        if (kind, order["ref"]) not in held
        and order["state"] != "cancelled"
        and watermarks.get(kind) is not None
        and moment(order["placed_at"]) < watermarks[kind]
    ]


def _l6(evidence: Evidence) -> list[str]:
    """One push in flight per listing (a zero may overtake), and never an older number after."""
    problems = []
    by_listing: dict[int, list[RowMapping]] = defaultdict(list)
    for push in evidence.rows["pushes"]:
        by_listing[push["listing_id"]].append(push)
    for pushes in by_listing.values():
        numbers = [push for push in pushes if push["lane"] != "zero"]
        for earlier, later in pairwise(numbers):
            if earlier["ended_at"] is None or later["sent_at"] < earlier["ended_at"]:
                problems.append(f"{later['kind']} {later['channel_sku']}: two pushes in flight")
        for earlier, later in pairwise(pushes):
            if later["revision"] < earlier["revision"]:
                problems.append(f"{later['kind']} {later['channel_sku']}: an older number went out")
    return problems


def _l7(evidence: Evidence) -> list[str]:
    """A raise waited for its barrier; a lower number left room for unseen sales."""
    problems = []
    for push in evidence.rows["pushes"]:
        name = f"{push['kind']} {push['channel_sku']} push {push['id']}"
        absolute = push["change"] is None
        early = push["watermark"] is None or push["watermark"] <= push["decided_at"]
        if push["lane"] == "raise" and absolute and early:
            problems.append(f"{name}: raised to {push['quantity']} before the barrier")
        if push["lane"] == "lower" and absolute:
            room = (push["known_low"] or 0) - push["unseen"]
            if push["quantity"] > max(room, 0):
                problems.append(f"{name}: {push['quantity']} is no safe lower number than {room}")
    return problems


def _l8(evidence: Evidence) -> list[str]:
    """A push of unknown outcome was followed by a reading or by a zero."""
    problems = []
    for push in evidence.rows["pushes"]:
        if push["status"] != "unknown":
            continue
        read = any(
            row["listing_id"] == push["listing_id"] and row["read_at"] > push["sent_at"]
            for row in evidence.rows["readings"]
        )
        zero = any(
            other["listing_id"] == push["listing_id"]
            and other["lane"] == "zero"
            and other["sent_at"] > push["sent_at"]
            for other in evidence.rows["pushes"]
        )
        if not read and not zero:
            problems.append(f"{push['kind']} {push['channel_sku']}: unknown and never read back")
    return problems


def _l10(evidence: Evidence) -> list[str]:
    """What we cancelled for a shortage carries the out-of-stock reason at the marketplace."""
    ours = {
        (row["kind"], row["order_ref"])
        for row in evidence.rows["cancellations"]
        if row["oversell_id"] is not None and row["state"] == "confirmed"
    }
    problems = []
    for kind, order in evidence.placed():
        if (kind, order["ref"]) not in ours:
            continue
        code = str(order["cancel_code"])
        if code != OUT_OF_STOCK[kind] or order["cancelled_by"] != "seller":
            problems.append(f"{kind} order {order['ref']}: cancelled with {code}")
        if order["restocked"]:
            problems.append(f"{kind} order {order['ref']}: the cancellation put units back there")
    return problems


JUDGES: dict[str, Callable[[Evidence], list[str]]] = {
    "L1": _l1,
    "L2": _l2,
    "L3": _l3,
    "L4": _l4,
    "L5": _l5,
    "L6": _l6,
    "L7": _l7,
    "L8": _l8,
    "L10": _l10,
}
