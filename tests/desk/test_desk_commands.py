"""The order desk from the command line: cases, orders to decide about, events, messages."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from inventory.clock import JST, Clock
from inventory.errors import WrongState
from inventory.vocabulary import Party
from tests.conftest import HandClock
from tests.desk.conftest import Floor, Hikiate
from tests.desk.mall import Mall


@pytest.fixture
def clock() -> HandClock:
    """The commands' own clock goes on, so that the shop's must be of today."""
    return HandClock(Clock().now() - timedelta(minutes=10))


async def rows(hikiate: Hikiate, *arguments: str) -> list[list[str]]:
    """The lines of a table without its heading, in words."""
    done = await hikiate(*arguments)
    assert done.exit_code == 0, done.output
    return [line.split() for line in done.stdout.splitlines()[1:]]


async def test_an_order_is_found_approved_and_told_of(
    floor: Floor, rakuten: Mall, hikiate: Hikiate
) -> None:
    await floor.set_channel("rakuten", desk_policy="review")
    await floor.work()
    opened = f"{(await floor.case()).opened_at.astimezone(JST):%Y-%m-%d}"

    [case] = await rows(hikiate, "oversell", "list")
    [order] = await rows(hikiate, "oversell", "cancellations")

    assert (case[:5], case[-1]) == (["1", "MUG", "1", "1", opened], "o-2@1")
    assert order[:8] == ["1", "1", "rakuten", "o-2", "out_of_stock", "(8)", "0", "yen"]
    told = json.loads((await hikiate("oversell", "cancellations", "--json")).stdout)
    assert [(row["id"], row["order_ref"], row["state"]) for row in told] == [(1, "o-2", "proposed")]

    done = await hikiate("oversell", "approve", order[0])
    assert json.loads(done.stdout)["decided_by"].startswith("command line, ")
    floor.clock.moment = Clock().now()
    await floor.work()
    floor.later(3)
    await floor.work()

    assert rakuten.orders["o-2"].cancelled
    assert isinstance((await hikiate("oversell", "refuse", order[0])).exception, WrongState)
    [ended] = await rows(hikiate, "oversell", "cancellations", "--state", "confirmed")
    assert ended[:4] == order[:4]
    [message] = await rows(hikiate, "desk", "messages")
    assert message == ["1", "rakuten", "o-2", "-"]
    [told] = json.loads((await hikiate("desk", "messages", "--json")).stdout)
    assert (told["cancellation_id"], told["order_ref"]) == (1, "o-2")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("oversell", "list"), "no case is open"),
        (("oversell", "cancellations"), "no cancellation is proposed"),
        (("event", "list"), "no event is parked"),
        (("desk", "messages"), "no message waits to be sent"),
    ],
)
async def test_nothing_is_said_in_words_and_an_empty_list_to_programs(
    hikiate: Hikiate, arguments: tuple[str, ...], words: str
) -> None:
    done = await hikiate(*arguments)
    assert (done.exit_code, done.stdout, done.stderr) == (0, "", f"{words}\n")
    assert json.loads((await hikiate(*arguments, "--json")).stdout) == []


@pytest.mark.parametrize(
    "command", [("oversell", "list"), ("oversell", "cancellations"), ("event", "list")]
)
async def test_an_unknown_state_is_refused_with_those_there_are(
    hikiate: Hikiate, command: tuple[str, ...]
) -> None:
    done = await hikiate(*command, "--state", "mislaid")
    assert done.exit_code == 2
    assert "--state" in done.stderr


async def test_a_parked_event_is_listed_with_what_is_wrong(floor: Floor, hikiate: Hikiate) -> None:
    await floor.sell("yahoo", "o-9", {"NOT-OURS": 1})

    [event] = await rows(hikiate, "event", "list")

    assert event[:3] == ["1", "yahoo", "o-9"]
    assert "unknown_listing" in event


async def test_a_report_s_days_fit_eighty_columns(floor: Floor, hikiate: Hikiate) -> None:
    await floor.receive("MUG", 10)
    await floor.sell("rakuten", "o-1")
    await floor.sell("amazon", "o-2")
    await floor.work()
    for period in ("week", "month"):
        said = (await hikiate("report", "penalties", "--period", period)).stdout.splitlines()
        tables = [line for line in said if line.startswith(("day ", "20"))]
        assert len(tables) == len(floor.malls) * ((7 if period == "week" else 30) + 1)
        assert max(map(len, tables)) < 80


async def test_what_an_ended_order_costs_is_not_called_unknown(
    floor: Floor, hikiate: Hikiate
) -> None:
    await floor.receive("MUG", 10)
    await floor.sell("yahoo", "o-1")
    await floor.pull("yahoo", floor.malls["yahoo"].end("o-1", Party.SELLER, "210"))
    await floor.work()
    said = (await hikiate("report", "dry-run", "yahoo", "o-1")).stdout
    assert "is cancelled and needs nothing done" in said
    assert "the order is worth 1,000 yen\n" in said
    assert "not known" not in said
