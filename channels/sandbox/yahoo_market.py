"""Yahoo! Shopping's books and front door: the store, its tokens, and the proof by public key."""

from __future__ import annotations

import base64
import binascii
import hmac
import secrets
import time
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from typing import Any
from urllib.parse import parse_qsl
from xml.etree import ElementTree as ET

import msgspec
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from channels.sandbox.limits import DailyQuota, Limit, Spacing
from channels.sandbox.market import Market, NotAllowed, Order, Services
from channels.sandbox.wire import Answer, Call, Refusal, Route

JST = timezone(timedelta(hours=9))
CALLS_PER_DAY = 50_000
CODE_LETTERS_MAX = 99
XML = "application/xml; charset=UTF-8"


class YahooRules(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """What Yahoo! does not publish, or publishes loosely; defaults are the stricter reading.

    `visible_after_s`: an order shows in lists that long after it was placed.
    `block_s`: a call above one a second shuts that address for so long ("blocked for a while").
    `result_max`: the most orders of one orderList page.
    `token_s`, `consent_days`, `unproved_hours`: life of an access token, of the store's consent,
    and of that consent where the proof by public key is missing.
    `signature_skew_s`: how far the time inside the proof may be off.
    `buyer_cancel_s`: buyers may cancel by themselves that long.
    `restocks_on_cancel`: a cancel puts the units back on display by itself.
    `negative_stock`: a relative change may go below 0.
    """

    visible_after_s: float = 1.0
    block_s: float = 1.0
    result_max: int = 100
    token_s: float = 3600.0
    consent_days: float = 28.0
    unproved_hours: float = 12.0
    signature_skew_s: float = 60.0
    buyer_cancel_s: float = 600.0
    restocks_on_cancel: bool = False
    negative_stock: bool = False


class YahooMarket(Market):
    """One store at Yahoo! Shopping, as its store APIs show it."""

    kind = "yahoo"
    buyer_cancel_code = "100"
    marketplace_cancel_code = "170"

    def __init__(self, services: Services, rules: YahooRules) -> None:
        super().__init__(services)
        self.rules = rules
        self.visible_after_s = rules.visible_after_s
        self.restocks_on_buyer_cancel = rules.restocks_on_cancel
        self.seller_id = f"store-{self.rng.randrange(1000, 9999)}"
        self.waiting_stock: dict[str, int] = {}  # numbers of items not registered yet
        self._consented_at = self.clock.now()
        self._tokens: dict[str, datetime] = {}
        self._private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        public = self._private.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        self.settings = {"seller_id": self.seller_id, "auth_base_url": "{base_url}"}
        self.credentials = {
            "client_id": f"dj0{secrets.token_hex(12)}",
            "client_secret": secrets.token_hex(20),
            "refresh_token": secrets.token_hex(24),
            "public_key_pem": public.decode(),
            "public_key_version": "1",
        }
        self._day = DailyQuota("day", per_day=CALLS_PER_DAY, tick=self.clock.tick())
        self.limits = [self._day]

    def per_url(self, endpoint: str) -> list[Limit]:
        """One call a second for one address, and 50,000 a day for the application."""
        spacing = Spacing(
            endpoint,
            seconds=1.0,
            tick=self.clock.tick(),
            block_seconds=self.rules.block_s,
        )
        self.limits.append(spacing)
        return [spacing, self._day]

    def new_ref(self, placed_at: datetime) -> str:
        """`store-number`."""
        del placed_at
        return f"{self.seller_id}-{10_000_000 + len(self.orders) + 1}"

    def check_key(self, key: str) -> None:
        """`itemCode:subCode` or `itemCode`, 1-99 letters each (setStock item_code)."""
        if not is_code(key):
            raise ValueError(f"{key!r} is not itemCode:subCode of 1-99 [A-Za-z0-9-]")

    def initial_status(self) -> Any:
        """OrderStatus, PayStatus and so on are kept as Yahoo!'s own numbers."""
        return {"OrderStatus": 2, "PayStatus": 1, "ShipStatus": 1, "IsSeen": False, "Suspect": 0}

    def on_ship(self, order: Order) -> None:
        """Staff send the goods: ShipStatus 3, with a slip number."""
        order.status |= {"ShipStatus": 3, "IsSeen": True}

    def on_cancel(self, order: Order) -> None:
        """OrderStatus 4 is final; reason 210 (out of stock) closes the items for sale."""
        order.status |= {"OrderStatus": 4}
        if order.cancel_code == "210":
            for line in order.lines:
                if line.key in self.listings:
                    self.listings[line.key].closed = True

    def buyer_cancel(self, ref: str) -> Order:
        """The buyer's own button, for 10 minutes after ordering."""
        age = (self.clock.now() - self.orders[ref].placed_at).total_seconds()
        if age > self.rules.buyer_cancel_s:
            raise NotAllowed(f"{ref}: the buyer's time to cancel is over")
        return super().buyer_cancel(ref)

    def token_route(self) -> Route:
        """YConnect v2's token address (at auth.login.yahoo.co.jp in real life)."""
        return Route(
            method="POST",
            path="/yconnect/v2/token",
            endpoint="token",
            run=self._token,
            open_door=True,
        )

    def order_route(self, method: str, name: str, run: Callable[[Call], Answer]) -> Route:
        """A route of the order family, which also wants the proof by public key."""

        def proved(call: Call) -> Answer:
            status = "authorized" if self._proof_holds(call) else "unauthorized"
            since = self.clock.now() - self._consented_at
            if status != "authorized" and since > timedelta(hours=self.rules.unproved_hours):
                return error(401, "px-04102", "Session is over")
            answer = run(call)
            answer.headers = {**answer.headers, "X-SWS-Authorize-Status": status}
            return answer

        path = f"/ShoppingWebService/V1/{name}"
        limits = self.per_url(name)
        return Route(method=method, path=path, endpoint=name, run=proved, limits=limits)

    def authorize(self, call: Call) -> Answer | None:
        """`Authorization: Bearer` with a token that has not expired."""
        token = call.headers.get("authorization", "").removeprefix("Bearer ")
        expires_at = self._tokens.get(token)
        if expires_at is None or expires_at <= self.clock.now():
            answer = error(401, "px-04101", "invalid_token")
            answer.headers = {"WWW-Authenticate": 'Bearer error="invalid_token"'}
            return answer
        return None

    def refuse(self, refusal: Refusal, endpoint: str) -> Answer:
        """Errors in the XML shape that all store APIs share."""
        del endpoint
        return error(
            *{
                Refusal.THROTTLED: (429, "px-04900", "Too many requests"),
                Refusal.UNAVAILABLE: (503, "ed-00001", "System error"),
                Refusal.MAINTENANCE: (503, "ed-00002", "Under maintenance"),
                Refusal.AUTH: (401, "px-04102", "Session is over"),
                Refusal.NOT_FOUND: (404, "px-04404", "Not found"),
                Refusal.METHOD: (405, "px-04405", "Method not allowed"),
                Refusal.TOO_LARGE: (413, "px-04413", "Request is too large"),
            }[refusal]
        )

    def _token(self, call: Call) -> Answer:
        client = f"{self.credentials['client_id']}:{self.credentials['client_secret']}"
        wanted = "Basic " + base64.b64encode(client.encode()).decode()
        if not hmac.compare_digest(call.headers.get("authorization", "").encode(), wanted.encode()):
            return _token_error(401, "invalid_client")
        form = dict(parse_qsl(call.body.decode("latin-1"), max_num_fields=20))
        if form.get("grant_type") != "refresh_token":
            return _token_error(400, "unsupported_grant_type")
        consent_ends = self._consented_at + timedelta(days=self.rules.consent_days)
        given = form.get("refresh_token", "")
        known = hmac.compare_digest(given.encode(), self.credentials["refresh_token"].encode())
        if not known or call.at >= consent_ends:
            return _token_error(400, "invalid_grant")
        token = secrets.token_hex(32)
        self._tokens[token] = call.at + timedelta(seconds=self.rules.token_s)
        # No refresh_token in the answer: the one in hand stays good, as real answers often show.
        body = {"access_token": token, "token_type": "Bearer", "expires_in": self.rules.token_s}
        return Answer(body=msgspec.json.encode(body))

    def _proof_holds(self, call: Call) -> bool:
        if call.headers.get("x-sws-signature-version") != self.credentials["public_key_version"]:
            return False
        try:
            sealed = base64.b64decode(call.headers.get("x-sws-signature", ""), validate=True)
            text = self._private.decrypt(sealed, padding.PKCS1v15())
        except (binascii.Error, ValueError):
            return False
        seller_id, _, moment = text.decode("latin-1").rpartition(":")
        # The client's clock is the machine's, also while the sandbox's time of day is moved.
        fresh = moment.isdigit() and abs(time.time() - int(moment)) <= self.rules.signature_skew_s
        return seller_id == self.seller_id and fresh


def is_code(key: str) -> bool:
    """Whether it is `itemCode` or `itemCode:subCode`: letters, digits, hyphens, 1-99 each."""
    parts = key.split(":")
    return len(parts) <= 2 and all(  # noqa: PLR2004  (item and sub code)
        1 <= len(part) <= CODE_LETTERS_MAX and part.isascii() and part.replace("-", "a").isalnum()
        for part in parts
    )


def error(status: int, code: str, text: str) -> Answer:
    """The `Error` shape."""
    root = ET.Element("Error")
    ET.SubElement(root, "Message").text = text
    ET.SubElement(root, "Code").text = code
    return xml(root, status=status)


def xml(root: ET.Element, *, status: int = 200) -> Answer:
    """An answer in XML."""
    body = ET.tostring(root, encoding="UTF-8", xml_declaration=True)
    return Answer(status=status, body=body, media_type=XML)


def _token_error(status: int, code: str) -> Answer:
    return Answer(status=status, body=msgspec.json.encode({"error": code}))
