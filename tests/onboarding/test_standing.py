"""A shop is asked whose keys these are before it is connected, and again while it runs."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select

from channels.base import AuthExpired, RetryLater
from channels.keep import MemoryKeep
from inventory import health, onboarding
from inventory.health import Finding
from inventory.models import Channel
from inventory.onboarding import Kept
from inventory.vocabulary import Danger, Expiry, Standing
from tests.conftest import HandClock
from tests.factories import NOON
from tests.onboarding.conftest import NEW, Connect
from tests.onboarding.fake_shop import FakeShop
from workers import onboarding as asking
from workers.keep import DatabaseKeep
from workers.runtime import Runtime

KEY = "license key"
DANGER = Danger(code="overdraft", detail="orders above the stock are taken")


async def expiring(runtime: Runtime) -> list[Finding]:
    """What health finds of keys that end."""
    async with runtime.database.sessions() as session:
        found = await health.findings(session, runtime.settings, runtime.clock.now())
    return [each for each in found if each.what.startswith("expiry_")]


async def test_credentials_are_tried_before_the_shop_is_connected(
    runtime: Runtime, shop: FakeShop
) -> None:
    shop.says = Standing(account="my-shop", dangers=(DANGER,))

    found = await asking.try_credentials(NEW, runtime.redis, MemoryKeep())

    assert found == shop.says
    shop.errors = [AuthExpired("the key is refused")]
    with pytest.raises(AuthExpired):
        await asking.try_credentials(NEW, runtime.redis, MemoryKeep())
    async with runtime.database.sessions() as session:
        assert not list(await session.scalars(select(Channel.id).where(Channel.code == "shop")))


async def test_what_the_shop_handed_out_meanwhile_is_kept_for_its_channel(
    runtime: Runtime, shop: FakeShop, connect: Connect
) -> None:
    shop.keeps = {"refresh token": "newer"}
    keep = MemoryKeep()
    await asking.try_credentials(NEW, runtime.redis, keep)
    channel = await connect()

    await asking.hand_over(runtime, channel.id, keep)

    lasting = DatabaseKeep(runtime.database, runtime.vault, runtime.clock, channel_id=channel.id)
    assert await lasting.get("refresh token") == "newer"


async def test_a_check_is_kept_and_a_failed_one_takes_nothing_away(
    runtime: Runtime, shop: FakeShop, connect: Connect, clock: HandClock
) -> None:
    channel = await connect()
    expiry = Expiry(name=KEY, ends_at=NOON + timedelta(days=60))
    shop.says = Standing(account="my-shop", expiries=(expiry,), dangers=(DANGER,))

    kept = await asking.check(runtime, channel.id)

    assert kept == Kept(account="my-shop", expiries=(expiry,), dangers=(DANGER,))
    async with runtime.database.sessions() as session:
        assert await onboarding.unasked(session, clock.now()) == []
    clock.moment += timedelta(hours=7)
    async with runtime.database.sessions() as session:
        assert await onboarding.unasked(session, clock.now()) == [channel.id]
    shop.errors = [RetryLater("down")]

    assert await asking.work(runtime, channel.id) == 1

    async with runtime.database.sessions() as session:
        held = await session.get_one(Channel, channel.id)
        after = onboarding.kept_of(held.standing)
        assert (after.account, after.expiries) == ("my-shop", (expiry,))
        assert after.failure == "retry_later: down"
        assert held.standing_at == clock.now()


@pytest.mark.parametrize(
    ("days", "what", "warning"),
    [
        (14.1, None, None),
        (14, "expiry_near", True),
        (7.1, "expiry_near", True),
        (7, "expiry_close", True),
        (3.1, "expiry_close", True),
        (3, "expiry_urgent", False),
        (-1, "expiry_urgent", False),
    ],
)
async def test_health_warns_before_a_key_ends(
    runtime: Runtime,
    shop: FakeShop,
    connect: Connect,
    days: float,
    what: str | None,
    warning: bool | None,
) -> None:
    channel = await connect()
    later = Expiry(name="consent", ends_at=NOON + timedelta(days=300))
    ends = Expiry(name=KEY, ends_at=NOON + timedelta(days=days))
    shop.says = Standing(expiries=(later, ends))
    await asking.check(runtime, channel.id)

    found = await expiring(runtime)

    told = [(each.what, each.channel, each.warning) for each in found]
    assert told == ([] if what is None else [(what, "shop", warning)])
    word = "ends on" if days > 0 else "ended on"
    assert all(each.detail.startswith(f"{KEY} {word} 20") for each in found)
