"""HTTP under all marketplaces: one call in, one answer out, with limits and faults in between."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping, MutableMapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol
from urllib.parse import parse_qsl, unquote

from msgspec import Struct

from channels.sandbox.clock import Clock
from channels.sandbox.faults import Faults, is_sunday_night
from channels.sandbox.limits import Limit
from channels.sandbox.spoil import GARBAGE, spoiled

BODY_BYTES_MAX = 4_000_000
WAITED_FOR = frozenset({429, 503})

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


class Call(Struct, kw_only=True):
    """One request as it arrived. `at` is the sandbox's time, `tick` the limits' time of arrival.

    `headers` have lower-case names; `params` are the decoded parts of the path; `query` keeps the
    last value of a repeated name. `prefix` is the marketplace's own base address.
    """

    method: str
    path: str
    endpoint: str
    at: datetime
    tick: float
    headers: Mapping[str, str]
    params: Mapping[str, str]
    query: Mapping[str, str]
    body: bytes
    prefix: str


class Answer(Struct, kw_only=True):
    """One answer. `headers` come on top of the content type."""

    status: int = 200
    body: bytes = b""
    media_type: str = "application/json"
    headers: Mapping[str, str] = {}


class Refusal(StrEnum):
    """Why the front door turns a call away; each marketplace words it in its own shape."""

    THROTTLED = "throttled"
    UNAVAILABLE = "unavailable"
    MAINTENANCE = "maintenance"
    INSIDE = "inside"  # a good status with an error in the body
    AUTH = "auth"
    NOT_FOUND = "not_found"
    METHOD = "method"
    TOO_LARGE = "too_large"


class Refused(Exception):
    """Raised anywhere inside a marketplace's handler to end the call with this answer."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.status)
        self.answer = answer


class Route(Struct, kw_only=True, frozen=True):
    """One method and path of a marketplace.

    `path` may hold `{name}` parts, matched before percent-decoding, so that an encoded slash stays
    inside its part. `run` is plain (not async): between its first and last line nothing else runs.
    `limits` are counted at arrival, all of them; `limits` that need the body (a query's cost) are
    taken inside `run` instead. `open_door`: no credentials are asked for (token endpoints).
    """

    method: str
    path: str
    endpoint: str
    run: Callable[[Call], Answer]
    limits: Sequence[Limit] = ()
    body_max: int = BODY_BYTES_MAX
    open_door: bool = False


class Served(Protocol):
    """What the front door needs of a marketplace; `channels.sandbox.market.Market` offers it."""

    clock: Clock
    faults: Faults
    routes: list[Route]
    ignoring: bool

    def refuse(self, refusal: Refusal, endpoint: str) -> Answer:
        """The marketplace's own words for a call that is turned away."""
        ...

    def authorize(self, call: Call) -> Answer | None:
        """None for good credentials, else the marketplace's refusal."""
        ...


