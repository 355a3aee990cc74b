"""Amazon's front door: tokens, order numbers, limits, and the shape of answers and errors."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl
from uuid import uuid4

import msgspec

from channels.sandbox.due import Due
from channels.sandbox.limits import TokenBucket
from channels.sandbox.market import Market, Order, Services
from channels.sandbox.wire import Answer, Call, Refusal, Refused

MARKETPLACE_ID = "A1VC38T7YXB528"
TOKEN_SECONDS = 3600

# Usage plans as the API models state them: calls a second, burst.
RATES = {
    "searchOrders": (0.0056, 20),
    "getOrder": (0.5, 30),
    "cancelOrder": (1.0, 5),
    "getOrdersV0": (0.0167, 20),
    "getOrderV0": (0.5, 30),
    "getOrderItemsV0": (0.5, 30),
    "patchListingsItem": (5.0, 5),
    "getListingsItem": (5.0, 10),
    "searchListingsItems": (5.0, 5),
    "createFeedDocument": (0.5, 15),
    "createFeed": (0.0083, 15),
    "getFeed": (2.0, 15),
    "getFeedDocument": (0.0222, 10),
}

# How the front door's refusals read. Token and upload addresses have their own shapes.
_REFUSALS = {
    Refusal.THROTTLED: (429, "QuotaExceeded", "You exceeded your quota for the resource."),
    Refusal.UNAVAILABLE: (503, "ServiceUnavailable", "The service is temporarily unavailable."),
    Refusal.MAINTENANCE: (503, "ServiceUnavailable", "The service is under maintenance."),
    Refusal.INSIDE: (200, "InternalFailure", "We encountered an internal error."),
    Refusal.AUTH: (403, "Unauthorized", "Access to requested resource is denied."),
    Refusal.NOT_FOUND: (404, "NotFound", "Resource not found."),
    Refusal.METHOD: (403, "MissingAuthenticationToken", "No such operation."),
    Refusal.TOO_LARGE: (413, "RequestEntityTooLarge", "The request is too large."),
}


class Options(msgspec.Struct, kw_only=True, frozen=True):
    """What is UNCONFIRMED about Amazon, or differs from day to day; seconds where it says so.

    `search_lag_s`: searchOrders shows the orders as they stood so long ago (the real one lags by
    up to two minutes). `pending_s`: an order is PENDING for its first seconds. `cancel_pending`:
    the cancel feed accepts PENDING orders. `feed_s`: from IN_QUEUE to DONE. `listing_lag_s`: from
    ACCEPTED to displayed. `gzip_reports`: feed reports come compressed. `fatal_listings`: listings
    feeds end FATAL with half of their work done. `rest_cancel`: cancelOrder is there. `rates`:
    operations that this seller may call more or less often, calls a second. `login_error`: a word
    with which Login with Amazon refuses everybody.

    `queue`: ORDER_CHANGE notices go to a queue of the seller's. `notice_s`: so long after the
    change. `notice_at_birth`: also of an order's first moment, PENDING. `repeat_notices`: the
    share of notices that the queue delivers twice.
    """

    search_lag_s: float = 5.0
    pending_s: float = 2.0
    cancel_pending: bool = False
    feed_s: float = 2.0
    listing_lag_s: float = 0.0
    gzip_reports: bool = False
    fatal_listings: bool = False
    rest_cancel: bool = False
    rates: Mapping[str, float] = {}
    login_error: str = ""
    queue: bool = False
    notice_s: float = 0.0
    notice_at_birth: bool = False
    repeat_notices: float = 0.0


class AmazonMarket(Market):
    """Amazon.co.jp for one seller: SP-API paths under /amazon, the login under /amazon/auth."""

    kind = "amazon"
    restocks_on_buyer_cancel = True
    buyer_cancel_code = "BuyerCanceled"
    marketplace_cancel_code = "PaymentFailed"

    def __init__(self, services: Services, options: Options) -> None:
        super().__init__(services)
        self.options = options
        self.visible_after_s = options.search_lag_s
        self.due = Due(self.clock)
        tick = self.clock.tick()
        self.buckets = {
            name: TokenBucket(
                name, rate_per_s=options.rates.get(name, rate), burst=burst, tick=tick
            )
            for name, (rate, burst) in RATES.items()
        }
        self.limits = list(self.buckets.values())
        self.seller_id = f"A{self.secret(13).upper()}"
        self.credentials = {
            "client_id": f"amzn1.application-oa2-client.{self.secret(32)}",
            "client_secret": f"amzn1.oa2-cs.v1.{self.secret(64)}",
            "refresh_token": f"Atzr|{self.secret(64)}",
        }
        self.settings = {
            "seller_id": self.seller_id,
            "marketplace_id": MARKETPLACE_ID,
            "token_url": "{base_url}/auth/o2/token",
        }
        self._tokens: dict[str, datetime] = {}
        # Who is told of changed orders: (order, why). Set by the queue, if there is one.
        self.listeners: list[Callable[[Order, str], None]] = []

    # Orders.

    def tell(self, order: Order, why: str) -> None:
        """An order has changed."""
        for listener in self.listeners:
            listener(order, why)

    def on_place(self, order: Order) -> None:
        """A notice of its birth, if so, and one once it is paid for."""
        if not self.listeners:
            return
        if self.options.notice_at_birth:
            self.tell(order, "New Order")
        self.due.later(self.options.pending_s, lambda: self.tell(order, "Order Status Change"))

    def on_ship(self, order: Order) -> None:
        """The order is shipped."""
        self.tell(order, "Order Status Change")

    def on_cancel(self, order: Order) -> None:
        """The order is cancelled."""
        self.tell(order, "Order Status Change")

    def new_ref(self, placed_at: datetime) -> str:
        """Numbers like 249-0000001-4711000."""
        del placed_at
        return f"249-{len(self.orders) + 1:07d}-{self.rng.randrange(10**7):07d}"

    def new_line_ref(self, order_ref: str, position: int) -> str:
        """Fourteen digits, like orderItemId."""
        return f"{order_ref[4:11]}{order_ref[12:17]}{position:02d}"

    def ask_cancel(self, ref: str) -> Order:
        """Keep the time of the wish: searchOrders shows it only after its lag."""
        order = super().ask_cancel(ref)
        order.extra.setdefault("asked_at", order.changed_at)
        self.tell(order, "Buyer Requested Cancel")
        return order

    def pending_until(self, order: Order) -> datetime:
        """When the order's payment is through."""
        return order.placed_at + timedelta(seconds=self.options.pending_s)

    # Front door.

    def refuse(self, refusal: Refusal, endpoint: str) -> Answer:
        """Say no in the words of the address that was called."""
        status, code, message = _REFUSALS[refusal]
        if endpoint == "token" and refusal is Refusal.AUTH:
            return login_error("invalid_grant", "The refresh token is invalid or was revoked.")
        if endpoint == "patchListingsItem" and refusal is Refusal.INSIDE:
            return json_answer({"sku": "", "status": "INVALID", "submissionId": "", "issues": []})
        return errors(status, code, message)

    def authorize(self, call: Call) -> Answer | None:
        """The access token must be one of ours and younger than an hour."""
        self.due.settle()
        token = call.headers.get("x-amz-access-token", "")
        expires_at = self._tokens.get(token)
        if expires_at is None:
            return errors(403, "Unauthorized", "The access token is revoked, malformed or invalid.")
        if expires_at <= call.at:
            return errors(403, "Unauthorized", "The access token you provided has expired.")
        return None

    def login(self, call: Call) -> Answer:
        """LWA's token endpoint: refresh_token grant, form-encoded."""
        if not call.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
            return login_error("invalid_request", "The request body must be form-encoded.")
        if self.options.login_error:
            return login_error(self.options.login_error, "No access.")
        form = dict(parse_qsl(call.body.decode("utf-8", "replace")))
        known = self.credentials
        if form.get("grant_type") != "refresh_token":
            return login_error("unsupported_grant_type", "Use grant_type=refresh_token.")
        if (form.get("client_id"), form.get("client_secret")) != (
            known["client_id"],
            known["client_secret"],
        ):
            return login_error("invalid_client", "Client authentication failed.", status=401)
        if form.get("refresh_token") != known["refresh_token"]:
            return login_error("invalid_grant", "The refresh token is invalid or was revoked.")
        token = f"Atza|{self.secret(64)}"
        live = {text: until for text, until in self._tokens.items() if until > call.at}
        self._tokens = {**live, token: call.at + timedelta(seconds=TOKEN_SECONDS)}
        return json_answer(
            {
                "access_token": token,
                "refresh_token": known["refresh_token"],
                "token_type": "bearer",
                "expires_in": TOKEN_SECONDS,
            }
        )

    # What the operations share.

    def secret(self, length: int) -> str:
        """Hexadecimal digits of the run's dice."""
        return f"{self.rng.getrandbits(length * 4):0{length}x}"

    def answer(self, call: Call, body: Any, *, status: int = 200) -> Answer:
        """A good answer with the operation's rate in its header."""
        return json_answer(body, status=status, headers=self._stated(call))

    def _stated(self, call: Call) -> dict[str, str]:
        return {"x-amzn-RateLimit-Limit": str(self.buckets[call.endpoint].rate_per_s)}

    def wrong(self, call: Call, message: str, *, code: str = "InvalidInput") -> Refused:
        """A 400 to be raised."""
        return self.failed(call, 400, code, message)

    def failed(self, call: Call, status: int, code: str, message: str) -> Refused:
        """A 400 or 404 to be raised; these carry the rate header too."""
        answer = errors(status, code, message)
        answer.headers = {**answer.headers, **self._stated(call)}
        return Refused(answer)

    def check_marketplace(self, call: Call, *, required: bool) -> None:
        """`marketplaceIds` must name this marketplace. Raises Refused."""
        given = csv(call.query.get("marketplaceIds", ""))
        if not given and not required:
            return
        if MARKETPLACE_ID not in given:
            raise self.wrong(call, "marketplaceIds must name a marketplace of this seller.")

    def check_seller(self, call: Call) -> None:
        """The path must name this seller. Raises Refused."""
        if call.params["sellerId"] != self.seller_id:
            raise Refused(errors(403, "Unauthorized", "Access to requested resource is denied."))


