"""The one HTTP client of all adapters: budgets, time-outs, and what an answer's status means."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from typing import Any

import httpx

from channels.base import AuthExpired, BadAnswer, OutcomeUnknown, RetryLater, Throttled
from channels.limits import Budgets

JST = timezone(timedelta(hours=9))
BODY_BYTES_MAX = 20_000_000
RETRY_SECONDS_MAX = 3600.0


class ChannelHttp:
    """Sends one channel's requests within its budgets.

    Nothing of a request is ever logged here: headers carry credentials, bodies perhaps buyer data.
    """

    def __init__(
        self,
        *,
        base_url: str,
        budgets: Budgets,
        timeout_seconds: float = 10.0,
        longest_wait_seconds: float = 10.0,
    ) -> None:
        self.budgets = budgets
        self._longest_wait_seconds = longest_wait_seconds
        self._client = httpx.AsyncClient(
            base_url=base_url,
            timeout=httpx.Timeout(timeout_seconds, connect=5.0),
            follow_redirects=False,
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
        connection), `OutcomeUnknown`, `AuthExpired` (401/403).
        """
        day = datetime.now(JST).date().isoformat()
        await self.budgets.take(
            endpoint, longest_wait_seconds=self._longest_wait_seconds, day=day, cost=cost
        )
        try:
            response = await self._client.request(method, url, headers=headers, **body)
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
            raise RetryLater(f"{endpoint}: no connection ({type(error).__name__})") from error
        except httpx.HTTPError as error:
            message = f"{endpoint}: no answer ({type(error).__name__})"
            raise (OutcomeUnknown(message) if writes else RetryLater(message)) from error
        return await self._checked(response, endpoint=endpoint, writes=writes)

    async def _checked(
        self, response: httpx.Response, *, endpoint: str, writes: bool
    ) -> httpx.Response:
        status = response.status_code
        if status == httpx.codes.TOO_MANY_REQUESTS:
            await self.budgets.drain(endpoint)
            raise Throttled(f"{endpoint}: 429", seconds=_retry_after(response))
        if status in {httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN}:
            raise AuthExpired(f"{endpoint}: {status}, the key or token is refused")
        if status >= httpx.codes.INTERNAL_SERVER_ERROR:
            message = f"{endpoint}: {status}"
            if writes and status != httpx.codes.SERVICE_UNAVAILABLE:
                raise OutcomeUnknown(message)
            raise RetryLater(message)
        if len(response.content) > BODY_BYTES_MAX:
            message = f"{endpoint}: answer of {len(response.content)} bytes"
            raise OutcomeUnknown(message) if writes else BadAnswer(message)
        return response

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.aclose()


def _retry_after(response: httpx.Response) -> float:
    text = response.headers.get("retry-after", "")
    asked = float(text) if text.replace(".", "", 1).isdigit() else 2.0
    return min(asked, RETRY_SECONDS_MAX)
