"""Amazon's queue in the sandbox: at least once, hidden for a while, and only for signed calls."""

from __future__ import annotations

import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from channels.sandbox.amazon_queue import QUEUE_URL
from tests.sandbox.amazon_shop import Shop, open_shop

PATH = "/amazon/sqs"
JSON = "application/x-amz-json-1.0"


async def call(shop: Shop, action: str, *, wrong: str = "", **body: Any) -> httpx.Response:
    """One signed call; `wrong` says what is wrong with it: key, secret, time or nothing."""
    keys = shop.market.credentials
    content = json.dumps({"QueueUrl": QUEUE_URL, **body}).encode()
    at = datetime.now(UTC) - timedelta(minutes=6 if wrong == "time" else 0)
    stamp = at.strftime("%Y%m%dT%H%M%SZ")
    scope = f"{stamp[:8]}/us-west-2/sqs/aws4_request"
    headers = {"host": "sandbox", "x-amz-date": stamp, "x-amz-target": f"AmazonSQS.{action}"}
    names = ";".join(headers)
    lines = "".join(f"{name}:{text}\n" for name, text in headers.items())
    digest = hashlib.sha256(content).hexdigest()
    request = f"POST\n{PATH}\n\n{lines}\n{names}\n{digest}"
    hashed = hashlib.sha256(request.encode()).hexdigest()
    text = f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{hashed}"
    key = b"AWS4" + (b"x" if wrong == "secret" else keys["aws_secret_access_key"].encode())
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    key_id = "AKIAX" if wrong == "key" else keys["aws_access_key_id"]
    signature = hmac.digest(key, text.encode(), "sha256").hex()
    told = f"AWS4-HMAC-SHA256 Credential={key_id}/{scope}, SignedHeaders={names}, "
    return await shop.http.post(
        PATH,
        content=content,
        headers={
            **headers,
            "content-type": JSON,
            "authorization": f"{told}Signature={signature}",
        },
    )


async def received(shop: Shop, **body: Any) -> list[dict[str, Any]]:
    """The messages that a call receives."""
    answer = await call(shop, "ReceiveMessage", MaxNumberOfMessages=10, **body)
    assert answer.status_code == 200, answer.text
    messages: list[dict[str, Any]] = answer.json().get("Messages", [])
    return messages


async def test_a_change_is_told_and_stays_until_it_is_deleted() -> None:
    async with open_shop(queue=True) as shop:
        order = shop.market.place([("MUG-RED", 1)])
        shop.market.ship(order.ref)

        messages = await received(shop, VisibilityTimeout=60)
        hidden = await received(shop)
        shop.market.clock.move(61)
        again = await received(shop)
        entries = [
            {"Id": str(number), "ReceiptHandle": one["ReceiptHandle"]}
            for number, one in enumerate(again)
        ]
        deleted = await call(shop, "DeleteMessageBatch", Entries=entries)
        shop.market.clock.move(200)

        assert [json.loads(one["Body"])["NotificationType"] for one in messages] == [
            "ORDER_CHANGE",
            "ORDER_CHANGE",
        ]
        assert (hidden, len(again), len(deleted.json()["Successful"])) == ([], 2, 2)
        assert await received(shop) == []


@pytest.mark.parametrize(("at_birth", "statuses"), [(False, []), (True, ["Pending"])])
async def test_whether_a_birth_is_told_is_an_option(at_birth: bool, statuses: list[str]) -> None:
    async with open_shop(queue=True, pending_s=600.0, notice_at_birth=at_birth) as shop:
        shop.market.place([("MUG-RED", 1)])

        changes = [
            json.loads(one["Body"])["Payload"]["OrderChangeNotification"]
            for one in await received(shop)
        ]

        assert [change["Summary"]["OrderStatus"] for change in changes] == statuses


async def test_the_buyers_wish_is_a_boolean_here() -> None:
    async with open_shop(queue=True) as shop:
        order = shop.market.place([("MUG-RED", 1)])
        await received(shop, VisibilityTimeout=600)

        shop.market.ask_cancel(order.ref)

        [message] = await received(shop)
        change = json.loads(message["Body"])["Payload"]["OrderChangeNotification"]
        assert change["OrderChangeType"] == "BuyerRequestedChange"
        assert change["Summary"]["OrderItems"][0]["IsBuyerRequestedCancel"] is True


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ("key", "UnrecognizedClientException"),
        ("secret", "InvalidSignatureException"),
        ("time", "InvalidSignatureException"),
    ],
)
async def test_only_a_good_signature_opens(wrong: str, code: str) -> None:
    async with open_shop(queue=True) as shop:
        answer = await call(shop, "ReceiveMessage", wrong=wrong)

        assert answer.status_code == 403
        assert answer.json()["__type"].endswith(f"#{code}")


@pytest.mark.parametrize(
    ("action", "body"),
    [
        ("ReceiveMessage", {"MaxNumberOfMessages": 11}),
        ("ReceiveMessage", {"WaitTimeSeconds": 21}),
        ("ReceiveMessage", {"QueueUrl": "https://sqs.us-west-2.amazonaws.com/1/other"}),
        ("DeleteMessageBatch", {"Entries": []}),
        ("PurgeQueue", {}),
    ],
)
async def test_what_sqs_does_not_know_is_a_400(action: str, body: dict[str, Any]) -> None:
    async with open_shop(queue=True) as shop:
        answer = await call(shop, action, **body)

        assert answer.status_code == 400
        assert "#" in answer.json()["__type"]


async def test_without_the_option_there_is_no_queue() -> None:
    async with open_shop() as shop:
        answer = await shop.http.post(PATH)

        assert answer.status_code == 404
        assert "queue_url" not in shop.market.settings
