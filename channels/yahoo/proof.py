"""The proof by public key that Yahoo!'s order functions want with every call."""

from __future__ import annotations

import base64
import time

from cryptography.hazmat.primitives.asymmetric import padding
from httpx import Response

from channels.base import AuthExpired
from channels.yahoo.settings import YahooCredentials, YahooSettings

STATUS = "x-sws-authorize-status"
AUTHORIZED = "authorized"
STATUS_LETTERS_MAX = 40


class Proof:
    """One store's proof (help page of the store APIs, "公開鍵認証").

    Named a signature, it is `seller:unix time` sealed by the store's public key (RSA PKCS#1
    v1.5), with the version of the key. How old it may be is UNCONFIRMED, so it is made anew for
    every call. Without a key nothing is sent, and the order functions end 12 hours after consent.
    """

    def __init__(self, settings: YahooSettings, credentials: YahooCredentials) -> None:
        self._seller_id = settings.seller_id
        self._required = settings.proof_status_required
        self._key = credentials.public_key()
        self._version = credentials.public_key_version

    def headers(self) -> dict[str, str]:
        """The headers of one call; empty without a key."""
        if self._key is None:
            return {}
        sealed = self._key.encrypt(f"{self._seller_id}:{int(time.time())}".encode(), _PADDING)
        return {
            "X-sws-signature": base64.b64encode(sealed).decode(),
            "X-sws-signature-version": self._version,
        }

    def check(self, response: Response, *, name: str) -> None:
        """Raises `AuthExpired` where the proof did not hold: that is answered with 200 as well.

        Not to be asked of an answer to a write, which took effect in any case.
        """
        status = response.headers.get(STATUS, "").strip()
        if self._key is None or status.lower() == AUTHORIZED:
            return
        if status or self._required:
            said = status[:STATUS_LETTERS_MAX] or "nothing"
            raise AuthExpired(f"{name}: the proof by public key is not accepted ({said!r})")


_PADDING = padding.PKCS1v15()
