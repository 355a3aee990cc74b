"""Yahoo! JAPAN ID's tokens in the sandbox, the store's consent, and the proof by public key."""

from __future__ import annotations

import base64
import binascii
import hmac
import secrets
import time
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import msgspec
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from channels.sandbox.clock import Clock, stamp
from channels.sandbox.wire import Answer, Call, Route
from channels.sandbox.yahoo_rules import YahooRules

FIELDS_MAX = 20
CODE_SECONDS = 600
LETTERS_MAX = 2000


class Door:
    """One store's application: its keys, what the store consented to, and tokens handed out."""

    def __init__(self, rules: YahooRules, clock: Clock, *, seller_id: str) -> None:
        self._rules = rules
        self._clock = clock
        self._seller_id = seller_id
        self._consented_at = clock.now()
        self._tokens: dict[str, datetime] = {}
        self._codes: dict[str, tuple[str, datetime]] = {}
        self._refreshed = 0
        self._private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        public = self._private.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        self.credentials: dict[str, str] = {
            "client_id": f"dj0{secrets.token_hex(12)}",
            "client_secret": secrets.token_hex(20),
            "refresh_token": secrets.token_hex(24),
            "public_key_pem": public.decode(),
            "public_key_version": "1",
        }

    def routes(self) -> list[Route]:
        """YConnect v2 (at auth.login.yahoo.co.jp in real life): consent, and tokens."""
        return [
            Route(
                method=method,
                path=f"/yconnect/v2/{name}",
                endpoint=name,
                run=run,
                open_door=True,
            )
            for method, name, run in (
                ("GET", "authorization", self.authorization),
                ("POST", "token", self.token),
            )
        ]

    def book(self) -> dict[str, Any]:
        """What happened at the door, as JSON-ready values."""
        return {"consented_at": stamp(self._consented_at), "refreshed": self._refreshed}

    def authorization(self, call: Call) -> Answer:
        """The page where the store's owner consents; here he does at once, and is sent back."""
        query, redirect = call.query, call.query.get("redirect_uri", "")
        scopes = query.get("scope", "").split()
        asked = query.get("response_type") == "code" and "openid" in scopes
        known = query.get("client_id") == self.credentials["client_id"]
        if not asked or not known or not urlsplit(redirect).scheme or len(redirect) > LETTERS_MAX:
            return _refused(400, "invalid_request")
        code = secrets.token_hex(8)
        self._codes[code] = (redirect, call.at + timedelta(seconds=CODE_SECONDS))
        back = urlencode({"code": code, "state": query.get("state", "")})
        return Answer(status=302, headers={"location": f"{redirect}?{back}"})

    def token(self, call: Call) -> Answer:
        """An access token for a code of a new consent, or for a refresh token."""
        client = f"{self.credentials['client_id']}:{self.credentials['client_secret']}"
        wanted = "Basic " + base64.b64encode(client.encode()).decode()
        if not hmac.compare_digest(call.headers.get("authorization", "").encode(), wanted.encode()):
            return _refused(401, "invalid_client")
        form = dict(parse_qsl(call.body.decode("latin-1"), max_num_fields=FIELDS_MAX))
        grant = form.get("grant_type")
        if grant == "authorization_code":
            return self._consent(call, form)
        if grant != "refresh_token":
            return _refused(400, "unsupported_grant_type")
        if not self._may_refresh(call, form.get("refresh_token", "")):
            return _refused(400, "invalid_grant")
        self._refreshed += 1
        if self._rules.rotates:
            # The old one is dead from now on.
            self.credentials["refresh_token"] = secrets.token_hex(24)
        return self._answer(call, tells=self._rules.rotates)

    def knows(self, call: Call) -> bool:
        """Whether the call's access token has not expired."""
        token = call.headers.get("authorization", "").removeprefix("Bearer ")
        expires_at = self._tokens.get(token)
        return expires_at is not None and expires_at > self._clock.now()

    def is_unproved_too_long(self, call: Call) -> bool:
        """Whether the proof is missing, hours after the consent."""
        since = self._clock.now() - self._consented_at
        return not self.proof_holds(call) and since > timedelta(hours=self._rules.unproved_hours)

    def proof_holds(self, call: Call) -> bool:
        """Whether `seller:unix time` was sealed by the store's key, just now."""
        if call.headers.get("x-sws-signature-version") != self.credentials["public_key_version"]:
            return False
        try:
            sealed = base64.b64decode(call.headers.get("x-sws-signature", ""), validate=True)
            text = self._private.decrypt(sealed, padding.PKCS1v15())
        except (binascii.Error, ValueError):
            return False
        seller_id, _, moment = text.decode("latin-1").rpartition(":")
        # The client's clock is the machine's, also while the sandbox's time of day is moved.
        fresh = moment.isdigit() and abs(time.time() - int(moment)) <= self._rules.signature_skew_s
        return seller_id == self._seller_id and fresh

    def _consent(self, call: Call, form: Mapping[str, str]) -> Answer:
        redirect, ends_at = self._codes.pop(form.get("code", ""), ("", call.at))
        if call.at >= ends_at or form.get("redirect_uri") != redirect:
            return _refused(400, "invalid_grant")
        self._consented_at = call.at
        self.credentials["refresh_token"] = secrets.token_hex(24)
        return self._answer(call, tells=True)

    def _may_refresh(self, call: Call, given: str) -> bool:
        consent_ends = self._consented_at + timedelta(days=self._rules.consent_days)
        known = hmac.compare_digest(given.encode(), self.credentials["refresh_token"].encode())
        proved = not (self._rules.token_needs_proof and self.is_unproved_too_long(call))
        return known and proved and call.at < consent_ends

    def _answer(self, call: Call, *, tells: bool) -> Answer:
        token = secrets.token_hex(32)
        self._tokens[token] = call.at + timedelta(seconds=self._rules.token_s)
        body = {"access_token": token, "token_type": "Bearer", "expires_in": self._rules.token_s}
        if tells:
            body["refresh_token"] = self.credentials["refresh_token"]
        return Answer(body=msgspec.json.encode(body))


def _refused(status: int, code: str) -> Answer:
    return Answer(status=status, body=msgspec.json.encode({"error": code}))
