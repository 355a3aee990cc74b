"""What each chat and each mailbox is told, by the worker, at receivers on this machine."""

from __future__ import annotations

import json
from email import message_from_bytes, policy
from typing import Any
from urllib.parse import parse_qs

import pytest

from inventory import deliveries
from inventory.db import Database
from inventory.errors import BadInput
from inventory.models import WebhookEndpoint
from inventory.outgoing import endpoints
from inventory.outgoing.addresses import AddressRefused
from inventory.outgoing.endpoints import NewEndpoint
from inventory.outgoing.outbound import Outbound
from inventory.outgoing.wording import LINES_MAX, said
from inventory.security import Vault
from tests.conftest import HandClock
from tests.notices.conftest import LOOPBACK
from tests.notices.mail_server import MailServer
from tests.notices.receiver import Receiver
from tests.notices.steps import log, rows
from workers import notify
from workers.runtime import Runtime

LOW: dict[str, Any] = {
    "id": 7,
    "kind": "low_stock",
    "subject": "sku:MUG",
    "rule_id": 1,
    "detail": {"sku": "MUG", "name": "<users/all> [toall] Mug & co", "available": 2, "level": 5},
}
TITLE = "【要確認】在庫が少なくなっています・MUG"


async def told(
    runtime: Runtime, database: Database, outbound: Outbound, wanted: NewEndpoint
) -> WebhookEndpoint:
    """Add the endpoint, and let the worker tell it of low stock."""
    async with database.transaction() as session:
        made, _ = await endpoints.add(session, runtime.vault, wanted, LOOPBACK)
        await deliveries.enqueue(session, "alert.fired", LOW, runtime.clock.now())
    await notify.work(runtime, outbound=outbound)
    assert [row[1:] for row in await log(database)] in (
        [("delivered", 1, 204, None)],
        [("delivered", 1, None, None)],
    )
    return made


def room(kind: Any, receiver: Receiver) -> NewEndpoint:
    return NewEndpoint(kind=kind, url=receiver.url + "/T00/B00/token-canary")


async def test_slack_gets_plain_text_in_which_nothing_is_a_mention(
    runtime: Runtime, database: Database, outbound: Outbound, receiver: Receiver
) -> None:
    await told(runtime, database, outbound, room("slack", receiver))

    [request] = receiver.requests
    assert request.path == "/hook/T00/B00/token-canary"
    assert request.headers["content-type"] == "application/json; charset=utf-8"
    assert "webhook-signature" not in request.headers
    header, section = json.loads(request.body)["blocks"]
    assert header["text"] == {"type": "plain_text", "text": TITLE, "emoji": False}
    assert section["text"]["type"] == "plain_text"
    assert section["text"]["text"].splitlines() == [
        "SKU: MUG",
        "商品名: <users/all> [toall] Mug & co",
        "有効在庫: 2",
        "下限: 5",
    ]


async def test_teams_gets_one_adaptive_card(
    runtime: Runtime, database: Database, outbound: Outbound, receiver: Receiver
) -> None:
    await told(runtime, database, outbound, room("teams", receiver))

    [attachment] = json.loads(receiver.requests[0].body)["attachments"]
    assert attachment["contentType"] == "application/vnd.microsoft.card.adaptive"
    title, facts = attachment["content"]["body"]
    assert (title["type"], title["text"]) == ("TextBlock", TITLE)
    assert {"title": "有効在庫", "value": "2"} in facts["facts"]
    assert {"title": "商品名", "value": "＜users/all＞ ［toall］ Mug & co"} in facts["facts"]


async def test_google_chat_gets_text_that_calls_nobody(
    runtime: Runtime, database: Database, outbound: Outbound, receiver: Receiver
) -> None:
    await told(runtime, database, outbound, room("google_chat", receiver))

    text = json.loads(receiver.requests[0].body)["text"]
    assert text.splitlines()[0] == f"*{TITLE}*"
    assert "<users/all>" not in text
    assert "有効在庫: 2" in text


async def test_line_works_gets_title_and_text(
    runtime: Runtime, database: Database, outbound: Outbound, receiver: Receiver
) -> None:
    await told(runtime, database, outbound, room("line_works", receiver))

    body = json.loads(receiver.requests[0].body)
    assert body["title"] == TITLE
    assert "有効在庫: 2" in body["body"]["text"]
    assert "<" not in body["body"]["text"]


async def test_chatwork_gets_a_form_with_its_token_in_the_header(
    runtime: Runtime, database: Database, outbound: Outbound, receiver: Receiver
) -> None:
    url = receiver.url.removesuffix("/hook")
    wanted = NewEndpoint(kind="chatwork", url=url, room="123456", token="token-canary")
    await told(runtime, database, outbound, wanted)

    [request] = receiver.requests
    assert request.path == "/v2/rooms/123456/messages"
    assert request.headers["x-chatworktoken"] == "token-canary"
    form = parse_qs(request.body.decode())
    assert form["self_unread"] == ["1"]
    [body] = form["body"]
    assert body.startswith(f"[info][title]{TITLE}[/title]SKU: MUG\n")
    assert body.endswith("下限: 5[/info]")
    assert "[toall]" not in body


