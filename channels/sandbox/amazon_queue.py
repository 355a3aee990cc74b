"""An SQS queue of the seller's, by SQS's JSON protocol, to which Amazon sends its notices."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import msgspec

from channels.sandbox.amazon_base import AmazonMarket
from channels.sandbox.amazon_views import notice, view
from channels.sandbox.market import Order
from channels.sandbox.wire import Answer, Call, Refused, Route

REGION = "us-west-2"
ACCOUNT = "111122223333"
QUEUE_URL = f"https://sqs.{REGION}.amazonaws.com/{ACCOUNT}/orders"
TARGET = "AmazonSQS."
CLOCK_SECONDS_MAX = 300
MESSAGES_MAX = 10_000
BATCH_MAX = 10
HIDDEN_SECONDS = 30
HIDDEN_SECONDS_MAX = 43_200
WAIT_SECONDS_MAX = 20
AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 Credential=(?P<key>[^/]+)/(?P<scope>[^,]+), ?"
    r"SignedHeaders=(?P<names>[^,]+), ?Signature=(?P<signature>[0-9a-f]{64})"
)


class Message(msgspec.Struct, kw_only=True):
    """One message; it is seen from `visible_at` on, and `receipt` is that of its last receipt."""

    message_id: str
    body: str
    visible_at: datetime
    receipt: str = ""


class QueueApi:
    """A standard queue: at least once, in any order; a received message hides for a while."""

    def __init__(self, market: AmazonMarket) -> None:
        self._market = market
        self._messages: dict[str, Message] = {}
        self._key_id = f"AKIA{market.secret(16).upper()}"
        self._secret = market.secret(40)
        market.settings |= {
            "queue_url": QUEUE_URL,
            "queue_endpoint": "{base_url}/sqs",
            "queue_wait_seconds": 0,
        }
        market.credentials |= {
            "aws_access_key_id": self._key_id,
            "aws_secret_access_key": self._secret,
        }
        market.listeners.append(self._tell)

    def routes(self) -> list[Route]:
        """SQS has one address; the header X-Amz-Target names the operation."""
        return [Route(method="POST", path="/sqs", endpoint="queue", run=self.serve, open_door=True)]

    def serve(self, call: Call) -> Answer:
        """Check the signature, then run the operation."""
        self._market.due.settle()
        self._check_signature(call)
        operations: Mapping[str, Callable[[dict[str, Any], datetime], dict[str, Any]]] = {
            "ReceiveMessage": self._receive,
            "DeleteMessageBatch": self._delete,
            "GetQueueAttributes": self._attributes,
        }
        run = operations.get(call.headers.get("x-amz-target", "").removeprefix(TARGET))
        if run is None or call.headers.get("content-type") != "application/x-amz-json-1.0":
            raise failed("com.amazon.coral.service#UnknownOperationException")
        try:
            body = msgspec.json.decode(call.body, type=dict[str, Any])
        except msgspec.DecodeError as error:
            raise failed("com.amazon.coral.service#SerializationException") from error
        if body.get("QueueUrl") != QUEUE_URL:
            raise failed("com.amazonaws.sqs#QueueDoesNotExist")
        return Answer(
            body=msgspec.json.encode(run(body, call.at)), media_type="application/x-amz-json-1.0"
        )

    def _tell(self, order: Order, why: str) -> None:
        """Amazon sends a notice of an order as it stands now."""
        market = self._market
        market.due.later(market.options.notice_s, lambda: self._send(order, why))

    def _send(self, order: Order, why: str) -> None:
        now = self._market.clock.now()
        seen = view(self._market, order, now)
        if seen is None or len(self._messages) >= MESSAGES_MAX:
            return
        body = notice(
            seen,
            seller_id=self._market.seller_id,
            why=why,
            at=now,
            name=self._market.secret(32),
        )
        text = msgspec.json.encode(body).decode()
        twice = self._market.rng.random() < self._market.options.repeat_notices
        for _ in range(2 if twice else 1):
            message = Message(message_id=self._market.secret(32), body=text, visible_at=now)
            self._messages[message.message_id] = message

    def _receive(self, body: dict[str, Any], now: datetime) -> dict[str, Any]:
        most = _number(body, "MaxNumberOfMessages", 1, least=1, most=BATCH_MAX)
        hidden = _number(body, "VisibilityTimeout", HIDDEN_SECONDS, most=HIDDEN_SECONDS_MAX)
        _number(body, "WaitTimeSeconds", 0, most=WAIT_SECONDS_MAX)
        seen = [one for one in self._messages.values() if one.visible_at <= now]
        self._market.rng.shuffle(seen)
        for message in seen[:most]:
            message.visible_at = now + timedelta(seconds=hidden)
            message.receipt = f"AQEB{self._market.secret(64)}"
        told = [
            {
                "MessageId": message.message_id,
                "ReceiptHandle": message.receipt,
                "MD5OfBody": hashlib.md5(message.body.encode(), usedforsecurity=False).hexdigest(),
                "Body": message.body,
            }
            for message in seen[:most]
        ]
        return {"Messages": told} if told else {}

    def _delete(self, body: dict[str, Any], now: datetime) -> dict[str, Any]:
        del now
        entries = body.get("Entries")
        if not isinstance(entries, list) or not 1 <= len(entries) <= BATCH_MAX:
            raise failed("com.amazonaws.sqs#TooManyEntriesInBatchRequest")
        by_receipt = {one.receipt: one.message_id for one in self._messages.values()}
        for entry in entries:
            self._messages.pop(by_receipt.get(str(entry.get("ReceiptHandle")), ""), None)
        return {"Successful": [{"Id": str(entry.get("Id"))} for entry in entries], "Failed": []}

    def _attributes(self, body: dict[str, Any], now: datetime) -> dict[str, Any]:
        del body, now
        return {"Attributes": {"QueueArn": f"arn:aws:sqs:{REGION}:{ACCOUNT}:orders"}}

    def _check_signature(self, call: Call) -> None:
        """Signature Version 4. Raises Refused (403) for a wrong key, signature or clock."""
        told = AUTHORIZATION.fullmatch(call.headers.get("authorization", ""))
        if told is None:
            raise failed("com.amazon.coral.service#MissingAuthenticationTokenException", 403)
        if told["key"] != self._key_id:
            raise failed("com.amazon.coral.service#UnrecognizedClientException", 403)
        stamp = call.headers.get("x-amz-date", "")
        scope = f"{stamp[:8]}/{REGION}/sqs/aws4_request"
        names = told["names"].split(";")
        good = (
            told["scope"] == scope
            and {"host", "x-amz-date", "x-amz-target"} <= set(names)
            and hmac.compare_digest(told["signature"], self._signature(call, names, scope))
        )
        if not good or not _recent(stamp):
            raise failed("com.amazon.coral.service#InvalidSignatureException", 403)

    def _signature(self, call: Call, names: list[str], scope: str) -> str:
        headers = "".join(f"{name}:{call.headers.get(name, '').strip()}\n" for name in names)
        path = f"{urlsplit(call.prefix).path}{call.path}"
        digest = hashlib.sha256(call.body).hexdigest()
        request = f"POST\n{path}\n\n{headers}\n{';'.join(names)}\n{digest}"
        hashed = hashlib.sha256(request.encode()).hexdigest()
        text = f"AWS4-HMAC-SHA256\n{call.headers.get('x-amz-date', '')}\n{scope}\n{hashed}"
        key = f"AWS4{self._secret}".encode()
        for part in scope.split("/"):
            key = hmac.digest(key, part.encode(), "sha256")
        return hmac.digest(key, text.encode(), "sha256").hex()


def failed(code: str, status: int = 400) -> Refused:
    """An error of the JSON protocol, to be raised."""
    body = msgspec.json.encode({"__type": code, "message": code.rpartition("#")[2]})
    return Refused(Answer(status=status, body=body, media_type="application/x-amz-json-1.0"))


def _recent(stamp: str) -> bool:
    """Whether a signature's time is the machine's: AWS does not follow the sandbox's clock."""
    try:
        signed_at = datetime.strptime(stamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError:
        return False
    return abs((datetime.now(UTC) - signed_at).total_seconds()) <= CLOCK_SECONDS_MAX


def _number(body: dict[str, Any], name: str, default: int, *, least: int = 0, most: int) -> int:
    value = body.get(name, default)
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise failed("com.amazonaws.sqs#InvalidParameterValue")
    return value
