"""A store's consent as all workers share it: its tokens, and how long it still lasts."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any

import msgspec
from msgspec import Struct

from channels.base import AuthExpired
from channels.keep import Keep
from channels.yahoo.settings import YahooCredentials, YahooSettings

NAME = "yahoo.consent"
EARLY_SECONDS = 300.0
BEARER_SECONDS_MAX = 86_400.0


class TokenAnswer(Struct):
    """What YConnect v2 answers; a refresh token is there only now and then."""

    access_token: str
    expires_in: float = 3600.0
    refresh_token: str | None = None

    def __repr__(self) -> str:
        """Without the values."""
        return "TokenAnswer(***)"


class Kept(Struct, frozen=True, kw_only=True):
    """What is kept of a consent.

    `seed` names the credentials that it grew from: new ones put it aside. `since` is when the
    consent was given, `refresh_token` the last one that Yahoo! handed out.
    """

    seed: str
    since: datetime
    refresh_token: str
    access_token: str = ""
    ends_at: datetime | None = None

    def __repr__(self) -> str:
        """Without the values."""
        return "Kept(***)"


class Consent:
    """One store's tokens. `ask` gets new ones from YConnect for a refresh token.

    All workers share one access token: whoever finds it old renews it under one lock for the
    store, and keeps what came before it is used, so that a restart or another worker goes on
    with the newest refresh token; the one in the credentials is only the first.
    """

    def __init__(
        self,
        keep: Keep,
        settings: YahooSettings,
        credentials: YahooCredentials,
        *,
        ask: Callable[[str], Awaitable[TokenAnswer]],
        now: Callable[[], datetime],
    ) -> None:
        self._keep = keep
        self._settings = settings
        self._credentials = credentials
        self._ask = ask
        self._now = now
        self._one = asyncio.Lock()
        self._held: Kept | None = None
        self._refused = ""

    async def token(self) -> str:
        """An access token that is good for a while.

        Raises `AuthExpired` when the store must consent anew, `RetryLater` when YConnect or the
        shared memory cannot be asked.
        """
        async with self._one:
            if self._held is None or not self._is_good(self._held):
                async with self._keep.lock(NAME):
                    self._held = await self._renewed(await self._load())
            return self._held.access_token

    def forget(self, access_token: str) -> None:
        """Say that Yahoo! refused this access token; a newer one is kept."""
        self._refused = access_token

    async def ends_at(self) -> datetime:
        """When the store must have consented anew."""
        kept = await self._load()
        if self._credentials.public_key_pem:
            return kept.since + timedelta(days=self._settings.consent_days)
        return kept.since + timedelta(hours=self._settings.unproved_hours)

    async def _renewed(self, kept: Kept) -> Kept:
        if self._is_good(kept):
            return kept
        asked_at, given = self._now(), kept.refresh_token
        try:
            answer = await self._ask(given)
        except AuthExpired:
            # Whether a new consent may bring the old string back to life is UNCONFIRMED.
            if given == self._credentials.refresh_token:
                raise
            given = self._credentials.refresh_token
            answer = await self._ask(given)
        lasts = min(max(answer.expires_in, 0.0), BEARER_SECONDS_MAX)
        refresh_token = answer.refresh_token or given
        renews = self._settings.consent_renewed_by_refresh
        fresh = msgspec.structs.replace(
            kept,
            since=asked_at if renews and refresh_token != given else kept.since,
            refresh_token=refresh_token,
            access_token=answer.access_token,
            ends_at=asked_at + timedelta(seconds=max(lasts - EARLY_SECONDS, lasts / 2)),
        )
        await self._keep.put(NAME, msgspec.json.encode(fresh).decode())
        return fresh

    async def _load(self) -> Kept:
        text = await self._keep.get(NAME)
        if text is not None:
            kept = msgspec.json.decode(text, type=Kept)
            if kept.seed == self._seed():
                return kept
        credentials = self._credentials
        return Kept(
            seed=self._seed(),
            since=credentials.consented_at or self._now(),
            refresh_token=credentials.refresh_token,
        )

    def _seed(self) -> str:
        mark: Any = (self._credentials.refresh_token, self._credentials.consented_at)
        return hashlib.sha256(msgspec.json.encode(mark)).hexdigest()

    def _is_good(self, kept: Kept) -> bool:
        in_time = kept.ends_at is not None and self._now() < kept.ends_at
        return in_time and kept.access_token != self._refused
