"""What both versions of the order search share: the window, the lag, and the page tokens."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from msgspec import Struct

from channels.sandbox import lists
from channels.sandbox.amazon_base import AmazonMarket, moment
from channels.sandbox.amazon_views import View, view
from channels.sandbox.wire import Call

PAGE_MAX = 100
TOKEN_LIFE = timedelta(hours=24)
BEFORE_AGE = timedelta(minutes=2)
TOKENS_MAX = 1000


class Asked(Struct, kw_only=True, frozen=True):
    """A search's question, in the words of 2026-01-01. It binds its page tokens."""

    window: Mapping[str, str]
    statuses: tuple[str, ...] = ()
    by: tuple[str, ...] = ()
    size: str = ""
    token: str | None = None

    def bound(self) -> tuple[object, ...]:
        """What a page token goes with; the page size may change between pages."""
        return (*sorted(self.window.items()), self.statuses, self.by)


class Found(Struct, kw_only=True, frozen=True):
    """One page: its orders, the moment that it shows, and how it goes on."""

    views: list[View]
    as_of: datetime
    created: bool
    next_token: str | None


class _Paging(Struct, kw_only=True, frozen=True):
    """Where a page token continues: the same question, seen at the same moment."""

    bound: tuple[object, ...]
    as_of: datetime
    start: int
    expires_at: datetime


class Search:
    """The order search of one market. A list lags by `search_lag_s`, in whole seconds."""

    def __init__(self, market: AmazonMarket) -> None:
        self._market = market
        self._tokens: dict[str, _Paging] = {}

    def page(self, call: Call, asked: Asked) -> Found:
        """One page, oldest change first. Raises Refused for what the model forbids."""
        size = self._size(call, asked)
        self._check_window(call, asked.window)
        paging = self._paging(call, asked)
        views = self._matching(call, asked, paging.as_of)
        end = paging.start + size
        shown, total = lists.page(self._market, views, call.endpoint, start=paging.start, size=size)
        return Found(
            views=shown,
            as_of=paging.as_of,
            created="createdAfter" in asked.window,
            next_token=self._next_token(call, paging, end) if end < total else None,
        )

    def _size(self, call: Call, asked: Asked) -> int:
        text = asked.size or str(PAGE_MAX)
        if not text.isdecimal() or not 1 <= int(text) <= PAGE_MAX:
            raise self._market.wrong(call, f"A page has from 1 to {PAGE_MAX} orders.")
        return int(text)

    def _check_window(self, call: Call, window: Mapping[str, str]) -> None:
        wrong = self._market.wrong
        if ("createdAfter" in window) == ("lastUpdatedAfter" in window):
            raise wrong(call, "Give exactly one of createdAfter and lastUpdatedAfter.")
        kind, other = ("created", "lastUpdated")
        if "lastUpdatedAfter" in window:
            kind, other = other, kind
        if f"{other}Before" in window:
            raise wrong(call, f"{other}Before does not go with {kind}After.")
        after = moment(window[f"{kind}After"])
        if after is None:
            raise wrong(call, f"{kind}After must be an ISO 8601 time.")
        if f"{kind}Before" in window:
            before = moment(window[f"{kind}Before"])
            if before is None or not after <= before <= call.at - BEFORE_AGE:
                raise wrong(call, f"{kind}Before must be a time at least two minutes ago.")

    def _matching(self, call: Call, asked: Asked, as_of: datetime) -> list[View]:
        window = asked.window
        by_update = "lastUpdatedAfter" in window
        after = moment(window.get("lastUpdatedAfter") or window.get("createdAfter", ""))
        before = moment(window.get("lastUpdatedBefore") or window.get("createdBefore", ""))
        found = [
            seen
            for order in self._market.visible_orders(call.endpoint)
            if (seen := view(self._market, order, as_of)) is not None
        ]
        return [
            seen
            for seen in sorted(found, key=lambda seen: (seen.updated_at, seen.order.ref))
            if (after is None or after <= _moment_of(seen, by_update=by_update))
            and _moment_of(seen, by_update=by_update) <= (before or as_of)
            and (not asked.statuses or seen.status in asked.statuses)
            and (not asked.by or ("AMAZON" if seen.by_amazon else "MERCHANT") in asked.by)
        ]

    def _paging(self, call: Call, asked: Asked) -> _Paging:
        lag = timedelta(seconds=self._market.options.search_lag_s)
        fresh = _Paging(
            bound=asked.bound(),
            as_of=(call.at - lag).replace(microsecond=0),
            start=0,
            expires_at=call.at + TOKEN_LIFE,
        )
        if asked.token is None:
            return fresh
        known = self._tokens.get(asked.token)
        if known is None or known.bound != asked.bound() or known.expires_at < call.at:
            raise self._market.wrong(call, "The page token is invalid or has expired.")
        return known

    def _next_token(self, call: Call, paging: _Paging, start: int) -> str:
        if len(self._tokens) >= TOKENS_MAX:
            self._tokens.pop(next(iter(self._tokens)))
        text = self._market.secret(40)
        self._tokens[text] = _Paging(
            bound=paging.bound,
            as_of=paging.as_of,
            start=start,
            expires_at=call.at + TOKEN_LIFE,
        )
        return text


def _moment_of(seen: View, *, by_update: bool) -> datetime:
    return seen.updated_at if by_update else seen.order.placed_at.replace(microsecond=0)
