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

ORDER_SECONDS, WRITE_SECONDS, READ_SECONDS = 1.0, 1.0, 0.2
SECONDS_MAX = 60.0
READ_AT_ONCE = 4

# searchOrder and searchOrderItem: at most 63 days in one search, and 730 days back.
DAYS_BACK_MAX = 720
HOURS_BACK_MAX = 62 * 24
SKU_VERSION = 7
BOUNDS = {
    "order_version": (SKU_VERSION, 99),
    "open_order_days": (1, DAYS_BACK_MAX),
    "window_hours": (1, HOURS_BACK_MAX),
    "overlap_seconds": (0, 86_400),
    "order_visible_lag_seconds": (0, 86_400),
    "live_search_every": (1, 1000),
    "cancelled_search_every": (1, 100_000),
    "reread_orders_max": (0, 100),
    "read_calls_max": (1, 50),
    "order_seconds": (ORDER_SECONDS, SECONDS_MAX),
    "write_seconds": (WRITE_SECONDS, SECONDS_MAX),
    "read_seconds": (READ_SECONDS, SECONDS_MAX),
    "read_at_once": (1, READ_AT_ONCE),
}


class RakutenSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Settings of one Rakuten shop; nothing here is secret.

    `orders_api`: by which functions orders are searched and read: `purchase_item` (PurchaseItemAPI,
    no buyer's name or address in it) or `order` (RakutenPayOrderAPI, which also shows parcels
    before the order is shipped). Either way an order is cancelled, and who cancelled it is read, by
    RakutenPayOrderAPI. `order_version`: getOrder's `version`; 7 is the first with SKUs, and old
    ones are retired.
    `open_order_days`: how far back the first pull looks for open orders, by order date.
    `window_hours`: how far back open orders are looked for later, at least; further for orders that
    we hold as open, at most 63 days. `order_visible_lag_seconds`: how late an order may show in
    searches (UNCONFIRMED). `live_search_every`: every n-th search is a wide one, for the open
    orders (100 to 400) too, so that shipped and cancelled ones are noticed; in a busy or big shop
    wide ones are rarer, about a tenth of all calls. `overlap_seconds`: how far before the last wide
    search the next one looks for new orders; those between begin a few seconds before the last.
    `cancelled_search_every`: with every n-th search 800 and 900 are searched, for orders cancelled
    after they had been shipped. `reread_orders_max`: open orders read anew with each search for
    open orders, for changes. `read_calls_max`: calls to read orders (100 each) in a pull that found
    changed ones; new ones alone are read a hundred in a pull, and stored while the next waits.
    `order_seconds`, `write_seconds`, `read_seconds`: between two calls of the order functions, of
    one way to write numbers, and of bulk-get or items.search. Only longer than the default: whether
    Rakuten counts per shop, per function or both is UNCONFIRMED, as is how much less it permits in
    busy hours. `read_at_once`: bulk-gets that may follow each other at once when fewer were made
    before; 1 where Rakuten turns out to count the five of every single second (UNCONFIRMED).
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
    order_seconds: float = ORDER_SECONDS
    write_seconds: float = WRITE_SECONDS
    read_seconds: float = READ_SECONDS
    read_at_once: int = READ_AT_ONCE

    def __post_init__(self) -> None:
        """Raises ValueError when a number is out of bounds."""
        for name, (least, most) in BOUNDS.items():
            if not least <= getattr(self, name) <= most:
                raise ValueError(f"{name} is from {least:g} to {most:g}")


class RakutenCredentials(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The shop's serviceSecret and its licenseKey, which lives 90 days; secret."""

    service_secret: str
    license_key: str

    def __repr__(self) -> str:
        """Without the values."""
        return "RakutenCredentials(***)"


def budgets_of(settings: RakutenSettings) -> tuple[Budget, ...]:
    """The call budgets of one shop.

    RMS gives one call a second to all order functions together (a guideline), one each to the two
    ways of writing numbers, five each to bulk-get and items.search. That PurchaseItemAPI counts
    with the order functions is UNCONFIRMED, as is any limit of license.expiryDate.get.
    """
    return (
        Budget(endpoint=ORDER, seconds=settings.order_seconds),
        Budget(endpoint=BULK_UPSERT, seconds=settings.write_seconds),
        Budget(endpoint=UPSERT, seconds=settings.write_seconds),
        Budget(endpoint=BULK_GET, seconds=settings.read_seconds, burst=settings.read_at_once),
        Budget(endpoint=ITEMS, seconds=settings.read_seconds),
        Budget(endpoint=LICENSE, seconds=1.0),
    )


BUDGETS = budgets_of(RakutenSettings())
