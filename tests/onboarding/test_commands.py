"""The commands that connect a shop and take it over, as a person or a script calls them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from sqlalchemy import select
from typer.testing import CliRunner, Result

from channels.base import AuthExpired
from inventory.catalogue import NewSku, create_sku
from inventory.cli import app
from inventory.clock import Clock
from inventory.config import Settings
from inventory.db import Database
from inventory.errors import BadInput, WrongState
from inventory.models import Audit, Channel, HistoryReading, StockLevel
from inventory.security import Vault
from inventory.vocabulary import Danger, Expiry, ListingSeen, Standing
from tests.conftest import HandClock
from tests.factories import line, order_seen
from tests.onboarding.conftest import NEW, SECRET_KEY
from tests.onboarding.fake_shop import FakeShop

Hikiate = Callable[..., Any]


@pytest.fixture
def clock() -> HandClock:
    """The commands' own clock goes on, so that the shop's must be of today."""
    return HandClock(Clock().now())


@pytest.fixture
def hikiate(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Hikiate:
    """Runs a command in a thread of its own, as it makes a loop of its own."""
    monkeypatch.setenv("DATABASE_URL", settings.database_url)
    monkeypatch.setenv("REDIS_URL", settings.redis_url)
    monkeypatch.setenv("HIKIATE_SECRET_KEY", settings.secret_key)
    # A process of its own sends its logs elsewhere; here they would be those of all tests.
    monkeypatch.setattr("inventory.logs.setup", lambda _: None)

    async def hikiate(*arguments: str, typed: str | bytes | None = None) -> Result:
        def invoke() -> Result:
            return CliRunner().invoke(app, arguments, input=typed)

        return await asyncio.to_thread(invoke)

    return hikiate


async def channel(database: Database) -> Channel:
    """The shop as it is stored."""
    async with database.sessions() as session:
        found = await session.scalar(select(Channel).where(Channel.code == "shop"))
    assert found is not None
    return found


async def added(hikiate: Hikiate) -> None:
    """The shop is connected."""
    done = await hikiate("channel", "add", "--from-file", "-", typed=msgspec.json.encode(NEW))
    assert done.exit_code == 0, done.output


async def test_a_person_is_asked_and_secrets_are_typed_unseen(
    hikiate: Hikiate, shop: FakeShop, database: Database, clock: HandClock
) -> None:
    shop.says = Standing(
        account="my-shop",
        expiries=(Expiry(name="license key", ends_at=clock.now() + timedelta(days=20, hours=1)),),
        dangers=(Danger(code="overdraft", detail="orders above the stock are taken"),),
    )
    typed = ["rakuten", "shop", "https://api.rms.example", "window_hours=48", "colour=red", ""]
    typed += ["SP-secret-1", "SL-license-1"]

    done = await hikiate("channel", "add", typed="\n".join([*typed, ""]))

    assert done.exit_code == 0, done.output
    assert "SP-secret-1" not in done.output
    assert "colour is none of them" in done.output
    assert "the keys open the shop my-shop" in done.output
    assert "license key ends on" in done.output
    assert "in 20 days" in done.output
    assert "DANGER overdraft" in done.output
    held = await channel(database)
    assert (held.frozen, held.live_at, held.settings) == (True, None, {"window_hours": 48})
    assert Vault(SECRET_KEY).open(held.credentials or b"") == NEW.credentials


async def test_keys_that_do_not_work_connect_nothing(
    hikiate: Hikiate, shop: FakeShop, database: Database
) -> None:
    shop.errors = [AuthExpired("the key is refused")]
    body = msgspec.json.encode(NEW)

    done = await hikiate("channel", "add", "--from-file", "-", typed=body)

    assert isinstance(done.exception, BadInput)
    assert "auth_expired: the key is refused" in str(done.exception)
    async with database.sessions() as session:
        assert await session.scalar(select(Channel.id).where(Channel.code == "shop")) is None
    shop.errors = [AuthExpired("the key is refused")]
    assert (
        await hikiate("channel", "add", "--from-file", "-", "--unchecked", typed=body)
    ).exit_code == 0


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (b"{", "truncated"),
        (b'{"code": "shop", "kind": "ebay"}', "Invalid enum value 'ebay'"),
        (b"x" * 100_001, "at most 100000 bytes"),
        (msgspec.json.encode({**msgspec.to_builtins(NEW), "credentials": {}}), "service_secret"),
    ],
)
async def test_what_cannot_connect_a_shop_is_refused(
    hikiate: Hikiate, shop: FakeShop, tmp_path: Path, body: bytes, problem: str
) -> None:
    file = tmp_path / "shop.json"
    file.write_bytes(body)

    done = await hikiate("channel", "add", "--from-file", str(file))

    assert isinstance(done.exception, BadInput)
    assert problem in str(done.exception)
    assert shop.means is None


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


async def test_a_running_shop_is_taken_over(
    hikiate: Hikiate, shop: FakeShop, database: Database, clock: HandClock, tmp_path: Path
) -> None:
    await added(hikiate)
    async with database.transaction() as session:
        await create_sku(session, NewSku(code="MUG"), by="mori", now=clock.now())
    shop.listings = [
        ListingSeen(channel_sku="mug-1/red", codes=("mug",), quantity=7),
        ListingSeen(channel_sku="pen", codes=("PEN",)),
    ]
    assert "2 listings" in (await hikiate("channel", "discover", "shop")).output
    done = await hikiate("channel", "match", "shop")
    assert "1 matched, 1 unmatched" in done.output
    assert "listings made" not in done.output
    done = await hikiate("channel", "match", "shop", "--apply")
    assert "1 listings made, 0 changed, 0 events" in done.output

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
    assert "1 open orders are in: 1 orders hold 3 units" in done.output
    assert "2 1 rows: 1 new, 0 changed" in done.output
    assert "3 past orders since" in done.output
    async with database.sessions() as session:
        [level] = await session.scalars(select(StockLevel))
        # Seven are shown there, and three of the shelf are promised already.
        assert (level.on_hand, level.reserved) == (10, 3)
        assert (await session.scalars(select(HistoryReading.state))).all() == ["reading"]
    done = await hikiate("channel", "shadow", "shop")
    assert "1 listings" in done.output
    assert "1 discovered ones are not mapped" in done.output

    assert (await hikiate("channel", "go", "shop")).exit_code == 0
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


async def test_files_go_in_and_out(
    hikiate: Hikiate, shop: FakeShop, tmp_path: Path, database: Database
) -> None:
    await added(hikiate)
    listings, stock, out = (tmp_path / name for name in ("l.csv", "s.csv", "o.csv"))
    listings.write_text(
        "code,sub-code,name\r\nmug,red,マグ\r\n,x,\r\n", encoding="cp932", newline=""
    )
    stock.write_text("sku,on_hand\nMUG-RED,12\n")
    arguments = ("import", "listings", str(listings), "--channel", "shop", "--format", "yahoo")

    done = await hikiate(*arguments, "--create-skus", "--column", "sku=sub-code")
    assert done.exit_code == 1
    assert "BAD line 3, column code: the channel's name of the listing is missing" in done.output
    assert "nothing went in: 1 of 2 rows cannot be used" in done.output
    done = await hikiate(*arguments, "--create-skus", "--bad-rows", "skip", "--json")
    assert done.exit_code == 1
    told = json.loads(done.stdout)
    assert (told["created"], told["skus_created"], told["bad"][0]["line"]) == (1, 1, 3)
    done = await hikiate("import", "stock", str(stock), "--counted-at", "2026-11-20T18:00")
    assert "there is no such SKU, found 'MUG-RED'" in done.output
    done = await hikiate("import", "stock", str(stock), "--create-skus")
    assert (done.exit_code, "1 rows: 1 new" in done.output) == (0, True)

    done = await hikiate("export", "stock", "--out", str(out))
    assert done.exit_code == 0
    assert out.read_bytes().decode("utf-8-sig").splitlines()[1] == "MUG-RED,main,12,12"
    await hikiate("export", "listings", "--channel", "shop", "--out", str(out), "--format", "yahoo")
    assert out.read_bytes().decode("cp932").splitlines()[1].startswith("mug,red,")
    for wrong in (("--column", "sku"), ("--bad-rows", "perhaps")):
        assert (await hikiate(*arguments, *wrong)).exit_code == 2
