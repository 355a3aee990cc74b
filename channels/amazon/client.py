"""SP-API's wire for one seller: login, headers, and what its errors mean."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, TypeVar

import httpx
import msgspec

from channels.amazon import settings as names
from channels.amazon import wire
from channels.amazon.settings import AmazonCredentials, AmazonSettings
from channels.base import AuthExpired, BadAnswer, OutcomeUnknown, Rejected, RetryLater
from channels.http import ChannelHttp
from channels.tokens import Token, TokenCache

TEXT_CHARACTERS_MAX = 300
TOKEN_EARLY_SECONDS = 300.0
# LWA's words: "come back later", and "the request is wrong", which is ours to mend. All others
# (access_denied, invalid_client, invalid_grant, unauthorized_client) need a person.
LOGIN_RETRYABLE = frozenset({"server_error", "temporarily_unavailable"})
LOGIN_WRONG = frozenset({"invalid_request", "invalid_scope", "unsupported_grant_type"})

Answer = TypeVar("Answer")


class AmazonClient:
    """One seller's calls. Every method may raise `Throttled`, `RetryLater` and `AuthExpired`."""

    def __init__(
        self, *, http: ChannelHttp, settings: AmazonSettings, credentials: AmazonCredentials
    ) -> None:
        self.http = http
        self.settings = settings
        self._credentials = credentials
        self._tokens = TokenCache(self._login, early_seconds=TOKEN_EARLY_SECONDS)

    async def call(
        self,
        method: str,
        path: str,
        *,
        endpoint: str,
        writes: bool = False,
        missing_is_none: bool = False,
        **body: Any,
    ) -> httpx.Response:
        """Send with a token; a token that ended early is renewed once (the call did nothing).

        `missing_is_none` lets a 404 through. Raises `Rejected` for any other refusal, and
        `OutcomeUnknown` where something that `writes` got no answer.
        """
        token = await self._tokens.get()
        try:
            response = await self._send(method, path, token, endpoint, writes=writes, **body)
        except AuthExpired:
            self._tokens.forget(token)
            token = await self._tokens.get()
            response = await self._send(method, path, token, endpoint, writes=writes, **body)
        if response.is_success:
            return response
        if missing_is_none and response.status_code == httpx.codes.NOT_FOUND:
            return response
        raise Rejected(f"{endpoint}: {response.status_code} {_error_text(response)}")

    async def _send(
        self, method: str, path: str, token: str, endpoint: str, *, writes: bool, **body: Any
    ) -> httpx.Response:
        headers = {
            "x-amz-access-token": token,
            "x-amz-date": datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ"),
            "user-agent": "Hikiate/1 (Language=Python)",
            "accept": "application/json",
        }
        return await self.http.send(
            method, path, endpoint=endpoint, writes=writes, headers=headers, **body
        )

    async def storage(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        content: bytes | None = None,
    ) -> httpx.Response:
        """Use a presigned address: no headers of SP-API, and a refusal is not about our keys."""
        try:
            response = await self.http.send(
                method, url, endpoint=names.STORAGE, headers=headers, content=content
            )
        except AuthExpired as error:
            raise RetryLater(f"{names.STORAGE}: the presigned address is refused") from error
        except httpx.InvalidURL as error:
            raise BadAnswer(f"{names.STORAGE}: the presigned address is malformed") from error
        if not response.is_success:
            raise RetryLater(f"{names.STORAGE}: {response.status_code}")
        return response

    async def aclose(self) -> None:
        """Close the connections."""
        await self.http.aclose()

    async def _login(self) -> Token:
        told = self._credentials
        form = {
            "grant_type": "refresh_token",
            "client_id": told.client_id,
            "client_secret": told.client_secret,
            "refresh_token": told.refresh_token,
        }
        response = await self.http.send(
            "POST", self.settings.token_url, endpoint=names.TOKEN, data=form
        )
        if response.is_success:
            login = read(response, wire.Login, names.TOKEN)
            return Token(text=login.access_token, lasts_seconds=login.expires_in)
        code = read(response, wire.LoginError, names.TOKEN).error[:TEXT_CHARACTERS_MAX]
        if code in LOGIN_RETRYABLE:
            raise RetryLater(f"{names.TOKEN}: {code}")
        if code in LOGIN_WRONG:
            raise Rejected(f"{names.TOKEN}: {code}")
        raise AuthExpired(f"{names.TOKEN}: {code}")


def read(
    response: httpx.Response, kind: type[Answer], endpoint: str, *, writes: bool = False
) -> Answer:
    """An answer's JSON. Raises `BadAnswer`, or `OutcomeUnknown` after something that `writes`."""
    try:
        return msgspec.json.decode(response.content, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        message = f"{endpoint}: the answer cannot be read"
        raise (OutcomeUnknown(message) if writes else BadAnswer(message)) from error


def code_of(response: httpx.Response) -> str:
    """SP-API's or LWA's code for what went wrong; empty where there is none."""
    try:
        return msgspec.json.decode(response.content, type=wire.LoginError).error
    except (msgspec.DecodeError, UnicodeDecodeError):
        pass
    try:
        errors = msgspec.json.decode(response.content, type=wire.ErrorList).errors
    except (msgspec.DecodeError, UnicodeDecodeError):
        return ""
    return ", ".join(error.code for error in errors)


def _error_text(response: httpx.Response) -> str:
    try:
        errors = msgspec.json.decode(response.content, type=wire.ErrorList).errors
    except (msgspec.DecodeError, UnicodeDecodeError):
        return ""
    return "; ".join(f"{error.code} {error.message}" for error in errors)[:TEXT_CHARACTERS_MAX]
