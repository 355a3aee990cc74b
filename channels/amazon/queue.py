"""An SQS queue of notices, by SQS's JSON protocol: receive, and delete what has been stored."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar
from urllib.parse import urlsplit

import msgspec

from channels.amazon.settings import QUEUE, AmazonCredentials, AmazonSettings
from channels.amazon.sigv4 import Keys, signed
from channels.base import AuthExpired, BadAnswer, Rejected
from channels.http import ChannelHttp

BATCH_MAX = 10
TEXT_CHARACTERS_MAX = 200
# SQS's words for keys that a person must renew; it also says them with a 400.
KEYS_REFUSED = (
    "AccessDenied",
    "ExpiredToken",
    "IncompleteSignature",
    "InvalidClientTokenId",
    "InvalidSecurity",
    "InvalidSignature",
    "MissingAuthenticationToken",
    "SignatureDoesNotMatch",
    "UnrecognizedClient",
)

Answer = TypeVar("Answer")


class Message(msgspec.Struct, frozen=True, rename="pascal"):
    """One message as received. `receipt_handle` is good for this receipt of it only."""

    receipt_handle: str
    body: str


class _Received(msgspec.Struct, rename="pascal"):
    messages: list[Message] = []


class _Done(msgspec.Struct, rename="pascal"):
    """An answer of which nothing is needed: what could not be deleted comes again."""


class _Failed(msgspec.Struct):
    type: str = msgspec.field(default="", name="__type")
    message: str = ""


class NoticeQueue:
    """One queue. Every method may raise `RetryLater`, `AuthExpired`, `Rejected`, `BadAnswer`."""

    def __init__(
        self, http: ChannelHttp, settings: AmazonSettings, credentials: AmazonCredentials
    ) -> None:
        parts = urlsplit(settings.queue_url)
        self._http = http
        self._settings = settings
        self._endpoint = settings.queue_endpoint or f"{parts.scheme}://{parts.netloc}/"
        self._keys = Keys(
            access_key_id=credentials.aws_access_key_id,
            secret_access_key=credentials.aws_secret_access_key,
            session_token=credentials.aws_session_token,
        )

    async def receive(self) -> list[Message]:
        """Up to ten messages; each stays hidden from others for `queue_hidden_seconds`."""
        body = {
            "MaxNumberOfMessages": BATCH_MAX,
            "VisibilityTimeout": self._settings.queue_hidden_seconds,
            "WaitTimeSeconds": self._settings.queue_wait_seconds,
        }
        return (await self._call("ReceiveMessage", body, _Received)).messages

    async def delete(self, receipt_handles: Sequence[str]) -> None:
        """Delete messages; what SQS could not delete it delivers again."""
        for start in range(0, len(receipt_handles), BATCH_MAX):
            batch = receipt_handles[start : start + BATCH_MAX]
            entries = [
                {"Id": str(number), "ReceiptHandle": handle} for number, handle in enumerate(batch)
            ]
            await self._call("DeleteMessageBatch", {"Entries": entries}, _Done)

    async def check(self) -> None:
        """Ask for the queue's name: proves address and keys, and changes nothing."""
        await self._call("GetQueueAttributes", {"AttributeNames": ["QueueArn"]}, _Done)

    async def _call(self, action: str, members: dict[str, Any], kind: type[Answer]) -> Answer:
        body = msgspec.json.encode({"QueueUrl": self._settings.queue_url, **members})
        headers = signed(
            self._endpoint,
            {"content-type": "application/x-amz-json-1.0", "x-amz-target": f"AmazonSQS.{action}"},
            body,
            keys=self._keys,
            region=self._settings.queue_region,
            service="sqs",
            now=datetime.now(UTC),
        )
        response = await self._http.send(
            "POST", self._endpoint, endpoint=QUEUE, headers=headers, content=body
        )
        try:
            if response.is_success:
                return msgspec.json.decode(response.content or b"{}", type=kind)
            failed = msgspec.json.decode(response.content, type=_Failed)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise BadAnswer(f"{QUEUE}: {action} cannot be read") from error
        code = failed.type.rpartition("#")[2][:TEXT_CHARACTERS_MAX]
        if code.startswith(KEYS_REFUSED):
            raise AuthExpired(f"{QUEUE}: {code}")
        raise Rejected(f"{QUEUE}: {code} {failed.message}"[:TEXT_CHARACTERS_MAX])
