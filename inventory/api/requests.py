"""Around every request: an id for the logs, one line when it ends, and its place in the metrics."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, cast
from uuid import uuid4

import structlog
from litestar import Litestar
from litestar.enums import ScopeType

if TYPE_CHECKING:
    from litestar.types import LifeSpanReceive, LifeSpanSend, Message, Receive, Send
    from litestar.types.asgi_types import LifeSpanScope, Scope

log = structlog.get_logger()

QUIET = frozenset({"/health/live", "/health/ready", "/metrics"})


class Application(Litestar):
    """Gives each request an id (`X-Request-Id`) that is in all its log lines and problems.

    It stands outside of everything else, so that refused and crashed requests are seen too.
    """

    async def __call__(
        self,
        scope: Scope | LifeSpanScope,
        receive: Receive | LifeSpanReceive,
        send: Send | LifeSpanSend,
    ) -> None:
        """Serve one request, or start and stop."""
        if scope["type"] != ScopeType.HTTP:
            await super().__call__(scope, receive, send)
            return
        request_id = str(uuid4())
        cast("dict[str, Any]", scope).setdefault("state", {})["request_id"] = request_id
        started = time.perf_counter()
        status = 500

        async def note_status(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [
                    *message["headers"],
                    (b"x-request-id", request_id.encode()),
                    (b"cache-control", b"no-store"),
                    (b"x-content-type-options", b"nosniff"),
                ]
            await cast("Send", send)(message)

        with structlog.contextvars.bound_contextvars(request_id=request_id):
            try:
                await super().__call__(scope, receive, note_status)
            finally:
                self._done(scope, status, time.perf_counter() - started)

    def _done(self, scope: Any, status: int, seconds: float) -> None:
        route = str(scope.get("path_template") or "none")
        method = str(scope["method"])
        self.state.http.observe(method=method, route=route, status=status, seconds=seconds)
        write = log.debug if route in QUIET else log.info
        write("request", method=method, route=route, status=status, ms=round(seconds * 1000, 1))
