"""Shopify's wire for one shop: login, points, and what GraphQL errors mean."""

from __future__ import annotations

from typing import Any, TypeVar

import httpx
import msgspec

from channels.base import (
    AuthExpired,
    BadAnswer,
    ChannelError,
    OutcomeUnknown,
    Rejected,
    RetryLater,
    Throttled,
)
from channels.http import ChannelHttp
from channels.shopify import wire
from channels.shopify.settings import POINTS, TOKEN, ShopifyCredentials, ShopifySettings
from channels.tokens import Token, TokenCache

TEXT_CHARACTERS_MAX = 300
TOKEN_EARLY_SECONDS = 300.0
LATER_SECONDS = 2.0
# GraphQL error codes for a scope that the app does not have, and for a fault of Shopify's own.
NO_ACCESS = frozenset({"ACCESS_DENIED", "UNAUTHORIZED"})
THEIR_FAULT = frozenset({"INTERNAL_SERVER_ERROR", "SERVICE_UNAVAILABLE", "TIMEOUT"})

Answer = TypeVar("Answer")


class ShopifyClient:
    """One shop's requests. Methods may raise `Throttled`, `RetryLater`, `AuthExpired`, `Rejected`.

    An answer that cannot be read is `BadAnswer`, or `OutcomeUnknown` after a write.
    """

    def __init__(
        self, *, http: ChannelHttp, settings: ShopifySettings, credentials: ShopifyCredentials
    ) -> None:
        self._http = http
        self._path = f"/admin/api/{settings.api_version}/graphql.json"
        self._credentials = credentials
        self._tokens = TokenCache(self._login, early_seconds=TOKEN_EARLY_SECONDS)

    async def ask(
        self, document: str, kind: type[Answer], *, points: int, writes: bool = False, **values: Any
    ) -> Answer:
        """Run a document that has no errors of single fields, and read its data as `kind`.

        `points` is the most it may cost; what it did not need is given back. `values` are the
        document's variables.
        """
        envelope = await self.run(document, points=points, writes=writes, values=values)
        if envelope.errors:
            raise _meaning(envelope.errors, begun=writes)
        try:
            return msgspec.convert(envelope.data, kind)
        except msgspec.ValidationError as error:
            raise _unreadable(str(error), writes=writes) from error

    async def run(
        self, document: str, *, points: int, writes: bool, values: dict[str, Any]
    ) -> wire.Envelope:
        """Run a document and return its data with the errors of single fields, if any."""
        body = {"query": document, "variables": values}
        token = await self._tokens.get()
        try:
            response = await self._send(token, body, points=points, writes=writes)
        except AuthExpired:
            # Refused before anything was done: the token may have ended early.
            self._tokens.forget(token)
            token = await self._tokens.get()
            response = await self._send(token, body, points=points, writes=writes)
        if not response.is_success:
            raise Rejected(f"{POINTS}: {response.status_code}")
        try:
            envelope = msgspec.json.decode(response.content, type=wire.Envelope)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise _unreadable("", writes=writes) from error
        await self._settle(envelope, points)
        if envelope.data is None:
            theirs = not envelope.errors or {_code(one) for one in envelope.errors} & THEIR_FAULT
            raise _meaning(envelope.errors, begun=writes and bool(theirs))
        return envelope

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def _send(
        self, token: str, body: dict[str, Any], *, points: int, writes: bool
    ) -> httpx.Response:
        return await self._http.send(
            "POST",
            self._path,
            endpoint=POINTS,
            writes=writes,
            cost=points,
            headers={"X-Shopify-Access-Token": token},
            json=body,
        )

    async def _settle(self, envelope: wire.Envelope, points: int) -> None:
        """Give back the points that were not needed; empty the bucket when Shopify says so."""
        cost = envelope.extensions.cost if envelope.extensions else None
        if any(_code(error) == "THROTTLED" for error in envelope.errors):
            await self._http.budgets.drain(POINTS)
            seconds = LATER_SECONDS
            if cost is not None and cost.throttle_status.restore_rate > 0:
                missing = cost.requested_query_cost - cost.throttle_status.currently_available
                seconds = max(missing / cost.throttle_status.restore_rate, 0.1)
            raise Throttled(f"{POINTS}: THROTTLED", seconds=seconds)
        if cost is not None and cost.actual_query_cost is not None:
            await self._http.budgets.give_back(POINTS, points - int(cost.actual_query_cost))

    async def _login(self) -> Token:
        form = {
            "grant_type": "client_credentials",
            "client_id": self._credentials.client_id,
            "client_secret": self._credentials.client_secret,
        }
        response = await self._http.send(
            "POST", "/admin/oauth/access_token", endpoint=TOKEN, data=form
        )
        if not response.is_success:
            raise AuthExpired(f"{TOKEN}: {response.status_code}, the app's keys are refused")
        try:
            login = msgspec.json.decode(response.content, type=wire.Login)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise BadAnswer(f"{TOKEN}: the answer cannot be read") from error
        return Token(text=login.access_token, lasts_seconds=login.expires_in)


def _meaning(errors: list[wire.GraphQLError], *, begun: bool) -> ChannelError:
    """What errors ask of us. `begun`: a write had started, so they do not say what it did."""
    codes = {_code(error) for error in errors}
    text = "; ".join(error.message for error in errors)[:TEXT_CHARACTERS_MAX] or "no data"
    if codes & NO_ACCESS:
        return AuthExpired(f"{POINTS}: {text}")
    if begun:
        return OutcomeUnknown(f"{POINTS}: {text}")
    if codes & THEIR_FAULT or not errors:
        return RetryLater(f"{POINTS}: {text}")
    return Rejected(f"{POINTS}: {text}")


def _unreadable(detail: str, *, writes: bool) -> ChannelError:
    text = f"{POINTS}: the answer cannot be read {detail[:TEXT_CHARACTERS_MAX]}".rstrip()
    return OutcomeUnknown(text) if writes else BadAnswer(text)


def _code(error: wire.GraphQLError) -> str | None:
    return error.extensions.code if error.extensions else None
