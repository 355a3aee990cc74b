"""Metrics for Prometheus: figures read from the database, and counters of HTTP requests."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from inventory.calls_made import CallsMade
from inventory.reports.channels import ChannelStatus, Status

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
SECONDS_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class HttpMetrics:
    """Counters of one process; paths are the routes' templates, never what a caller typed."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        labels = ("method", "route", "status")
        self._requests = Counter(
            "hikiate_http_requests", "HTTP requests answered", labels, registry=self.registry
        )
        self._seconds = Histogram(
            "hikiate_http_request_seconds",
            "Time to the end of the answer",
            ("method", "route"),
            buckets=SECONDS_BUCKETS,
            registry=self.registry,
        )

    def observe(self, *, method: str, route: str, status: int, seconds: float) -> None:
        """Count one request."""
        self._requests.labels(method, route, str(status)).inc()
        self._seconds.labels(method, route).observe(seconds)


class _Snapshot(Collector):
    """Figures that were read once, for one scrape."""

    def __init__(self, families: Iterable[GaugeMetricFamily]) -> None:
        self._families = list(families)

    def collect(self) -> Iterator[GaugeMetricFamily]:
        yield from self._families


_CHANNEL_GAUGES = {
    "listings": "Listings of the channel",
    "listings_stale": "Listings that show an old number",
    "oldest_stale_seconds": "Age of the oldest old number",
    "orders_today": "Orders since midnight in Tokyo",
    "units_today": "Units ordered since midnight in Tokyo",
    "pushes_last_minute": "Numbers sent in the last minute",
}
_HOUSE_GAUGES = {
    "events_new": "Events not handled yet",
    "events_parked": "Events that wait for a person",
    "events_in_conflict": "Events whose id was used before with other content",
    "oversells_open": "Oversell cases that are open",
    "cancellations_proposed": "Cancellations that wait for a decision",
    "alerts_open": "Alerts that are open",
    "deliveries_pending": "Webhooks not delivered yet",
    "deliveries_parked": "Webhooks that could not be delivered",
}
_LEDGER = text("""
SELECT (SELECT coalesce(max(id), 0) FROM fact) AS facts,
  (SELECT coalesce(sum(on_hand), 0) FROM stock_level) AS on_hand,
  (SELECT coalesce(sum(reserved), 0) FROM stock_level) AS reserved,
  (SELECT count(*) FROM stale_sku) AS skus_stale
""")
_LEDGER_GAUGES = {
    "facts": "Number of the last fact in the ledger",
    "on_hand": "Units on hand",
    "reserved": "Units reserved",
    "skus_stale": "SKUs whose numbers are to be worked out anew",
}


def _channel_families(status: Status) -> Iterator[GaugeMetricFamily]:
    for name, help_ in _CHANNEL_GAUGES.items():
        family = GaugeMetricFamily(f"hikiate_channel_{name}", help_, labels=("channel", "kind"))
        for channel in status.channels:
            family.add_metric((channel.channel, channel.kind), getattr(channel, name) or 0)
        yield family
    for name, help_ in (
        ("frozen", "1 while publishing is stopped"),
        ("failing", "1 while the channel fails"),
        ("watermark_age_seconds", "Time since when orders may be missing"),
    ):
        family = GaugeMetricFamily(f"hikiate_channel_{name}", help_, labels=("channel", "kind"))
        for channel in status.channels:
            value = _channel_value(name, channel, status)
            if value is not None:
                family.add_metric((channel.channel, channel.kind), value)
        yield family


def _channel_value(name: str, channel: ChannelStatus, status: Status) -> float | None:
    if name == "frozen":
        return float(channel.frozen or status.frozen)
    if name == "failing":
        return float(channel.failing_since is not None)
    if channel.watermark is None:
        return None
    return (status.as_of - channel.watermark).total_seconds()


def _call_families(calls: Sequence[CallsMade]) -> Iterator[GaugeMetricFamily]:
    for name, help_ in (
        ("calls_used", "Calls or points of an endpoint's budget that were used"),
        ("calls_refused", "Calls that the channel answered as too many"),
    ):
        labels = ("channel", "kind", "endpoint")
        family = GaugeMetricFamily(f"hikiate_channel_{name}", help_, labels=labels)
        for made in calls:
            family.add_metric(
                (made.channel, made.kind, made.endpoint), getattr(made, name.removeprefix("calls_"))
            )
        yield family


async def render(
    session: AsyncSession,
    status: Status,
    http: HttpMetrics,
    *,
    waiting: int,
    calls: Sequence[CallsMade],
) -> bytes:
    """All metrics in Prometheus' text format; `waiting` facts of this process wait for a commit."""
    families = [*_channel_families(status), *_call_families(calls)]
    families += [
        GaugeMetricFamily(f"hikiate_{name}", help_, value=getattr(status, name))
        for name, help_ in _HOUSE_GAUGES.items()
    ]
    ledger = (await session.execute(_LEDGER)).mappings().one()
    families += [
        GaugeMetricFamily(f"hikiate_ledger_{name}", help_, value=float(ledger[name]))
        for name, help_ in _LEDGER_GAUGES.items()
    ]
    families.append(
        GaugeMetricFamily(
            "hikiate_ledger_waiting", "Facts of this process that wait for a commit", value=waiting
        )
    )
    scrape = CollectorRegistry()
    scrape.register(_Snapshot(families))
    return generate_latest(scrape) + generate_latest(http.registry)
