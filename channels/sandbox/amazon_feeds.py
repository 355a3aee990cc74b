"""Amazon's Feeds API 2021-06-30: documents, uploads, feeds and their reports."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from msgspec import Struct

from channels.sandbox.amazon_acknowledgement import (
    CANCEL_REASONS,
    Acknowledgement,
    Unreadable,
    Verdict,
    parse,
    report,
)
from channels.sandbox.amazon_base import AmazonMarket, json_body, wire_time
from channels.sandbox.wire import Answer, Call, Refused, Route

ACKNOWLEDGEMENT = "POST_ORDER_ACKNOWLEDGEMENT_DATA"
URL_LIFE = timedelta(minutes=5)
UPLOAD_BYTES_MAX = 10 * 1024 * 1024
DOCUMENTS_MAX = 2000
NO_RESTOCK = "NoInventory"


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
    """The four operations and the presigned addresses; processes order acknowledgements."""

    def __init__(self, market: AmazonMarket) -> None:
        self._market = market
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
        if body.get("feedType") != ACKNOWLEDGEMENT:
            raise market.wrong(call, f"feedType {body.get('feedType')!r} is not available.")
        if body.get("marketplaceIds") != [market.settings["marketplace_id"]]:
            raise market.wrong(call, "marketplaceIds must name a marketplace of this seller.")
        document = self._documents.get(str(body.get("inputFeedDocumentId")))
        if document is None or document.body is None:
            raise market.wrong(call, "inputFeedDocumentId does not name an uploaded document.")
        feed = Feed(
            feed_id=str(50_001 + len(self._feeds)),
            feed_type=ACKNOWLEDGEMENT,
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
        feed.ended_at = now
        try:
            messages = parse(feed.document.body or b"", seller_id=self._market.seller_id)
        except Unreadable:
            feed.status = "FATAL"
            return
        verdicts = [self._judge(message, ignored=feed.ignored) for message in messages]
        result = self._new_document("text/xml; charset=UTF-8", now)
        result.body = report(feed.feed_id, verdicts)
        if self._market.options.gzip_reports:
            result.body, result.compressed = gzip.compress(result.body), True
        feed.status, feed.result_id = "DONE", result.document_id

    def _judge(self, message: Acknowledgement, *, ignored: bool) -> Verdict:
        text = self._objection(message)
        if text is not None:
            return Verdict(message=message, code="18028", text=text)
        if message.status == "Failure" and not ignored:
            reason = message.items[0][1]
            self._market.cancel(
                message.order_ref, by="seller", code=reason, restock=reason != NO_RESTOCK
            )
        return Verdict(message=message)

    def _objection(self, message: Acknowledgement) -> str | None:
        order = self._market.orders.get(message.order_ref)
        if order is None:
            return "The order does not exist."
        if message.status == "Success":
            return None
        if message.status != "Failure":
            return "StatusCode must be Success or Failure."
        listed = {code for code, _ in message.items}
        reasons = {reason for _, reason in message.items}
        pending = self._market.pending_until(order) > self._market.clock.now()
        objections = {
            "The order is fulfilled by Amazon.": order.by_channel,
            "The order is cancelled already.": order.cancelled_at is not None,
            "The order has been confirmed as shipped.": order.shipped_at is not None,
            "The order is still pending.": pending and not self._market.options.cancel_pending,
            "Every item of the order must be listed.": listed
            != {line.line_ref for line in order.lines},
            "CancelReason is missing or not known.": len(reasons) != 1
            or not reasons <= CANCEL_REASONS,
        }
        return next((text for text, holds in objections.items() if holds), None)

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
