"""What is late or stuck, by channel and age; anything found turns health red (L11)."""

from __future__ import annotations

from datetime import datetime, timedelta

from msgspec import Struct, convert
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from inventory.checks import LEDGER_CHECK, LedgerCheck
from inventory.clock import JST
from inventory.config import Settings
from inventory.models import Channel, Switch
from inventory.onboarding import kept_of

LEDGER_CHECK_SECONDS_MAX = 3600
# Findings about a channel as a whole; the others count something.
OF_THE_CHANNEL = frozenset({"channel_failing", "channel_silent", "reconcile_late"})
# A difference that is repaired is gone by then; a round of very many listings takes its time.
DRIFT_SECONDS_MAX = 600
RECONCILE_SECONDS_MAX = 4 * 3600
# A key, secret or consent is renewed by a person, who may be away: told three times, then red.
EXPIRY_DAYS = 14
EXPIRY_CLOSE_DAYS = 7
EXPIRY_RED_DAYS = 3


class Finding(Struct, frozen=True, kw_only=True):
    """One thing that is late: `what` is stable, `channel` is None where it is about the house.

    A `warning` is an alert, and turns nothing red yet.
    """

    what: str
    channel: str | None = None
    age_seconds: float | None = None
    detail: str = ""
    warning: bool = False


# Each part names what it looks for; `since` is when the oldest of it began, `n` how many there are.
# A frozen channel's listings are late because a person wants them to be. What was parked or failed
# waits for a person and gets no better by waiting: it is shown at once.
_LATE = text("""
SELECT 'events_unhandled' AS what, c.code AS channel, min(e.received_at) AS since, count(*) AS n,
  'events not handled yet' AS noun
FROM inbound_event e JOIN channel c ON c.id = e.channel_id
WHERE e.state = 'new' AND e.received_at < :event_late GROUP BY c.code
UNION ALL
SELECT 'events_parked', c.code, min(e.received_at), count(*),
  'events wait for a person: ' || string_agg(DISTINCT e.code, ', ')
FROM inbound_event e JOIN channel c ON c.id = e.channel_id
WHERE e.state = 'parked' GROUP BY c.code
UNION ALL
SELECT 'listings_stale', c.code, min(l.wanted_at), count(*), 'listings show an old number'
FROM listing l JOIN channel c ON c.id = l.channel_id
WHERE l.revision_published < l.revision_wanted AND l.wanted_at < :listing_late AND NOT c.frozen
  AND NOT EXISTS (SELECT FROM switch WHERE name = 'frozen' AND value ->> 'on' = 'true')
GROUP BY c.code
UNION ALL
SELECT 'skus_stale', NULL, min(marked_at), count(*), 'SKUs wait for their numbers'
FROM stale_sku WHERE marked_at < :listing_late HAVING count(*) > 0
UNION ALL
SELECT 'channel_failing', code, failing_since, 1, failure
FROM channel WHERE failing_since < :listing_late
UNION ALL
SELECT 'drift_open', c.code, min(d.first_seen), count(*),
  'listings show another number than they should: ' || string_agg(DISTINCT d.cause, ', ')
FROM drift d JOIN listing l ON l.id = d.listing_id JOIN channel c ON c.id = l.channel_id
WHERE d.closed_at IS NULL AND d.cause <> 'order_not_pulled' AND d.first_seen < :drift_late
  AND NOT c.frozen GROUP BY c.code
UNION ALL
SELECT 'reconcile_late', c.code, coalesce(r.ended_from, c.connected_at), 1,
  coalesce(r.failure, 'not every number was read back')
FROM channel c LEFT JOIN rotation r ON r.channel_id = c.id
WHERE c.kind NOT IN ('house', 'own_store')
  AND coalesce(r.ended_from, c.connected_at) < :reconcile_late
  AND EXISTS (SELECT FROM listing l WHERE l.channel_id = c.id)
UNION ALL
SELECT 'channel_silent', code, coalesce(pulled_at, connected_at), 1, 'no orders could be pulled'
FROM channel WHERE kind NOT IN ('house', 'own_store')
  AND coalesce(pulled_at, connected_at) < :silent
UNION ALL
SELECT 'cancellations_late', c.code, min(coalesce(x.submitted_at, x.proposed_at)), count(*),
  'cancellations are not confirmed yet'
FROM cancellation x JOIN channel c ON c.id = x.channel_id
WHERE x.state IN ('approved', 'submitted') AND x.proposed_at < :event_late
  AND coalesce(x.submitted_at, x.proposed_at) < :event_late GROUP BY c.code
UNION ALL
SELECT 'cancellations_failed', c.code, min(coalesce(x.submitted_at, x.proposed_at)), count(*),
  'cancellations were refused by the channel'
FROM cancellation x JOIN channel c ON c.id = x.channel_id WHERE x.state = 'failed' GROUP BY c.code
UNION ALL
SELECT 'deliveries_late', NULL, min(d.created_at), count(*), 'webhooks are not delivered yet'
FROM delivery d JOIN webhook_endpoint w ON w.id = d.endpoint_id
WHERE d.state = 'pending' AND d.created_at < :delivery_late AND w.active HAVING count(*) > 0
UNION ALL
SELECT 'deliveries_parked', NULL, min(d.created_at), count(*), 'webhooks could not be delivered'
FROM delivery d JOIN webhook_endpoint w ON w.id = d.endpoint_id
WHERE d.state = 'parked' AND w.active HAVING count(*) > 0
""")