class Front:
    """The HTTP face of one marketplace, an ASGI application mounted at `mount` (like /rakuten)."""

    def __init__(self, mount: str, served: Served) -> None:
        self._mount = mount
        self._served = served
        self._patterns = [(_pattern(route.path), route) for route in served.routes]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        tick = self._served.clock.tick()
        path, _, _ = scope["raw_path"].decode("ascii").partition("?")
        path = path.removeprefix(self._mount) or "/"
        route, params = self._find(scope["method"], path)
        if route is None:
            missing = Refusal.METHOD if self._known(path) else Refusal.NOT_FOUND
            await _send(send, self._served.refuse(missing, path))
            return
        refusals = sum(not limit.take(tick) for limit in route.limits)
        body = await _read(receive, route.body_max)
        if body is None:
            await _send(send, self._served.refuse(Refusal.TOO_LARGE, route.endpoint))
            return
        call = self._call(scope, route, path=path, params=params, body=body, tick=tick)
        delay_ms = self._served.faults.amount("latency_ms", route.endpoint)
        if delay_ms:
            await asyncio.sleep(delay_ms / 1000)
        if refusals:
            await _send(send, self._served.refuse(Refusal.THROTTLED, route.endpoint))
            return
        refusal = self._struck(route)
        if refusal is not None:
            answer = self._served.refuse(refusal, route.endpoint)
            await _send(send, self._delayed(answer, route.endpoint))
            return
        await self._answer(route, call, send)

    async def _answer(self, route: Route, call: Call, send: Send) -> None:
        faults = self._served.faults
        answer = self._run(route, call)
        if faults.hit("timeout_after_apply", route.endpoint):
            await asyncio.sleep(faults.amount("hold_s", route.endpoint))
            await _break_off(send)
        elif faults.hit("garbage", route.endpoint):
            await _send(send, Answer(body=GARBAGE, media_type=answer.media_type))
        else:
            answer.body = spoiled(answer.body, faults, route.endpoint)
            await _send(send, answer)

    def _delayed(self, answer: Answer, endpoint: str) -> Answer:
        """The same refusal, which may say how long to wait."""
        seconds = self._served.faults.amount("retry_after_s", endpoint)
        if seconds and answer.status in WAITED_FOR:
            answer.headers = {**answer.headers, "Retry-After": f"{seconds:.0f}"}
        return answer

    def _run(self, route: Route, call: Call) -> Answer:
        try:
            if not route.open_door:
                unknown = self._served.authorize(call)
                if unknown is not None:
                    return unknown
            self._served.ignoring = self._served.faults.hit("ignore_writes", route.endpoint)
            return route.run(call)
        except Refused as refused:
            return refused.answer
        finally:
            self._served.ignoring = False

    def _struck(self, route: Route) -> Refusal | None:
        for knob, refusal in (
            ("auth_expired", Refusal.AUTH),
            ("throttle_rate", Refusal.THROTTLED),
            ("maintenance", Refusal.MAINTENANCE),
            ("sunday_maintenance", Refusal.MAINTENANCE),
            ("error_rate", Refusal.UNAVAILABLE),
            ("error_inside", Refusal.INSIDE),
        ):
            if knob == "sunday_maintenance" and not is_sunday_night(self._served.clock.now()):
                continue
            if self._served.faults.hit(knob, route.endpoint):
                return refusal
        return None

    def _call(
        self,
        scope: Scope,
        route: Route,
        *,
        path: str,
        params: Mapping[str, str],
        body: bytes,
        tick: float,
    ) -> Call:
        headers = {
            name.decode("latin-1").lower(): value.decode("latin-1")
            for name, value in scope["headers"]
        }
        query = dict(parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True))
        host = headers.get("host", "127.0.0.1")
        return Call(
            method=scope["method"],
            path=path,
            endpoint=route.endpoint,
            at=self._served.clock.now(),
            tick=tick,
            headers=headers,
            params=params,
            query=query,
            body=body,
            prefix=f"{scope.get('scheme', 'http')}://{host}{self._mount}",
        )

    def _find(self, method: str, path: str) -> tuple[Route | None, dict[str, str]]:
        for pattern, route in self._patterns:
            match = pattern.fullmatch(path)
            if match and route.method == method:
                return route, {name: unquote(text) for name, text in match.groupdict().items()}
        return None, {}

    def _known(self, path: str) -> bool:
        return any(pattern.fullmatch(path) for pattern, _ in self._patterns)


def _pattern(path: str) -> re.Pattern[str]:
    parts = re.split(r"\{(\w+)\}", path)
    return re.compile(
        "".join(
            f"(?P<{part}>[^/]+)" if position % 2 else re.escape(part)
            for position, part in enumerate(parts)
        )
    )


async def _read(receive: Receive, body_max: int) -> bytes | None:
    chunks: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return b"".join(chunks)
        chunks.append(message.get("body", b""))
        size += len(chunks[-1])
        if size > body_max:
            return None
        if not message.get("more_body", False):
            return b"".join(chunks)


async def _send(send: Send, answer: Answer) -> None:
    headers = [(b"content-length", str(len(answer.body)).encode())]
    if answer.body:
        headers.append((b"content-type", answer.media_type.encode()))
    headers += [
        (name.lower().encode("latin-1"), value.encode("latin-1"))
        for name, value in answer.headers.items()
    ]
    if answer.status == 204:  # noqa: PLR2004  (no content: HTTP forbids a length here)
        headers = headers[1:]
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body})


async def _break_off(send: Send) -> None:
    # A promised byte that never comes: the server closes the connection, the client sees no answer.
    headers = [(b"content-length", b"1"), (b"connection", b"close")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
