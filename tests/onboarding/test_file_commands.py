"""The commands that read and write files, and what they say."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from sqlalchemy import select

from inventory.clock import Clock
from inventory.db import Database
from inventory.models import Sku, StockMovement
from tests.conftest import HandClock
from tests.onboarding.conftest import Hikiate, added
from tests.onboarding.fake_shop import FakeShop


@pytest.fixture
def clock() -> HandClock:
    """The commands' own clock goes on, so that the shop's must be of today."""
    return HandClock(Clock().now())


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
    assert "--create-skus adds SKUs that are not there" in done.output
    done = await hikiate("import", "stock", str(stock), "--create-skus")
    assert (done.exit_code, "1 rows: 1 counted for the first time" in done.output) == (0, True)

    done = await hikiate("export", "stock", "--out", str(out))
    assert done.exit_code == 0
    assert out.read_bytes().decode("utf-8-sig").splitlines()[1] == "MUG-RED,main,12,12"
    await hikiate("export", "listings", "--channel", "shop", "--out", str(out), "--format", "yahoo")
    assert out.read_bytes().decode("cp932").splitlines()[1].startswith("mug,red,")
    for wrong in (("--column", "sku"), ("--bad-rows", "perhaps")):
        assert (await hikiate(*arguments, *wrong)).exit_code == 2
    done = await hikiate(*arguments, "--column", "sku=Nummer")
    assert "there is no column Nummer" in str(done.exception)


async def test_a_count_that_is_still_to_come_is_refused_at_once(
    hikiate: Hikiate, shop: FakeShop, database: Database, tmp_path: Path
) -> None:
    await added(hikiate)
    file = tmp_path / "stock.csv"
    file.write_text("sku,on_hand\nMUG,12\n")
    given = (str(file), "--counted-at", "2099-01-01T00:00")

    done = await hikiate("import", "stock", *given, "--create-skus")
    taken = await hikiate("channel", "cutover", "shop", "--stock", *given)

    for each in (done, taken):
        assert "2099-01-01T00:00" in str(each.exception)
        assert "is still to come" in str(each.exception)
    async with database.sessions() as session:
        assert not list(await session.scalars(select(Sku.code)))
    assert shop.pulls_until_complete == 1


async def test_the_same_count_told_again_is_told_before(
    hikiate: Hikiate, database: Database, tmp_path: Path
) -> None:
    file = tmp_path / "stock.csv"
    file.write_text("sku,on_hand\nMUG,12\n")
    arguments = ("import", "stock", str(file), "--counted-at", "2026-11-20T18:00")
    await hikiate(*arguments, "--create-skus")

    done = await hikiate(*arguments)

    assert "0 counted for the first time, 0 counted anew, 1 told before" in done.output
    async with database.sessions() as session:
        assert len(list(await session.scalars(select(StockMovement)))) == 1


async def test_an_import_that_is_broken_off_says_how_to_go_on(
    hikiate: Hikiate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "stock.csv"
    file.write_text("sku,on_hand\nMUG,12\n")

    def broken_off(_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("inventory.commands.exchange.run", broken_off)
    done = await hikiate("import", "stock", str(file), "--counted-at", "2026-11-20T18:00")

    assert done.exit_code != 0
    assert "what went in stays" in done.output
    assert "--counted-at 2026-11-20T18:00:00" in done.output


async def test_an_export_that_fails_leaves_nothing(
    hikiate: Hikiate, shop: FakeShop, tmp_path: Path
) -> None:
    out = tmp_path / "out.csv"
    for wrong in (tmp_path, tmp_path / "nowhere" / "out.csv"):
        done = await hikiate("export", "stock", "--out", str(wrong))
        assert "a file in a folder that is there is wanted" in str(done.exception)

    done = await hikiate("export", "listings", "--channel", "nobody", "--out", str(out))

    assert "no channel 'nobody'" in str(done.exception)
    assert list(tmp_path.iterdir()) == []
