"""Buyers' wishes, messages and the decision table over the API and the command line."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from typing import Any

import httpx
import pytest
import typer

from inventory.commands import buyers as commands
from inventory.config import Settings
from inventory.db import Database
from inventory.desk import buyer_requests, messages
from inventory.facts import StockReceived
from inventory.models import Cancellation
from inventory.vocabulary import OrderLine, OrderSeen
from tests.api.conftest import Caller, Look, problem
from tests.conftest import HandClock, Save
from tests.factories import ChannelFactory, ListingFactory, SkuFactory

WISH = "/channels/rmart/orders/o-1/buyer-request"
TOLD = {
    "person": "mori",
    "asked_at": "2026-11-21T19:30:00+09:00",
    "reference": "R-Messe 12",
}


async def open_shop(app: Any, save: Save, clock: HandClock, *, units: int) -> None:
    """A Rakuten shop that sold a mug, with so many on the shelf."""
    services = app.state.services
    mug = SkuFactory.build(code="MUG", name="赤いマグ")
    channel = ChannelFactory.build(code="rmart", desk_policy="auto")
    await save(mug, channel)
    await save(ListingFactory.build(channel_id=channel.id, channel_sku="m/x", sku_id=mug.id))
    now = clock.now()
    if units:
        received: dict[str, Any] = {
            "fact_ref": "delivery-1",
            "occurred_at": now,
            "sku": "MUG",
            "quantity": units,
        }
        await services.ledger.apply([StockReceived(channel_id=0, **received)])
    lines = (OrderLine(line_ref="1", channel_sku="m/x", quantity=1, unit_price=1000),)
    placed = now - timedelta(hours=3)
    order = OrderSeen(order_ref="o-1", ordered_at=placed, observed_at=now, lines=lines)
    ids = await services.inbox.receive_orders(channel.id, [order])
    await services.inbox.handle(ids)


@pytest.fixture
async def enough(app: Any, save: Save, clock: HandClock) -> None:
    """There are mugs enough."""
    await open_shop(app, save, clock, units=5)


@pytest.fixture
async def short(app: Any, save: Save, clock: HandClock) -> None:
    """There is no mug: a case is open."""
    await open_shop(app, save, clock, units=0)


async def test_a_wish_is_recorded_by_a_named_person_and_waits(
    admin: httpx.AsyncClient, enough: None
) -> None:
    answer = await admin.post(WISH, json=TOLD)

    assert answer.status_code == 201, answer.text
    row = answer.json()
    assert {name: row[name] for name in row if name not in {"id", "cancellation_id"}} == {
        "channel": "rmart",
        "order_ref": "o-1",
        "by_marketplace": False,
        "asked_at": "2026-11-21T10:30:00Z",
        "reference": "R-Messe 12",
        "recorded_by": "mori",
        "recorded_with": "tester",
        "recorded_at": "2026-11-21T12:00:00Z",
        "cancellation_state": "proposed",
    }
    assert (await admin.get(WISH)).json() == row
    assert (await admin.post(WISH, json=TOLD)).json() == row
    proposed = (await admin.get(f"/cancellations/{row['cancellation_id']}")).json()
    assert (proposed["reason"], proposed["reason_code"]) == ("buyer_request", "1")


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"person": ""}, (400, "bad_input")),
        ({"person": "desk"}, (400, "bad_input")),
        ({"asked_at": "2026-11-21T19:30:00"}, (400, "bad_input")),
        ({"asked_at": "2026-11-22T19:30:00+09:00"}, (400, "bad_input")),
        ({"reference": "a@example.com"}, (400, "bad_input")),
        ({"reference": "x" * 201}, (400, "bad_input")),
        ({"buyer_name": "Taro"}, (400, "bad_input")),
        ({"reference": ""}, (409, "reason_refused")),
    ],
)
async def test_a_wish_that_is_none_changes_nothing(
    admin: httpx.AsyncClient,
    enough: None,
    contents: Look,
    change: dict[str, str],
    expected: tuple[int, str],
) -> None:
    before = await contents()
    assert problem(await admin.post(WISH, json=TOLD | change)) == expected
    assert await contents() == before


async def test_after_our_shortage_case_it_is_refused(
    admin: httpx.AsyncClient, short: None, contents: Look
) -> None:
    before = await contents()
    assert problem(await admin.post(WISH, json=TOLD)) == (409, "reason_refused")
    assert await contents() == before
    assert problem(await admin.get(WISH)) == (404, "not_found")


async def test_only_the_desk_may_record_and_only_at_its_channel(
    caller: Caller, enough: None, contents: Look
) -> None:
    reader = await caller("stock:read")
    before = await contents()
    assert problem(await reader.post(WISH, json=TOLD)) == (403, "not_permitted")
    assert await contents() == before


@pytest.fixture
async def proposed(short: None, save: Save, clock: HandClock) -> Cancellation:
    """The order is to be given up as out of stock."""
    row = Cancellation(
        channel_id=1,
        order_id=1,
        oversell_id=1,
        state="proposed",
        reason="out_of_stock",
        reason_code="8",
        proposed_at=clock.now(),
    )
    await save(row)
    return row


async def test_a_message_is_drafted_and_a_person_says_that_it_went(
    admin: httpx.AsyncClient, proposed: Cancellation
) -> None:
    door = f"/cancellations/{proposed.id}/message"
    assert problem(await admin.get(door)) == (404, "not_found")

    drafted = (await admin.post(door, json={})).json()
    waiting = (await admin.get("/desk/messages")).json()
    assert problem(await admin.post(f"{door}/sent", json={"person": ""})) == (400, "bad_input")
    sent = (await admin.post(f"{door}/sent", json={"person": "mori"})).json()
    repaid = (await admin.post(f"{door}/repaid", json={"person": "sato"})).json()

    assert "赤いマグ" in drafted["body"]
    assert waiting["items"] == [drafted]
    assert (sent["sent_by"], sent["sent_at"]) == ("mori", "2026-11-21T12:00:00Z")
    assert repaid["repaid_by"] == "sato"
    assert (await admin.get("/desk/messages")).json()["items"] == []
    part = await admin.post(door, json={"extent": "part"})
    assert (part.status_code, part.json()["body"]) == (200, drafted["body"])


async def test_the_table_is_shown_with_its_sources(admin: httpx.AsyncClient) -> None:
    whole = (await admin.get("/desk/reasons")).json()
    yahoo = (await admin.get("/desk/reasons", params={"market": "yahoo"})).json()
    forbidden = (await admin.get("/desk/reasons", params={"asker": "shop_via_buyer"})).json()

    assert {row["market"] for row in whole["rows"]} == {
        *("rakuten", "yahoo", "amazon", "shopify", "eccube", "own_store"),
        *("au_pay", "qoo10", "mercari_shops"),
    }
    assert all(row["source"] for row in whole["rows"])
    assert [row for row in whole["rows"] if row["market"] == "yahoo"] == yahoo["rows"]
    assert [never["letter"] for never in whole["never"]] == list("abcdefg")
    assert {row["action"] for row in forbidden["rows"]} == {"forbidden"}
    assert problem(await admin.get("/desk/reasons", params={"market": "moon"})) == (
        400,
        "bad_input",
    )


@pytest.fixture
def told(settings: Settings, clock: HandClock, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> Any:
    """Run a command as a process would; what it printed."""
    monkeypatch.setattr("inventory.commands.common.settings_here", lambda: settings)
    monkeypatch.setattr("inventory.clock.Clock", lambda: clock)

    async def told(command: Any, **options: Any) -> str:
        await asyncio.to_thread(command, **options)
        return str(capsys.readouterr().out)

    return told


async def test_the_command_line_does_the_same(
    told: Any, proposed: Cancellation, database: Database
) -> None:
    text = await told(commands.message, cancellation=proposed.id, part=False)
    assert ("赤いマグ" in text, "※ " in text) == (True, True)
    listed = await told(commands.list_messages)
    assert listed.splitlines()[1].split() == [str(proposed.id), "rmart", "o-1", "-"]
    sent = json.loads(await told(commands.sent, cancellation=proposed.id, person="mori"))
    assert sent["sent_by"] == "mori"
    seen = json.loads(await told(commands.repaid, cancellation=proposed.id, person="mori"))
    assert seen["repaid_by"] == "mori"
    async with database.sessions() as session:
        assert (await messages.message(session, proposed.id)).sent_by == "mori"


async def test_a_wish_is_recorded_from_the_command_line(
    told: Any, enough: None, database: Database
) -> None:
    options = {"channel": "rmart", "order_ref": "o-1"}
    with pytest.raises(typer.BadParameter):
        await told(commands.buyer_asked, **options, **(TOLD | {"asked_at": "yesterday"}))
    row = json.loads(await told(commands.buyer_asked, **options, **TOLD))

    assert row["recorded_with"].startswith("command line, ")
    async with database.sessions() as session:
        assert (await buyer_requests.found(session, "rmart", "o-1")).recorded_by == "mori"


async def test_the_table_on_the_command_line(told: Any) -> None:
    text = await told(commands.reasons, market="qoo10", asker="", json_out=False)
    assert ("6 hours" in text, "(g) Refund outside" in text) == (True, True)
    whole = json.loads(await told(commands.reasons, market="", asker="", json_out=True))
    assert len(whole["rows"]) > 40
    with pytest.raises(typer.BadParameter):
        await told(commands.reasons, market="moon", asker="", json_out=False)
