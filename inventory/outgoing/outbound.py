"""The only way out with a message: look up, check, connect to what was checked, hand in once."""

from __future__ import annotations

import asyncio
import re
import smtplib
import socket
import ssl
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import format_datetime, parsedate_to_datetime
from functools import lru_cache, partial
from ipaddress import ip_address

import httpx
from msgspec import Struct

from inventory.outgoing import mail
from inventory.outgoing.addresses import (
    MAIL,
    WEB,
    Address,
    AddressRefused,
    Network,
    Target,
    check_target,
    is_allowed,
    parse_target,
)

TOTAL_SECONDS = 10.0
CONNECT_SECONDS = 3.0
ADDRESSES_TRIED_MAX = 3
# A lookup cannot be cancelled, and one of a dead name lasts up to half a minute. A mail server that
# takes no connection holds its thread for the whole try. Both need more threads than there are
# silent ones tried at a time, or the living wait for them.
LOOKUPS_AT_ONCE = 64
MAILS_AT_ONCE = 64
TOO_MANY = 429
# Seconds since 1970: ten digits from 2001 on.
RESET = re.compile(r"[1-9][0-9]{9}")

NOT_REACHED = (httpx.ConnectError, mail.NotReached)

Resolver = Callable[[str, int], Awaitable[Sequence[str]]]


class Answer(Struct, frozen=True, kw_only=True):
    """What came of one try. `failure` is a stable word, None after a 2xx.

    `retry_after` is the receiver's own wish in its header's words: seconds or an HTTP date.
    """

    status: int | None = None
    failure: str | None = None
    retry_after: str | None = None

    def retry_after_seconds(self, now: datetime) -> float:
        """How long the receiver asked us to wait; 0 where it said nothing readable."""
        text = (self.retry_after or "").strip()[:40]
        if text.isascii() and text.isdigit():
            return float(text)
        try:
            wait = (parsedate_to_datetime(text) - now).total_seconds()
        except (TypeError, ValueError, OverflowError):
            return 0.0
        return max(wait, 0.0)


@lru_cache(maxsize=1)
def trusted() -> ssl.SSLContext:
    """The authorities we trust: the usual ones, or those named by SSL_CERT_FILE, SSL_CERT_DIR."""
    return httpx.create_ssl_context()