async def findings(session: AsyncSession, settings: Settings, now: datetime) -> list[Finding]:
    """Everything that is past its time, oldest first. The limits are those of the settings."""

    def before(seconds: int) -> datetime:
        return now - timedelta(seconds=seconds)

    rows = await session.execute(
        _LATE,
        {
            "event_late": before(settings.event_late_seconds),
            "listing_late": before(settings.listing_late_seconds),
            "silent": before(settings.channel_silent_seconds),
            "delivery_late": before(settings.delivery_late_seconds),
            "drift_late": before(DRIFT_SECONDS_MAX),
            "reconcile_late": before(RECONCILE_SECONDS_MAX),
        },
    )
    found = [
        Finding(
            what=what,
            channel=channel,
            age_seconds=round((now - since).total_seconds(), 1),
            detail=noun if what in OF_THE_CHANNEL else f"{count} {noun}",
        )
        for what, channel, since, count, noun in rows
    ]
    found += await _ledger(session, now)
    found += await _expiries(session, now)
    return sorted(found, key=lambda finding: -(finding.age_seconds or 0))


async def _ledger(session: AsyncSession, now: datetime) -> list[Finding]:
    switch = await session.get(Switch, LEDGER_CHECK)
    if switch is None:
        return []
    check = convert(switch.value, LedgerCheck)
    age = round((now - check.checked_at).total_seconds(), 1)
    found = []
    if check.differences:
        detail = f"{len(check.differences)} differences, first {check.differences[0]}"
        found.append(Finding(what="ledger_unbalanced", age_seconds=age, detail=detail))
    elif age > LEDGER_CHECK_SECONDS_MAX:
        detail = "balances were not compared with their movements"
        found.append(Finding(what="ledger_unchecked", age_seconds=age, detail=detail))
    if check.unsealed is not None:
        detail = f"month {check.unsealed} has ended and is not sealed"
        found.append(Finding(what="ledger_unsealed", age_seconds=age, detail=detail))
    return found


async def _expiries(session: AsyncSession, now: datetime) -> list[Finding]:
    """Keys, secrets and consents that end soon, as the channels said when they were last asked."""
    rows = await session.execute(
        select(Channel.code, Channel.standing)
        .where(Channel.standing.is_not(None))
        .order_by(Channel.id)
    )
    found = []
    for code, standing in rows:
        near = now + timedelta(days=EXPIRY_DAYS)
        ends = [each for each in kept_of(standing).expiries if each.ends_at <= near]
        soonest = min(ends, key=lambda each: each.ends_at, default=None)
        if soonest is not None:
            ends_on = f"{soonest.ends_at.astimezone(JST):%Y-%m-%d %H:%M} (Tokyo)"
            word = "ends" if soonest.ends_at > now else "ended"
            detail = f"{soonest.name} {word} on {ends_on}"
            found.append(_expiring(code, detail, soonest.ends_at, now))
    return found


def _expiring(code: str, detail: str, ends_at: datetime, now: datetime) -> Finding:
    """Each name fires an alert of its own, so that a person hears of it three times."""
    if ends_at <= now + timedelta(days=EXPIRY_RED_DAYS):
        return Finding(what="expiry_urgent", channel=code, detail=detail)
    if ends_at <= now + timedelta(days=EXPIRY_CLOSE_DAYS):
        return Finding(what="expiry_close", channel=code, detail=detail, warning=True)
    return Finding(what="expiry_near", channel=code, detail=detail, warning=True)
