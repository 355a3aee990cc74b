"""Amazon's Feeds API 2021-06-30: documents, uploads, feeds and their reports."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from msgspec import Struct

from channels.sandbox.amazon_acknowledgement import Unreadable, acknowledged, adjusted
from channels.sandbox.amazon_base import AmazonMarket, json_body, wire_time
from channels.sandbox.amazon_listing_feed import ListingFeeds
from channels.sandbox.amazon_listings import ListingsApi
from channels.sandbox.wire import Answer, Call, Refusal, Refused, Route

ACKNOWLEDGEMENT = "POST_ORDER_ACKNOWLEDGEMENT_DATA"
ADJUSTMENT = "POST_PAYMENT_ADJUSTMENT_DATA"
LISTINGS = "JSON_LISTINGS_FEED"
# Feed types that are worked on, with their content type.
KINDS = {
    ACKNOWLEDGEMENT: "text/xml; charset=UTF-8",
    ADJUSTMENT: "text/xml; charset=UTF-8",
    LISTINGS: "application/json; charset=UTF-8",
}
# The older feeds of stock are taken and end FATAL since 2025-07-31.
DEAD = frozenset({"POST_INVENTORY_AVAILABILITY_DATA", "POST_FLAT_FILE_INVLOADER_DATA"})
RECENT_SECONDS, RECENT_MAX = 300.0, 5
URL_LIFE = timedelta(minutes=5)
UPLOAD_BYTES_MAX = 10 * 1024 * 1024
DOCUMENTS_MAX = 2000


class Document(Struct, kw_only=True):
    """A feed document: an upload of the seller's, or a report. `signature` guards its address."""

    document_id: str
    content_type: str
    signature: str
    url_until: datetime
    body: bytes | None = None
    compressed: bool = False


class Feed(Struct, kw_only=True):
    """One feed on its way from IN_QUEUE to DONE (or FATAL)."""

    feed_id: str
    feed_type: str
    created_at: datetime
    document: Document
    ignored: bool
    status: str = "IN_QUEUE"
    ended_at: datetime | None = None
    result_id: str | None = None