class Outbound:
    """Posts, and hands mail in. `networks` are reachable on purpose although not public.

    Every try looks the name up again and checks every address found; the socket goes to a checked
    address, so that no second lookup can change it, while TLS proves the name. No proxy, no
    redirect, no connection kept, no answer's body read. `resolver` returns the addresses of a host
    and raises `socket.gaierror` where there are none.
    """

    def __init__(
        self,
        networks: Sequence[Network] = (),
        *,
        resolver: Resolver | None = None,
        tls: ssl.SSLContext | None = None,
        total_seconds: float = TOTAL_SECONDS,
    ) -> None:
        self._networks = tuple(networks)
        self._resolver = self._look_up if resolver is None else resolver
        self._tls = tls
        self._total_seconds = total_seconds
        self._threads = ThreadPoolExecutor(LOOKUPS_AT_ONCE, thread_name_prefix="lookup")
        self._mails = ThreadPoolExecutor(MAILS_AT_ONCE, thread_name_prefix="mail")
        self._lookups: dict[tuple[str, int], asyncio.Future[list[str]]] = {}

    async def post(self, url: str, *, headers: Mapping[str, str], content: bytes) -> Answer:
        """Post once, in at most `total_seconds` altogether; whatever happens is in the answer."""

        async def post() -> Answer:
            target, addresses = await self._checked(url, WEB)
            return await self._post(target, addresses, headers, content)

        return await self._try(post)

    async def mail(
        self, url: str, message: EmailMessage, *, username: str = "", password: str = ""
    ) -> Answer:
        """Hand a mail in at a server (smtps://host, smtp://host), under the rules of `post`.

        STARTTLS may be missing on networks allowed by setting only. The status of the answer is the
        server's own three digits where it refused.
        """

        async def hand_in() -> Answer:
            target, addresses = await self._checked(url, MAIL)
            server = mail.Server(
                target=target,
                tls=self._tls or trusted(),
                seconds=self._total_seconds,
                connect_seconds=CONNECT_SECONDS,
                plain_allowed=self._plain(addresses),
                username=username,
                password=password,
            )
            last = mail.NotReached()
            for address in addresses[:ADDRESSES_TRIED_MAX]:
                give = partial(mail.hand_in, server, address, message)
                try:
                    await self._in_thread(give)
                except mail.NotReached as error:
                    last = error
                    continue
                return Answer()
            raise last

        return await self._try(hand_in)

    def _plain(self, addresses: Sequence[Address]) -> bool:
        """Whether mail may go there in the clear, where there is no TLS."""
        return all(is_allowed(each, self._networks) for each in addresses)

    async def _in_thread(self, give: Callable[..., None]) -> None:
        """Run a mail's session in a thread, and cut it off where nobody waits any more."""
        sessions: list[smtplib.SMTP] = []
        try:
            await asyncio.get_running_loop().run_in_executor(
                self._mails, partial(give, opened=sessions.append)
            )
        except asyncio.CancelledError:
            for session in sessions:
                mail.cut(session)
            raise

    async def _try(self, work: Callable[[], Awaitable[Answer]]) -> Answer:
        try:
            async with asyncio.timeout(self._total_seconds):
                return await work()
        except AddressRefused:
            return Answer(failure="address_refused")
        except smtplib.SMTPException as error:
            status, word = mail.failure(error)
            return Answer(status=status, failure=word)
        except (OSError, httpx.TransportError, mail.TlsMissing) as error:
            return Answer(failure=_failure(error))

    async def _checked(self, url: str, schemes: Collection[str]) -> tuple[Target, list[Address]]:
        """The URL taken apart, and its addresses as they are now, every one of them checked."""
        target = parse_target(url, schemes)
        addresses = await self._addresses(target)
        check_target(target, addresses, self._networks)
        return target, addresses

    async def _addresses(self, target: Target) -> list[Address]:
        if target.address is not None:
            return [target.address]
        found = [ip_address(text) for text in await self._resolver(target.host, target.port)]
        if not found:
            raise socket.gaierror(socket.EAI_NONAME, "no address")
        return list(dict.fromkeys(found))

    async def _look_up(self, host: str, port: int) -> list[str]:
        """A lookup that is under way for the same name is shared: a dead name holds one thread."""
        under_way = self._lookups.get((host, port))
        if under_way is None:
            under_way = asyncio.ensure_future(self._ask(host, port))
            self._lookups[host, port] = under_way
            under_way.add_done_callback(lambda _: self._lookups.pop((host, port), None))
        # One who gives up waiting does not end it for the others.
        return await asyncio.shield(under_way)

    async def _ask(self, host: str, port: int) -> list[str]:
        found = await asyncio.get_running_loop().run_in_executor(
            self._threads,
            lambda: socket.getaddrinfo(host, port, type=socket.SOCK_STREAM),
        )
        return [str(where[0]) for *_, where in found]

    async def _post(
        self,
        target: Target,
        addresses: Sequence[Address],
        headers: Mapping[str, str],
        content: bytes,
    ) -> Answer:
        last: httpx.TransportError | None = None
        for address in addresses[:ADDRESSES_TRIED_MAX]:
            request = self._request(target, address, headers, content)
            # A connection of its own each time: one that proved another name is never used again.
            async with httpx.AsyncHTTPTransport(verify=self._tls or trusted()) as transport:
                try:
                    response = await transport.handle_async_request(request)
                except (httpx.ConnectError, httpx.ConnectTimeout) as error:
                    last = error
                    continue
                answer = _answer(response)
                await response.aclose()
                return answer
        raise last or httpx.ConnectError("no address")

    def _request(
        self, target: Target, address: Address, headers: Mapping[str, str], content: bytes
    ) -> httpx.Request:
        limits = dict.fromkeys(("read", "write", "pool"), self._total_seconds)
        return httpx.Request(
            "POST",
            httpx.URL(
                scheme=target.scheme,
                host=str(address),
                port=target.port,
                raw_path=target.path.encode(),
            ),
            headers={**headers, "host": target.host_header, "connection": "close"},
            content=content,
            extensions={
                "timeout": limits | {"connect": CONNECT_SECONDS},
                "sni_hostname": target.host,
            },
        )

    async def aclose(self) -> None:
        """Let go of the threads; one that still waits for a name server ends by itself."""
        for under_way in list(self._lookups.values()):
            under_way.cancel()
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._mails.shutdown(wait=False, cancel_futures=True)


def _answer(response: httpx.Response) -> Answer:
    status = response.status_code
    if response.is_success:
        return Answer(status=status)
    return Answer(
        status=status,
        failure="redirect" if response.is_redirect else f"status_{status}",
        retry_after=response.headers.get("retry-after") or _reset(response),
    )


def _reset(response: httpx.Response) -> str | None:
    """When Chatwork lets us in again ("API rate limit": seconds since 1970), as an HTTP date."""
    text = response.headers.get("x-ratelimit-reset", "")
    if response.status_code != TOO_MANY or not RESET.fullmatch(text):
        return None
    return format_datetime(datetime.fromtimestamp(int(text), UTC), usegmt=True)


def _failure(error: Exception) -> str:
    """A word for what went wrong; a wrong certificate is worth telling from a closed door."""
    if isinstance(error, socket.gaierror):
        return "unresolved"
    cause: BaseException | None = error.__cause__ if isinstance(error, mail.NotReached) else error
    if isinstance(cause, (TimeoutError, httpx.TimeoutException)):
        return "timeout"
    if isinstance(error, mail.TlsMissing):
        return "tls"
    cause = error
    while cause is not None:
        if isinstance(cause, ssl.SSLError):
            return "tls"
        # The pool below raises "from None", so that only the context still knows.
        cause = cause.__cause__ or cause.__context__
    return "no_connection" if isinstance(error, NOT_REACHED) else "no_answer"
