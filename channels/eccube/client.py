"""EC-CUBE's wire for one shop: login, GraphQL, and what its errors mean."""

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
)
from channels.eccube import wire
from channels.eccube.settings import API, TOKEN, EccubeCredentials, EccubeSettings
from channels.eccube.tokens import Login, Tokens
from channels.http import ChannelHttp
from channels.keep import Keep

TEXT_CHARACTERS_MAX = 300
REFUSED = "the refresh token is refused; log in at the shop's admin once more"
# The plugin's ScopeValidationRule.
NO_SCOPE = "Insufficient permission"

Answer = TypeVar("Answer")


class EccubeClient:
    """One shop's requests. Methods may raise `RetryLater`, `AuthExpired`, `Rejected`.

    An answer that cannot be read is `BadAnswer`, or `OutcomeUnknown` after a write.
    """

    def __init__(
        self,
        *,
        http: ChannelHttp,
        settings: EccubeSettings,
        credentials: EccubeCredentials,
        keep: Keep,
    ) -> None:
        self._http = http
        self._settings = settings
        self._credentials = credentials
        self.tokens = Tokens(keep, credentials, self._login)

    async def ask(self, document: str, kind: type[Answer], **values: Any) -> Answer:
        """Run a query and read its data as `kind`."""
        envelope = await self.run(document, values=values)
        if envelope.errors:
            raise _meaning(envelope.errors, writes=False)
        try:
            return msgspec.convert(envelope.data, kind, strict=False)
        except msgspec.ValidationError as error:
            raise BadAnswer(f"{API}: {error}"[:TEXT_CHARACTERS_MAX]) from error

    async def run(
        self, document: str, *, values: dict[str, Any], writes: bool = False
    ) -> wire.Envelope:
        """Run a document and return its data with the errors of single fields, if any."""
        body = {"query": document, "variables": values}
        token = await self.tokens.get()
        try:
            response = await self._send(token, body, writes=writes)
        except AuthExpired:
            # Refused before anything was done: another worker may have renewed it meanwhile.
            token = await self.tokens.get(refused=token)
            response = await self._send(token, body, writes=writes)
        if not response.is_success:
            raise Rejected(f"{API}: {response.status_code}")
        try:
            envelope = msgspec.json.decode(response.content, type=wire.Envelope)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            message = f"{API}: the answer cannot be read"
            raise (OutcomeUnknown(message) if writes else BadAnswer(message)) from error
        if envelope.data is None:
            raise _meaning(envelope.errors, writes=writes)
        return envelope

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def _send(self, token: str, body: dict[str, Any], *, writes: bool) -> httpx.Response:
        return await self._http.send(
            "POST",
            self._settings.api_path,
            endpoint=API,
            writes=writes,
            headers={"Authorization": f"Bearer {token}"},
            json=body,
        )

    async def _login(self, refresh_token: str) -> Login:
        form = {
            "grant_type": "refresh_token",
            "refresh_token": refresh_token,
            "client_id": self._credentials.client_id,
            "client_secret": self._credentials.client_secret,
        }
        try:
            response = await self._http.send(
                "POST", self._settings.token_path, endpoint=TOKEN, data=form
            )
        except AuthExpired as error:
            raise AuthExpired(f"{TOKEN}: {REFUSED}") from error
        if not response.is_success:
            raise AuthExpired(f"{TOKEN}: {response.status_code}, {REFUSED}")
        try:
            return msgspec.json.decode(response.content, type=Login)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise BadAnswer(f"{TOKEN}: the answer cannot be read") from error


def _meaning(errors: list[wire.Error], *, writes: bool) -> ChannelError:
    text = "; ".join(error.message for error in errors)[:TEXT_CHARACTERS_MAX] or "no data"
    if NO_SCOPE in text:
        return AuthExpired(f"{API}: {text}")
    if not errors or wire.HIDDEN in text:
        return OutcomeUnknown(f"{API}: {text}") if writes else RetryLater(f"{API}: {text}")
    return Rejected(f"{API}: {text}")
