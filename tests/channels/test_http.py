"""What the one HTTP client makes of late, endless, broken and wrongly worded answers."""

from __future__ import annotations

import asyncio
import gzip
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from itertools import pairwise

import pytest
from redis.asyncio import Redis

from channels.arrivals import ROUND_TRIPS, Arrivals, Trip
from channels.base import (
    AuthExpired,
    BadAnswer,
    ChannelError,
    OutcomeUnknown,
    RetryLater,
    Throttled,
)
from channels.http import ChannelHttp
from channels.limits import Budget, Budgets

BUDGETS = (
    Budget(endpoint="any", seconds=0.001, burst=100),
    Budget(endpoint="one", seconds=0.2),
    Budget(endpoint="few", seconds=1.0, burst=2),
)
BYTES_MAX = 10_000
JSON = "content-type: application/json"

Send = Callable[[asyncio.StreamWriter], Awaitable[None]]


class Market:
    """A server of bare bytes: every request is answered by whatever the test says."""

    def __init__(self) -> None:
        self.send: Send = reply(b"{}", JSON)
        self.arrivals: list[float] = []
        self.port = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        self.arrivals.append(time.monotonic())
        try:
            await self.send(writer)
        except ConnectionError:
            return
        finally:
            writer.close()


def reply(body: bytes, *headers: str, status: int = 200, length: int | None = None) -> Send:
    """An answer with a body; `length` is what its header says where that is not true."""

    async def send(writer: asyncio.StreamWriter) -> None:
        told = len(body) if length is None else length
        head = [f"HTTP/1.1 {status} X", f"content-length: {told}", "connection: close", *headers]
        writer.write("\r\n".join([*head, "", ""]).encode() + body)
        await writer.drain()

    return send


@pytest.fixture
async def market() -> AsyncIterator[Market]:
    market = Market()
    server = await asyncio.start_server(market.serve, "127.0.0.1", 0)
    market.port = server.sockets[0].getsockname()[1]
    yield market
    server.close()


@pytest.fixture
async def http(market: Market, redis: Redis) -> AsyncIterator[ChannelHttp]:
    budgets = Budgets(redis, channel_id=1, budgets=BUDGETS)
    await budgets.fill()
    client = ChannelHttp(
        base_url=f"http://127.0.0.1:{market.port}",
        budgets=budgets,
        timeout_seconds=1.0,
        body_bytes_max=BYTES_MAX,
        rate_header="x-rate",
        words=lambda response: response.text,
    )
    yield client
    await client.aclose()


async def endless(writer: asyncio.StreamWriter) -> None:
    """A body that has no end."""
    writer.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
    while True:
        writer.write(b"400\r\n" + b"x" * 1024 + b"\r\n")
        await writer.drain()


async def dripping(writer: asyncio.StreamWriter) -> None:
    """A body that comes in byte by byte, each of them in time."""
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 9000\r\n\r\n")
    while True:
        writer.write(b"x")
        await writer.drain()
        await asyncio.sleep(0.05)


BOMB = gzip.compress(b"0" * 5_000_000)
PLAIN = gzip.compress(b'{"a": 1}')
BROKEN = {
    "endless": (endless, "more than 10000 bytes"),
    "huge": (reply(b"x" * 20_000), "more than 10000 bytes"),
    "bomb": (reply(BOMB, "content-encoding: gzip"), "once unpacked"),
    "half packed": (reply(PLAIN[:-9], "content-encoding: gzip"), "breaks off"),
    "not packed": (reply(b"{}", "content-encoding: gzip"), "cannot be unpacked"),
    "packed otherwise": (reply(b"{}", "content-encoding: br"), "not asked for"),
    "not the charset": (reply("在庫".encode("cp932"), JSON), "not UTF-8"),
    "no charset": (reply(b"<a/>", "content-type: text/xml; charset=klingon"), "no charset"),
    "not as it says": (
        reply("在庫".encode("cp932"), "content-type: text/xml; charset=utf-8"),
        "not utf-8",
    ),
}


@pytest.mark.parametrize("name", BROKEN)
async def test_a_body_that_cannot_be_read_is_named_and_after_a_write_in_doubt(
    market: Market, http: ChannelHttp, name: str
) -> None:
    market.send, words = BROKEN[name]

    with pytest.raises(BadAnswer, match=words):
        await http.send("GET", "/", endpoint="any")
    with pytest.raises(OutcomeUnknown, match=words):
        await http.send("POST", "/", endpoint="any", writes=True)


async def test_a_body_that_breaks_off_is_no_answer(market: Market, http: ChannelHttp) -> None:
    market.send = reply(b'{"a": ', JSON, length=100)

    with pytest.raises(RetryLater, match="no answer"):
        await http.send("GET", "/", endpoint="any")
    with pytest.raises(OutcomeUnknown, match="no answer"):
        await http.send("POST", "/", endpoint="any", writes=True)


