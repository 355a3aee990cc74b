"""A story as lines for people; all times are the shop's, Asia/Tokyo."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from inventory.clock import JST
from inventory.penalty_record import costs, entries
from inventory.story import decisions
from inventory.story.listings import ListingTold, Moment
from inventory.story.oversell import GivenUp, OversellStory
from inventory.story.sales import Sale

ZONE = "Asia/Tokyo"


def lines(story: OversellStory) -> list[str]:
    """The whole story, one part behind the other."""
    closed = f", closed {_time(story.closed_at)}" if story.closed_at else ""
    short = f"short by {story.shortage} (at most {story.shortage_max})"
    return [
        f"oversell {story.id}: {story.sku}, {story.state}; {short}",
        f"opened {_time(story.opened_at)}{closed} ({ZONE})",
        story.headline,
        *_sales(story),
        *_listings(story),
        *_delays(story),
        *_decisions(story),
        *_given_up(story),
        *[f"note: {note}" for note in story.notes],
    ]


def _time(moment: datetime) -> str:
    return f"{moment.astimezone(JST):%Y-%m-%d %H:%M:%S}"


def _exact(moment: datetime) -> str:
    """Within a day, to a hundredth of a second: pushes follow each other closely."""
    local = moment.astimezone(JST)
    return f"{local:%m-%d %H:%M:%S}.{local.microsecond // 10_000:02}"


def _left_out(count: int, what: str) -> list[str]:
    return [f"  ({count} more {what} are left out)"] if count else []


def _sales(story: OversellStory) -> list[str]:
    said = ["", "who sold what, and when it reached us"]
    said += [_sale(sale) for sale in story.sales] or ["  no sale is on record"]
    return said + _left_out(story.sales_left_out, "sales")


def _sale(sale: Sale) -> str:
    beyond = "  beyond stock" if sale.beyond_stock else ""
    ended = f"  cancelled {_exact(sale.cancelled_at)}" if sale.cancelled_at else ""
    return (
        f"  {_exact(sale.sold_at)}  {sale.channel} {sale.order_ref}: {sale.units} from"
        f" {sale.channel_sku or 'no listing'}; reached us {_exact(sale.reached_at)},"
        f" {sale.late_seconds:.1f} s later{beyond}{ended}"
    )


def _listings(story: OversellStory) -> list[str]:
    said = ["", "what each listing showed and was told"]
    for listing in story.listings:
        said += _listing(listing)
    return said + _left_out(story.listings_left_out, "listings")


def _listing(listing: ListingTold) -> list[str]:
    now = [
        word for word, is_so in (("frozen", listing.frozen), ("closed", listing.closed)) if is_so
    ]
    state = f" ({', '.join(now)} now)" if now else ""
    said = [f"  {listing.channel} {listing.channel_sku} ({listing.sku}){state}"]
    said += [f"    {_exact(each.at)}  {_moment(each)}" for each in listing.moments]
    if not listing.moments:
        said.append("    was told nothing and not read")
    return said + [f"  {line}" for line in _left_out(listing.moments_left_out, "moments")]


def _moment(moment: Moment) -> str:
    if moment.what == "read":
        shown = "no such listing" if moment.quantity is None else f"showed {moment.quantity}"
        expected = "nothing was expected"
        if moment.expected_low is not None:
            expected = f"expected {moment.expected_low} to {moment.expected_high}"
        closed = ", closed by the channel" if moment.closed else ""
        return f"{shown}, {expected}{closed}"
    change = f" ({moment.change:+})" if moment.change is not None else ""
    code = f" {moment.code}" if moment.code else ""
    if moment.answered_at is None:
        return f"told {moment.quantity}{change}, lane {moment.lane}; no answer yet"
    took = (moment.answered_at - moment.at).total_seconds()
    return (
        f"told {moment.quantity}{change}, lane {moment.lane};"
        f" {moment.status}{code} after {took:.2f} s"
    )


def _delays(story: OversellStory) -> list[str]:
    said = ["", "where the delay was"]
    said += [f"  {decisions.sentence(delay)}" for delay in story.delays]
    return said if story.delays else [*said, "  no sale is found that went beyond stock"]


def _decisions(story: OversellStory) -> list[str]:
    said = ["", "what was decided, and why"]
    said += [f"  {_exact(each.at)}  {each.by}: {each.said}" for each in story.decisions]
    if not story.decisions:
        said.append("  nothing yet")
    return said + _left_out(story.steps_left_out, "steps")


def _given_up(story: OversellStory) -> list[str]:
    said = ["", "what it cost"]
    for each in story.given_up:
        state = f"{each.units} units of it ended" if each.units is not None else each.state
        said.append(f"  {each.channel} {each.order_ref}: {state}{_counts(each)}")
        said += [f"    {line}" for line in _metric(each.metric_before, each.metric_after)]
        said += [f"    {each.own_window['said']}"] if each.own_window else []
        said += [f"    cost: {_cost(each)}"]
        if each.runner_up:
            said.append(f"    runner-up: {_runner_up(each.runner_up)}")
    return [*said, f"  in all: {costs.in_words(story.cost)}"]


def _counts(each: GivenUp) -> str:
    if each.counts_against_metric is None:
        return ""
    return f", counts: {each.counts_against_metric}"


def _metric(before: dict[str, Any] | None, after: dict[str, Any] | None) -> list[str]:
    if not before or not after:
        return []
    limit = "" if after.get("limit") is None else f", limit {after['limit']:g}"
    room = "" if after.get("headroom") is None else f", {after['headroom']} more stay below it"
    values = f"{_number(before['value'])} → {_number(after['value'])} {after['unit']}"
    return [f"{after['name']} {values}{limit}{room} (as of {after['as_of']})"]


def _number(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.2f}".rstrip("0").rstrip(".")


def _cost(each: GivenUp) -> str:
    total, parts = entries.total_of(each.cost), entries.parts_of(each.cost)
    said = "not known" if total is None else f"{total:,} yen"
    if any(parts.values()):
        said += f" ({entries.in_words(parts)})"
    as_of = (each.cost or {}).get("as_of")
    said += f", prices as of {as_of}" if as_of else ""
    worth = "worth unknown" if each.worth_yen is None else f"worth {each.worth_yen:,} yen"
    return f"{said}; {'the order was' if each.units is None else 'they were'} {worth}"


def _runner_up(found: dict[str, Any]) -> str:
    """The orders that would have gone instead, what they would have cost, and why they lost."""
    orders = [f"{each.get('channel')} {each.get('order_ref')}" for each in found.get("orders", [])]
    cost = found.get("cost_yen")
    said = [", ".join(orders)] if orders else []
    said += [f"{cost:,} yen"] if isinstance(cost, int) else []
    said += [str(found["why"])] if found.get("why") else []
    return "; ".join(said) or "none"
