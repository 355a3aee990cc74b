"""Mail is handed in at the address that was checked, over TLS, and never anywhere else."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path

import pytest

from inventory.outgoing.addresses import Address
from inventory.outgoing.outbound import Answer, Outbound
from tests.notices.certificates import Authority
from tests.notices.conftest import LOOPBACK
from tests.notices.mail_server import MailServer
from workers.notify import FAILING_AT_ONCE

LOGIN = {"username": "stock", "password": "correct-horse"}


def message() -> EmailMessage:
    made = EmailMessage()
    made["Subject"] = "在庫が少なくなっています"
    made["From"] = "stock@shop.example"
    made["To"] = ["buyers@shop.example", "desk@shop.example"]
    made.set_content("有効在庫: 2\n")
    return made


async def resolver(host: str, port: int) -> Sequence[str]:
    return ["127.0.0.1"]


async def test_mail_is_handed_in_over_tls_and_the_name_is_proved(tmp_path: Path) -> None:
    authority = Authority()
    async with MailServer(tls=authority.server("mail.example", tmp_path)) as server:
        out = Outbound(LOOPBACK, resolver=resolver, tls=authority.trusted())
        url = f"smtps://mail.example:{server.port}"

        assert await out.mail(url, message(), **LOGIN) == Answer()
        assert await out.mail(url.replace("mail.", "other."), message()) == Answer(failure="tls")
        stranger = Outbound(LOOPBACK, resolver=resolver)
        assert await stranger.mail(url, message()) == Answer(failure="tls")

        [raw] = server.mails
        mail = message_from_bytes(raw, policy=policy.default)
        assert mail["subject"] == "在庫が少なくなっています"
        body = mail.get_body()
        assert body is not None
        assert body.get_content().startswith("有効在庫: 2")
        assert server.login() == "stock correct-horse"
        assert server.said[0] == "ehlo [127.0.0.1]"
        assert [line for line in server.said if line.lower().startswith("rcpt")] == [
            "rcpt TO:<buyers@shop.example>",
            "rcpt TO:<desk@shop.example>",
        ]
        await out.aclose()


async def test_starttls_comes_before_name_and_password(tmp_path: Path) -> None:
    authority = Authority()
    tls = authority.server("mail.example", tmp_path)
    async with MailServer(tls=tls, starttls=True) as server:
        out = Outbound(LOOPBACK, resolver=resolver, tls=authority.trusted())

        answer = await out.mail(f"smtp://mail.example:{server.port}", message(), **LOGIN)

        assert answer == Answer()
        assert server.secured == [True]
        verbs = [line.split(" ")[0].upper() for line in server.said]
        assert verbs[:4] == ["EHLO", "STARTTLS", "EHLO", "AUTH"]


async def test_without_starttls_nothing_is_said_outside_allowed_networks() -> None:
    """A server of the shop's own network may have none."""
    async with MailServer() as server:
        url = f"smtp://mail.example:{server.port}"
        assert await Outbound(LOOPBACK, resolver=resolver).mail(url, message()) == Answer()

        class Public(Outbound):
            """As if this machine were somewhere outside."""

            def _plain(self, addresses: Sequence[Address]) -> bool:
                return False

        out = Public(LOOPBACK, resolver=resolver)
        assert await out.mail(url, message(), **LOGIN) == Answer(failure="tls")
        assert server.login() is None
        assert len(server.mails) == 1


@pytest.mark.parametrize("scheme", ["smtp", "smtps"])
async def test_mail_server_is_under_the_same_guard(scheme: str) -> None:
    answers = [["10.0.0.1"], ["127.0.0.1", "169.254.169.254"], ["127.0.0.1", "::ffff:127.0.0.1"]]

    async def turning(host: str, port: int) -> Sequence[str]:
        return answers.pop(0)

    async with MailServer() as server:
        out = Outbound(LOOPBACK, resolver=turning)
        for _ in range(3):
            answer = await out.mail(f"{scheme}://mail.example:{server.port}", message())
            assert answer == Answer(failure="address_refused")
        closed = Outbound()
        for host in ("127.0.0.1", "127.1", "2130706433", "localhost"):
            answer = await closed.mail(f"{scheme}://{host}:{server.port}", message())
            assert answer == Answer(failure="address_refused")
        assert (server.connections, answers) == (0, [])


