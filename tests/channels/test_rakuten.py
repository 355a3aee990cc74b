"""The Rakuten adapter against the sandbox's Rakuten, over real HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from redis.asyncio import Redis

from channels.base import (
    Adapter,
    AuthExpired,
    BadAnswer,
    OutcomeUnknown,
    Pulled,
    Rejected,
    RetryLater,
    Throttled,
)
from channels.rakuten.adapter import RakutenCredentials, RakutenSettings, build
from inventory.vocabulary import (
    CancelRequest,
    CancelState,
    OrderSeen,
    Party,
    PushOutcome,
    PushStatus,
    QuantityPush,
    Reading,
    Reason,
)
from tests.channels.sandbox_process import SandboxProcess

KIND = "rakuten"
MUG, TEE, CAP = "mug/blue", "tee-001/M", "cap/x"
ACCEPTED, REFUSED, UNKNOWN = PushStatus.ACCEPTED, PushStatus.REFUSED, PushStatus.UNKNOWN


class Shop:
    """A sandbox, its adapter, and what a puller would remember between pulls."""

    def __init__(self, sandbox: SandboxProcess, redis: Redis, **settings: Any) -> None:
        self.sandbox, self.redis = sandbox, redis
        sandbox.list_items(KIND, {MUG: 5, TEE: 3, CAP: 9})
        self.adapter = self.connect(**settings)
        self.cursor: dict[str, Any] = {}
        self.seen: dict[str, str] = {}

    def connect(self, *, key: str | None = None, **settings: Any) -> Adapter:
        """Another adapter of the same shop."""
        access = self.sandbox.access(KIND)
        credentials = access["credentials"] | ({"license_key": key} if key else {})
        return build(
            channel_id=1,
            base_url=access["base_url"],
            settings=RakutenSettings(**settings),
            credentials=msgspec.convert(credentials, RakutenCredentials),
            redis=self.redis,
        )

    async def pull(self) -> Pulled:
        """One pull as the puller makes it: through JSON, with hints stored."""
        pulled = await self.adapter.pull_orders(self.cursor, seen=self.seen)
        self.cursor = msgspec.json.decode(msgspec.json.encode(pulled.cursor))
        self.seen |= {order.order_ref: order.hint for order in pulled.orders}
        return pulled

    async def push(self, **quantities: int) -> list[PushOutcome]:
        """Push numbers; names are MUG, TEE and CAP."""
        skus = {"MUG": MUG, "TEE": TEE, "CAP": CAP}
        return await self.adapter.push_quantities(
            [
                QuantityPush(channel_sku=skus.get(sku, sku), quantity=n, change=None, key="k")
                for sku, n in quantities.items()
            ]
        )

    async def order_visible(self, **lines: int) -> str:
        """A shopper buys, a while ago by the sandbox's clock, so that the order shows at once."""
        skus = {"MUG": MUG, "TEE": TEE, "CAP": CAP}
        return self.sandbox.buy(KIND, {skus[sku]: n for sku, n in lines.items()})


@pytest.fixture
async def shop(start_sandbox: Callable[..., SandboxProcess], redis: Redis) -> AsyncIterator[Shop]:
    shop = Shop(start_sandbox(rakuten={"visible_after_s": 0}), redis)
    await shop.adapter.budgets.fill()
    yield shop
    await shop.adapter.aclose()


async def test_push_writes_and_read_back_shows(shop: Shop) -> None:
    outcomes = await shop.push(MUG=12, TEE=0)

    assert outcomes == [
        PushOutcome(channel_sku=MUG, status=ACCEPTED),
        PushOutcome(channel_sku=TEE, status=ACCEPTED),
    ]
    assert shop.sandbox.displayed(KIND) == {MUG: 12, TEE: 0, CAP: 9}
    assert await shop.adapter.read_stock([TEE, "none/x", MUG, "nonsense"]) == [
        Reading(channel_sku=TEE, quantity=0),
        Reading(channel_sku="none/x", quantity=None),
        Reading(channel_sku=MUG, quantity=12),
        Reading(channel_sku="nonsense", quantity=None),
    ]


