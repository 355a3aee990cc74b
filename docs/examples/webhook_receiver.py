# ruff: noqa: INP001 -- an example to be copied, not a package
"""A webhook receiver that believes only a good signature, each message once, and the newest word.

    HIKIATE_WEBHOOK_SECRET=whsec_… python webhook_receiver.py 9000
    HIKIATE_WEBHOOK_PUBLIC_KEY=whpk_… python webhook_receiver.py 9000

Messages are signed as Standard Webhooks asks, over "id.timestamp.body": `v1` is HMAC-SHA256 by the
secret, with the standard library only; `v1a` is ed25519, for which a receiver keeps no secret at
all (python -m pip install cryptography). Name two keys, separated by a space, while they are being
replaced. Messages may come twice, late and in no order: what was seen is dropped by its id, and of
what is said about one topic only the highest version is believed.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import sys
import threading
import time
from collections.abc import Iterable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

TOLERANCE_SECONDS = 5 * 60
BODY_BYTES_MAX = 100_000
SIGNATURES_MAX = 10


class SignatureWrong(Exception):
    """Not from Hikiate, or changed on the way, or too old."""


def verify(keys: str, headers: Mapping[str, str], body: bytes, *, now: float) -> dict[str, Any]:
    """The message. `keys` are whsec_… or whpk_…, `headers` by names in small letters.

    `now` is in seconds since 1970. Raises SignatureWrong. Verify the bytes as they came; parsing
    first would change them.
    """
    try:
        message_id, stamp = headers["webhook-id"], headers["webhook-timestamp"]
        signatures, age = headers["webhook-signature"].split(), now - int(stamp)
    except (KeyError, ValueError) as error:
        raise SignatureWrong("a header is missing or malformed") from error
    if abs(age) > TOLERANCE_SECONDS:
        raise SignatureWrong("the time is too far from ours")
    signed = b".".join([message_id.encode(), stamp.encode(), body])
    # There may be several while keys are replaced. What we have no key for is passed over.
    if not any(fits(key, signed, signatures[:SIGNATURES_MAX]) for key in keys.split()):
        raise SignatureWrong("no signature fits")
    message: dict[str, Any] = json.loads(body)
    return message


def fits(key: str, signed: bytes, signatures: Iterable[str]) -> bool:
    """Whether one of the signatures is by this key."""
    if key.startswith("whpk_"):
        return any(signed_by(key, signed, one) for one in signatures)
    secret = base64.b64decode(key.removeprefix("whsec_"), validate=True)
    if not secret:
        return False
    expected = b"v1," + base64.b64encode(hmac.digest(secret, signed, hashlib.sha256))
    return any(hmac.compare_digest(expected, one.encode()) for one in signatures)


def signed_by(public_key: str, signed: bytes, signature: str) -> bool:
    """Whether a `v1a` signature is by the holder of this key."""
    from cryptography.exceptions import InvalidSignature  # noqa: PLC0415 -- for v1a only
    from cryptography.hazmat.primitives.asymmetric import ed25519  # noqa: PLC0415 -- the same

    version, _, text = signature.partition(",")
    if version != "v1a":
        return False
    key = base64.b64decode(public_key.removeprefix("whpk_"), validate=True)
    try:
        ed25519.Ed25519PublicKey.from_public_bytes(key).verify(base64.b64decode(text), signed)
    except (InvalidSignature, ValueError):
        return False
    return True


class Receiver(ThreadingHTTPServer):
    """Takes each message once, and of each topic the newest."""

    def __init__(self, keys: str, *, host: str = "127.0.0.1", port: int = 0) -> None:
        super().__init__((host, port), Handler)
        self.keys = keys
        self.lock = threading.Lock()
        # In a real receiver a table with a unique key; a month is enough.
        self.seen: set[str] = set()
        self.versions: dict[str, int] = {}
        self.messages: list[dict[str, Any]] = []
        self.quantities: dict[str, int] = {}

    def take(self, message_id: str, message: dict[str, Any]) -> bool:
        """Act on a message; False for a repeat, and for an older word than we have.

        A real receiver stores it durably first, then answers.
        """
        if message_id in self.seen:
            return False
        self.seen.add(message_id)
        topic, version = message.get("topic"), message.get("version", 0)
        if topic is not None and self.versions.get(topic, -1) >= version:
            return False
        if topic is not None:
            self.versions[topic] = version
        self.messages.append(message)
        if message["type"] == "listing.quantity":
            self.quantities[message["data"]["channel_sku"]] = message["data"]["quantity"]
        return True


class Handler(BaseHTTPRequestHandler):
    """One request: 204 for a good message, 401 for a bad signature, 413 for too much."""

    server: Receiver
    timeout = 10

    def do_POST(self) -> None:
        """Verify, take, answer. A repeat and an older word are answered 204 too: they came in."""
        length = self.headers.get("content-length", "")
        if not length.isdecimal() or int(length) > BODY_BYTES_MAX:
            self._answer(413)
            return
        body = self.rfile.read(int(length))
        headers = {name.lower(): value for name, value in self.headers.items()}
        try:
            message = verify(self.server.keys, headers, body, now=time.time())
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
    names = ("HIKIATE_WEBHOOK_SECRET", "HIKIATE_WEBHOOK_PUBLIC_KEY")
    keys = " ".join(os.environ[name] for name in names if name in os.environ)
    with Receiver(keys, port=int(port)) as receiver:
        sys.stdout.write(f"listening on http://127.0.0.1:{port}/\n")
        receiver.serve_forever()


if __name__ == "__main__":
    main(sys.argv[1])
