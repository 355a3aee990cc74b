"""The number that a listing's rules allow, and the one sentence that says why. Pure."""

from __future__ import annotations

from sqlalchemy import RowMapping

from inventory.availability import Rules, wanted_quantity
from inventory.quantities import held_back


def explained(row: RowMapping) -> tuple[int, str]:
    """The number that the rules allow now, and the sentence that says why."""
    if row["fulfilled_by_channel"]:
        return 0, "the channel ships it from its own warehouse; its number is not ours"
    rules = Rules(
        safety_stock=row["rule_units"],
        safety_percent=row["rule_percent"],
        quantity_max=row["rule_max"],
        quantity_floor=row["rule_floor"],
        ahead=int(row["ahead"]),
        closed=row["closed"] or row["closed_by_channel"],
    )
    available = int(row["available"])
    quantity = wanted_quantity(available, rules)
    if rules.closed:
        who = "the channel" if row["closed_by_channel"] else "hand"
        return 0, f"0, as the listing is closed by {who}"
    held = held_back(available, units=rules.safety_stock, percent=rules.safety_percent)
    left = available - held + rules.ahead
    sum_ = f"{_available(row)} − {held} safety stock"
    if row["preorder_units"]:
        sum_ += f" + {rules.ahead} expected, of a pre-order pot of {row['preorder_units']}"
    if left < 0:
        return 0, f"0, as {sum_} = {left}"
    if left and left <= rules.quantity_floor:
        return 0, f"0, as {sum_} = {left} is not above the floor of {rules.quantity_floor}"
    if quantity < left:
        return quantity, f"{quantity} is the cap; {sum_} = {left}"
    return quantity, f"{quantity} = {sum_}"


def _available(row: RowMapping) -> str:
    early = f" ({row['early']} of them for orders not seen yet)" if row["early"] else ""
    if not row["in_kit"]:
        return f"{row['on_hand']} on hand − {row['reserved']} reserved{early}"
    part = f"{row['free']} {row['part']} can be promised, {row['units']} in each"
    return f"{row['available']} kits ({part})"
