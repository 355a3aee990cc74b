"""Names are asked for once at a time, few addresses are tried, and nobody is held up by them."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
import threading
from collections.abc import Sequence
from email.message import EmailMessage
from ipaddress import ip_address, ip_network
from typing import Any

import pytest

from inventory.outgoing import outbound
from inventory.outgoing.outbound import Answer, Outbound
from tests.notices.conftest import LOOPBACK
from tests.notices.mail_server import MailServer
from tests.notices.receiver import Receiver

BOTH = (*LOOPBACK, ip_network("::1/128"))
REFUSED = Answer(failure="address_refused")


class Names:
    """The system's name service; it says nothing until `gate` is open."""

    def __init__(self) -> None:
        self.gate, self.asked = threading.Event(), list[str]()

    def __call__(self, host: str, port: int, **_: Any) -> list[Any]:
        self.asked.append(host)
        assert self.gate.wait(60)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("10.0.0.1", port))]


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Names:
    """In the place of the system's own."""
    names = Names()
    monkeypatch.setattr(socket, "getaddrinfo", names)
    return names


def post(out: Outbound, name: str = "dead.example") -> asyncio.Task[Answer]:
    """One post under way."""
    return asyncio.create_task(out.post(f"https://{name}/", headers={}, content=b""))


async def test_posts_to_one_name_at_once_ask_for_it_once_and_the_next_asks_again(
    names: Names,
) -> None:
    out = Outbound(total_seconds=60.0)
    posts = [post(out), post(out), post(out, "other.example")]
    await asyncio.sleep(0)
    names.gate.set()

    assert await asyncio.gather(*posts) == [REFUSED] * 3
    assert sorted(names.asked) == ["dead.example", "other.example"]
    assert await post(out) == REFUSED
    assert names.asked.count("dead.example") == 2
    await out.aclose()


async def test_one_who_gives_up_waiting_ends_it_for_nobody_else(names: Names) -> None:
    out = Outbound(total_seconds=60.0)
    first, second = post(out), post(out)
    await asyncio.sleep(0)
    first.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await first
    names.gate.set()

    assert await second == REFUSED
    assert names.asked == ["dead.example"]
    await out.aclose()


def note() -> EmailMessage:
    """A mail."""
    made = EmailMessage()
    made["From"] = made["To"] = "desk@shop.example"
    return made


class Doors:
    """Two addresses of one name; nobody can be reached at the first, for `reason`."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, reason: OSError) -> None:
        connect = socket.create_connection

        def create_connection(address: tuple[str, int], timeout: float) -> socket.socket:
            if address[0] == "::1":
                assert timeout == outbound.CONNECT_SECONDS
                raise reason
            return connect(address, timeout)

        monkeypatch.setattr(socket, "create_connection", create_connection)

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        return ["::1", "127.0.0.1"]


@pytest.mark.parametrize(
    ("reason", "word"),
    [
        (ConnectionRefusedError(), "no_connection"),
        (OSError(errno.ENETUNREACH, "no route"), "no_connection"),
        (TimeoutError(), "timeout"),
    ],
)
async def test_mail_goes_to_the_next_address_where_one_cannot_be_reached(
    monkeypatch: pytest.MonkeyPatch, reason: OSError, word: str
) -> None:
    async with MailServer() as server:
        out = Outbound(BOTH, resolver=Doors(monkeypatch, reason), total_seconds=60.0)
        url = f"smtp://shop.example:{server.port}"
        assert await out.mail(url, note()) == Answer()

        monkeypatch.setattr(outbound, "ADDRESSES_TRIED_MAX", 1)
        assert await out.mail(url, note()) == Answer(failure=word)
        assert server.connections == 1
        await out.aclose()


async def test_no_more_than_so_many_addresses_of_a_name_are_tried(
    monkeypatch: pytest.MonkeyPatch, receiver: Receiver
) -> None:
    """Nobody listens at the first."""
    out = Outbound(BOTH, resolver=Doors(monkeypatch, OSError()), total_seconds=60.0)
    url = f"http://shop.example:{receiver.port}/"
    assert await out.post(url, headers={}, content=b"") == Answer(status=204)

    monkeypatch.setattr(outbound, "ADDRESSES_TRIED_MAX", 1)
    assert await out.post(url, headers={}, content=b"") == Answer(failure="no_connection")
    assert receiver.connections == 1
    await out.aclose()


def test_mail_goes_in_the_clear_only_where_every_address_is_allowed() -> None:
    out = Outbound(LOOPBACK)
    here, outside = ip_address("127.0.0.1"), ip_address("1.1.1.1")
    assert out._plain([here])
    assert not out._plain([outside])
    assert not out._plain([here, outside])


async def test_mail_session_that_drips_is_cut_off_with_its_try() -> None:
    """Each line comes in time, and the answer never ends."""
    left = asyncio.Event()

    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail.example\r\n")
        with contextlib.suppress(ConnectionError):
            while not reader.at_eof():
                writer.write(b"250-x\r\n")
                await writer.drain()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(reader.read(100), 0.02)
        left.set()
        writer.close()

    server = await asyncio.start_server(drip, "127.0.0.1", 0)
    out = Outbound(LOOPBACK, total_seconds=0.5)
    port = server.sockets[0].getsockname()[1]

    assert await out.mail(f"smtp://127.0.0.1:{port}", EmailMessage()) == Answer(failure="timeout")

    async with asyncio.timeout(30):
        await left.wait()
    server.close()
    await out.aclose()
