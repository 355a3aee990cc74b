"""`hikiate status`: what a person sees of the house at a glance."""

from __future__ import annotations

import json
from datetime import timedelta

from sqlalchemy import text

from inventory.clock import Clock
from inventory.commands.status import age
from inventory.config import Settings
from inventory.db import Database
from tests.onboarding.conftest import Hikiate, added
from tests.onboarding.fake_shop import FakeShop


async def test_an_empty_house_says_what_to_do_first(hikiate: Hikiate) -> None:
    done = await hikiate("status")
    assert (done.exit_code, "hikiate channel add" in done.output) == (0, True)
    assert "oversell cases 0" in done.output


async def test_a_shop_is_a_row_and_what_is_late_has_an_exit_code(
    hikiate: Hikiate, shop: FakeShop, database: Database
) -> None:
    await added(hikiate)
    done = await hikiate("status")
    [row] = [line for line in done.output.splitlines() if line.startswith("shop ")][1:]
    assert ("rakuten" in row, "not yet live" in row, "None" in done.output) == (True, True, False)

    failing = "UPDATE channel SET live_at = now(), frozen = false, pulled_at = :at, watermark = :at"
    more = ", failing_since = :at, failure = 'retry_later: [503]' WHERE code = 'shop'"
    async with database.transaction() as session:
        at = Clock().now() - timedelta(hours=3)
        await session.execute(text(failing + more), {"at": at})
    done = await hikiate("status")
    assert done.exit_code == 1
    assert "3 h ago" in done.output
    assert "shop fails since 3 h: retry_later: [503]" in done.output
    assert "LATE" in done.output
    said = json.loads((await hikiate("status", "--json")).stdout)
    assert said["status"]["channels"][0]["channel"] == "shop"
    assert "shop" in {found["channel"] for found in said["late"]}


def test_an_age_is_told_in_the_largest_unit_that_fits(settings: Settings) -> None:
    now = Clock().now()
    ages = {None: "-", 0: "0 s", 119: "119 s", 120: "2 min", 7200: "2 h", 200_000: "2 d"}
    found = [age(None if s is None else now - timedelta(seconds=s), now) for s in ages]
    assert found == list(ages.values())
