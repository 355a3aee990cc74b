"""The only way out to a webhook address: look up, check, connect to what was checked, post once."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from email.utils import parsedate_to_datetime
from functools import lru_cache
from ipaddress import ip_address

import httpx
from msgspec import Struct

from inventory.addresses import (
    Address,
    AddressRefused,
    Network,
    Target,
    check_target,
    parse_target,
)

TOTAL_SECONDS = 10.0
CONNECT_SECONDS = 3.0
ADDRESSES_TRIED_MAX = 3
# A lookup cannot be cancelled, and one of a dead name lasts up to half a minute.
LOOKUPS_AT_ONCE = 32

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
        except (TypeError, ValueError):
            return 0.0
        return max(wait, 0.0)


@lru_cache(maxsize=1)
def trusted() -> ssl.SSLContext:
    """The authorities we trust: the usual ones, or those named by SSL_CERT_FILE, SSL_CERT_DIR."""
    return httpx.create_ssl_context()


class Outbound:
    """Posts to webhook addresses. `networks` are reachable on purpose although not public.

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

    async def post(self, url: str, *, headers: Mapping[str, str], content: bytes) -> Answer:
        """Post once, in at most `total_seconds` altogether; whatever happens is in the answer."""
        try:
            async with asyncio.timeout(self._total_seconds):
                target = parse_target(url)
                addresses = await self._addresses(target)
                check_target(target, addresses, self._networks)
                return await self._post(target, addresses, headers, content)
        except AddressRefused:
            return Answer(failure="address_refused")
        except socket.gaierror:
            return Answer(failure="unresolved")
        except (TimeoutError, httpx.TimeoutException):
            return Answer(failure="timeout")
        except (OSError, httpx.TransportError) as error:
            return Answer(failure=_failure(error))

    async def _addresses(self, target: Target) -> list[Address]:
        if target.address is not None:
            return [target.address]
        found = [ip_address(text) for text in await self._resolver(target.host, target.port)]
        if not found:
            raise socket.gaierror(socket.EAI_NONAME, "no address")
        return list(dict.fromkeys(found))

    async def _look_up(self, host: str, port: int) -> list[str]:
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
        """Let go of the lookup threads; one that still waits for a name server ends by itself."""
        self._threads.shutdown(wait=False, cancel_futures=True)


def _answer(response: httpx.Response) -> Answer:
    status = response.status_code
    if response.is_success:
        return Answer(status=status)
    return Answer(
        status=status,
        failure="redirect" if response.is_redirect else f"status_{status}",
        retry_after=response.headers.get("retry-after"),
    )


def _failure(error: Exception) -> str:
    """A word for what went wrong; a wrong certificate is worth telling from a closed door."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLError):
            return "tls"
        # The pool below raises "from None", so that only the context still knows.
        cause = cause.__cause__ or cause.__context__
    return "no_connection" if isinstance(error, httpx.ConnectError) else "no_answer"
