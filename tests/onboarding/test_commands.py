"""The commands that take a running shop over, as a person or a script calls them."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from channels.base import AuthExpired
from inventory.catalogue import NewSku, create_sku
from inventory.clock import Clock
from inventory.db import Database
from inventory.errors import WrongState
from inventory.models import Audit, HistoryReading, StockLevel
from inventory.vocabulary import Expiry, ListingSeen, Standing
from tests.conftest import HandClock
from tests.factories import line, order_seen
from tests.onboarding.conftest import Hikiate, added, channel
from tests.onboarding.fake_shop import FakeShop


@pytest.fixture
def clock() -> HandClock:
    """The commands' own clock goes on, so that the shop's must be of today."""
    return HandClock(Clock().now())


async def test_list_and_check_show_what_the_shop_says(
    hikiate: Hikiate, shop: FakeShop, clock: HandClock
) -> None:
    await added(hikiate)
    shop.says = Standing(expiries=(Expiry(name="key", ends_at=clock.now() + timedelta(days=2)),))

    done = await hikiate("channel", "check", "shop")
    assert (done.exit_code, "key ends on" in done.output) == (0, True)
    shop.errors = [AuthExpired("refused")]
    done = await hikiate("channel", "check", "shop", "--json")
    assert (done.exit_code, json.loads(done.stdout.splitlines()[-1])["standing"]["failure"]) == (
        1,
        "auth_expired: refused",
    )
    done = await hikiate("channel", "list")
    assert [cell for cell in ("shop", "rakuten", "shadow", "refused") if cell in done.output]
    [row] = json.loads((await hikiate("channel", "list", "--json")).stdout)
    assert row["channel"]["live_at"] is None
    assert "SP-secret" not in json.dumps(row)


async def test_what_the_shop_refuses_is_said_in_one_line(hikiate: Hikiate, shop: FakeShop) -> None:
    await added(hikiate)
    shop.errors = [AuthExpired("the key is refused")]

    done = await hikiate("channel", "discover", "shop")

    assert (done.exit_code, done.output) == (
        1,
        "hikiate: the shop: auth_expired: the key is refused\n",
    )


async def test_a_running_shop_is_taken_over(
    hikiate: Hikiate, shop: FakeShop, database: Database, clock: HandClock, tmp_path: Path
) -> None:
    await added(hikiate)
    async with database.transaction() as session:
        await create_sku(session, NewSku(code="MUG"), by="mori", now=clock.now())
    shop.listings = [
        ListingSeen(channel_sku="mug-1/red", codes=("mug",), quantity=7),
        ListingSeen(channel_sku="pen", codes=("PEN",), quantity=0),
    ]
    assert "2 listings" in (await hikiate("channel", "discover", "shop")).output
    done = await hikiate("channel", "match", "shop")
    assert "1 matched, 1 unmatched" in done.output
    assert "listings made" not in done.output
    rows = [line.split() for line in done.output.splitlines()]
    assert ["mug-1/red", "matched", "MUG", "mug", "7"] in rows
    # Sold out is a number.
    assert ["pen", "unmatched", "-", "-", "0"] in rows
    assert "hikiate channel match shop --apply" in done.output
    done = await hikiate("channel", "match", "shop", "--pick", "pen=MUG")
    assert (done.exit_code, "used with --apply" in done.output) == (2, True)
    done = await hikiate("channel", "match", "shop", "--apply")
    assert "1 listings made, 0 changed, 0 events" in done.output
    assert "hikiate channel match shop --apply --pick LISTING=SKU" in done.output

    opened = clock.now() - timedelta(days=3)
    shop.open_orders = [
        order_seen(ordered_at=opened, observed_at=opened, lines=(line("mug-1/red", 3),))
    ]
    shop.pulls_until_complete = 2
    file = tmp_path / "normal-item.csv"
    file.write_text(
        "商品管理番号（商品URL）,SKU管理番号,在庫数\r\nMUG-1,red,7\r\n",
        encoding="cp932",
        newline="",
    )
    arguments = ("channel", "cutover", "shop", "--stock", str(file), "--format", "rakuten")
    done = await hikiate(*arguments)

    assert done.exit_code == 0, done.output
    assert "1. open orders are in: 1, which hold 3 units" in done.output
    assert "2. 1 rows: 1 counted for the first time, 0 counted anew" in done.output
    assert "3. past orders since" in done.output
    assert "reading\n" in done.output
    async with database.sessions() as session:
        [level] = await session.scalars(select(StockLevel))
        # Seven are shown there, and three of the shelf are promised already.
        assert (level.on_hand, level.reserved) == (10, 3)
        assert (await session.scalars(select(HistoryReading.state))).all() == ["reading"]
    done = await hikiate("channel", "shadow", "shop")
    assert "1 listings" in done.output
    assert "1 discovered ones are not mapped" in done.output

    done = await hikiate("channel", "go", "shop")
    assert done.exit_code == 0
    assert "1 listings: 0 agree" in done.output
    assert "1 discovered ones are not mapped" in done.output
    assert isinstance((await hikiate("channel", "go", "shop")).exception, WrongState)
    held = await channel(database)
    assert held.live_at is not None
    async with database.sessions() as session:
        actions = list(await session.scalars(select(Audit.action).order_by(Audit.id)))
    assert actions[-2:] == ["stock.imported", "channel.live"]


async def test_a_cutover_waits_for_the_open_orders(
    hikiate: Hikiate, shop: FakeShop, database: Database, tmp_path: Path
) -> None:
    await added(hikiate)
    shop.errors = [AuthExpired("the key is refused")] * 9
    file = tmp_path / "stock.csv"
    file.write_text("sku,on_hand\nMUG,1\n")

    done = await hikiate("channel", "cutover", "shop", "--stock", str(file), "--seconds", "1")

    assert "open orders are not complete after 1 s: auth_expired" in str(done.exception)
    async with database.sessions() as session:
        assert not list(await session.scalars(select(StockLevel)))
