"""What is late or stuck, by channel and age; anything found turns health red (L11)."""

from __future__ import annotations

from datetime import datetime, timedelta

from msgspec import Struct, convert
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from inventory.checks import LEDGER_CHECK, LedgerCheck
from inventory.config import Settings
from inventory.models import Switch

LEDGER_CHECK_SECONDS_MAX = 3600


class Finding(Struct, frozen=True, kw_only=True):
    """One thing that is late: `what` is stable, `channel` is None where it is about the house."""

    what: str
    channel: str | None = None
    age_seconds: float | None = None
    detail: str = ""


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
        },
    )
    found = [
        Finding(
            what=what,
            channel=channel,
            age_seconds=round((now - since).total_seconds(), 1),
            detail=f"{count} {noun}" if what not in {"channel_failing", "channel_silent"} else noun,
        )
        for what, channel, since, count, noun in rows
    ]
    found += await _ledger(session, now)
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
