# ruff: noqa: INP001 -- an example to be copied, not a package
"""A webhook receiver that believes only a good signature. Standard library only.

    HIKIATE_WEBHOOK_SECRET=whsec_… python webhook_receiver.py 9000

Messages are signed as Standard Webhooks asks: HMAC-SHA256 over "id.timestamp.body". They may come
twice and late: keep the ids that you have seen, and of a listing's numbers the highest revision.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import os
import sys
import threading
import time
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

TOLERANCE_SECONDS = 5 * 60
BODY_BYTES_MAX = 100_000


class SignatureWrong(Exception):
    """Not from Hikiate, or changed on the way, or too old."""


def verify(secret: str, headers: Mapping[str, str], body: bytes, *, now: float) -> dict[str, Any]:
    """The message. `headers` by names in small letters, `now` in seconds since 1970.

    Raises SignatureWrong. Verify the bytes as they came; parsing first would change them.
    """
    try:
        message_id, stamp = headers["webhook-id"], headers["webhook-timestamp"]
        signatures, age = headers["webhook-signature"], now - int(stamp)
        key = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    except (KeyError, ValueError, binascii.Error) as error:
        raise SignatureWrong("a header is missing or malformed") from error
    if abs(age) > TOLERANCE_SECONDS:
        raise SignatureWrong("the time is too far from ours")
    signed = b".".join([message_id.encode(), stamp.encode(), body])
    expected = b"v1," + base64.b64encode(hmac.digest(key, signed, hashlib.sha256))
    # There may be several, separated by spaces, while a secret is replaced.
    if not any(hmac.compare_digest(expected, one.encode()) for one in signatures.split()):
        raise SignatureWrong("no signature fits")
    message: dict[str, Any] = json.loads(body)
    return message


class Receiver(ThreadingHTTPServer):
    """Takes each message once and keeps the newest number of each listing."""

    def __init__(self, secret: str, *, host: str = "127.0.0.1", port: int = 0) -> None:
        super().__init__((host, port), Handler)
        self.secret = secret
        self.lock = threading.Lock()
        self.seen: set[str] = set()
        self.messages: list[dict[str, Any]] = []
        self.quantities: dict[str, tuple[int, int]] = {}

    def take(self, message_id: str, message: dict[str, Any]) -> None:
        """Act on a message; a real receiver stores it durably first, then answers."""
        if message_id in self.seen:
            return
        self.seen.add(message_id)
        self.messages.append(message)
        if message["type"] == "listing.quantity":
            data = message["data"]
            newest = self.quantities.get(data["channel_sku"], (0, 0))
            self.quantities[data["channel_sku"]] = max(newest, (data["revision"], data["quantity"]))


class Handler(BaseHTTPRequestHandler):
    """One request: 204 for a good message, 401 for a bad signature, 413 for too much."""

    server: Receiver
    timeout = 10

    def do_POST(self) -> None:
        """Verify, take, answer."""
        length = self.headers.get("content-length", "")
        if not length.isdecimal() or int(length) > BODY_BYTES_MAX:
            self._answer(413)
            return
        body = self.rfile.read(int(length))
        headers = {name.lower(): value for name, value in self.headers.items()}
        try:
            message = verify(self.server.secret, headers, body, now=time.time())
        except SignatureWrong:
            self._answer(401)
            return
        with self.server.lock:
            self.server.take(headers["webhook-id"], message)
        self._answer(204)

    def log_message(self, *_: object) -> None:
        """Say nothing: what came in is in `messages`."""

    def _answer(self, status: int) -> None:
        self.send_response(status)
        self.end_headers()


def main(port: str) -> None:
    """Listen until Ctrl-C."""
    with Receiver(os.environ["HIKIATE_WEBHOOK_SECRET"], port=int(port)) as receiver:
        sys.stdout.write(f"listening on http://127.0.0.1:{port}/\n")
        receiver.serve_forever()


if __name__ == "__main__":
    main(sys.argv[1])
