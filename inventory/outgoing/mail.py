"""Mail handed in at a server whose address was checked: the socket goes there and nowhere else."""

from __future__ import annotations

import contextlib
import smtplib
import socket
import ssl
from collections.abc import Callable
from email.message import EmailMessage
from io import BufferedIOBase
from ipaddress import IPv4Address, ip_address

from msgspec import Struct

from inventory.outgoing.addresses import Address, Target

REPLIES_BYTES_MAX = 64_000
# Given the session as soon as it has a socket, so that it can be cut off under its thread.
Opened = Callable[[smtplib.SMTP], None]


class TlsMissing(Exception):
    """The server offers no STARTTLS, and is not on a network allowed by setting."""


class NotReached(OSError):
    """No connection came about, so that nothing was said yet; the cause says why."""


class Server(Struct, frozen=True, kw_only=True):
    """A mail server and how to speak to it. Each step of a session may last `seconds`.

    The connection must come about in `connect_seconds`.

    With smtp:// STARTTLS comes first; `plain_allowed` goes on where the server has none.
    """

    target: Target
    tls: ssl.SSLContext
    seconds: float
    connect_seconds: float
    plain_allowed: bool
    username: str = ""
    password: str = ""

    def __repr__(self) -> str:
        """Without name and password."""
        return "Server()"


class _Replies:
    """What the server says, up to a limit: smtplib would gather lines without end."""

    def __init__(self, file: BufferedIOBase) -> None:
        self._file, self._left = file, REPLIES_BYTES_MAX

    def readline(self, size: int) -> bytes:
        """The next line. Raises `OSError` for more than the limit."""
        line = self._file.readline(size)
        self._left -= len(line)
        if self._left < 0:
            raise OSError("the server says too much")
        return line

    def close(self) -> None:
        """Let go of the socket."""
        self._file.close()


class _Session(smtplib.SMTP):
    """A session that is pinned to an address; the name is for the certificate only."""

    _replies: _Replies | None = None

    @property
    def file(self) -> _Replies | None:
        """Where smtplib reads from; it sets None when the socket changes."""
        return self._replies

    @file.setter
    def file(self, file: BufferedIOBase | None) -> None:
        self._replies = None if file is None else _Replies(file)

    def __init__(self, server: Server, address: Address, opened: Opened) -> None:
        self._server, self._address, self._opened = server, address, opened
        # Without a name of our own here, smtplib would ask the name server for one.
        target = server.target
        super().__init__(
            target.host, target.port, local_hostname="localhost", timeout=server.seconds
        )
        if self.sock is not None:
            self.local_hostname = _literal(self.sock.getsockname()[0])

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        """Instead of a lookup of `host`: the checked address."""
        try:
            made = socket.create_connection(
                (str(self._address), port), self._server.connect_seconds
            )
        except OSError as error:
            raise NotReached from error
        made.settimeout(timeout)
        self.sock = made
        self._opened(self)
        if self._server.target.scheme == "smtps":
            wrapped = self._server.tls.wrap_socket(
                made, server_hostname=host, do_handshake_on_connect=False
            )
            self.sock = made = wrapped
            try:
                wrapped.do_handshake()
            except OSError:
                wrapped.close()
                raise
        return made


def _literal(text: str) -> str:
    """How a client without a name of its own says who it is (RFC 5321 section 4.1.3)."""
    v4 = isinstance(ip_address(text.partition("%")[0]), IPv4Address)
    return f"[{text}]" if v4 else f"[IPv6:{text}]"


def hand_in(server: Server, address: Address, message: EmailMessage, *, opened: Opened) -> None:
    """Hand a mail in, blocking; it went in when at least one mailbox was accepted.

    `opened` is given the session, to cut it off. Raises `NotReached`, `TlsMissing`, `OSError`,
    `smtplib.SMTPException`.
    """
    session = _Session(server, address, opened)
    try:
        session.ehlo()
        if server.target.scheme == "smtp":
            if session.has_extn("starttls"):
                session.starttls(context=server.tls)
                session.ehlo()
            elif not server.plain_allowed:
                raise TlsMissing
        if server.username:
            session.login(server.username, server.password)
        session.send_message(message)
        # It is handed in. Whatever the server says to a farewell, it must not be sent again.
        with contextlib.suppress(OSError):
            session.putcmd("QUIT")
    finally:
        session.close()


def cut(session: smtplib.SMTP) -> None:
    """End a session under the thread that uses it, which then fails at once."""
    if session.sock is not None:
        with contextlib.suppress(OSError):
            session.sock.shutdown(socket.SHUT_RDWR)


def failure(error: smtplib.SMTPException) -> tuple[int | None, str]:
    """The server's number and a stable word for it; its own words are left where they are."""
    code: int | None = None
    if isinstance(error, smtplib.SMTPResponseException):
        code = error.smtp_code
    elif isinstance(error, smtplib.SMTPRecipientsRefused):
        code = next((number for number, _ in error.recipients.values()), None)
    if code is None or not 100 <= code <= 599:  # noqa: PLR2004 -- three digits
        return None, "no_answer"
    return code, f"smtp_{code}"
