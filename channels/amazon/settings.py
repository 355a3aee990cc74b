"""What one Amazon shop needs to know, what it must hide, and how often it may be called."""

from __future__ import annotations

from msgspec import Struct

from channels.limits import Budget

MARKETPLACE_JP = "A1VC38T7YXB528"
TOKEN_URL = "https://api.amazon.com/auth/o2/token"  # noqa: S105  (an address, not a token)


class AmazonSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Settings of one Amazon shop; nothing here is secret.

    `seller_id`: the merchant token (A…). `token_url`: Login with Amazon; an address relative to
    the shop's base URL is allowed. `overlap_seconds`: how far before the last watermark each order
    pull begins. `first_pull_days`: how far back the very first pull reaches.
    `order_visible_lag_seconds`: how late orders may become visible, used only where an answer
    names no `lastUpdatedBefore` (the orders guide speaks of up to two minutes).
    `pending_cancellable`: whether the cancel feed accepts orders still PENDING; UNCONFIRMED, so no.
    """

    seller_id: str
    marketplace_id: str = MARKETPLACE_JP
    token_url: str = TOKEN_URL
    overlap_seconds: float = 300.0
    first_pull_days: float = 14.0
    order_visible_lag_seconds: float = 120.0
    pending_cancellable: bool = False


class AmazonCredentials(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The LWA application's keys and the seller's refresh token; secret.

    The client secret must be renewed every 180 days, the refresh token stays valid (SP-API guide,
    "Rotating your app's LWA credentials"; a yearly renewal of the authorisation is UNCONFIRMED).
    """

    client_id: str
    client_secret: str
    refresh_token: str

    def __repr__(self) -> str:
        return "AmazonCredentials(***)"


SEARCH_ORDERS = "amazon.search_orders"
GET_ORDER = "amazon.get_order"
PATCH_LISTING = "amazon.patch_listing"
GET_LISTING = "amazon.get_listing"
SEARCH_LISTINGS = "amazon.search_listings"
CREATE_DOCUMENT = "amazon.create_document"
CREATE_FEED = "amazon.create_feed"
GET_FEED = "amazon.get_feed"
GET_DOCUMENT = "amazon.get_document"
STORAGE = "amazon.storage"
TOKEN = "amazon.token"  # noqa: S105  (a budget's name)

# The usage plans of the API models. Where calls come in quick bursts, ours is one call smaller:
# two calls may be nearer together when they arrive than when they left. Storage and login state
# no limit; theirs are our own, against a loop gone wild.
BUDGETS = (
    Budget(endpoint=SEARCH_ORDERS, seconds=1 / 0.0056, burst=20),
    Budget(endpoint=GET_ORDER, seconds=2.0, burst=29),
    Budget(endpoint=PATCH_LISTING, seconds=0.2, burst=4),
    Budget(endpoint=GET_LISTING, seconds=0.2, burst=9),
    Budget(endpoint=SEARCH_LISTINGS, seconds=0.2, burst=4),
    Budget(endpoint=CREATE_DOCUMENT, seconds=2.0, burst=14),
    Budget(endpoint=CREATE_FEED, seconds=1 / 0.0083, burst=15),
    Budget(endpoint=GET_FEED, seconds=0.5, burst=14),
    Budget(endpoint=GET_DOCUMENT, seconds=1 / 0.0222, burst=10),
    Budget(endpoint=STORAGE, seconds=0.1, burst=20),
    Budget(endpoint=TOKEN, seconds=1.0, burst=10),
)