class FeedsApi:
    """The four operations and the presigned addresses."""

    def __init__(self, market: AmazonMarket, listings: ListingsApi) -> None:
        self._market = market
        self._listings = ListingFeeds(market, listings)
        self._recent: list[float] = []
        self._documents: dict[str, Document] = {}
        self._feeds: dict[str, Feed] = {}

    def routes(self) -> list[Route]:
        """The paths of this API; the upload address stands for Amazon's storage service."""
        base = "/feeds/2021-06-30"
        store = "/storage/{documentId}"
        return [
            self._route("POST", f"{base}/documents", "createFeedDocument", self.create_document),
            self._route(
                "GET", f"{base}/documents/{{documentId}}", "getFeedDocument", self.document
            ),
            self._route("POST", f"{base}/feeds", "createFeed", self.create),
            self._route("GET", f"{base}/feeds/{{feedId}}", "getFeed", self.feed),
            Route(
                method="PUT",
                path=store,
                endpoint="upload",
                run=self.upload,
                body_max=UPLOAD_BYTES_MAX,
                open_door=True,
            ),
            Route(method="GET", path=store, endpoint="download", run=self.download, open_door=True),
        ]

    def _route(self, method: str, path: str, name: str, run: Callable[[Call], Answer]) -> Route:
        limit = self._market.buckets[name]
        return Route(method=method, path=path, endpoint=name, run=run, limits=[limit])

    def create_document(self, call: Call) -> Answer:
        """A place to upload to, good for five minutes."""
        content_type = json_body(self._market, call).get("contentType")
        if not isinstance(content_type, str) or not content_type:
            raise self._market.wrong(call, "contentType is required.")
        document = self._new_document(content_type, call.at)
        return self._market.answer(call, self._address(call, document), status=201)

    def upload(self, call: Call) -> Answer:
        """Take the bytes, if address, time and headers are those that were signed."""
        document = self._signed(call)
        if call.headers.get("content-type") != document.content_type:
            return _storage_error("SignatureDoesNotMatch")
        if any(name.startswith("x-amz-") for name in call.headers):
            return _storage_error("AccessDenied")
        document.body = call.body
        return Answer()

    def download(self, call: Call) -> Answer:
        """The bytes of a report."""
        document = self._signed(call)
        if document.body is None:
            return _storage_error("NoSuchKey", status=404)
        return Answer(body=document.body, media_type=document.content_type)

    def document(self, call: Call) -> Answer:
        """A fresh address for a document."""
        document = self._documents.get(call.params["documentId"])
        if document is None:
            raise self._market.failed(call, 404, "NotFound", "No such feed document.")
        document.url_until = call.at + URL_LIFE
        body = self._address(call, document)
        if document.compressed:
            body["compressionAlgorithm"] = "GZIP"
        return self._market.answer(call, body)

    def create(self, call: Call) -> Answer:
        """Queue a feed over an uploaded document."""
        market, body = self._market, json_body(self._market, call)
        feed_type = str(body.get("feedType"))
        if feed_type not in KINDS and feed_type not in DEAD:
            raise market.wrong(call, f"feedType {feed_type!r} is not available.")
        if body.get("marketplaceIds") != [market.settings["marketplace_id"]]:
            raise market.wrong(call, "marketplaceIds must name a marketplace of this seller.")
        document = self._documents.get(str(body.get("inputFeedDocumentId")))
        if document is None or document.body is None:
            raise market.wrong(call, "inputFeedDocumentId does not name an uploaded document.")
        self._throttle(call, feed_type)
        feed = Feed(
            feed_id=str(50_001 + len(self._feeds)),
            feed_type=feed_type,
            created_at=call.at,
            document=document,
            ignored=market.ignoring,
        )
        self._feeds[feed.feed_id] = feed
        seconds = market.options.feed_s
        market.due.later(seconds / 2, lambda: self._begin(feed))
        market.due.later(seconds, lambda: self._process(feed))
        return market.answer(call, {"feedId": feed.feed_id}, status=202)

    def feed(self, call: Call) -> Answer:
        """How far a feed has come."""
        feed = self._feeds.get(call.params["feedId"])
        if feed is None:
            raise self._market.failed(call, 404, "NotFound", "No such feed.")
        body: dict[str, Any] = {
            "feedId": feed.feed_id,
            "feedType": feed.feed_type,
            "marketplaceIds": [self._market.settings["marketplace_id"]],
            "createdTime": wire_time(feed.created_at),
            "processingStatus": feed.status,
        }
        if feed.ended_at is not None:
            body["processingEndTime"] = wire_time(feed.ended_at)
        if feed.result_id is not None:
            body["resultFeedDocumentId"] = feed.result_id
        return self._market.answer(call, body)

    def _begin(self, feed: Feed) -> None:
        if feed.status == "IN_QUEUE":
            feed.status = "IN_PROGRESS"

    def _process(self, feed: Feed) -> None:
        now = self._market.clock.now()
        feed.ended_at, body = now, feed.document.body or b""
        kind = KINDS.get(feed.feed_type)
        if kind is None or feed.document.content_type != kind:
            feed.status = "FATAL"
            return
        try:
            report = self._done(feed, body)
        except Unreadable:
            feed.status = "FATAL"
            return
        fatal = feed.feed_type == LISTINGS and self._market.options.fatal_listings
        feed.status = "FATAL" if fatal else "DONE"
        if not fatal:
            feed.result_id = self._reported(kind, report, now)

    def _done(self, feed: Feed, body: bytes) -> bytes:
        if feed.feed_type == LISTINGS:
            return self._listings.process(body, feed_id=feed.feed_id, ignored=feed.ignored)
        work = acknowledged if feed.feed_type == ACKNOWLEDGEMENT else adjusted
        return work(self._market, body, ignored=feed.ignored)

    def _reported(self, content_type: str, report: bytes, now: datetime) -> str:
        result = self._new_document(content_type, now)
        result.body = report
        if self._market.options.gzip_reports:
            result.body, result.compressed = gzip.compress(report), True
        return result.document_id

    def _throttle(self, call: Call, feed_type: str) -> None:
        """5 listings feeds in any five minutes. Raises Refused (429)."""
        if feed_type != LISTINGS:
            return
        self._recent = [tick for tick in self._recent if call.tick - tick < RECENT_SECONDS]
        if len(self._recent) >= RECENT_MAX:
            raise Refused(self._market.refuse(Refusal.THROTTLED, call.endpoint))
        self._recent.append(call.tick)

    def _new_document(self, content_type: str, at: datetime) -> Document:
        if len(self._documents) >= DOCUMENTS_MAX:
            self._documents.pop(next(iter(self._documents)))
        document = Document(
            document_id=f"amzn1.tortuga.4.fe.{self._market.secret(24)}",
            content_type=content_type,
            signature=self._market.secret(32),
            url_until=at + URL_LIFE,
        )
        self._documents[document.document_id] = document
        return document

    def _address(self, call: Call, document: Document) -> dict[str, Any]:
        path = f"/storage/{document.document_id}?X-Amz-Signature={document.signature}"
        return {"feedDocumentId": document.document_id, "url": f"{call.prefix}{path}"}

    def _signed(self, call: Call) -> Document:
        document = self._documents.get(call.params["documentId"])
        if document is None or call.query.get("X-Amz-Signature") != document.signature:
            raise Refused(_storage_error("SignatureDoesNotMatch"))
        if document.url_until < call.at:
            raise Refused(_storage_error("AccessDenied"))
        return document


def _storage_error(code: str, *, status: int = 403) -> Answer:
    body = f'<?xml version="1.0" encoding="UTF-8"?><Error><Code>{code}</Code></Error>'
    return Answer(status=status, body=body.encode(), media_type="application/xml")
