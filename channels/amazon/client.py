"""SP-API's wire for one seller: login, headers, paths, and what its errors mean."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar
from urllib.parse import quote

import httpx
import msgspec

from channels.amazon import settings as names
from channels.amazon import wire
from channels.amazon.settings import AmazonCredentials, AmazonSettings
from channels.base import AuthExpired, BadAnswer, OutcomeUnknown, Rejected, RetryLater
from channels.http import ChannelHttp
from channels.tokens import Token, TokenCache

FEED_TYPE = "POST_ORDER_ACKNOWLEDGEMENT_DATA"
FEED_CONTENT_TYPE = "text/xml; charset=UTF-8"
ORDER_DATA = "FULFILLMENT,CANCELLATION"
PAGE_ORDERS = 100
PAGE_LISTINGS = 20
TEXT_CHARACTERS_MAX = 300
REPORT_BYTES_MAX = 20_000_000
TOKEN_EARLY_SECONDS = 300.0
# LWA's words for "come back later"; every other refusal of a login needs a person.
LOGIN_RETRYABLE = frozenset({"server_error", "temporarily_unavailable"})

Answer = TypeVar("Answer")


class AmazonClient:
    """One seller's calls. Every method may raise `Throttled`, `RetryLater` and `AuthExpired`.

    Methods that read raise `BadAnswer` for an answer that cannot be read and `Rejected` for a
    request that is refused as wrong; methods that write raise `OutcomeUnknown` in place of
    `BadAnswer`.
    """

    def __init__(
        self, *, http: ChannelHttp, settings: AmazonSettings, credentials: AmazonCredentials
    ) -> None:
        self._http = http
        self._settings = settings
        self._credentials = credentials
        self._tokens = TokenCache(self._login, early_seconds=TOKEN_EARLY_SECONDS)

    async def search_orders(self, *, after: str, token: str | None) -> wire.OrdersPage:
        """One page of the orders changed at or after `after` (ISO 8601), with their items.

        Orders API 2026-01-01, searchOrders: a next page must repeat the question of the first.
        """
        params = {
            "marketplaceIds": self._settings.marketplace_id,
            "lastUpdatedAfter": after,
            "maxResultsPerPage": str(PAGE_ORDERS),
            "includedData": ORDER_DATA,
        }
        if token is not None:
            params["paginationToken"] = token
        response = await self._call(
            "GET", "/orders/2026-01-01/orders", endpoint=names.SEARCH_ORDERS, params=params
        )
        return _read(response, wire.OrdersPage, names.SEARCH_ORDERS)

    async def get_order(self, order_ref: str) -> object | None:
        """One order as it stands now, or None where Amazon has no such order."""
        response = await self._call(
            "GET",
            f"/orders/2026-01-01/orders/{quote(order_ref, safe='')}",
            endpoint=names.GET_ORDER,
            params={"includedData": ORDER_DATA},
            missing_is_none=True,
        )
        if response.status_code == httpx.codes.NOT_FOUND:
            return None
        return _read(response, wire.OneOrder, names.GET_ORDER).order

    async def search_listings(self, skus: Sequence[str]) -> list[wire.Item]:
        """The listings among up to 20 SKUs (without a comma in them) that exist."""
        response = await self._call(
            "GET",
            self._listings(),
            endpoint=names.SEARCH_LISTINGS,
            params={
                "marketplaceIds": self._settings.marketplace_id,
                "identifiers": ",".join(skus),
                "identifiersType": "SKU",
                "includedData": "fulfillmentAvailability",
                "pageSize": str(PAGE_LISTINGS),
            },
        )
        return _read(response, wire.ItemsPage, names.SEARCH_LISTINGS).items

    async def get_listing(self, sku: str) -> wire.Item | None:
        """One listing, or None where there is none; for SKUs that a list cannot name."""
        response = await self._call(
            "GET",
            self._listings(sku),
            endpoint=names.GET_LISTING,
            params={
                "marketplaceIds": self._settings.marketplace_id,
                "includedData": "fulfillmentAvailability",
            },
            missing_is_none=True,
        )
        if response.status_code == httpx.codes.NOT_FOUND:
            return None
        return _read(response, wire.Item, names.GET_LISTING)

    async def patch_quantity(self, sku: str, quantity: int) -> wire.Submission:
        """Set the number of one listing that the seller ships.

        Listings Items API 2021-08-01, operation `merge`: keeps lead time and restock date.
        """
        value = {"fulfillment_channel_code": "DEFAULT", "quantity": quantity}
        patch = {"op": "merge", "path": "/attributes/fulfillment_availability", "value": [value]}
        response = await self._call(
            "PATCH",
            self._listings(sku),
            endpoint=names.PATCH_LISTING,
            writes=True,
            params={"marketplaceIds": self._settings.marketplace_id},
            json={"productType": "PRODUCT", "patches": [patch]},
        )
        return _read(response, wire.Submission, names.PATCH_LISTING, writes=True)

    async def submit_feed(self, document: bytes) -> str:
        """Upload an order acknowledgement document and queue its feed; returns the feedId.

        Only the last of the three calls changes something, so only it can end as unknown.
        """
        body = {"contentType": FEED_CONTENT_TYPE}
        created = await self._call(
            "POST", "/feeds/2021-06-30/documents", endpoint=names.CREATE_DOCUMENT, json=body
        )
        place = _read(created, wire.FeedDocument, names.CREATE_DOCUMENT)
        headers = {"content-type": FEED_CONTENT_TYPE}
        await self._storage("PUT", place.url, headers=headers, content=document)
        response = await self._call(
            "POST",
            "/feeds/2021-06-30/feeds",
            endpoint=names.CREATE_FEED,
            writes=True,
            json={
                "feedType": FEED_TYPE,
                "marketplaceIds": [self._settings.marketplace_id],
                "inputFeedDocumentId": place.feed_document_id,
            },
        )
        return _read(response, wire.CreatedFeed, names.CREATE_FEED, writes=True).feed_id

    async def get_feed(self, feed_id: str) -> wire.Feed:
        """How far a feed has come."""
        path = f"/feeds/2021-06-30/feeds/{quote(feed_id, safe='')}"
        response = await self._call("GET", path, endpoint=names.GET_FEED)
        return _read(response, wire.Feed, names.GET_FEED)

    async def get_report(self, document_id: str) -> bytes:
        """The bytes of a feed's processing report, unpacked."""
        path = f"/feeds/2021-06-30/documents/{quote(document_id, safe='')}"
        response = await self._call("GET", path, endpoint=names.GET_DOCUMENT)
        place = _read(response, wire.FeedDocument, names.GET_DOCUMENT)
        stored = (await self._storage("GET", place.url)).content
        if place.compression_algorithm is None:
            return stored
        if place.compression_algorithm != "GZIP":
            raise BadAnswer(f"{names.STORAGE}: compressed as {place.compression_algorithm[:20]}")
        return _unpacked(stored)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    def _listings(self, sku: str | None = None) -> str:
        path = f"/listings/2021-08-01/items/{quote(self._settings.seller_id, safe='')}"
        return path if sku is None else f"{path}/{quote(sku, safe='')}"

    async def _call(
        self,
        method: str,
        path: str,
        *,
        endpoint: str,
        writes: bool = False,
        missing_is_none: bool = False,
        **body: Any,
    ) -> httpx.Response:
        """Send with a token; a token that ended early is renewed once (the call did nothing)."""
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
        return await self._http.send(
            method, path, endpoint=endpoint, writes=writes, headers=headers, **body
        )

    async def _storage(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        content: bytes | None = None,
    ) -> httpx.Response:
        """Use a presigned address: no headers of SP-API, and a refusal is not about our keys."""
        try:
            response = await self._http.send(
                method, url, endpoint=names.STORAGE, headers=headers, content=content
            )
        except AuthExpired as error:
            raise RetryLater(f"{names.STORAGE}: the presigned address is refused") from error
        except httpx.InvalidURL as error:
            raise BadAnswer(f"{names.STORAGE}: the presigned address is malformed") from error
        if not response.is_success:
            raise RetryLater(f"{names.STORAGE}: {response.status_code}")
        return response

    async def _login(self) -> Token:
        form = {"grant_type": "refresh_token", **msgspec.to_builtins(self._credentials)}
        response = await self._http.send(
            "POST", self._settings.token_url, endpoint=names.TOKEN, data=form
        )
        if response.is_success:
            login = _read(response, wire.Login, names.TOKEN)
            return Token(text=login.access_token, lasts_seconds=login.expires_in)
        code = _read(response, wire.LoginError, names.TOKEN).error[:TEXT_CHARACTERS_MAX]
        if code in LOGIN_RETRYABLE:
            raise RetryLater(f"{names.TOKEN}: {code}")
        raise AuthExpired(f"{names.TOKEN}: {code}")


def _read(
    response: httpx.Response, kind: type[Answer], endpoint: str, *, writes: bool = False
) -> Answer:
    try:
        return msgspec.json.decode(response.content, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        message = f"{endpoint}: the answer cannot be read"
        raise (OutcomeUnknown(message) if writes else BadAnswer(message)) from error


def _error_text(response: httpx.Response) -> str:
    try:
        errors = msgspec.json.decode(response.content, type=wire.ErrorList).errors
    except (msgspec.DecodeError, UnicodeDecodeError):
        return ""
    return "; ".join(f"{error.code} {error.message}" for error in errors)[:TEXT_CHARACTERS_MAX]


def _unpacked(stored: bytes) -> bytes:
    try:
        unpacker = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
        plain = unpacker.decompress(stored, REPORT_BYTES_MAX)
    except zlib.error as error:
        raise BadAnswer(f"{names.STORAGE}: the report cannot be unpacked") from error
    if unpacker.unconsumed_tail:
        raise BadAnswer(f"{names.STORAGE}: the report is larger than {REPORT_BYTES_MAX} bytes")
    return plain
