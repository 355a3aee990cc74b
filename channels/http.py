"""The one HTTP client of all adapters: budgets, time-outs, and what an answer's status means."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import httpx

from channels import bodies
from channels.arrivals import Arrivals, Trip
from channels.base import AuthExpired, BadAnswer, OutcomeUnknown, RetryLater, Throttled
from channels.limits import Budgets

# What is waited where the channel does not say: after too many calls, and while it is down.
THROTTLED_SECONDS = 2.0
DOWN_SECONDS = 5.0
RETRY_SECONDS_MAX = 3600.0
# A whole call, also one whose body drips in without an end.
CALL_SECONDS_MAX = 30.0
# Of a channel's own word for what went wrong, this much is shown.
WORD_LETTERS_MAX = 60
NOT_WORDS = re.compile(r"[^A-Za-z0-9_., -]+")


class ChannelHttp:
    """Sends one channel's requests within its budgets.

    `rate_header` is where the channel states the calls a second that it permits, if it does.
    `words` finds the channel's own code in an answer of 401, 403 or 5xx ("" where it has none), so
    that a person can tell a key that has ended from an address that may not call; it never raises.
    Nothing of a request is ever logged here: headers carry credentials, bodies perhaps buyer data.
    """

    def __init__(
        self,
        *,
        base_url: str,
        budgets: Budgets,
        timeout_seconds: float = 10.0,
        longest_wait_seconds: float = 10.0,
        body_bytes_max: int = bodies.BODY_BYTES_MAX,
        rate_header: str | None = None,
        words: Callable[[httpx.Response], str] = lambda _: "",
    ) -> None:
        self.budgets = budgets
        self._longest_wait_seconds = longest_wait_seconds
        self._body_bytes_max = body_bytes_max
        self._rate_header = rate_header
        self._words = words
        self._arrivals = Arrivals()
        self._client = httpx.AsyncClient(
            base_url=base_url,
            timeout=httpx.Timeout(timeout_seconds, connect=5.0),
            follow_redirects=False,
            headers={"accept-encoding": bodies.ENCODINGS},
        )

    async def send(
        self,
        method: str,
        url: str,
        *,
        endpoint: str,
        writes: bool = False,
        cost: int = 1,
        headers: Mapping[str, str] | None = None,
        **body: Any,
    ) -> httpx.Response:
        """Send one request and return the answer, whatever its status below 500 but 401/403/429.

        `endpoint` names the budget. `writes` says that the request changes something, so that a
        missing answer is `OutcomeUnknown`; otherwise it is `RetryLater`. `cost` is in points where
        the channel counts points. `body` goes to httpx (`json=`, `data=`, `content=`, `params=`).
        Raises `Throttled` (429, or no budget), `RetryLater` (5xx before anything was changed, no
        connection), `OutcomeUnknown`, `BadAnswer` (a body that cannot be read), `AuthExpired`
        (401/403).
        """
        request = self._client.build_request(method, url, headers=headers, **body)
        try:
            response = await self._called(request, endpoint, cost)
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
            raise RetryLater(f"{endpoint}: no connection ({type(error).__name__})") from error
        except (httpx.HTTPError, TimeoutError) as error:
            message = f"{endpoint}: no answer ({type(error).__name__})"
            raise (OutcomeUnknown(message) if writes else RetryLater(message)) from error
        except bodies.Unreadable as error:
            message = f"{endpoint}: {error}"
            raise (OutcomeUnknown(message) if writes else BadAnswer(message)) from error
        return await self._checked(response, endpoint=endpoint, writes=writes)

    async def _called(self, request: httpx.Request, endpoint: str, cost: int) -> httpx.Response:
        """The answer with its whole body, once there is a budget for the call."""
        grant = await self.budgets.take(
            endpoint, longest_wait_seconds=self._longest_wait_seconds, cost=cost
        )
        trip, arrived_at = Trip(), None
        request.extensions["trace"] = trip.trace
        try:
            async with asyncio.timeout(CALL_SECONDS_MAX):
                response = await self._client.send(request, stream=True)
                try:
                    arrived_at = self._arrivals.answered(endpoint, trip)
                    await self.budgets.done(grant, arrived_at=arrived_at)
                    return await bodies.read(response, bytes_max=self._body_bytes_max)
                finally:
                    await response.aclose()
        finally:
            if arrived_at is None:
                await self.budgets.done(grant, arrived_at=time.monotonic())

    async def _checked(
        self, response: httpx.Response, *, endpoint: str, writes: bool
    ) -> httpx.Response:
        status = response.status_code
        if status == httpx.codes.TOO_MANY_REQUESTS:
            seconds = _retry_after(response)
            await self.budgets.drain(endpoint, seconds=seconds or 0.0)
            raise Throttled(f"{endpoint}: 429", seconds=seconds or THROTTLED_SECONDS)
        await self._learn(response, endpoint)
        if status in {httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN}:
            raise AuthExpired(f"{endpoint}: {self._said(response)}, the key or token is refused")
        if status >= httpx.codes.INTERNAL_SERVER_ERROR:
            message = f"{endpoint}: {self._said(response)}"
            if writes and status != httpx.codes.SERVICE_UNAVAILABLE:
                raise OutcomeUnknown(message)
            raise RetryLater(message, seconds=_retry_after(response) or DOWN_SECONDS)
        return response

    def _said(self, response: httpx.Response) -> str:
        """The status, and the channel's code: letters, digits and a little more, cut short."""
        code = NOT_WORDS.sub(" ", self._words(response))[:WORD_LETTERS_MAX].strip()
        return f"{response.status_code} {code}".strip()

    async def _learn(self, response: httpx.Response, endpoint: str) -> None:
        said = response.headers.get(self._rate_header or "", "")
        if said:
            await self.budgets.learn(endpoint, _number(said) or 0.0)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.aclose()


def _retry_after(response: httpx.Response) -> float | None:
    """The seconds that an answer asks us to wait, given as such or as a date; at most an hour."""
    said = response.headers.get("retry-after", "").strip()
    seconds = _number(said)
    if seconds is None:
        try:
            date = parsedate_to_datetime(said)
        except ValueError:
            return None
        # A date without a zone is one in UTC (RFC 9110, section 5.6.7).
        date = date if date.tzinfo is not None else date.replace(tzinfo=UTC)
        seconds = (date - datetime.now(UTC)).total_seconds()
    return min(max(seconds, 0.0), RETRY_SECONDS_MAX)


def _number(text: str) -> float | None:
    return float(text) if text.replace(".", "", 1).isdecimal() else None
