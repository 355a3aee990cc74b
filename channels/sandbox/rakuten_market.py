"""Rakuten Ichiba's books and front door: shop, keys, order states, and the three error shapes."""

from __future__ import annotations

import base64
import hmac
import secrets
from datetime import datetime, timedelta, timezone
from typing import Any

import msgspec

from channels.sandbox.limits import Spacing, TokenBucket
from channels.sandbox.market import Listing, Market, NotAllowed, Order, Services
from channels.sandbox.wire import Answer, Call, Refusal, Refused

JST = timezone(timedelta(hours=9))
KEY_LETTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-")
KEY_BYTES_MAX = 32
QUANTITY_MAX = 99_999
ORPHAN_HOURS = 24

WAITING_CONFIRMATION, PROCESSING, WAITING_SHIPMENT, CHANGE_PENDING = 100, 200, 300, 400
SHIPPED, CANCEL_PENDING, CANCELLED = 500, 800, 900
CANCELLABLE = frozenset({WAITING_CONFIRMATION, PROCESSING, WAITING_SHIPMENT})


class Orphan(msgspec.Struct, kw_only=True):
    """A stock record for a SKU that no item has: accepted, and thrown away a day later."""

    quantity: int
    created_at: datetime
    changed_at: datetime


class RakutenRules(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """What Rakuten does not publish, or publishes loosely; defaults are the stricter reading.

    `visible_after_s`: an order shows in searches that long after it was placed.
    `confirmed_after_s`, `ready_after_s`: 100 → 200 → 300 by age (a shop with automatic
    confirmation). `final_cancel_s`: a cancel applied for (800) is final (900) that much later.
    `buyer_cancel_s`: buyers may cancel by themselves that long.
    `restocks_on_buyer_cancel`: the SKUs' restockOnCancel, also for inventoryRestoreType 0.
    `bulk_atomic`: a bulk-upsert answered 400 has written nothing; false: all rows but the bad ones.
    `names_rows`: a 400 names the bad rows in propertyPath. `row_base`: the number of the first row
    there. `conflicts`: so many writes of numbers are answered 409 first, as if another program
    were writing. `key_days`: the license key's life, to the last second of its last day.
    `license_api`: license.expiryDate.get is switched on. `order_api`: RakutenPayOrderAPI is.
    `merchant_skus`: システム連携用SKU番号 by key; otherwise the variant in upper case, "" for none.
    `unlimited`: manage numbers of items without a stock setting. `back_order`: keys of SKUs that
    take orders at 0. `hidden`: keys of SKUs in the warehouse. `search_hits_max`: no search for
    orders gives more. `shows_deleted_lines`: getOrderItem shows lines that staff took out.
    """

    visible_after_s: float = 1.0
    confirmed_after_s: float = 5.0
    ready_after_s: float = 10.0
    final_cancel_s: float = 5.0
    buyer_cancel_s: float = 1800.0
    restocks_on_buyer_cancel: bool = False
    bulk_atomic: bool = True
    names_rows: bool = True
    row_base: int = 0
    conflicts: int = 0
    key_days: int = 90
    license_api: bool = True
    order_api: bool = True
    merchant_skus: dict[str, str] = {}
    unlimited: frozenset[str] = frozenset()
    back_order: frozenset[str] = frozenset()
    hidden: frozenset[str] = frozenset()
    search_hits_max: int = 15_000
    shows_deleted_lines: bool = False


class RakutenMarket(Market):
    """One shop at Rakuten Ichiba, as RMS WEB SERVICE shows it."""

    kind = "rakuten"
    buyer_cancel_code = "1"
    marketplace_cancel_code = "4"

    def __init__(self, services: Services, rules: RakutenRules) -> None:
        super().__init__(services)
        self.rules = rules
        self.visible_after_s = rules.visible_after_s
        self.restocks_on_buyer_cancel = rules.restocks_on_buyer_cancel
        self.orphans: dict[str, Orphan] = {}
        self._shop = str(self.rng.randrange(200_000, 400_000))
        self.credentials = {
            "service_secret": f"SP{secrets.token_hex(12)}",
            "license_key": f"SL{secrets.token_hex(12)}",
        }
        tick = self.clock.tick()
        self.order_limit = Spacing("order", seconds=1.0, tick=tick)
        self.inventory_limits = {
            name: Spacing(name, seconds=1.0, tick=tick)
            for name in ("bulk-upsert", "upsert", "get", "delete", "variant-lists")
        }
        self.read_limits = {
            name: TokenBucket(name, rate_per_s=5.0, burst=5, tick=tick)
            for name in ("bulk-get", "bulk-get-range", "items-search")
        }
        self.license_limit = Spacing("license", seconds=1.0, tick=tick)
        self.limits = [
            self.order_limit,
            *self.inventory_limits.values(),
            *self.read_limits.values(),
            self.license_limit,
        ]
        last_day = self.clock.now().astimezone(JST) + timedelta(days=rules.key_days)
        self.key_ends = last_day.replace(hour=23, minute=59, second=59, microsecond=0)
        self._conflicts = rules.conflicts
        self.actions = {
            "open-change": self._open_change,
            "close-change": self._close_change,
            "parcel": self._add_parcel,
            "delete-line": self._delete_line,
            "withdraw-cancel": self._withdraw_cancel,
            "take-back": self._take_back,
        }

    def new_ref(self, placed_at: datetime) -> str:
        """`shop-date-number`, the date in Japan."""
        day = placed_at.astimezone(JST)
        return f"{self._shop}-{day:%Y%m%d}-{len(self.orders) + 1:010d}"

    def new_line_ref(self, order_ref: str, position: int) -> str:
        """`basketId/itemDetailId`, both numbers that never repeat in this shop."""
        del order_ref
        return f"{5000 + len(self.orders)}/{7000 + len(self.orders) * 100 + position}"

    def check_key(self, key: str) -> None:
        """`manageNumber/variantId`, the first in lower case (InventoryAPI 2.0 field rules)."""
        manage, slash, variant = key.partition("/")
        for part in (manage, variant):
            if not slash or not 1 <= len(part) <= KEY_BYTES_MAX or not set(part) <= KEY_LETTERS:
                raise ValueError(f"{key!r} is not manageNumber/variantId of 1-32 [A-Za-z0-9_-]")
        if manage != manage.lower():
            raise ValueError(f"{manage!r}: Rakuten keeps manage numbers in lower case")

    def on_listing(self, listing: Listing) -> None:
        """Registering the item adopts a stock record that waited for it."""
        self.orphans.pop(listing.key, None)
        listing.closed = listing.key in self.rules.hidden
        item = listing.key.partition("/")[0]
        listing.endless = listing.key in self.rules.back_order or item in self.rules.unlimited

    def merchant_sku(self, key: str) -> str | None:
        """システム連携用SKU番号 of a SKU."""
        return self.rules.merchant_skus.get(key, key.partition("/")[2].upper()) or None

    def collides(self) -> bool:
        """Whether this write meets another program's (CE0001)."""
        self._conflicts -= 1
        return self._conflicts >= 0

    def _open_change(self, ref: str) -> Order:
        """Staff propose a change (400)."""
        self._needs_live(ref)
        self.orders[ref].status = CHANGE_PENDING
        return self.orders[ref]

    def _close_change(self, ref: str) -> Order:
        """The change is settled (300)."""
        self._needs_live(ref)
        self.orders[ref].status = WAITING_SHIPMENT
        return self.orders[ref]

    def _add_parcel(self, ref: str) -> Order:
        """Staff note the number of a parcel that has not left yet."""
        self._needs_live(ref)
        self.orders[ref].extra["parcel"] = f"4000-{ref[-6:]}"
        return self.orders[ref]

    def _delete_line(self, ref: str) -> Order:
        """Staff take the order's last line out."""
        self._needs_live(ref)
        line = self.orders[ref].lines[-1]
        line.cancelled = line.quantity - line.shipped
        return self.orders[ref]

    def _withdraw_cancel(self, ref: str) -> Order:
        """A cancellation applied for (800) is withdrawn."""
        order = self.orders[ref]
        if self.progress(order) != CANCEL_PENDING:
            raise NotAllowed(f"{ref} is not in 800")
        order.cancelled_at = order.cancelled_by = order.cancel_code = None
        for line in order.lines:
            line.cancelled = 0
        return order

    def _take_back(self, ref: str) -> Order:
        """The goods came back, and staff cancel a shipped order."""
        if self.orders[ref].shipped_at is None:
            raise NotAllowed(f"{ref} is not shipped")
        return self.cancel(ref, by="buyer", code="2")

    def progress(self, order: Order) -> int:
        """The order's orderProgress now."""
        if order.cancelled_at is not None:
            final = self._age(order.cancelled_at) >= self.rules.final_cancel_s
            return CANCELLED if final else CANCEL_PENDING
        if order.shipped_at is not None:
            return SHIPPED
        if order.status is not None:
            return int(order.status)
        age = self._age(order.placed_at)
        if age < self.rules.confirmed_after_s:
            return WAITING_CONFIRMATION
        return PROCESSING if age < self.rules.ready_after_s else WAITING_SHIPMENT

    def initial_status(self) -> Any:
        """None: the state follows from the order's age until staff set one (such as 400)."""
        return None

    def buyer_cancel(self, ref: str) -> Order:
        """The buyer's own button, for 30 minutes after ordering."""
        if self._age(self.orders[ref].placed_at) > self.rules.buyer_cancel_s:
            raise NotAllowed(f"{ref}: the buyer's time to cancel is over")
        return super().buyer_cancel(ref)

    def drop_orphans(self) -> None:
        """Throw away stock records of unknown SKUs after a day."""
        horizon = self.clock.now() - timedelta(hours=ORPHAN_HOURS)
        for key in [key for key, row in self.orphans.items() if row.changed_at < horizon]:
            del self.orphans[key]

    def _age(self, moment: datetime) -> float:
        return (self.clock.now() - moment).total_seconds()

    def authorize(self, call: Call) -> Answer | None:
        """`Authorization: ESA base64(serviceSecret:licenseKey)`; JSON bodies must say so."""
        secret, key = self.credentials["service_secret"], self.credentials["license_key"]
        wanted = "ESA " + base64.b64encode(f"{secret}:{key}".encode()).decode()
        given = call.headers.get("authorization", "")
        if not hmac.compare_digest(given.encode(), wanted.encode()):
            return gateway(401, "ES04-01", "Un-Authorised")
        if self.clock.now() > self.key_ends or not self._switched_on(call):
            return gateway(401, "ES04-01", "Un-Authorised")
        media = call.headers.get("content-type", "").partition(";")[0].strip().lower()
        if call.method in {"POST", "PUT"} and media != "application/json":
            return gateway(415, "ES04-03", "Unsupported Media Type")
        return None

    def _switched_on(self, call: Call) -> bool:
        """Whether the shop has switched the function on in RMS (利用機能編集)."""
        if call.endpoint == "license":
            return self.rules.license_api
        return self.rules.order_api or not call.path.startswith("/es/2.0/order/")

    def refuse(self, refusal: Refusal, endpoint: str) -> Answer:
        """The gateway's words; the order API says 503 where the inventory API says 429."""
        order_api = endpoint.startswith("order")
        overload = 503 if order_api else 429
        status, code, text = {
            Refusal.THROTTLED: (overload, "ES01-02", "Too Many Requests"),
            Refusal.UNAVAILABLE: (503, "ES01-01", "Service Unavailable"),
            Refusal.MAINTENANCE: (503, "ES01-03", "System Maintenance"),
            Refusal.INSIDE: (200, "GE0001", "System Error"),
            Refusal.AUTH: (401, "ES04-01", "Un-Authorised"),
            Refusal.NOT_FOUND: (404, "ES02-01", "Not Found"),
            Refusal.METHOD: (405, "ES02-02", "Method Not Allowed"),
            Refusal.TOO_LARGE: (413, "ES02-03", "Request Entity Too Large"),
        }[refusal]
        if refusal is not Refusal.INSIDE:
            return gateway(status, code, text)
        # The codes of system errors are not published; these stand in for them.
        order = {"messageType": "ERROR", "messageCode": "ORDER_EXT_API_SYSTEM_ERROR_001"}
        body = {"MessageModelList": [order]} if order_api else {"errors": [{"code": code}]}
        return Answer(body=msgspec.json.encode(body))


def gateway(status: int, code: str, text: str) -> Answer:
    """An error of the RMS gateway (shape `Results`)."""
    return Answer(
        status=status, body=msgspec.json.encode({"Results": {"errorCode": code, "message": text}})
    )


def json_body(call: Call, *, otherwise: Answer) -> dict[str, Any]:
    """The call's JSON object. Raises Refused with `otherwise` when it is none."""
    try:
        body = msgspec.json.decode(call.body)
    except msgspec.DecodeError:
        raise Refused(otherwise) from None
    if not isinstance(body, dict):
        raise Refused(otherwise)
    return body


def jst(moment: datetime) -> str:
    """As the inventory and item APIs print times: seconds, +09:00."""
    return moment.astimezone(JST).isoformat(timespec="seconds")


def plain_jst(moment: datetime) -> str:
    """As the order APIs print times: seconds, +0900."""
    return moment.astimezone(JST).strftime("%Y-%m-%dT%H:%M:%S%z")
