"""Shopify's front door: tokens, numbers and names, the points bucket, and what all nodes share."""

from __future__ import annotations

from base64 import b64decode, urlsafe_b64encode
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, TypeVar
from urllib.parse import parse_qsl

import msgspec
from graphql import GraphQLError

from channels.sandbox.due import Due
from channels.sandbox.hooks import Hooks
from channels.sandbox.market import Listing, Market, Order, Services
from channels.sandbox.shopify_cost import PointsBucket
from channels.sandbox.shopify_notices import Webhooks, drop_unit
from channels.sandbox.wire import Answer, Call, Refusal

API_VERSION = "2026-10"
TOKEN_SECONDS = 86_399
PAGE_MAX = 250
SKU_CHARACTERS_MAX = 255
SCOPES = "read_inventory,write_inventory,read_orders,write_orders,read_products"

Node = dict[str, Any]
Thing = TypeVar("Thing")

_REFUSALS: dict[Refusal, tuple[int, Any]] = {
    Refusal.UNAVAILABLE: (503, "Service Unavailable"),
    Refusal.MAINTENANCE: (503, "Service Unavailable"),
    Refusal.INSIDE: (
        200,
        [{"message": "Internal error", "extensions": {"code": "INTERNAL_SERVER_ERROR"}}],
    ),
    Refusal.AUTH: (
        401,
        "[API] Invalid API key or access token (unrecognized login or wrong password)",
    ),
    Refusal.NOT_FOUND: (404, "Not Found"),
    Refusal.METHOD: (406, "Not Acceptable"),
    Refusal.TOO_LARGE: (413, "Payload Too Large"),
}


class Options(msgspec.Struct, kw_only=True, frozen=True):
    """What is UNCONFIRMED about Shopify, or differs by plan.

    `restore_rate` points a second and `bucket` points: the standard plan. `visible_after_s`: new
    orders appear in the list so late. `cancel_s`: how long a cancel job runs. `idempotency_hours`:
    how long a key is remembered. `loose_sku_search`: the search finds SKUs that begin with the
    text too, so that a client has to compare for itself. `untracked` SKUs have no tracked
    inventory, `continues` go on selling when out of stock, `barcodes` are by SKU. `without_scopes`
    the app lacks. `version_supported`: whether the API's version is still alive. `hook_retries`
    and `hook_pause_s`: a webhook without a 2xx is sent that many times more, first after that long
    (8 in 4 hours on the real one). `capture_at_shipment`: payments are only authorised until then.
    """

    restore_rate: float = 100.0
    bucket: float = 2000.0
    visible_after_s: float = 1.0
    cancel_s: float = 2.0
    idempotency_hours: float = 24.0
    loose_sku_search: bool = True
    untracked: Collection[str] = ()
    continues: Collection[str] = ()
    barcodes: Mapping[str, str] = {}
    without_scopes: Collection[str] = ()
    version_supported: bool = True
    hook_retries: int = 8
    hook_pause_s: float = 28.0
    capture_at_shipment: bool = False


