"""A story's steps and its headline in words."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from msgspec import Struct

from inventory.clock import JST
from inventory.reports.desk import OversellRow, StepRow
from inventory.story.delay import Delay, Where

_WORDS = {
    "detected": "the shortage was found",
    "listings_to_zero": "every listing is to show 0",
    "mitigations": "what else could cover it was looked at",
    "weighed": "orders were weighed by what giving them up costs",
    "chosen": "an order was chosen to be given up",
    "part_possible": "only a part of an order is short, and a person may take another way",
    "escalated": "a person was called again before the deadline",
    "buyer_request": "the buyer's own wish was put on record",
    "message_drafted": "a message to the buyer was drafted for a person to send",
    "message_sent": "a person sent the message to the buyer",
    "repayment_seen": "a person saw to the refund",
    "asked_by_hand": "a person was asked to end it at the channel",
    "not_applied": "the channel took it and did nothing: it is sent again",
    "outcome_unknown": "no answer came: the order is read back",
    "failed": "the channel refused to cancel",
    "hold_released": "a hold was released",
    "shipping_hold": "the warehouse was told not to ship it",
    "shipping_release": "the warehouse was told to ship it after all",
    "approved": "approved",
    "refused": "refused",
    "withdrawn": "the proposal was taken back",
    "submitted": "the cancellation was sent",
    "confirmed": "the channel shows the order as cancelled",
    "ended_by_others": "somebody else ended the order",
    "part_ended": "a part of an order ended, and the rest lives on",
    "needs_person": "a person was called",
    "closed_by_channel": "the channel keeps the item closed",
    "closed": "the case was closed",
}
_CAUSES = {
    "adjust": "a correction of stock",
    "count": "a count",
    "open": "an opening count",
    "transfer": "a transfer",
    "transfer_out": "a transfer",
    "supply": "a change of expected supply",
    "supply_end": "the end of expected supply",
}
# What is told of a step's document, in this order, where it has it.
_TOLD = (
    *("order_ref", "why", "units", "reason_code", "counts_against_metric", "attempt", "reference"),
    *("shortage", "orders_given_up", "channel_sku", "asked_by", "result", "covered"),
    *("orders_weighed", "method", "cost_yen", "cost_yen_newest_first", "cost_yen_last_imported"),
)
TEXT_MAX = 300
# What a step says nothing with: a channel that gives no reference for a cancellation, say.
EMPTY = (None, "")


class Decision(Struct, frozen=True, kw_only=True):
    """What was found, decided or done, by whom and when, in one line."""

    at: datetime
    by: str
    step: str
    said: str


def decided(step: StepRow) -> Decision:
    """A step in words; what it says of itself follows."""
    said = _WORDS.get(step.step, step.step.replace("_", " "))
    told = [_told(name, step.detail[name]) for name in _TOLD if step.detail.get(name) not in EMPTY]
    line = f"{said}: {', '.join(told)}" if told else said
    metric = _metric(step.detail)
    return Decision(
        at=step.done_at, by=step.done_by, step=step.step, said=(line + metric)[:TEXT_MAX]
    )


def _told(name: str, value: Any) -> str:
    return str(value) if name in {"order_ref", "why"} else f"{name.replace('_', ' ')} {value}"


def _metric(detail: dict[str, Any]) -> str:
    before, after = detail.get("metric_before"), detail.get("metric_after")
    if not before or not after:
        return ""
    return f"; {after['name']} {_short(before['value'])} → {_short(after['value'])} {after['unit']}"


def _short(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.2f}".rstrip("0").rstrip(".")


def headline(case: OversellRow, delays: Sequence[Delay], cause_kind: str | None) -> str:
    """The story in one sentence or two."""
    short = f"{case.sku} was short by {case.shortage_max}"
    if not delays:
        return f"{short} from {_clock(case.opened_at)} on; no sale is found that went beyond stock."
    if delays[0].where is Where.STOCK_FELL:
        cause = _CAUSES.get(cause_kind or "", "a change that no sale made")
        return f"{short} by {cause} at {_clock(case.opened_at)}: no sale was late."
    more = f" And {len(delays) - 1} more sales went beyond stock." if len(delays) > 1 else ""
    return f"{short}: {sentence(delays[0])}{more}"


def sentence(delay: Delay) -> str:
    """Where the delay was, for one sale."""
    sold = f"{delay.channel} sold {delay.order_ref} ({delay.units}) at {_clock(delay.sold_at)}"
    if delay.gone_at is None or delay.gone_by is None:
        return f"{sold}; {_PLAIN[delay.where]}."
    gone = f"{delay.gone_by} had taken the last unit at {_clock(delay.gone_at)}"
    return f"{sold}, {gone}. {_why(delay)}{_too_late(delay)}"


_PLAIN = {
    Where.STOCK_FELL: "stock fell afterwards, and no sale was late",
    Where.NO_STOCK: "there was no unit before it",
    Where.UNKNOWN: "where the delay was is not on record",
}


def _why(delay: Delay) -> str:
    took = "" if delay.seconds is None else f"{delay.seconds:.1f} s"
    first = (delay.gone_by or "").partition(" ")[0]
    return {
        Where.ARRIVAL: f"The delay was on the way to us: {first} told us of it after {took}.",
        Where.OUR_SIDE: f"The delay was ours: we knew, and sent the new number {took} later.",
        Where.ON_THE_WAY: f"The new number was on its way: {delay.channel} answered"
        + (f" after {took}." if took else " never."),
        Where.REFUSED: f"{delay.channel} had refused the new number {took} before.",
        Where.IN_DOUBT: f"Whether {delay.channel} had taken the number was in doubt for {took}.",
        Where.CHANNEL: f"{delay.channel} had accepted {delay.told_quantity} {took} before, and sold"
        " all the same.",
        Where.SAME_LISTING: "Both came from one listing, which sold more than there was.",
        Where.SAME_MOMENT: "Both fell into the same second: no number could have been quicker.",
        Where.NOT_TOLD: f"Its listing was told nothing in the {took} that we knew.",
    }.get(delay.where, _PLAIN[Where.UNKNOWN])


def _too_late(delay: Delay) -> str:
    late = delay.too_late_seconds
    if late is None or late <= 0 or delay.told_at is None:
        return ""
    told = f"{delay.channel} was told {delay.told_quantity} at {_clock(delay.told_at)}"
    return f" {told} and took it {late:.1f} s too late."


def _clock(moment: datetime) -> str:
    """A time of day as people in the shop know it."""
    return f"{moment.astimezone(JST):%H:%M:%S}"