async def test_what_cannot_be_sent_is_refused_and_the_rest_goes(shop: Shop) -> None:
    pushes = [("nonsense", 1), (MUG, 100_000), (TEE, -1), (CAP, 4)]
    outcomes = await shop.adapter.push_quantities(
        [QuantityPush(channel_sku=s, quantity=n, change=None, key="k") for s, n in pushes]
    )
    assert [(o.status, o.detail) for o in outcomes] == [
        (REFUSED, "channel_sku"),
        (REFUSED, "quantity"),
        (REFUSED, "quantity"),
        (ACCEPTED, ""),
    ]
    assert shop.sandbox.displayed(KIND) == {MUG: 5, TEE: 3, CAP: 4}


@pytest.mark.parametrize("bulk_atomic", [True, False])
async def test_a_row_that_rakuten_names_is_refused_and_the_others_sent_again(
    start_sandbox: Callable[..., SandboxProcess], redis: Redis, bulk_atomic: bool
) -> None:
    shop = Shop(start_sandbox(rakuten={"bulk_atomic": bulk_atomic}), redis)
    await shop.adapter.budgets.fill()
    # The same SKU in two spellings: Rakuten folds the first part to lower case (IE1102).
    pushes = [(MUG, 8), ("MUG/blue", 7), (TEE, 1)]
    outcomes = await shop.adapter.push_quantities(
        [QuantityPush(channel_sku=s, quantity=n, change=None, key="k") for s, n in pushes]
    )
    assert [(o.channel_sku, o.status, o.code) for o in outcomes] == [
        (MUG, ACCEPTED, ""),
        ("MUG/blue", REFUSED, "IE1102"),
        (TEE, ACCEPTED, ""),
    ]
    assert shop.sandbox.displayed(KIND) == {MUG: 8, TEE: 1, CAP: 9}
    assert shop.sandbox.books(KIND)["calls"]["bulk-upsert"]["used"] == 2
    await shop.adapter.aclose()


async def test_a_refusal_that_names_no_row_leaves_all_unknown(
    start_sandbox: Callable[..., SandboxProcess], redis: Redis
) -> None:
    shop = Shop(start_sandbox(rakuten={"names_rows": False}), redis)
    pushes = [(MUG, 8), ("MUG/blue", 7)]
    outcomes = await shop.adapter.push_quantities(
        [QuantityPush(channel_sku=s, quantity=n, change=None, key="k") for s, n in pushes]
    )
    assert [(o.status, o.code) for o in outcomes] == [(UNKNOWN, "IE1102")] * 2
    assert shop.sandbox.books(KIND)["calls"]["bulk-upsert"]["used"] == 1
    await shop.adapter.aclose()


@pytest.mark.parametrize(
    ("fault", "error", "mugs"),
    [
        ("timeout_after_apply", OutcomeUnknown, 12),
        ("garbage", OutcomeUnknown, 12),
        ("error_rate", RetryLater, 5),
        ("throttle_rate", Throttled, 5),
        ("auth_expired", AuthExpired, 5),
    ],
)
async def test_a_push_that_goes_wrong_says_what_is_known(
    shop: Shop, fault: str, error: type[Exception], mugs: int
) -> None:
    shop.sandbox.break_with(KIND, **{fault: True})
    with pytest.raises(error) as caught:
        await shop.push(MUG=12)
    assert type(caught.value) is error
    assert shop.sandbox.displayed(KIND)[MUG] == mugs


async def test_a_429_empties_the_budget(shop: Shop) -> None:
    shop.sandbox.break_with(KIND, throttle_rate={"value": 1, "calls": 1})
    with pytest.raises(Throttled):
        await shop.push(MUG=12)
    assert await shop.adapter.budgets.level("rakuten.bulk_upsert") <= 0
    [outcome] = await shop.push(MUG=12)
    assert outcome.status is ACCEPTED
    assert shop.sandbox.books(KIND)["calls"]["bulk-upsert"]["refused"] == 0


