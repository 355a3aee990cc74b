"""What one Amazon shop needs to know, what it must hide, and how often it may be called."""

from __future__ import annotations

from datetime import date
from typing import Literal

from msgspec import Struct

from channels.limits import Budget

MARKETPLACE_JP = "A1VC38T7YXB528"
TOKEN_URL = "https://api.amazon.com/auth/o2/token"  # noqa: S105  (an address, not a token)


class AmazonSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Settings of one Amazon shop; nothing here is secret.

    `seller_id`: the merchant token (A…). `token_url`: Login with Amazon; an address relative to
    the shop's base URL is allowed. `orders_api`: the version of the Orders API; v0 is removed on
    2027-03-27. `overlap_seconds`: how far before the last watermark each order pull begins.
    `first_pull_days`: how far back the very first pull reaches. `order_visible_lag_seconds`: how
    late orders may become visible, used only where an answer names no `lastUpdatedBefore` (the
    orders guide speaks of up to two minutes). `pending_cancellable`: whether the cancel feed
    accepts orders still PENDING; UNCONFIRMED, so no.

    `queue_url`: the SQS queue that ORDER_CHANGE notices go to, "" where there is none.
    `queue_endpoint`: where SQS is called, "" for the queue's own host. `queue_region`: its AWS
    region. `queue_hidden_seconds`: how long a message stays hidden once received; a pull that
    stored it and the next one must both fit in. `queue_wait_seconds`: 0 to 5, how long one call
    waits for a message (0 asks only some of SQS's servers).

    `client_secret_made_on`: the day the LWA client secret was made; its end is counted from it.
    `rest_cancel`: give orders up by cancelOrder of Orders API 2026-01-01 and not by feed; the
    operation has come and gone in the published model, UNCONFIRMED for Japan, so no.
    `part_cancel`: give up parts of orders by a payment adjustment once the rest has been confirmed
    as shipped; the feed's effect on the order is UNCONFIRMED, so no.
    """

    seller_id: str
    marketplace_id: str = MARKETPLACE_JP
    token_url: str = TOKEN_URL
    orders_api: Literal["2026-01-01", "v0"] = "2026-01-01"
    overlap_seconds: float = 300.0
    first_pull_days: float = 14.0
    order_visible_lag_seconds: float = 120.0
    pending_cancellable: bool = False
    queue_url: str = ""
    queue_endpoint: str = ""
    queue_region: str = "us-west-2"
    queue_hidden_seconds: int = 120
    queue_wait_seconds: int = 1
    client_secret_made_on: date | None = None
    rest_cancel: bool = False
    part_cancel: bool = False


class AmazonCredentials(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The LWA application's keys, the seller's refresh token, and the queue's AWS keys; secret.

    The client secret must be renewed every 180 days, the refresh token stays valid (SP-API guide,
    "Rotating your app's LWA credentials"; a yearly renewal of the authorisation is UNCONFIRMED).
    The AWS keys need sqs:ReceiveMessage, sqs:DeleteMessage and sqs:GetQueueAttributes on the one
    queue; both are "" where there is none. `aws_session_token` goes with temporary keys only.
    """

    client_id: str
    client_secret: str
    refresh_token: str
    aws_access_key_id: str = ""
    aws_secret_access_key: str = ""
    aws_session_token: str = ""

    def __repr__(self) -> str:
        return "AmazonCredentials(***)"


SEARCH_ORDERS = "amazon.search_orders"
GET_ORDER = "amazon.get_order"
V0_ORDERS = "amazon.v0_orders"
V0_ORDER = "amazon.v0_order"
V0_ITEMS = "amazon.v0_items"
CANCEL_ORDER = "amazon.cancel_order"
PATCH_LISTING = "amazon.patch_listing"
GET_LISTING = "amazon.get_listing"
SEARCH_LISTINGS = "amazon.search_listings"
CREATE_DOCUMENT = "amazon.create_document"
CREATE_FEED = "amazon.create_feed"
LISTINGS_FEED = "amazon.listings_feed"
GET_FEED = "amazon.get_feed"
GET_DOCUMENT = "amazon.get_document"
STORAGE = "amazon.storage"
QUEUE = "amazon.queue"
TOKEN = "amazon.token"  # noqa: S105  (a budget's name)

# Calls of createFeed that only cancellations may use.
CREATE_FEED_KEPT = 3


def _plan(endpoint: str, *, per_second: float, burst: int, kept: int = 0) -> Budget:
    """A usage plan, which counts per application and seller, whatever the marketplace."""
    return Budget(
        endpoint=endpoint, seconds=1 / per_second, burst=burst, kept=kept, per_credential=True
    )


# The usage plans of the API models. Where calls come in quick bursts, ours is one call smaller:
# two calls may be nearer together when they arrive than when they left. Feeds of listings: 5 in
# any five minutes (SP-API changelog of 2025-05-06). Storage, queue and login state no limit;
# theirs are our own, against a loop gone wild.
BUDGETS = (
    _plan(SEARCH_ORDERS, per_second=0.0056, burst=20),
    _plan(GET_ORDER, per_second=0.5, burst=29),
    _plan(V0_ORDERS, per_second=0.0167, burst=20),
    _plan(V0_ORDER, per_second=0.5, burst=29),
    _plan(V0_ITEMS, per_second=0.5, burst=29),
    _plan(CANCEL_ORDER, per_second=1, burst=4),
    _plan(PATCH_LISTING, per_second=5, burst=4),
    _plan(GET_LISTING, per_second=5, burst=9),
    _plan(SEARCH_LISTINGS, per_second=5, burst=4),
    _plan(CREATE_DOCUMENT, per_second=0.5, burst=14),
    _plan(CREATE_FEED, per_second=0.0083, burst=15, kept=CREATE_FEED_KEPT),
    _plan(LISTINGS_FEED, per_second=0.01, burst=2),
    _plan(GET_FEED, per_second=2, burst=14),
    _plan(GET_DOCUMENT, per_second=0.0222, burst=10),
    Budget(endpoint=STORAGE, seconds=0.1, burst=20),
    Budget(endpoint=QUEUE, seconds=0.05, burst=20),
    Budget(endpoint=TOKEN, seconds=1.0, burst=10),
)
