"""An EC-CUBE shop's tokens as all workers share them: each refresh token works once."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

import msgspec
from msgspec import Struct

from channels.base import AuthExpired
from channels.eccube.settings import EccubeCredentials
from channels.keep import Keep

NAME = "eccube.tokens"
EARLY = timedelta(seconds=60)


class Login(Struct):
    """An answer of the token endpoint."""

    access_token: str
    refresh_token: str
    expires_in: float = 3600.0

    def __repr__(self) -> str:
        """Without the values."""
        return f"Login(expires_in={self.expires_in})"


class Kept(Struct, frozen=True, kw_only=True):
    """The newest tokens. `seed` names the credentials that they grew from."""

    seed: str
    access_token: str
    refresh_token: str
    ends_at: datetime
    refreshed_at: datetime

    def __repr__(self) -> str:
        """Without the values."""
        return f"Kept(ends_at={self.ends_at})"


class Tokens:
    """One shop's tokens. `login` gets new ones for a refresh token.

    The library behind the plugin revokes a refresh token and its access token once it was used
    (league/oauth2-server), so whoever finds the access token old renews it under one lock, and
    what is new is kept before it is used.
    """

    def __init__(
        self,
        keep: Keep,
        credentials: EccubeCredentials,
        login: Callable[[str], Awaitable[Login]],
    ) -> None:
        self._keep = keep
        self._first = credentials.refresh_token
        self._seed = hashlib.sha256(credentials.refresh_token.encode()).hexdigest()[:16]
        self._login = login
        self._held: Kept | None = None

    async def get(self, *, refused: str = "") -> str:
        """An access token that is not the one `refused`. Raises `AuthExpired`, `RetryLater`."""
        if self._held is not None and _is_good(self._held, refused):
            return self._held.access_token
        async with self._keep.lock(NAME):
            kept = await self.kept()
            if kept is None or not _is_good(kept, refused):
                kept = await self._renewed(kept.refresh_token if kept else self._first)
            self._held = kept
            return kept.access_token

    async def kept(self) -> Kept | None:
        """The newest tokens that grew from these credentials, if there are any."""
        text = await self._keep.get(NAME)
        if text is None:
            return None
        try:
            kept = msgspec.json.decode(text, type=Kept)
        except msgspec.DecodeError as error:
            raise AuthExpired(f"{NAME}: what was kept cannot be read; log in again") from error
        return kept if kept.seed == self._seed else None

    async def _renewed(self, refresh_token: str) -> Kept:
        now = datetime.now(UTC)
        login = await self._login(refresh_token)
        kept = Kept(
            seed=self._seed,
            access_token=login.access_token,
            refresh_token=login.refresh_token,
            ends_at=now + timedelta(seconds=login.expires_in),
            refreshed_at=now,
        )
        await self._keep.put(NAME, msgspec.json.encode(kept).decode())
        return kept


def _is_good(kept: Kept, refused: str) -> bool:
    return kept.access_token != refused and kept.ends_at - EARLY > datetime.now(UTC)