async def test_a_body_that_drips_in_is_given_up(
    market: Market, http: ChannelHttp, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("channels.http.CALL_SECONDS_MAX", 0.3)
    market.send = dripping

    with pytest.raises(RetryLater, match="no answer"):
        await http.send("GET", "/", endpoint="any")


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        ('{"名": 1}'.encode(), (JSON,)),
        (b"\xef\xbb\xbf" + '{"名": 1}'.encode(), (JSON,)),
        ('{"名": 1}'.encode(), ("content-type: application/json; charset=iso-8859-1",)),
        ('{"名": 1}'.encode("cp932"), ("content-type: application/json; charset=Shift_JIS",)),
        (gzip.compress('{"名": 1}'.encode()), (JSON, "content-encoding: gzip")),
    ],
    ids=("utf-8", "byte order mark", "wrong charset", "shift_jis", "gzip"),
)
async def test_a_body_that_can_be_read_comes_out_as_utf_8(
    market: Market, http: ChannelHttp, body: bytes, headers: tuple[str, ...]
) -> None:
    market.send = reply(body, *headers)

    response = await http.send("GET", "/", endpoint="any")

    assert response.content == '{"名": 1}'.encode()
    assert response.json() == {"名": 1}


async def test_xml_keeps_the_charset_that_it_states_itself(
    market: Market, http: ChannelHttp
) -> None:
    body = '<?xml version="1.0" encoding="Shift_JIS"?><a>在庫</a>'.encode("cp932")
    market.send = reply(body, "content-type: text/xml; charset=Shift_JIS")

    assert (await http.send("GET", "/", endpoint="any")).content == body


async def test_an_errors_status_counts_though_its_body_is_broken(
    market: Market, http: ChannelHttp
) -> None:
    market.send = reply(b"x" * 20_000, status=400)
    assert (await http.send("GET", "/", endpoint="any")).status_code == 400
    market.send = reply(b"{}", "content-encoding: gzip", status=429)
    with pytest.raises(Throttled, match="429"):
        await http.send("GET", "/", endpoint="any")


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        ("retry-after: 40", 40),
        ("retry-after: 99999", 3600),
        ("retry-after: soon", None),
        ("retry-after: -3", None),
        ("retry-after: DATE", 90),
        ("retry-after: Wed, 21 Oct 2015 07:28:00 GMT", None),
        ("x-nothing: said", None),
    ],
    ids=("seconds", "too long", "a word", "negative", "a date", "a date gone by", "nothing"),
)
async def test_the_wait_is_the_one_asked_for_in_seconds_or_as_a_date(
    market: Market, http: ChannelHttp, said: str, seconds: float | None
) -> None:
    # A date is one and a half minutes from now, whenever that is.
    said = said.replace("DATE", format_datetime(datetime.now(UTC) + timedelta(seconds=90)))
    market.send = reply(b"", said, status=503)
    with pytest.raises(RetryLater) as later:
        await http.send("GET", "/", endpoint="any")
    assert (seconds or 5) - 30 <= later.value.seconds <= (seconds or 5)

    market.send = reply(b"", said, status=429)
    with pytest.raises(Throttled) as throttled:
        await http.send("GET", "/", endpoint="any")
    assert (seconds or 2) - 30 <= throttled.value.seconds <= (seconds or 2)
    if seconds:
        # All workers leave the channel alone for as long.
        with pytest.raises(Throttled, match="used up"):
            await http.send("GET", "/", endpoint="any")


async def test_the_channels_own_word_on_its_rate_reaches_the_budget(
    market: Market, http: ChannelHttp
) -> None:
    market.send = reply(b"{}", JSON, "x-rate: 0.1")

    await http.send("GET", "/", endpoint="few")

    await http.budgets.drain("few")
    with pytest.raises(Throttled) as throttled:
        await http.budgets.take("few", longest_wait_seconds=0)
    # Ten seconds to the next token, where the budget itself says one.
    assert 5 < throttled.value.seconds <= 10


async def test_a_first_call_held_up_on_its_way_keeps_its_distance_to_the_next(
    market: Market, http: ChannelHttp
) -> None:
    quick = reply(b"{}", JSON)

    async def arriving_late(writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.15)
        market.arrivals[-1] = time.monotonic()
        await quick(writer)

    market.send = arriving_late
    await http.send("GET", "/", endpoint="one")
    market.send = quick
    await http.send("GET", "/", endpoint="one")

    assert min(later - sooner for sooner, later in pairwise(market.arrivals)) >= 0.2


def test_only_the_shortest_of_sixteen_trips_is_taken_off_an_answers_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    arrivals, now = Arrivals(), 100.0
    monkeypatch.setattr(time, "monotonic", lambda: now)

    def arrived_before(answer_after: float) -> float:
        """How long before its answer a call has arrived at the latest, if it left so long ago."""
        trip = Trip()
        trip.left_at = now - answer_after
        return now - arrivals.answered("one", trip)

    trips = [0.5, *[0.25] * (ROUND_TRIPS - 1)]
    assert [arrived_before(trip) for trip in trips] == [0.0] * ROUND_TRIPS
    assert arrived_before(3.0) == 0.25
    assert arrived_before(0.125) == 0.125
    assert [arrived_before(3.0) for _ in range(ROUND_TRIPS)] == [0.125] * ROUND_TRIPS
    assert arrived_before(4.0) == 3.0


REFUSED = [(401, AuthExpired), (403, AuthExpired), (500, OutcomeUnknown), (503, RetryLater)]


@pytest.mark.parametrize(("status", "error"), REFUSED)
async def test_a_refusal_bears_the_channels_own_code_cut_short(
    market: Market, http: ChannelHttp, status: int, error: type[ChannelError]
) -> None:
    market.send = reply(b"px-04306\n<b>" + b"x" * 500, "content-type: text/plain", status=status)
    with pytest.raises(error, match=rf"^any: {status} px-04306 b x+(,|$)") as caught:
        await http.send("POST", "/", endpoint="any", writes=True)
    assert len(str(caught.value)) < 120
