"""Rakuten's bulk writes when a row is bad, and units taken back one SKU at a time."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any

import pytest
from redis.asyncio import Redis

from channels.base import AuthExpired, ChannelError, OutcomeUnknown, RetryLater, Write
from channels.rakuten.answers import RowsRefused
from channels.rakuten.push import CALLS_MAX, push_rows
from inventory.vocabulary import PushOutcome, PushStatus, QuantityPush
from tests.channels.rakuten_shop import CAP, KIND, MUG, TEE, Shop
from tests.channels.sandbox_process import SandboxProcess

ACCEPTED, REFUSED, UNKNOWN = PushStatus.ACCEPTED, PushStatus.REFUSED, PushStatus.UNKNOWN
BAD = "sock/one-more"


@pytest.fixture
async def shop(start_sandbox: Callable[..., SandboxProcess], redis: Redis) -> AsyncIterator[Shop]:
    shop = Shop(start_sandbox(rakuten={"visible_after_s": 0, "conflicts": 1}), redis)
    await shop.adapter.budgets.fill()
    yield shop
    await shop.adapter.aclose()


def number(sku: str, quantity: int, change: int | None = None) -> QuantityPush:
    return QuantityPush(channel_sku=sku, quantity=quantity, change=change, key="k")


def told(outcomes: Sequence[PushOutcome]) -> list[tuple[str, PushStatus, str]]:
    return [(one.channel_sku, one.status, one.code) for one in outcomes]


async def test_a_conflict_changes_nothing_and_is_tried_again(shop: Shop) -> None:
    with pytest.raises(RetryLater, match="409"):
        await shop.push(MUG=12)
    assert shop.sandbox.displayed(KIND)[MUG] == 5
    [outcome] = await shop.push(MUG=12)
    assert (outcome.status, shop.sandbox.displayed(KIND)[MUG]) == (ACCEPTED, 12)


async def test_a_sku_goes_once_into_a_call(
    start_sandbox: Callable[..., SandboxProcess], redis: Redis
) -> None:
    shop = Shop(start_sandbox(), redis)
    await shop.adapter.budgets.fill()
    # The same SKU three times: Rakuten folds the first part to lower case.
    pushes = [number(MUG, 8), number("MUG/blue", 7), number(MUG, 6), number("mug/BLUE", 5)]
    assert told(await shop.adapter.push_quantities(pushes)) == [
        (MUG, ACCEPTED, ""),
        ("MUG/blue", REFUSED, "repeated"),
        (MUG, REFUSED, "repeated"),
        ("mug/BLUE", ACCEPTED, ""),
    ]
    assert shop.sandbox.displayed(KIND) == {MUG: 8, TEE: 3, CAP: 9}
    assert shop.sandbox.books(KIND)["calls"]["bulk-upsert"]["used"] == 1
    await shop.adapter.aclose()


@pytest.mark.parametrize(
    ("rules", "calls"),
    [
        # The row is named: alone it is refused, the rest goes through.
        ({}, 3),
        ({"bulk_atomic": False}, 3),
        # Not named, and nothing written: six, twice three, then two and the bad one.
        ({"names_rows": False}, 5),
        # Not named, but the good ones were written: reading back leaves the bad one.
        ({"names_rows": False, "bulk_atomic": False}, 2),
        # The answer counts from 1 and so names an innocent row: it is not believed again.
        ({"row_base": 1}, 7),
    ],
)
async def test_one_bad_row_blocks_no_good_one(
    start_sandbox: Callable[..., SandboxProcess], redis: Redis, rules: dict[str, Any], calls: int
) -> None:
    shop = Shop(start_sandbox(rakuten=rules), redis)
    shop.sandbox.list_items(KIND, {f"sock/{number}": 1 for number in range(400)})
    await shop.adapter.budgets.fill()
    # A 401st SKU of one item: Rakuten alone can know (IE0121).
    pushes = [number(sku, 7) for sku in (MUG, TEE, BAD, CAP, "sock/0", "sock/1")]
    outcomes = await shop.adapter.push_quantities(pushes)
    assert told(outcomes) == [
        (push.channel_sku, REFUSED, "IE0121")
        if push.channel_sku == BAD
        else (push.channel_sku, ACCEPTED, "")
        for push in pushes
    ]
    shown = shop.sandbox.displayed(KIND)
    assert {shown[push.channel_sku] for push in pushes if push.channel_sku != BAD} == {7}
    used = shop.sandbox.books(KIND)["calls"]["bulk-upsert"]
    assert (used["used"], used["refused"]) == (calls, 0)
    await shop.adapter.aclose()


class Counter:
    """Rakuten as a batch sees it: refuses every call with a bad row and names none."""

    def __init__(self, bad: set[str], *, breaks_at: int = 0) -> None:
        self.bad, self.calls, self.breaks_at = bad, 0, breaks_at
        self.written: set[str] = set()

    async def bulk_upsert(self, rows: Sequence[tuple[str, str, int]]) -> None:
        self.calls += 1
        if self.calls == self.breaks_at:
            raise OutcomeUnknown("no answer")
        keys = {variant for _, variant, _ in rows}
        if keys & self.bad:
            raise RowsRefused({}, ["IE0002"])
        self.written |= keys

    async def bulk_get(self, keys: Sequence[tuple[str, str]]) -> Mapping[tuple[str, str], int]:
        raise RetryLater("not now")


async def many(client: Any) -> list[PushOutcome]:
    return await push_rows(client, [number(f"sock/{place}", 3) for place in range(400)])


async def test_one_bad_row_in_400_costs_few_calls() -> None:
    client = Counter({"333"})
    outcomes = await many(client)
    assert [one.channel_sku for one in outcomes if one.status is REFUSED] == ["sock/333"]
    assert sum(one.status is ACCEPTED for one in outcomes) == len(client.written) == 399
    assert client.calls <= 19


async def test_many_bad_rows_are_left_unknown_after_so_many_calls() -> None:
    client = Counter({str(place) for place in range(0, 400, 40)})
    outcomes = await many(client)
    assert client.calls == CALLS_MAX
    accepted = {one.channel_sku for one in outcomes if one.status is ACCEPTED}
    assert accepted == {f"sock/{variant}" for variant in client.written}
    assert {one.status for one in outcomes} == {ACCEPTED, UNKNOWN}


async def test_a_failure_half_way_keeps_what_is_known() -> None:
    client = Counter({"0"}, breaks_at=3)
    outcomes = await many(client)
    assert {one.status for one in outcomes} == {UNKNOWN}
    first = Counter({"0"}, breaks_at=1)
    with pytest.raises(OutcomeUnknown):
        await many(first)


async def test_units_are_taken_back_only_where_they_are_left(shop: Shop) -> None:
    assert shop.adapter.capabilities.takes_back is True
    assert shop.adapter.capabilities.writes == {Write.ABSOLUTE, Write.RELATIVE}
    with pytest.raises(RetryLater, match="409"):
        await shop.adapter.take_back(number(MUG, 3, -2))
    assert (await shop.adapter.take_back(number(MUG, 3, -2))).status is ACCEPTED
    shop.buy(MUG=2)
    sold = await shop.adapter.take_back(number(MUG, 1, -2))
    assert (sold.status, sold.code) == (REFUSED, "sold")
    assert "IE0117" in sold.detail
    assert shop.sandbox.displayed(KIND)[MUG] == 1
    unknown = await shop.adapter.take_back(number("none/x", 1, -1))
    assert (unknown.status, unknown.code) == (REFUSED, "IE0500")
    [write] = shop.sandbox.books(KIND)["writes"]
    assert (write["mode"], write["before"], write["after"]) == ("relative", 5, 3)


@pytest.mark.parametrize(("sku", "change"), [("nonsense", -1), (MUG, None), (MUG, 0), (MUG, 2)])
async def test_only_a_decrease_of_a_known_sku_is_taken_back(
    shop: Shop, sku: str, change: int | None
) -> None:
    outcome = await shop.adapter.take_back(number(sku, 1, change))
    assert (outcome.status, outcome.code) == (REFUSED, "not_possible")
    assert shop.sandbox.books(KIND)["calls"]["upsert"]["used"] == 0


@pytest.mark.parametrize(
    ("fault", "error"), [("timeout_after_apply", OutcomeUnknown), ("auth_expired", AuthExpired)]
)
async def test_taking_back_without_an_answer_is_unknown(
    shop: Shop, fault: str, error: type[ChannelError]
) -> None:
    shop.sandbox.break_with(KIND, **{fault: {"value": 1, "endpoint": "upsert"}})
    with pytest.raises(error):
        await shop.adapter.take_back(number(MUG, 3, -2))
