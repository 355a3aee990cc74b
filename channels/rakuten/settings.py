"""What one Rakuten shop needs to know, what it must hide, and how often it may be called."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from channels.limits import Budget

ORDER = "rakuten.order"
BULK_UPSERT = "rakuten.bulk_upsert"
UPSERT = "rakuten.upsert"
BULK_GET = "rakuten.bulk_get"
ITEMS = "rakuten.items_search"
LICENSE = "rakuten.license"

# RMS gives one call a second to all order functions together (a guideline), one each to the two
# ways of writing numbers, five to bulk-get and to items.search; that these count per shop, and that
# PurchaseItemAPI counts with the order functions, is UNCONFIRMED, as is any limit of the license's
# expiry. Between two calls of one second lies `SPACING_SECONDS` from answer to departure.
SPACING_SECONDS = 1.01
BUDGETS = (
    Budget(endpoint=ORDER, seconds=1.0),
    Budget(endpoint=BULK_UPSERT, seconds=1.0),
    Budget(endpoint=UPSERT, seconds=1.0),
    Budget(endpoint=BULK_GET, seconds=0.22),
    Budget(endpoint=ITEMS, seconds=0.22),
    Budget(endpoint=LICENSE, seconds=1.0),
)

# searchOrder and searchOrderItem: at most 63 days in one search, and 730 days back.
SPAN_DAYS_MAX = 63
DAYS_BACK_MAX = 720
READ_CALLS_MAX = 50
SKU_VERSION = 7
REREAD_MAX = 100


class RakutenSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Settings of one Rakuten shop; nothing here is secret.

    `orders_api`: by which functions orders are searched and read: `purchase_item` (PurchaseItemAPI,
    no buyer's name or address in it) or `order` (RakutenPayOrderAPI, which also shows parcels
    before the order is shipped). Either way an order is cancelled, and who cancelled it is read, by
    RakutenPayOrderAPI. `order_version`: getOrder's `version`; 7 is the first with SKUs, and old
    ones are retired.
    `open_order_days`: how far back the first pull looks for open orders, by order date.
    `window_hours`: how far back open orders are looked for later, at least; further for orders that
    we hold as open, at most 63 days. `overlap_seconds`: how far before the last watermark each
    search for new orders begins. `order_visible_lag_seconds`: how late an order may show in
    searches (UNCONFIRMED). `live_search_every`: in every n-th pull the open orders (100 to 400) are
    searched too, so that shipped and cancelled ones are noticed. `cancelled_search_every`: in every
    n-th pull 800 and 900 are searched, for orders cancelled after they had been shipped.
    `reread_orders_max`: open orders read anew with each search for open orders, for changes.
    `read_calls_max`: calls to read orders (100 each) in one pull.
    """

    orders_api: Literal["purchase_item", "order"] = "purchase_item"
    order_version: int = SKU_VERSION
    open_order_days: int = 180
    window_hours: float = 96.0
    overlap_seconds: float = 300.0
    order_visible_lag_seconds: float = 2.0
    live_search_every: int = 3
    cancelled_search_every: int = 30
    reread_orders_max: int = 50
    read_calls_max: int = 5

    def __post_init__(self) -> None:
        """Raises ValueError when a number is out of bounds."""
        if self.order_version < SKU_VERSION:
            raise ValueError("order_version is at least 7, the first that names SKUs")
        if not 1 <= self.open_order_days <= DAYS_BACK_MAX:
            raise ValueError("open_order_days is 1-720")
        if not 0 < self.window_hours <= (SPAN_DAYS_MAX - 1) * 24:
            raise ValueError("window_hours must be above 0 and at most 62 days")
        if self.overlap_seconds < 0 or self.order_visible_lag_seconds < 0:
            raise ValueError("overlap_seconds and order_visible_lag_seconds cannot be negative")
        if self.live_search_every < 1 or self.cancelled_search_every < 1:
            raise ValueError("live_search_every and cancelled_search_every are at least 1")
        if not 0 <= self.reread_orders_max <= REREAD_MAX:
            raise ValueError("reread_orders_max is 0-100")
        if not 1 <= self.read_calls_max <= READ_CALLS_MAX:
            raise ValueError("read_calls_max is 1-50")


class RakutenCredentials(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The shop's serviceSecret and its licenseKey, which lives 90 days; secret."""

    service_secret: str
    license_key: str

    def __repr__(self) -> str:
        """Without the values."""
        return "RakutenCredentials(***)"
