"""What one Rakuten shop needs to know, what it must hide, and how often it may be called."""

from __future__ import annotations

from msgspec import Struct

from channels.limits import Budget

ORDER = "rakuten.order"
BULK_UPSERT = "rakuten.bulk_upsert"
BULK_GET = "rakuten.bulk_get"

# RMS gives one call a second to all order functions together (a guideline), one to bulk-upsert and
# five to bulk-get; that these count per shop is UNCONFIRMED. Between two calls of the first two
# lies `SPACING_SECONDS` from answer to departure.
SPACING_SECONDS = 1.01
BUDGETS = (
    Budget(endpoint=ORDER, seconds=1.0),
    Budget(endpoint=BULK_UPSERT, seconds=1.0),
    Budget(endpoint=BULK_GET, seconds=0.22),
)

SPAN_DAYS_MAX = 63
READ_CALLS_MAX = 50


class RakutenSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Settings of one Rakuten shop; nothing here is secret.

    `order_version`: getOrder's `version`; 7 is the first with SKUs, old ones are retired.
    `window_hours`: how far back live orders are looked for, at least (order date); further for
    orders that we hold as live, at most 63 days. `overlap_seconds`: how far before the last
    watermark each search for new orders begins. `order_visible_lag_seconds`: how late an order may
    show in searches (UNCONFIRMED). `live_search_every`: in every n-th pull the list of live orders
    is searched too, so that cancelled and shipped ones are noticed. `reread_orders_max`: live
    orders read anew in such a pull, for changes. `read_calls_max`: getOrder calls (100 orders
    each) in one pull.
    """

    order_version: int = 7
    window_hours: float = 24.0
    overlap_seconds: float = 300.0
    order_visible_lag_seconds: float = 2.0
    live_search_every: int = 3
    reread_orders_max: int = 50
    read_calls_max: int = 5

    def __post_init__(self) -> None:
        """Raises ValueError when a number is out of bounds."""
        if not 0 < self.window_hours <= (SPAN_DAYS_MAX - 1) * 24:
            raise ValueError("window_hours must be above 0 and at most 62 days")
        if self.overlap_seconds < 0 or self.order_visible_lag_seconds < 0:
            raise ValueError("overlap_seconds and order_visible_lag_seconds cannot be negative")
        if self.live_search_every < 1 or not 1 <= self.read_calls_max <= READ_CALLS_MAX:
            raise ValueError("live_search_every is at least 1, read_calls_max 1-50")


class RakutenCredentials(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The shop's serviceSecret and its licenseKey, which lives 90 days; secret."""

    service_secret: str
    license_key: str

    def __repr__(self) -> str:
        """Without the values."""
        return "RakutenCredentials(***)"
