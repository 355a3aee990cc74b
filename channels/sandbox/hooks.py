"""What a marketplace tells by itself: webhooks, sent late, twice, out of order or not at all."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

import httpx
from msgspec import Struct

from channels.sandbox.clock import stamp
from channels.sandbox.faults import Faults
from channels.sandbox.services import Services

CONNECT_SECONDS, ANSWER_SECONDS = 1.0, 5.0
WAITING_MAX = 10_000
KEPT_MAX = 1_000
ENDPOINT = "notices"
FORGER = "somebody else's secret"


class Message(Struct, frozen=True, kw_only=True):
    """One webhook. `headers` are made at each attempt, from the secret and the body."""

    topic: str
    body: bytes
    secret: str
    headers: Callable[[str, bytes], Mapping[str, str]]


class Hooks:
    """Delivers messages to `url`, if there is one; in the order told unless a knob says otherwise.

    Only 2xx counts. `retries` more attempts follow, the first after `pause_s`, then twice as long
    each time.
    """

    def __init__(self, services: Services, *, retries: int, pause_s: float) -> None:
        self.url: str | None = None
        self.sent: list[dict[str, object]] = []
        self._services = services
        self._retries, self._pause_s = retries, pause_s
        self._tasks: set[asyncio.Task[None]] = set()
        self._http: httpx.AsyncClient | None = None

    def tell(self, message: Message) -> None:
        """Send it in the background; needs a running event loop where there is an address."""
        faults: Faults = self._services.faults
        if self.url is None or len(self._tasks) >= WAITING_MAX:
            return
        if faults.hit("lose_notices", ENDPOINT):
            return
        forged = faults.hit("forge_notices", ENDPOINT)
        late = faults.amount("notice_delay_s", ENDPOINT)
        late += self._services.rng.random() * faults.amount("shuffle_notices_s", ENDPOINT)
        for _ in range(2 if faults.hit("repeat_notices", ENDPOINT) else 1):
            task = asyncio.get_running_loop().create_task(
                self._deliver(self.url, message, late=late, forged=forged)
            )
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def aclose(self) -> None:
        """Drop what is still to be sent."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._http is not None:
            await self._http.aclose()

    async def _deliver(self, url: str, message: Message, *, late: float, forged: bool) -> None:
        await asyncio.sleep(late)
        for attempt in range(1 + self._retries):
            status = await self._post(url, message, forged=forged)
            if status is not None and httpx.codes.is_success(status):
                return
            await asyncio.sleep(self._pause_s * 2**attempt)

    async def _post(self, url: str, message: Message, *, forged: bool) -> int | None:
        if self._http is None:
            timeout = httpx.Timeout(ANSWER_SECONDS, connect=CONNECT_SECONDS)
            self._http = httpx.AsyncClient(timeout=timeout, trust_env=False)
        started = self._services.clock.tick()
        headers = message.headers(FORGER if forged else message.secret, message.body)
        try:
            answer = await self._http.post(url, content=message.body, headers=dict(headers))
        except httpx.HTTPError:
            status = None
        else:
            status = answer.status_code
        self.sent.append(
            {
                "at": stamp(self._services.clock.now()),
                "topic": message.topic,
                "status": status,
                "seconds": self._services.clock.tick() - started,
            }
        )
        del self.sent[:-KEPT_MAX]
        return status