class ShopifyMarket(Market):
    """One Shopify shop with one location; order numbers are the tails of their global ids."""

    kind = "shopify"
    restocks_on_buyer_cancel = True
    buyer_cancel_code = "CUSTOMER"
    marketplace_cancel_code = "DECLINED"

    def __init__(self, services: Services, options: Options) -> None:
        super().__init__(services)
        self.options = options
        self.visible_after_s = options.visible_after_s
        self.due = Due(self.clock)
        self.points = PointsBucket(
            "graphql",
            rate_per_s=options.restore_rate,
            burst=options.bucket,
            tick=self.clock.tick(),
        )
        self.limits = [self.points]
        self.hooks = Hooks(services, retries=options.hook_retries, pause_s=options.hook_pause_s)
        self.webhooks = Webhooks(self, api_version=API_VERSION)
        self.actions = {"drop-unit": partial(drop_unit, self, self.webhooks)}
        self.credentials = {
            "client_id": self.secret(32),
            "client_secret": f"shpss_{self.secret(32)}",
        }
        self.location_id = gid("Location", 70_000_000_001)
        self.settings = {"api_version": API_VERSION, "location_id": self.location_id}
        self._tokens: dict[str, datetime] = {}

    def secret(self, length: int) -> str:
        """Hexadecimal digits of the run's dice."""
        return f"{self.rng.getrandbits(length * 4):0{length}x}"

    # Orders and listings.

    def new_ref(self, placed_at: datetime) -> str:
        """The number in the order's global id."""
        del placed_at
        return str(6_000_000_000_001 + len(self.orders))

    def new_line_ref(self, order_ref: str, position: int) -> str:
        """The number in the line item's global id."""
        return f"{order_ref}{position:02d}"

    def on_listing(self, listing: Listing) -> None:
        """Every variant has an inventory item with a number of its own."""
        listing.extra["item_id"] = gid("InventoryItem", 50_000_000_001 + len(self.listings))
        listing.endless = listing.key in {*self.options.untracked, *self.options.continues}

    def on_place(self, order: Order) -> None:
        """Told as orders/create."""
        self.webhooks.placed(order)

    def on_ship(self, order: Order) -> None:
        """Told as orders/updated."""
        self.webhooks.changed(order)

    def on_cancel(self, order: Order) -> None:
        """Told as orders/cancelled and orders/updated."""
        self.webhooks.cancelled(order)

    def check_key(self, key: str) -> None:
        """A SKU has 1 to 255 characters. Raises ValueError."""
        if not 1 <= len(key) <= SKU_CHARACTERS_MAX:
            raise ValueError(f"a SKU has 1 to {SKU_CHARACTERS_MAX} characters")

    def item(self, item_id: str) -> Listing | None:
        """The listing with this inventory item."""
        found = (one for one in self.listings.values() if one.extra["item_id"] == item_id)
        return next(found, None)

    def committed(self, key: str) -> int:
        """Units of a SKU in orders that are neither shipped nor cancelled."""
        return sum(
            line.quantity - line.cancelled - line.shipped
            for order in self.orders.values()
            for line in order.lines
            if line.key == key
        )

    def named(self, order: Order) -> str:
        """The order's name in the shop, like #1001."""
        return f"#{int(order.ref) - 6_000_000_000_000 + 1000}"

    # Front door.

    def refuse(self, refusal: Refusal, endpoint: str) -> Answer:
        """Say no; being throttled is an HTTP 200 with an error inside."""
        del endpoint
        if refusal is Refusal.THROTTLED:
            return self.throttled(0)
        status, text = _REFUSALS[refusal]
        return json_answer({"errors": text}, status=status)

    def authorize(self, call: Call) -> Answer | None:
        """The access token must be one of ours and younger than a day."""
        self.due.settle()
        expires_at = self._tokens.get(call.headers.get("x-shopify-access-token", ""))
        if expires_at is None or expires_at <= call.at:
            return self.refuse(Refusal.AUTH, call.endpoint)
        return None

    def login(self, call: Call) -> Answer:
        """The client credentials grant, form-encoded or JSON."""
        form = _form(call)
        if form.get("grant_type") != "client_credentials":
            return json_answer({"error": "unsupported_grant_type"}, status=400)
        if any(form.get(name) != value for name, value in self.credentials.items()):
            return json_answer(
                {
                    "error": "application_cannot_be_found",
                    "error_description": "The application does not exist or the secret is wrong.",
                },
                status=400,
            )
        token = f"shpat_{self.secret(32)}"
        live = {text: until for text, until in self._tokens.items() if until > call.at}
        self._tokens = {**live, token: call.at + timedelta(seconds=TOKEN_SECONDS)}
        return json_answer({"access_token": token, "scope": SCOPES, "expires_in": TOKEN_SECONDS})

    def throttled(self, requested: int) -> Answer:
        """The answer of an empty bucket."""
        body = {
            "errors": [{"message": "Throttled", "extensions": {"code": "THROTTLED"}}],
            "extensions": self.cost(requested, None),
        }
        return json_answer(body)

    def cost(self, requested: int, actual: int | None) -> dict[str, Any]:
        """The cost part of every answer."""
        return {
            "cost": {
                "requestedQueryCost": requested,
                "actualQueryCost": actual,
                "throttleStatus": {
                    "maximumAvailable": self.options.bucket,
                    "currentlyAvailable": int(self.points.level(self.clock.tick())),
                    "restoreRate": self.options.restore_rate,
                },
            }
        }


def gid(kind: str, number: int | str) -> str:
    """A global id."""
    return f"gid://shopify/{kind}/{number}"


def number_in(text: str, kind: str) -> str | None:
    """The number in a global id of this kind, or None."""
    head = f"gid://shopify/{kind}/"
    return text.removeprefix(head) if text.startswith(head) else None


def wire_time(value: datetime | None) -> str | None:
    """ISO 8601 in UTC, whole seconds."""
    return None if value is None else value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def json_answer(body: Any, *, status: int = 200) -> Answer:
    """Any JSON answer, with the API version in its header."""
    return Answer(
        status=status,
        body=msgspec.json.encode(body),
        headers={"X-Shopify-API-Version": API_VERSION},
    )


def connection(
    things: Sequence[Thing],
    arguments: dict[str, Any],
    *,
    node: Callable[[Thing], Node],
    place: Callable[[Thing], str],
) -> Node:
    """One page of `things` in the order of their `place`, a text that sorts.

    A cursor holds a place, so paging goes on after it even when that thing has moved meanwhile.
    Raises GraphQLError for a page that cannot be.
    """
    first, backwards = arguments.get("first"), bool(arguments.get("reverse"))
    if first is None or not 0 < first <= PAGE_MAX:
        raise GraphQLError(f"you must provide `first`, from 1 to {PAGE_MAX}")
    ordered = sorted(things, key=place, reverse=backwards)
    start = 0
    if arguments.get("after") is not None:
        after = _decoded(arguments["after"])
        start = sum(
            (place(one) >= after) if backwards else (place(one) <= after) for one in ordered
        )
    page = ordered[start : start + first]
    cursors = [urlsafe_b64encode(place(thing).encode()).decode() for thing in page]
    nodes = [node(thing) for thing in page]
    return {
        "nodes": nodes,
        "edges": [{"node": one, "cursor": text} for one, text in zip(nodes, cursors, strict=True)],
        "pageInfo": {
            "hasNextPage": start + first < len(ordered),
            "hasPreviousPage": start > 0,
            "startCursor": cursors[0] if cursors else None,
            "endCursor": cursors[-1] if cursors else None,
        },
    }


def _decoded(text: str) -> str:
    try:
        return b64decode(text, altchars=b"-_", validate=True).decode()
    except ValueError as error:
        raise GraphQLError("`after` is not a cursor") from error


def _form(call: Call) -> dict[str, Any]:
    if call.headers.get("content-type", "").startswith("application/json"):
        try:
            body = msgspec.json.decode(call.body)
        except msgspec.DecodeError:
            return {}
        return body if isinstance(body, dict) else {}
    return dict(parse_qsl(call.body.decode("utf-8", "replace")))
