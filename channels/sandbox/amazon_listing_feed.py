"""Amazon's JSON_LISTINGS_FEED: up to 25,000 messages, each judged by itself, and the report."""

from __future__ import annotations

from typing import Any

import msgspec

from channels.sandbox import amazon_patches as patches
from channels.sandbox.amazon_acknowledgement import Unreadable
from channels.sandbox.amazon_base import AmazonMarket
from channels.sandbox.amazon_listings import ListingsApi

MESSAGES_MAX = 25_000
VERSION = "2.0"
NUMBER_MAX = 2_147_483_647


class ListingFeeds:
    """The listings feed over one market's listings; of its operations only PATCH."""

    def __init__(self, market: AmazonMarket, listings: ListingsApi) -> None:
        self._market = market
        self._listings = listings

    def process(self, document: bytes, *, feed_id: str, ignored: bool) -> bytes:
        """Do what the messages say; returns the report. Raises Unreadable (the feed is FATAL)."""
        messages = self._messages(document)
        if self._market.options.fatal_listings:
            messages = messages[: len(messages) // 2]
        issues: list[dict[str, Any]] = []
        for message in messages:
            issues += self._work(message, ignored=ignored)
        report = {
            "header": {
                "sellerId": self._market.seller_id,
                "version": VERSION,
                "feedId": feed_id,
            },
            "issues": issues,
            "summary": {
                "errors": len(issues),
                "warnings": 0,
                "messagesProcessed": len(messages),
                "messagesAccepted": len(messages) - len(issues),
                "messagesInvalid": len(issues),
            },
        }
        return msgspec.json.encode(report)

    def _messages(self, document: bytes) -> list[dict[str, Any]]:
        try:
            told = msgspec.json.decode(document, type=dict[str, Any])
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise Unreadable("the document is not JSON") from error
        header, messages = told.get("header"), told.get("messages")
        if not isinstance(header, dict) or header.get("sellerId") != self._market.seller_id:
            raise Unreadable("sellerId is not this seller's")
        if header.get("version") != VERSION:
            raise Unreadable(f"version is not {VERSION}")
        if not isinstance(messages, list) or not 1 <= len(messages) <= MESSAGES_MAX:
            raise Unreadable(f"a feed has 1 to {MESSAGES_MAX} messages")
        if not all(isinstance(message, dict) for message in messages):
            raise Unreadable("a message is not an object")
        numbers = [message.get("messageId") for message in messages]
        if len(set(numbers)) < len(numbers) or not all(_is_number(one) for one in numbers):
            raise Unreadable("messageId is missing, repeated or no number")
        return messages

    def _work(self, message: dict[str, Any], *, ignored: bool) -> list[dict[str, Any]]:
        """Do one message; returns its one issue, or none."""
        sku = str(message.get("sku") or "?")
        listing = self._market.listings.get(sku)
        wrong = patches.objection(message.get("patches"))
        if message.get("operationType") != "PATCH" or not message.get("productType"):
            wrong = "Only PATCH with a productType is worked on here."
        if listing is None:
            wrong = f"SKU '{sku}' does not exist."
        if listing is None or wrong is not None:
            return [_issue(message["messageId"], sku, "8560", wrong or "")]
        entries, issues = patches.judged(listing, message["patches"])
        if issues:
            first = issues[0]
            return [_issue(message["messageId"], sku, first["code"], first["message"])]
        if not ignored:
            self._listings.apply(listing, entries)
        return []


def _is_number(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= NUMBER_MAX


def _issue(number: int, sku: str, code: str, message: str) -> dict[str, Any]:
    return {
        "messageId": number,
        "sku": sku,
        "code": code,
        "severity": "ERROR",
        "message": message,
        "attributeName": "fulfillment_availability",
    }