async def test_name_is_looked_up_again_at_each_try_and_the_socket_goes_there() -> None:
    answers = [["127.0.0.1"], ["10.0.0.1"], ["127.0.0.1"]]

    async def turning(host: str, port: int) -> Sequence[str]:
        return answers.pop(0)

    async with MailServer() as server:
        out = Outbound(LOOPBACK, resolver=turning)
        url = f"smtp://mail.example:{server.port}"
        found = [(await out.mail(url, message())).failure for _ in range(3)]
        assert found == [None, "address_refused", None]
        assert server.connections == 2


@pytest.mark.parametrize(
    ("verb", "line", "status"),
    [
        ("RCPT", "550 canary: no such mailbox", 550),
        ("MAIL", "421 canary: too busy", 421),
        ("DATA", "554 canary: spam", 554),
        ("AUTH", "535 canary: wrong password", 535),
    ],
)
async def test_refusal_is_a_number_and_no_words(verb: str, line: str, status: int) -> None:
    async with MailServer(answers={verb: line}) as server:
        out = Outbound(LOOPBACK, resolver=resolver)

        answer = await out.mail(f"smtp://mail.example:{server.port}", message(), **LOGIN)

        assert answer == Answer(status=status, failure=f"smtp_{status}")


async def test_silent_server_is_given_up_in_time_and_its_session_ended() -> None:
    async with MailServer(hold=asyncio.Event()) as server:
        out = Outbound(LOOPBACK, resolver=resolver, total_seconds=0.3)

        answer = await out.mail(f"smtp://mail.example:{server.port}", message())

        assert answer == Answer(failure="timeout")
        await out.aclose()


async def test_closed_port_is_told_from_silence() -> None:
    async with MailServer() as server:
        port = server.port
    out = Outbound(LOOPBACK, resolver=resolver)
    answer = await out.mail(f"smtp://mail.example:{port}", message())
    assert answer == Answer(failure="no_connection")


@pytest.mark.parametrize("silent_at", [None, "QUIT"])
async def test_mail_that_was_taken_is_delivered_whatever_comes_after(silent_at: str | None) -> None:
    async with MailServer(answers={"QUIT": "421 canary"}, silent_at=silent_at) as server:
        out = Outbound(LOOPBACK, resolver=resolver, total_seconds=30.0)
        assert await out.mail(f"smtp://mail.example:{server.port}", message()) == Answer()
        assert len(server.mails) == 1


async def test_greeting_that_is_none_is_no_answer() -> None:
    async with MailServer(answers={"": "canary"}) as server:
        out = Outbound(LOOPBACK, resolver=resolver)
        answer = await out.mail(f"smtp://mail.example:{server.port}", message())
        assert answer == Answer(failure="no_answer")


async def test_server_that_never_stops_talking_is_given_up() -> None:
    endless = "250-x\r\n" * 20_000 + "250 ok"
    async with MailServer(answers={"EHLO": endless}) as server:
        out = Outbound(LOOPBACK, resolver=resolver, total_seconds=60.0)
        answer = await out.mail(f"smtp://mail.example:{server.port}", message())
        assert answer == Answer(failure="no_answer")


async def test_silent_servers_keep_no_mail_from_the_living() -> None:
    """As many as there are failing endpoints tried at a time, and as many again."""
    silent_count = 2 * FAILING_AT_ONCE
    async with MailServer(hold=asyncio.Event()) as silent, MailServer() as living:
        out = Outbound(LOOPBACK, resolver=resolver, total_seconds=60.0)
        held = [
            asyncio.create_task(out.mail(f"smtp://mail.example:{silent.port}", message()))
            for _ in range(silent_count)
        ]
        await asyncio.sleep(0)

        answer = await out.mail(f"smtp://mail.example:{living.port}", message())

        assert answer == Answer()
        assert not any(task.done() for task in held)
        for task in held:
            task.cancel()
        await asyncio.gather(*held, return_exceptions=True)
        await out.aclose()
