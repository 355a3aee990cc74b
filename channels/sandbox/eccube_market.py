"""An EC-CUBE 4 shop in the sandbox: tokens that work once, its books, and its webhooks."""

from __future__ import annotations

import hmac
from collections.abc import Collection, Mapping
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from urllib.parse import parse_qsl

import msgspec

from channels.sandbox.hooks import Hooks, Message
from channels.sandbox.market import Listing, Market, NotAllowed, Order, Services
from channels.sandbox.wire import Answer, Call, Refusal

TOKEN_SECONDS = 3600
ADDRESS = "https://eccube-sandbox.example/"
NEW, CANCEL, DELIVERED, PENDING, PROCESSING = 1, 3, 5, 7, 8

_REFUSALS: dict[Refusal, tuple[int, str]] = {
    Refusal.THROTTLED: (429, "Too Many Requests"),
    Refusal.UNAVAILABLE: (503, "Service Unavailable"),
    Refusal.MAINTENANCE: (503, "ただいまメンテナンス中です。"),
    Refusal.INSIDE: (200, "Internal server error"),
    Refusal.AUTH: (401, "The resource owner or authorization server denied the request."),
    Refusal.NOT_FOUND: (404, "Not Found"),
    Refusal.METHOD: (405, "Method Not Allowed"),
    Refusal.TOO_LARGE: (413, "Payload Too Large"),
}


class Options(msgspec.Struct, kw_only=True, frozen=True):
    """What differs from shop to shop.

    `pays_later`: orders wait for their payment (status 7) until they are paid or fall back.
    `unlimited` codes have no bound on their stock, `doubled` ones are two products', `hidden` ones
    are not shown. `read_only`: the token has no scope to write. `rotates`: a refresh token works
    once (UNCONFIRMED; the plugin's library does so).
    """

    pays_later: bool = False
    unlimited: Collection[str] = ()
    doubled: Collection[str] = ()
    hidden: Collection[str] = ()
    read_only: bool = False
    rotates: bool = True


class EccubeMarket(Market):
    """One shop. Cancelling gives the units back, whoever does it (order state machine, 3)."""

    kind = "eccube"
    visible_after_s = 0.0
    restocks_on_buyer_cancel = True

    def __init__(self, services: Services, options: Options) -> None:
        super().__init__(services)
        self.options = options
        self.credentials = {
            "client_id": self._secret(),
            "client_secret": self._secret(),
            "refresh_token": self._secret(),
            "webhook_secret": self._secret(),
        }
        # Sent within the shop's own request and never again (WebHookService).
        self.hooks = Hooks(services, retries=0, pause_s=0.0)
        self.actions = {
            "staff-cancel": self.staff_cancel,
            "pay": partial(self._moved, status=NEW),
            "fail-payment": self.fail_payment,
        }
        self._access: dict[str, datetime] = {}
        self._refresh = {self.credentials["refresh_token"]: ""}

    def _secret(self) -> str:
        return f"{self.rng.getrandbits(160):040x}"

    # Orders and items.

    def new_ref(self, placed_at: datetime) -> str:
        """The order's id."""
        del placed_at
        return str(len(self.orders) + 1)

    def initial_status(self) -> int:
        """New, or waiting for its payment."""
        return PENDING if self.options.pays_later else NEW

    def on_listing(self, listing: Listing) -> None:
        """An item may have no bound on its stock."""
        listing.extra["id"] = len(self.listings)
        listing.endless = listing.key in self.options.unlimited

    def on_place(self, order: Order) -> None:
        """Told as created."""
        self.tell("order", order.ref, "created")

    def on_ship(self, order: Order) -> None:
        """Status 5."""
        self._moved(order.ref, status=DELIVERED)

    def on_cancel(self, order: Order) -> None:
        """Status 3."""
        self._moved(order.ref, status=CANCEL)

    def staff_cancel(self, ref: str) -> Order:
        """A person cancels the order in the admin. Raises NotAllowed."""
        self._needs_live(ref)
        return self.cancel(ref, by="seller", code=None, restock=True)

    def fail_payment(self, ref: str) -> Order:
        """The payment fails: the order falls back to a basket, and its units go back.

        Raises NotAllowed for an order that is not waiting for its payment.
        """
        order = self.orders[ref]
        if order.status != PENDING:
            raise NotAllowed(f"{ref} is not waiting for its payment")
        for line in order.lines:
            self.add_displayed(line.key, line.quantity, "order-restock")
        return self._moved(ref, status=PROCESSING)

    def _moved(self, ref: str, *, status: int) -> Order:
        order = self.orders[ref]
        order.status, order.changed_at = status, self.clock.now()
        self.tell("order", ref, "updated")
        return order

    def tell(self, entity: str, ref: str, action: str) -> None:
        """Send a webhook: a list of events, even of one."""
        body = msgspec.json.encode([{"entity": entity, "id": int(ref), "action": action}])
        secret = str(self.credentials["webhook_secret"])
        message = Message(topic=f"{entity}/{action}", body=body, secret=secret, headers=_signed)
        if self.hooks is not None:
            self.hooks.tell(message)

    # Front door.

    def refuse(self, refusal: Refusal, endpoint: str) -> Answer:
        """Say no, as the web server or the library would."""
        del endpoint
        status, text = _REFUSALS[refusal]
        return json_answer({"error": text}, status=status)

    def authorize(self, call: Call) -> Answer | None:
        """The access token must be alive."""
        scheme, _, token = call.headers.get("authorization", "").partition(" ")
        ends_at = self._access.get(token)
        if scheme != "Bearer" or ends_at is None or ends_at <= call.at:
            return self.refuse(Refusal.AUTH, call.endpoint)
        return None

    def login(self, call: Call) -> Answer:
        """The refresh token grant; the other one that is on needs a person's browser."""
        form = dict(parse_qsl(call.body.decode("utf-8", "replace")))
        if form.get("grant_type") != "refresh_token":
            return json_answer({"error": "unsupported_grant_type"}, status=400)
        if any(form.get(name) != self.credentials[name] for name in ("client_id", "client_secret")):
            return json_answer({"error": "invalid_client"}, status=401)
        used = form.get("refresh_token", "")
        if used not in self._refresh:
            return json_answer({"error": "invalid_request", "hint": "Token is revoked"}, status=401)
        if self.options.rotates:
            self._access.pop(self._refresh.pop(used), None)
        access, refresh = self._secret(), self._secret()
        self._access[access] = call.at + timedelta(seconds=TOKEN_SECONDS)
        self._refresh[refresh] = access
        return json_answer(
            {
                "token_type": "Bearer",
                "expires_in": TOKEN_SECONDS,
                "access_token": access,
                "refresh_token": refresh,
            }
        )


def _signed(secret: str, body: bytes) -> Mapping[str, str]:
    return {
        "Content-Type": "application/json",
        "X-ECCUBE-URL": ADDRESS,
        "X-ECCUBE-Signature": hmac.digest(secret.encode(), body, "sha256").hex(),
    }


def whole_second(moment: datetime) -> datetime:
    """As EC-CUBE stores times."""
    return moment.astimezone(UTC).replace(microsecond=0)


def json_answer(body: Any, *, status: int = 200) -> Answer:
    """Any JSON answer."""
    return Answer(status=status, body=msgspec.json.encode(body))