def json_answer(body: Any, *, status: int = 200, headers: dict[str, str] | None = None) -> Answer:
    """Any JSON answer; each names its request, as the real ones do."""
    named = {"x-amzn-RequestId": str(uuid4()), **(headers or {})}
    return Answer(status=status, body=msgspec.json.encode(body), headers=named)


def errors(status: int, code: str, message: str) -> Answer:
    """The error list that every operation shares."""
    return json_answer(
        {"errors": [{"code": code, "message": message, "details": ""}]}, status=status
    )


def login_error(code: str, description: str, *, status: int = 400) -> Answer:
    """An error of the token endpoint."""
    return json_answer({"error": code, "error_description": description}, status=status)


def json_body(market: AmazonMarket, call: Call) -> dict[str, Any]:
    """The request's JSON object. Raises Refused (415 for another type, 400 for unreadable text)."""
    if not call.headers.get("content-type", "").startswith("application/json"):
        raise market.failed(call, 415, "UnsupportedMediaType", "Send application/json.")
    try:
        body = msgspec.json.decode(call.body)
    except msgspec.DecodeError as error:
        raise market.wrong(call, "The body is not JSON.") from error
    if not isinstance(body, dict):
        raise market.wrong(call, "The body must be a JSON object.")
    return body


def csv(text: str) -> list[str]:
    """The values of a comma-separated query parameter."""
    return [part for part in text.split(",") if part]


def moment(text: str) -> datetime | None:
    """An ISO 8601 time with zone, or None."""
    try:
        parsed = datetime.fromisoformat(text)
    except ValueError:
        return None
    return parsed if parsed.tzinfo else None


def wire_time(value: datetime) -> str:
    """ISO 8601 in UTC, whole seconds, as the orders API writes times."""
    return value.strftime("%Y-%m-%dT%H:%M:%SZ")
