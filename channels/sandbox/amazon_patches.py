"""What a patch does to a listing's availability on Amazon, and what is wrong with it."""

from __future__ import annotations

import re
from typing import Any

from channels.sandbox.market import Listing

OWN = "DEFAULT"
BY_AMAZON = "AMAZON_JP"
AVAILABILITY = "/attributes/fulfillment_availability"
LEAD_DAYS_MAX = 30
TOP_LEVEL = re.compile("/attributes/[a-z0-9_]+")
MEMBERS = frozenset(
    {"fulfillment_channel_code", "quantity", "lead_time_to_ship_max_days", "restock_date"}
)
OPS = frozenset({"add", "replace", "merge", "delete"})
Entry = dict[str, Any]


def objection(patches: Any) -> str | None:
    """Why something is no list of patches, or None."""
    if not isinstance(patches, list) or not patches:
        return "productType and at least one patch are required."
    for patch in patches:
        if not isinstance(patch, dict) or patch.get("op") not in OPS:
            return f"op must be one of {sorted(OPS)}."
        path = patch.get("path")
        if not isinstance(path, str) or not TOP_LEVEL.fullmatch(path):
            return "Only a whole top-level attribute can be patched."
        value = patch.get("value")
        if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
            return "value must be an array of objects."
    return None


def judged(listing: Listing, patches: list[Entry]) -> tuple[dict[str, Entry], list[Entry]]:
    """The availability after all patches, and the issues with them."""
    entries, issues = availability(listing), list[Entry]()
    for patch in patches:
        if patch["path"] == AVAILABILITY:
            issues += _patch(entries, patch)
    return entries, issues


def availability(listing: Listing) -> dict[str, Entry]:
    """The listing's fulfillment_availability by channel code, as attributes (snake case)."""
    if listing.by_channel:
        return {BY_AMAZON: {"fulfillment_channel_code": BY_AMAZON}}
    kept: Entry = listing.extra.get("availability", {})
    own = {**kept, "fulfillment_channel_code": OWN, "quantity": max(listing.displayed, 0)}
    return {OWN: own}


def _patch(entries: dict[str, Entry], patch: Entry) -> list[Entry]:
    """Work one patch into `entries`; returns the issues, with nothing changed where there is one.

    `merge` keeps the members that are not named; `add` and `replace` drop them. A code that is not
    named stays: a second channel is added, it does not replace the first.
    """
    issues = [issue for value in patch["value"] for issue in _issues(value)]
    if issues:
        return issues
    for value in patch["value"]:
        code = value["fulfillment_channel_code"]
        if patch["op"] == "delete":
            entries.pop(code, None)
        else:
            kept = entries.get(code, {}) if patch["op"] == "merge" else {}
            entries[code] = {**kept, **value}
    return []


def _issues(value: Entry) -> list[Entry]:
    code, quantity = value.get("fulfillment_channel_code"), value.get("quantity")
    days = value.get("lead_time_to_ship_max_days")
    if code not in {OWN, BY_AMAZON}:
        return [_issue("90220", "fulfillment_channel_code is required.", "MISSING_ATTRIBUTE")]
    if not MEMBERS.issuperset(value):
        return [_issue("90000900", "The attribute has members that are not known.")]
    whole = isinstance(quantity, int) and not isinstance(quantity, bool)
    if quantity is not None and (not whole or quantity < 0):
        return [_issue("90000900", "quantity must be a whole number of at least 0.")]
    if days is not None and (not isinstance(days, int) or not 0 < days <= LEAD_DAYS_MAX):
        return [_issue("90000900", f"Lead time must be from 1 to {LEAD_DAYS_MAX} days.")]
    if days is not None and quantity is None:
        return [_issue("90220", "quantity is required with lead time.", "MISSING_ATTRIBUTE")]
    return []


def _issue(code: str, message: str, category: str = "INVALID_ATTRIBUTE") -> Entry:
    return {
        "code": code,
        "message": message,
        "severity": "ERROR",
        "attributeNames": ["fulfillment_availability"],
        "categories": [category],
    }
