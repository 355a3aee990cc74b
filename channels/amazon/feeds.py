"""Feeds API 2021-06-30: upload a document, queue its feed, ask for it, fetch its report."""

from __future__ import annotations

import zlib
from urllib.parse import quote

from msgspec import Struct

from channels.amazon import settings as names
from channels.amazon import wire
from channels.amazon.client import AmazonClient, read
from channels.base import BadAnswer

REPORT_BYTES_MAX = 20_000_000
XML = "text/xml; charset=UTF-8"
JSON = "application/json; charset=UTF-8"


class FeedKind(Struct, frozen=True, kw_only=True):
    """A feed type, and the content type of its documents."""

    name: str
    content_type: str = XML


ACKNOWLEDGEMENT = FeedKind(name="POST_ORDER_ACKNOWLEDGEMENT_DATA")
ADJUSTMENT = FeedKind(name="POST_PAYMENT_ADJUSTMENT_DATA")
LISTINGS = FeedKind(name="JSON_LISTINGS_FEED", content_type=JSON)


class Submitted(Struct, frozen=True, kw_only=True):
    """A feed on its way, and the document that it works on."""

    feed_id: str
    document_id: str


class Feeds:
    """One seller's feeds. Methods that read raise `BadAnswer` and `Rejected`."""

    def __init__(self, client: AmazonClient) -> None:
        self._client = client

    async def submit(self, document: bytes, kind: FeedKind) -> Submitted:
        """Upload a document and queue its feed.

        Only the last of the three calls changes something, so only it can end as unknown. Of its
        budget (one in 120 s, burst of 15) the last three calls are for cancellations.
        """
        created = await self._client.call(
            "POST",
            "/feeds/2021-06-30/documents",
            endpoint=names.CREATE_DOCUMENT,
            json={"contentType": kind.content_type},
        )
        place = read(created, wire.FeedDocument, names.CREATE_DOCUMENT)
        # The address is signed for this very content type: any other text is refused.
        headers = {"content-type": kind.content_type}
        await self._client.storage("PUT", place.url, headers=headers, content=document)
        response = await self._client.call(
            "POST",
            "/feeds/2021-06-30/feeds",
            endpoint=names.CREATE_FEED,
            writes=True,
            json={
                "feedType": kind.name,
                "marketplaceIds": [self._client.settings.marketplace_id],
                "inputFeedDocumentId": place.feed_document_id,
            },
        )
        feed = read(response, wire.CreatedFeed, names.CREATE_FEED, writes=True)
        return Submitted(feed_id=feed.feed_id, document_id=place.feed_document_id)

    async def get(self, feed_id: str) -> wire.Feed:
        """How far a feed has come."""
        path = f"/feeds/2021-06-30/feeds/{quote(feed_id, safe='')}"
        response = await self._client.call("GET", path, endpoint=names.GET_FEED)
        return read(response, wire.Feed, names.GET_FEED)

    async def document(self, document_id: str) -> bytes:
        """The bytes of a document (a report, or our own upload), unpacked."""
        path = f"/feeds/2021-06-30/documents/{quote(document_id, safe='')}"
        response = await self._client.call("GET", path, endpoint=names.GET_DOCUMENT)
        place = read(response, wire.FeedDocument, names.GET_DOCUMENT)
        stored = (await self._client.storage("GET", place.url)).content
        if place.compression_algorithm is None:
            return stored
        if place.compression_algorithm != "GZIP":
            raise BadAnswer(f"{names.STORAGE}: compressed as {place.compression_algorithm[:20]}")
        return _unpacked(stored)


def _unpacked(stored: bytes) -> bytes:
    try:
        unpacker = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
        plain = unpacker.decompress(stored, REPORT_BYTES_MAX)
    except zlib.error as error:
        raise BadAnswer(f"{names.STORAGE}: the report cannot be unpacked") from error
    if unpacker.unconsumed_tail:
        raise BadAnswer(f"{names.STORAGE}: the report is larger than {REPORT_BYTES_MAX} bytes")
    return plain