async def test_mailboxes_get_a_mail_that_says_the_same(
    runtime: Runtime, database: Database, outbound: Outbound
) -> None:
    async with MailServer() as server:
        wanted = NewEndpoint(
            kind="email",
            url=f"smtp://127.0.0.1:{server.port}",
            sender="stock@shop.example",
            recipients=["buyers@shop.example", "buyers@shop.example"],
            username="stock",
            password="token-canary",
        )
        await told(runtime, database, outbound, wanted)

        mail = message_from_bytes(server.mails[0], policy=policy.default)
        assert mail["subject"] == TITLE
        assert (mail["from"], mail["to"]) == ("stock@shop.example", "buyers@shop.example")
        assert mail["auto-submitted"] == "auto-generated"
        [row] = await rows(database)
        assert mail["message-id"] == f"<{row.message_id}@shop.example>"
        body = mail.get_body()
        assert body is not None
        assert "有効在庫: 2" in body.get_content()
        assert server.login() == "stock token-canary"


@pytest.mark.parametrize(
    ("status", "reset", "seconds"),
    [(429, 600, 600), (200, 600, None), (500, 600, 5), (429, -1_000_000_000, 5)],
)
async def test_chatwork_is_left_alone_until_it_lets_us_in(
    runtime: Runtime,
    database: Database,
    outbound: Outbound,
    receiver: Receiver,
    status: int,
    reset: int,
    seconds: int | None,
) -> None:
    now = runtime.clock.now()
    receiver.answers = [(status, {"x-ratelimit-reset": str(int(now.timestamp()) + reset)}, b"")]
    url = receiver.url.removesuffix("/hook")
    wanted = NewEndpoint(kind="chatwork", url=url, room="1", token="t")
    async with database.transaction() as session:
        await endpoints.add(session, runtime.vault, wanted, LOOPBACK)
        await deliveries.enqueue(session, "alert.fired", LOW, now)
    await notify.work(runtime, outbound=outbound)

    [row] = await rows(database)
    if seconds is None:
        assert row.state == "delivered"
    else:
        assert seconds <= (row.due_at - now).total_seconds() <= seconds * 1.2


@pytest.mark.parametrize("kind", ["slack", "teams", "google_chat", "line_works"])
async def test_addresses_and_tokens_are_sealed_and_never_shown(
    runtime: Runtime,
    database: Database,
    outbound: Outbound,
    receiver: Receiver,
    kind: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    receiver.answers = [(204, {}, b"answer-canary")]
    wanted = room(kind, receiver)
    made = await told(runtime, database, outbound, wanted)

    assert made.url == f"http://127.0.0.1:{receiver.port}/…"
    pool = await database.pool()
    stored = await pool.fetch("SELECT * FROM webhook_endpoint, delivery, message")
    assert len(stored) == 1
    assert "canary" not in str(stored)
    assert "canary" not in repr(wanted) + repr(made)
    shown = capsys.readouterr()
    assert "canary" not in shown.out + shown.err


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"kind": "slack"}, BadInput),
        ({"kind": "slack", "url": "https://10.0.0.1/x"}, AddressRefused),
        ({"kind": "teams", "url": "http://hooks.example/x"}, BadInput),
        ({"kind": "slack", "url": "https://x.example/", "token": "t"}, BadInput),
        ({"kind": "slack", "url": "https://x.example/", "sender": "a@b.example"}, BadInput),
        ({"kind": "slack", "url": "https://x.example/", "events": ["listing.quantity"]}, BadInput),
        ({"kind": "chatwork", "room": "1"}, BadInput),
        ({"kind": "chatwork", "room": "../1", "token": "t"}, BadInput),
        ({"kind": "chatwork", "room": "1", "token": "a\r\nb: c"}, BadInput),
        ({"kind": "chatwork", "room": "1", "token": "t", "url": "https://x.example/a"}, BadInput),
        ({"kind": "email", "url": "https://mail.example/"}, AddressRefused),
        ({"kind": "email", "url": "smtps://mail.example"}, BadInput),
        (
            {"kind": "email", "url": "smtps://m.example", "sender": "a@b", "recipients": ["x\ny"]},
            BadInput,
        ),
        (
            {
                "kind": "email",
                "url": "smtps://m.example",
                "sender": "a@b.example",
                "recipients": ["a@b.example"],
                "username": "only",
            },
            BadInput,
        ),
    ],
)
async def test_what_a_kind_needs_is_asked_for(
    database: Database, vault: Vault, fields: dict[str, Any], error: type[Exception]
) -> None:
    async with database.transaction() as session:
        with pytest.raises(error):
            await endpoints.add(session, vault, NewEndpoint(**fields), [])
        assert await session.get(WebhookEndpoint, 1) is None


async def test_a_chat_is_not_flooded_with_numbers(
    database: Database, vault: Vault, clock: HandClock
) -> None:
    wanted = NewEndpoint(kind="slack", url="https://hooks.slack.example/x")
    async with database.transaction() as session:
        await endpoints.add(session, vault, wanted, [])
        count = await deliveries.enqueue_quantity(
            session, channel="own", channel_sku="A", quantity=1, revision=1, now=clock.now()
        )
        assert count == 0
        assert await deliveries.enqueue(session, "alert.fired", LOW, clock.now()) == 1


def test_any_message_can_be_said_and_none_is_endless() -> None:
    data = {"rows": [{"sku": f"S{n}", "available": n} for n in range(30)], "odd": True, "no": None}
    words = said("report.made", data | {f"field{n}": "x" * 1_000 for n in range(80)})

    assert words.title == "【report.made】"
    assert words.lines[0] == "rows: SKU=S0 有効在庫=0"
    assert words.lines[10] == "rows: ほか20件"
    assert words.lines[11] == "odd: はい"
    assert len(words.lines) == LINES_MAX
    assert max(len(line) for line in words.lines) < 400
    assert said("some.thing", {"sku": "A\nB"}).title == "【some.thing】A B"
