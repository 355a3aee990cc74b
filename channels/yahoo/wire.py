"""One call to one of Yahoo!'s addresses: budgets, token, proof, and the XML of the answer."""

from __future__ import annotations

import base64
from collections.abc import Callable
from datetime import datetime
from typing import Any
from xml.etree.ElementTree import Element

import httpx
import msgspec
from msgspec import Struct

from channels.base import AuthExpired, BadAnswer
from channels.http import ChannelHttp
from channels.keep import Keep
from channels.yahoo import xml
from channels.yahoo.budgets import TOKEN
from channels.yahoo.consent import Consent, TokenAnswer
from channels.yahoo.proof import Proof
from channels.yahoo.settings import YahooCredentials, YahooSettings

V1 = "/ShoppingWebService/V1"
ERROR_LETTERS_MAX = 40


class _TokenError(Struct):
    error: str = ""


class YahooWire:
    """Sends one store's calls. Methods raise the errors of `channels.base`."""

    def __init__(
        self,
        http: ChannelHttp,
        auth_http: ChannelHttp,
        settings: YahooSettings,
        credentials: YahooCredentials,
        *,
        keep: Keep,
        now: Callable[[], datetime],
    ) -> None:
        self._http = http
        self._auth_http = auth_http
        self._settings = settings
        self._credentials = credentials
        self._proof = Proof(settings, credentials)
        self.consent = Consent(keep, settings, credentials, ask=self._ask_token, now=now)

    async def stock(self, name: str, endpoint: str, *, writes: bool, **form: str) -> Element:
        """A stock function, as a form. Whether it wants the proof is UNCONFIRMED."""
        data = {"seller_id": self._settings.seller_id, **form}
        proof = self._settings.proof_on_stock
        response = await self._call("POST", name, endpoint, writes=writes, proof=proof, data=data)
        return xml.answer(response, name=name, writes=writes)

    async def order(
        self, name: str, endpoint: str, words: xml.Words, *, writes: bool = False
    ) -> Element:
        """An order function, as XML; its answer says whether the proof held."""
        body = xml.request({**words, "SellerId": self._settings.seller_id})
        response = await self._call("POST", name, endpoint, writes=writes, content=body)
        return self._proved(response, name=name, writes=writes)

    async def count(self, name: str, endpoint: str) -> Element:
        """orderCount, the one order function that is asked with GET."""
        query = {"sellerId": self._settings.seller_id}
        response = await self._call("GET", name, endpoint, params=query)
        return self._proved(response, name=name, writes=False)

    async def file(self, name: str, endpoint: str, **query: str) -> httpx.Response:
        """A file of the store, in the answer's body; the answer may be an error in XML."""
        wanted = {"seller_id": self._settings.seller_id, **query}
        proof = self._settings.proof_on_stock
        return await self._call("GET", name, endpoint, proof=proof, params=wanted)

    def _proved(self, response: httpx.Response, *, name: str, writes: bool) -> Element:
        root = xml.answer(response, name=name, writes=writes)
        if not writes:
            self._proof.check(response, name=name)
        return root

    async def _call(
        self, method: str, name: str, endpoint: str, *, proof: bool = True, **sent: Any
    ) -> httpx.Response:
        url = f"{V1}/{name}"
        token = await self.consent.token()
        try:
            return await self._send(method, url, endpoint, token, proof=proof, **sent)
        except AuthExpired:
            # The token may just have ended before its time; a new one settles that.
            self.consent.forget(token)
        token = await self.consent.token()
        return await self._send(method, url, endpoint, token, proof=proof, **sent)

    async def _send(
        self, method: str, url: str, endpoint: str, token: str, *, proof: bool, **sent: Any
    ) -> httpx.Response:
        headers = {"Authorization": f"Bearer {token}"}
        headers |= self._proof.headers() if proof else {}
        if "content" in sent:
            headers["Content-Type"] = "application/xml; charset=UTF-8"
        return await self._http.send(method, url, endpoint=endpoint, headers=headers, **sent)

    async def _ask_token(self, refresh_token: str) -> TokenAnswer:
        credentials = self._credentials
        pair = f"{credentials.client_id}:{credentials.client_secret}".encode()
        headers = {"Authorization": "Basic " + base64.b64encode(pair).decode()}
        headers |= self._proof.headers() if self._settings.proof_on_token else {}
        response = await self._auth_http.send(
            "POST",
            "/yconnect/v2/token",
            endpoint=TOKEN,
            headers=headers,
            data={"grant_type": "refresh_token", "refresh_token": refresh_token},
        )
        if not response.is_success:
            why = token_error(response)
            raise AuthExpired(f"token: {response.status_code} {why}, the store must consent anew")
        try:
            return msgspec.json.decode(response.content, type=TokenAnswer, strict=False)
        except msgspec.DecodeError as error:
            raise BadAnswer("token: unreadable answer") from error

    async def aclose(self) -> None:
        """Close connections."""
        await self._http.aclose()
        await self._auth_http.aclose()


def token_error(response: httpx.Response) -> str:
    """YConnect's word for what is wrong with a token call, or `unreadable`."""
    try:
        said = msgspec.json.decode(response.content, type=_TokenError).error
    except (msgspec.DecodeError, UnicodeDecodeError):
        return "unreadable"
    return said[:ERROR_LETTERS_MAX] if said.replace("_", "a").isalnum() else "unreadable"
