"""`hikiate channel add`: what is asked for, what is refused, and when."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import msgspec
import pytest
from sqlalchemy import select

from channels.base import AuthExpired, BadAnswer, RetryLater
from inventory.clock import Clock
from inventory.db import Database
from inventory.errors import BadInput
from inventory.models import Channel
from inventory.security import Vault
from inventory.vocabulary import Danger, Expiry, Standing
from tests.conftest import HandClock
from tests.onboarding.conftest import NEW, SECRET_KEY, Hikiate, added, channel
from tests.onboarding.fake_shop import FakeShop


@pytest.fixture
def clock() -> HandClock:
    """The commands' own clock goes on, so that the shop's must be of today."""
    return HandClock(Clock().now())


async def test_a_person_is_asked_and_secrets_are_typed_unseen(
    hikiate: Hikiate, shop: FakeShop, database: Database, clock: HandClock
) -> None:
    shop.says = Standing(
        account="my-shop",
        expiries=(Expiry(name="license key", ends_at=clock.now() + timedelta(days=20, hours=1)),),
        dangers=(Danger(code="overdraft", detail="orders above the stock are taken"),),
    )
    # What cannot be used is asked for again at once, and the rest stays.
    typed = ["ebay", "rakuten", "My Shop", "shop", "rms", "https://api.rms.example"]
    typed += ["window_hours=48", "colour=red", "orders_api", "orders_api=all", ""]
    typed += ["@/no/such/file", "SP-secret-1", "SL-license-1"]

    done = await hikiate("channel", "add", typed="\n".join([*typed, ""]))

    assert done.exit_code == 0, done.output
    assert "SP-secret-1" not in done.output
    assert "the kind must be one of amazon, eccube, rakuten" in done.output
    assert "the code 'My Shop' cannot be used. Up to 50 lower-case letters" in done.output
    assert "must be an http or https address" in done.output
    assert "  order_version=7\n" in done.output
    assert "colour is none of them" in done.output
    assert "write it as orders_api=value" in done.output
    assert "orders_api: Invalid enum value 'all'" in done.output
    assert "/no/such/file cannot be read: No such file" in done.output
    assert "the keys open the shop my-shop" in done.output
    assert "license key ends on" in done.output
    assert "in 20 days" in done.output
    assert "DANGER overdraft" in done.output
    held = await channel(database)
    assert (held.frozen, held.live_at, held.settings) == (True, None, {"window_hours": 48})
    assert Vault(SECRET_KEY).open(held.credentials or b"") == NEW.credentials


async def test_a_code_that_is_taken_is_refused_before_a_key_is_used(
    hikiate: Hikiate, shop: FakeShop
) -> None:
    await added(hikiate)
    shop.means = None

    asked = await hikiate("channel", "add", "--kind", "rakuten", "--code", "shop", typed="")
    told = await hikiate("channel", "add", "--from-file", "-", typed=msgspec.json.encode(NEW))

    # A refresh token that works once would be gone.
    for done in (asked, told):
        assert "'shop' is there already: take another code" in str(done.exception)
    assert "Address" not in asked.output
    assert shop.means is None


async def test_nothing_is_asked_where_no_house_runs(
    hikiate: Hikiate, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("DATABASE_URL")
    monkeypatch.setenv("HIKIATE_DATA_DIR", str(tmp_path))

    done = await hikiate("channel", "add", typed="rakuten\n")

    assert "no house runs in this folder" in str(done.exception)
    assert "Kind" not in done.output


async def test_an_own_store_is_live_and_is_not_asked(hikiate: Hikiate) -> None:
    done = await hikiate("channel", "add", "--kind", "own_store", "--code", "web")

    assert done.exit_code == 0
    assert "web (own_store) is connected, and live: it asks us" in done.output
    assert "discover" not in done.output
    assert "hikiate key create web --scope orders:write --scope stock:read" in done.output
    for command in ("discover", "match", "shadow", "check", "cutover", "history"):
        refused = await hikiate("channel", command, "web")
        assert "it asks us, and cannot be asked" in str(refused.exception), command
    listed = await hikiate("channel", "list")
    assert listed.output.splitlines()[1].split()[:5] == ["web", "own_store", "live", "never", "-"]


async def test_the_same_account_twice_is_a_danger(hikiate: Hikiate, shop: FakeShop) -> None:
    shop.says = Standing(account="my-shop")
    await added(hikiate)
    body = msgspec.json.encode(msgspec.structs.replace(NEW, code="shop-2"))

    done = await hikiate("channel", "add", "--from-file", "-", typed=body)

    assert "DANGER same_account: shop is the same account" in done.output


async def test_a_store_is_asked_for_dates_in_the_open_and_for_a_key_by_file(
    hikiate: Hikiate, database: Database, tmp_path: Path
) -> None:
    file = tmp_path / "key.pem"
    file.write_bytes(b"\xff\xfe")
    typed = ["shop", "", "12345", "", "dj0-id", "hidden-1", "hidden-2"]
    typed += ["yesterday", "2026-11-01T09:00:00+09:00", f"@{file}", "", "", ""]

    arguments = ("channel", "add", "--kind", "yahoo", "--unchecked")
    done = await hikiate(*arguments, typed="\n".join([*typed, ""]))

    assert done.exit_code == 0, done.output
    # An account of digits is a text all the same.
    assert (await channel(database)).settings == {"seller_id": "12345"}
    assert "Address of its API [https://circus.shopping.yahooapis.jp]" in done.output
    assert "consented_at: Invalid RFC3339 encoded datetime" in done.output
    assert "consented_at (may be empty): 2026-11-01T09:00:00+09:00" in done.output
    assert "public_key_pem (may be empty), @FILE reads it from a file" in done.output
    assert "public_key_pem: the file is no text" in done.output
    assert "hidden" not in done.output


async def test_a_shop_that_cannot_be_reached_is_told_with_its_address(
    hikiate: Hikiate, shop: FakeShop
) -> None:
    shop.errors = [RetryLater("no connection")]
    body = msgspec.json.encode(NEW)

    done = await hikiate("channel", "add", "--from-file", "-", typed=body)

    assert "look at the address https://api.rms.example, or try again later" in str(done.exception)
    body = msgspec.json.encode(msgspec.structs.replace(NEW, base_url=""))
    done = await hikiate("channel", "add", "--from-file", "-", "--unchecked", typed=body)
    assert "base_url is missing" in str(done.exception)


async def test_a_token_that_may_be_used_up_is_told(
    hikiate: Hikiate, shop: FakeShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def standing() -> Standing:
        await shop.means.keep.put("tokens", "the next one")
        raise BadAnswer("a page for people")

    monkeypatch.setattr(shop, "standing", standing)

    done = await hikiate("channel", "add", "--from-file", "-", typed=msgspec.json.encode(NEW))

    said = str(done.exception)
    assert "bad_answer: a page for people; is https://api.rms.example the address" in said
    assert "a token that works once may be used up now" in said
    assert "the next one" not in said


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
        (b"\xef\xbb\xbf\n", "JSON in UTF-8"),
        (b"", "nothing was given"),
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