async def test_a_wrong_key_is_for_a_person_and_not_shown(shop: Shop) -> None:
    stranger = shop.connect(key="SLguessed")
    with pytest.raises(AuthExpired) as caught:
        await stranger.read_order("1")
    assert "SLguessed" not in str(caught.value)
    assert "SLguessed" not in repr(RakutenCredentials(service_secret="a", license_key="SLguessed"))
    await stranger.aclose()


async def test_pull_brings_new_orders_once(shop: Shop) -> None:
    before = datetime.now(UTC)
    ref = await shop.order_visible(MUG=2, TEE=1)
    first = await shop.pull()

    [order] = first.orders
    assert order.order_ref == ref
    assert [(line.channel_sku, line.quantity) for line in order.lines] == [(MUG, 2), (TEE, 1)]
    book = shop.sandbox.order(KIND, ref)
    assert [line.line_ref for line in order.lines] == [row["line_ref"] for row in book["lines"]]
    assert before - timedelta(seconds=3) < first.watermark < datetime.now(UTC)
    assert order.observed_at >= first.watermark + timedelta(seconds=2)

    second = await shop.pull()
    assert second.orders == ()
    assert second.watermark > first.watermark


async def test_pull_notices_orders_shipped_and_cancelled(shop: Shop) -> None:
    shipped, cancelled, kept = [await shop.order_visible(CAP=1) for _ in range(3)]
    await shop.pull()
    shop.sandbox.act(KIND, shipped, "ship")
    shop.sandbox.act(KIND, cancelled, "buyer-cancel")

    changed: dict[str, OrderSeen] = {}
    for _ in range(3):  # the live list is searched in every third pull
        changed |= {order.order_ref: order for order in (await shop.pull()).orders}
    assert set(changed) - {kept} == {shipped, cancelled}
    assert changed[shipped].lines[0].shipped == 1
    assert changed[shipped].cancelled is False
    assert (changed[cancelled].cancelled, changed[cancelled].cancelled_by) == (True, Party.BUYER)
    assert changed[cancelled].lines[0].cancelled == 1


async def test_an_order_shipped_between_two_pulls_is_not_missed(shop: Shop) -> None:
    await shop.pull()
    ref = await shop.order_visible(MUG=1)
    shop.sandbox.act(KIND, ref, "ship")
    [order] = (await shop.pull()).orders
    assert (order.order_ref, order.lines[0].shipped) == (ref, 1)


async def test_an_order_that_becomes_visible_late_is_not_missed(shop: Shop) -> None:
    await shop.pull()
    shop.sandbox.break_with(KIND, order_delay_s=1.5)
    ref = await shop.order_visible(MUG=1)
    early = await shop.pull()
    assert early.orders == ()
    shop.sandbox.break_with(KIND)
    [order] = (await shop.pull()).orders
    assert order.order_ref == ref


async def test_orders_named_twice_are_read_once(shop: Shop) -> None:
    await shop.order_visible(MUG=1)
    shop.sandbox.break_with(KIND, repeat_orders=True)
    assert len((await shop.pull()).orders) == 1


async def test_the_watermark_waits_for_orders_left_unread(shop: Shop) -> None:
    shop.sandbox.list_items(KIND, {"sock/1": 500})
    adapter = shop.adapter = shop.connect(read_calls_max=1)
    refs = [shop.sandbox.buy(KIND, {"sock/1": 1}) for _ in range(103)]
    begin = datetime.now(UTC)
    first = await shop.pull()
    assert len(first.orders) == 100
    assert first.watermark < begin - timedelta(hours=23)
    second = await shop.pull()
    assert second.watermark > begin - timedelta(seconds=3)
    assert {order.order_ref for order in (*first.orders, *second.orders)} >= set(refs)
    await adapter.aclose()


async def test_a_pull_that_fails_moves_nothing(shop: Shop) -> None:
    shop.sandbox.break_with(KIND, garbage={"value": 1, "calls": 1})
    with pytest.raises(BadAnswer):
        await shop.pull()
    shop.sandbox.break_with(KIND, error_rate={"value": 1, "calls": 1})
    with pytest.raises(RetryLater):
        await shop.pull()
    assert shop.cursor == {}


