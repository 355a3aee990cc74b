"""Orders that a person has to end in the shop's own admin, and stock that comes before."""

from __future__ import annotations

import msgspec
import pytest

from channels.base import Cancels, Capabilities
from inventory.vocabulary import Party
from tests.desk.conftest import Floor
from tests.desk.mall import Mall


class NoApi(Mall):
    """A shop whose API cannot cancel."""

    @property
    def capabilities(self) -> Capabilities:
        """As of any mall, but for cancellations."""
        return msgspec.structs.replace(super().capabilities, cancels=Cancels.NONE)


@pytest.fixture
async def asked(floor: Floor) -> Mall:
    """The newest order is EC-CUBE's, and a person was asked to end it."""
    await floor.set_channel("shopify", kind="eccube", metrics={}, costs={})
    mall = floor.malls["shopify"] = NoApi(floor.malls["shopify"].kind, floor.clock)
    await floor.receive("MUG", 1)
    await floor.sell("shopify", "o-1")
    await floor.damage("MUG", 1)
    mall.reference = "by hand"
    await floor.work()
    assert await floor.states() == {"o-1": "submitted"}
    assert "cancellation_by_hand" in await floor.alerts()
    return mall


async def test_stock_that_arrives_before_the_person_acts_takes_the_wish_back(
    floor: Floor, asked: Mall
) -> None:
    await floor.receive("MUG", 1)

    await floor.work()

    row = await floor.cancellation("o-1")
    assert (row.state, row.decided_by) == ("refused", "desk")
    assert await floor.alerts() == []
    assert await floor.messages("shipping.release") == ["o-1"]
    assert (await floor.case()).state == "closed"
    assert await floor.entries() == []


async def test_a_person_who_was_quicker_is_on_record_as_the_shop(floor: Floor, asked: Mall) -> None:
    await floor.receive("MUG", 1)
    await floor.work()

    floor.later(5)
    await floor.pull("shopify", asked.end("o-1", Party.SELLER))
    await floor.work()

    row = await floor.cancellation("o-1")
    assert (row.state, row.reason) == ("observed", "shop_other")
    assert await floor.stock() == (1, 0)


async def test_without_new_stock_the_wish_stands(floor: Floor, asked: Mall) -> None:
    floor.later(3600)
    await floor.work()
    assert await floor.states() == {"o-1": "submitted"}

    asked.end("o-1", Party.SELLER)
    floor.later(3600)
    await floor.work(2)

    assert await floor.states() == {"o-1": "confirmed"}
