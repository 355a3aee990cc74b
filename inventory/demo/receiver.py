"""The buyers' team's side of a webhook: receives for real, and believes only a good signature."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from standardwebhooks.webhooks import Webhook, WebhookVerificationError

BODY_BYTES_MAX = 1_000_000


class Receiver:
    """Listens on a free port of this machine; `secret` must be set before messages count."""

    def __init__(self) -> None:
        self.secret: str | None = None
        self.messages: dict[str, dict[str, Any]] = {}
        self.refused = 0
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    @property
    def url(self) -> str:
        """Where messages go."""
        return f"http://127.0.0.1:{self._server.server_address[1]}/alerts"

    def start(self) -> None:
        """Begin to listen."""
        self._thread.start()

    def stop(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()

    def delivered(self, prefix: str) -> int:
        """How many different messages of a sort came in with a good signature."""
        return sum(message["type"].startswith(prefix) for message in self.messages.values())

    def take(self, headers: dict[str, str], body: bytes) -> bool:
        """Keep a message; False when its signature is not ours."""
        if self.secret is None:
            return False
        try:
            Webhook(self.secret).verify(body, headers)
        except WebhookVerificationError:
            self.refused += 1
            return False
        self.messages[headers["webhook-id"]] = json.loads(body)
        return True

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                length = min(int(self.headers.get("content-length", "0")), BODY_BYTES_MAX)
                headers = {name.lower(): value for name, value in self.headers.items()}
                good = receiver.take(headers, self.rfile.read(length))
                self.send_response(204 if good else 401)
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                """Say nothing: the board shows what came in."""

        return Handler