async def test_an_old_live_order_is_still_watched(
    start_sandbox: Callable[..., SandboxProcess], redis: Redis
) -> None:
    shop = Shop(start_sandbox(rakuten={"visible_after_s": 0}), redis, live_search_every=1)
    await shop.adapter.budgets.fill()
    shop.sandbox.move_clock(-5 * 86_400)
    ref = shop.sandbox.buy(KIND, {MUG: 1})
    shop.sandbox.move_clock(0)
    order = await shop.adapter.read_order(ref)
    assert order is not None
    shop.seen = {ref: order.hint}
    assert (await shop.pull()).orders == ()  # five days old, and found in the list of live ones
    shop.sandbox.act(KIND, ref, "ship")
    [shipped] = (await shop.pull()).orders
    assert (shipped.order_ref, shipped.lines[0].shipped) == (ref, 1)
    await shop.adapter.aclose()


def out_of_stock(ref: str) -> CancelRequest:
    return CancelRequest(order_ref=ref, line_refs=(), reason=Reason.OUT_OF_STOCK)


async def test_an_out_of_stock_cancel_gives_nothing_back(shop: Shop) -> None:
    ref = await shop.order_visible(MUG=2)
    assert await shop.adapter.cancel_state(ref, "") == CancelState()
    assert await shop.adapter.cancel_order(out_of_stock(ref)) == ""

    book = shop.sandbox.order(KIND, ref)
    assert (book["state"], book["cancelled_by"], book["cancel_code"], book["restocked"]) == (
        "cancelled",
        "seller",
        "8",
        False,
    )
    assert shop.sandbox.displayed(KIND)[MUG] == 3
    assert (await shop.adapter.cancel_state(ref, "")).confirmed is True
    assert await shop.adapter.cancel_order(out_of_stock(ref)) == ""  # asked twice, done once
    assert shop.sandbox.books(KIND)["writes"] == []


async def test_a_shipped_or_unknown_order_is_not_cancelled(shop: Shop) -> None:
    ref = await shop.order_visible(MUG=2)
    shop.sandbox.act(KIND, ref, "ship")
    for wanted in (ref, "123456-20260101-0000000009"):
        with pytest.raises(Rejected):
            await shop.adapter.cancel_order(out_of_stock(wanted))
    assert shop.sandbox.order(KIND, ref)["state"] == "shipped"
    assert (await shop.adapter.cancel_state(ref, "")).refused == "shipped:500"


async def test_a_buyers_wish_is_code_1(shop: Shop) -> None:
    ref = await shop.order_visible(MUG=1)
    await shop.adapter.cancel_order(
        CancelRequest(order_ref=ref, line_refs=(), reason=Reason.BUYER_REQUEST)
    )
    assert shop.sandbox.order(KIND, ref)["cancel_code"] == "1"


async def test_only_the_orders_own_state_confirms_a_cancel(shop: Shop) -> None:
    ref = await shop.order_visible(MUG=1)
    endpoint = "order-cancelOrder"
    shop.sandbox.break_with(KIND, ignore_writes={"value": 1, "endpoint": endpoint})
    await shop.adapter.cancel_order(out_of_stock(ref))
    state = await shop.adapter.cancel_state(ref, "")
    assert (state.confirmed, state.refused) == (False, None)

    shop.sandbox.break_with(KIND, timeout_after_apply={"value": 1, "endpoint": endpoint})
    with pytest.raises(OutcomeUnknown):
        await shop.adapter.cancel_order(out_of_stock(ref))
    assert (await shop.adapter.cancel_state(ref, "")).confirmed is True


async def test_calls_stay_within_the_shops_limits(shop: Shop) -> None:
    await shop.order_visible(MUG=1)
    for _ in range(2):
        await shop.pull()
    calls = shop.sandbox.books(KIND)["calls"]["order"]
    assert calls["refused"] == 0
    assert calls["used"] <= calls["permitted"]


@pytest.mark.parametrize("wrong", [{"window_hours": 0}, {"read_calls_max": 0}, {"shop": "x"}])
def test_wrong_settings_are_named(wrong: dict[str, Any]) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(wrong, RakutenSettings)
