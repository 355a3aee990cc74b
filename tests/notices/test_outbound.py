"""One post to a webhook address: where the socket goes, and what is made of the answer."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Sequence
from datetime import UTC, datetime
from ipaddress import ip_network
from pathlib import Path

import pytest

from inventory.outgoing.outbound import Answer, Outbound, Resolver
from tests.notices.certificates import Authority
from tests.notices.conftest import LOOPBACK
from tests.notices.receiver import Receiver

NOON = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


def answering(*addresses: str) -> Resolver:
    """A name server that says this for every name."""

    async def resolver(host: str, port: int) -> Sequence[str]:
        return addresses

    return resolver


def through(resolver: Resolver, *, total_seconds: float = 2.0) -> Outbound:
    """A way out that may reach this machine and asks this name server."""
    return Outbound(LOOPBACK, resolver=resolver, total_seconds=total_seconds)


async def post(outbound: Outbound, url: str, content: bytes = b"{}") -> Answer:
    """One post with one header of its own."""
    return await outbound.post(url, headers={"webhook-id": "msg_1"}, content=content)


async def test_post_arrives_as_it_was_given(receiver: Receiver, outbound: Outbound) -> None:
    answer = await post(outbound, receiver.url + "?key=a%20b", b'{"a":1}')

    assert answer == Answer(status=204)
    [request] = receiver.requests
    assert (request.method, request.path, request.body) == ("POST", "/hook?key=a%20b", b'{"a":1}')
    assert request.headers["host"] == f"127.0.0.1:{receiver.port}"
    assert request.headers["webhook-id"] == "msg_1"


async def test_name_is_looked_up_once_and_kept_as_host(receiver: Receiver) -> None:
    asked = []

    async def resolver(host: str, port: int) -> Sequence[str]:
        asked.append((host, port))
        return ["127.0.0.1"]

    answer = await post(through(resolver), f"http://Shop.Example.:{receiver.port}/")

    assert answer == Answer(status=204)
    assert asked == [("shop.example", receiver.port)]
    assert receiver.requests[0].headers["host"] == f"shop.example:{receiver.port}"


async def test_name_is_looked_up_again_at_each_try(receiver: Receiver) -> None:
    answers = [["127.0.0.1"], ["10.0.0.1"], ["127.0.0.1"]]

    async def resolver(host: str, port: int) -> Sequence[str]:
        return answers.pop(0)

    outbound = through(resolver)
    url = f"http://shop.example:{receiver.port}/"

    assert await post(outbound, url) == Answer(status=204)
    assert await post(outbound, url) == Answer(failure="address_refused")
    assert await post(outbound, url) == Answer(status=204)
    assert receiver.connections == 2


@pytest.mark.parametrize(
    "addresses",
    [
        ["10.0.0.1"],
        ["127.0.0.1", "10.0.0.1"],
        ["127.0.0.1", "169.254.169.254"],
        ["127.0.0.1", "::1"],
        ["127.0.0.1", "::ffff:127.0.0.1"],
        ["127.0.0.1", "64:ff9b::7f00:1"],
        ["127.0.0.1", "fe80::1%lo"],
        ["127.0.0.1", "1.1.1.1"],
    ],
)
async def test_one_bad_address_of_a_name_and_nothing_is_sent(
    receiver: Receiver, addresses: list[str]
) -> None:
    """The last one is public: but the URL says plain http, which is for opened networks only."""
    answer = await post(through(answering(*addresses)), f"http://shop.example:{receiver.port}/")

    assert answer == Answer(failure="address_refused")
    assert receiver.connections == 0


async def test_without_the_setting_this_machine_is_not_reached(receiver: Receiver) -> None:
    assert await post(Outbound(), receiver.url) == Answer(failure="address_refused")
    url = f"https://shop.example:{receiver.port}/"
    answer = await post(Outbound(resolver=answering("127.0.0.1")), url)

    assert answer == Answer(failure="address_refused")
    assert receiver.connections == 0


async def test_odd_notation_is_refused_before_the_name_server_is_asked(receiver: Receiver) -> None:
    asked = []

    async def resolver(host: str, port: int) -> Sequence[str]:
        asked.append(host)
        return ["127.0.0.1"]

    for host in ("2130706433", "0x7f.1", "127.1", "0177.0.0.1"):
        answer = await post(through(resolver), f"http://{host}:{receiver.port}/")
        assert answer == Answer(failure="address_refused")
    assert (asked, receiver.connections) == ([], 0)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_redirect_is_a_failure_and_not_followed(
    receiver: Receiver, outbound: Outbound, status: int
) -> None:
    async with Receiver() as other:
        receiver.answers = [(status, {"location": other.url}, b"")]

        answer = await post(outbound, receiver.url)

        assert answer == Answer(status=status, failure="redirect")
        assert (receiver.connections, other.connections) == (1, 0)


@pytest.mark.parametrize("status", [400, 401, 404, 410, 429, 500, 503])
async def test_anything_but_2xx_is_a_failure(
    receiver: Receiver, outbound: Outbound, status: int
) -> None:
    receiver.answers = [(status, {"retry-after": "30"}, b"secret of the receiver")]

    answer = await post(outbound, receiver.url)

    assert answer == Answer(status=status, failure=f"status_{status}", retry_after="30")


async def test_answer_of_any_size_is_not_read(receiver: Receiver, outbound: Outbound) -> None:
    receiver.answers = [(200, {}, b"x" * 50_000_000)]

    assert await post(outbound, receiver.url) == Answer(status=200)


async def test_answer_with_endless_headers_is_given_up(
    receiver: Receiver, outbound: Outbound
) -> None:
    receiver.answers = [(200, {f"x-{number}": "y" * 1_000 for number in range(1_000)}, b"")]

    assert await post(outbound, receiver.url) == Answer(failure="no_answer")


async def test_silent_receiver_is_given_up_in_time(receiver: Receiver) -> None:
    receiver.hold = asyncio.Event()
    outbound = Outbound(LOOPBACK, total_seconds=0.2)
    before = asyncio.get_running_loop().time()

    async with asyncio.timeout(30):
        answer = await post(outbound, receiver.url)

    assert answer == Answer(failure="timeout")
    assert asyncio.get_running_loop().time() - before >= 0.2


async def test_slow_name_server_counts_into_the_same_time(receiver: Receiver) -> None:
    async def resolver(host: str, port: int) -> Sequence[str]:
        await asyncio.Event().wait()
        return ["127.0.0.1"]

    async with asyncio.timeout(30):
        answer = await post(through(resolver, total_seconds=0.1), "https://shop.example/")

    assert answer == Answer(failure="timeout")


async def test_closed_port_is_told_from_silence(outbound: Outbound) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        answer = await post(outbound, f"http://127.0.0.1:{unused.getsockname()[1]}/")

    assert answer == Answer(failure="no_connection")


async def test_next_checked_address_is_tried_when_one_is_closed(receiver: Receiver) -> None:
    """Nobody listens at ::1, or the machine has no IPv6 at all."""
    both = Outbound([*LOOPBACK, ip_network("::1/128")], resolver=answering("::1", "127.0.0.1"))

    answer = await post(both, f"http://shop.example:{receiver.port}/")

    assert answer == Answer(status=204)
    assert receiver.connections == 1


async def test_name_without_address(outbound: Outbound) -> None:
    async def resolver(host: str, port: int) -> Sequence[str]:
        raise socket.gaierror(socket.EAI_NONAME, "not known")

    url = "https://shop.example/"

    assert await post(through(resolver), url) == Answer(failure="unresolved")
    assert await post(through(answering()), url) == Answer(failure="unresolved")


async def test_the_systems_own_name_service_is_used(receiver: Receiver) -> None:
    outbound = Outbound(LOOPBACK)

    assert await outbound._look_up("127.0.0.1", 80) == ["127.0.0.1"]
    assert await post(Outbound(), f"https://localhost:{receiver.port}/") == Answer(
        failure="address_refused"
    )
    await outbound.aclose()


async def test_https_goes_to_the_checked_address_and_proves_the_name(tmp_path: Path) -> None:
    authority = Authority()
    async with Receiver(tls=authority.server("shop.example", tmp_path)) as receiver:
        outbound = Outbound(
            LOOPBACK, resolver=answering("127.0.0.1"), tls=authority.trusted(), total_seconds=5.0
        )

        answer = await post(outbound, f"https://shop.example:{receiver.port}/hook")

        assert answer == Answer(status=204)
        [request] = receiver.requests
        assert request.server_name == "shop.example"
        assert request.headers["host"] == f"shop.example:{receiver.port}"


async def test_certificate_of_another_name_or_authority_is_refused(tmp_path: Path) -> None:
    authority = Authority()
    resolver = answering("127.0.0.1")
    async with Receiver(tls=authority.server("other.example", tmp_path)) as receiver:
        trusting = Outbound(LOOPBACK, resolver=resolver, tls=authority.trusted())
        stranger = Outbound(LOOPBACK, resolver=resolver)
        url = f"https://shop.example:{receiver.port}/hook"

        assert await post(trusting, url) == Answer(failure="tls")
        assert await post(stranger, url.replace("shop", "other")) == Answer(failure="tls")
        assert receiver.requests == []


async def test_proxy_of_the_environment_is_not_used(
    receiver: Receiver, outbound: Outbound, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with Receiver() as proxy:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, proxy.url)

        assert await post(outbound, receiver.url) == Answer(status=204)
        assert (receiver.connections, proxy.connections) == (1, 0)


async def test_no_connection_is_used_twice(receiver: Receiver, outbound: Outbound) -> None:
    await post(outbound, receiver.url)
    await post(outbound, receiver.url)

    assert receiver.connections == 2


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        (None, 0.0),
        ("", 0.0),
        ("120", 120.0),
        (" 7 ", 7.0),
        ("-5", 0.0),
        ("1.5", 0.0),
        ("soon", 0.0),
        ("٣", 0.0),
        ("Sat, 21 Nov 2026 12:10:00 GMT", 600.0),
        ("Sat, 21 Nov 2026 11:00:00 GMT", 0.0),
        ("Sat, 21 Nov 2026 12:10:00", 0.0),
        ("1 Jan 99999999999999999999 00:00:00 GMT", 0.0),
        ("21 Nov 2026 12:10:00 +9999999999999999", 0.0),
    ],
)
def test_retry_after_is_read_as_seconds_or_date(text: str | None, seconds: float) -> None:
    assert Answer(status=503, retry_after=text).retry_after_seconds(NOON) == seconds
