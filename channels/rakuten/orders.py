"""Finding and reading Rakuten's orders: windows small enough for a search, and who cancelled."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Sequence
from datetime import datetime, timedelta

import msgspec
from msgspec import Struct

from channels.base import AuthExpired, Rejected
from channels.rakuten.client import RakutenClient
from channels.rakuten.mapping import CANCELLED_PROGRESS
from channels.rakuten.settings import RakutenSettings
from channels.rakuten.wire import Head, SearchAnswer

PAGE_ORDERS = 1000
# No search gives more; whether it then tells how many there are is UNCONFIRMED.
HITS_MAX = 15_000
# A day less than a search may span: the shop's clock need not be ours.
SPAN = timedelta(days=62)
SECOND = timedelta(seconds=1)


class Found(Struct, frozen=True):
    """Order numbers of a search. `complete`: nothing can have slipped between pages.

    Orders that leave the list while it is paged move others to a page already read. `calls` is
    what the search took.
    """

    refs: list[str]
    complete: bool
    calls: int


class Page(Struct, frozen=True):
    """One page of a search and how many orders it found in all."""

    refs: list[str]
    total: int
    pages: int


class OrderReader:
    """Searches and reads one shop's orders by the functions that its settings name."""

    def __init__(self, client: RakutenClient, settings: RakutenSettings) -> None:
        self._client = client
        self._settings = settings

    async def find(self, begin: datetime, end: datetime, progress: Sequence[int] = ()) -> Found:
        """Numbers of orders placed in a window of any length, of any state or the ones given.

        Searched in pieces of at most 62 days; a piece that finds 15,000 is searched in halves.
        """
        refs: dict[str, None] = {}
        complete, calls = True, 0
        windows = deque(_spans(begin, end))
        while windows:
            first, last = windows.popleft()
            page = await self.page(first, last, progress)
            calls += 1
            if page.total >= HITS_MAX and last - first > SECOND:
                middle = first + (last - first) / 2
                windows.extendleft([(middle, last), (first, middle)])
                continue
            found = await self._rest(first, last, progress, page)
            refs |= dict.fromkeys(found.refs)
            complete = complete and found.complete
            calls += found.calls
        return Found(list(refs), complete, calls)

    async def _rest(
        self, begin: datetime, end: datetime, progress: Sequence[int], first: Page
    ) -> Found:
        refs, totals = dict.fromkeys(first.refs), [first.total]
        number, pages = 1, first.pages
        while number < min(pages, HITS_MAX // PAGE_ORDERS):
            number += 1
            page = await self.page(begin, end, progress, number=number)
            refs |= dict.fromkeys(page.refs)
            totals.append(page.total)
            pages = page.pages
        shrunk = any(later < earlier for earlier, later in itertools.pairwise(totals))
        complete = not shrunk and totals[-1] < HITS_MAX
        return Found(list(refs), complete, calls=number - 1)

    async def page(
        self,
        begin: datetime,
        end: datetime,
        progress: Sequence[int] = (),
        *,
        number: int = 1,
        amount: int = PAGE_ORDERS,
    ) -> Page:
        """One page of a window of at most 63 days, oldest order first."""
        answer = await self._client.search_page(begin, end, progress, page=number, amount=amount)
        return _page(answer)

    async def read(self, refs: Sequence[str]) -> list[msgspec.Raw]:
        """Up to 100 orders as sent; the ones that the shop does not have are missing.

        getOrderItem does not say who cancelled, so cancelled orders are read by getOrder as well.
        Where that function is not switched on, they stay as they are.
        """
        if self._settings.orders_api == "order":
            return await self._client.get_orders(refs)
        raws = {head(raw).ref: raw for raw in await self._client.get_order_items(refs)}
        ended = [ref for ref, raw in raws.items() if head(raw).progress in CANCELLED_PROGRESS]
        if ended:
            try:
                raws |= {head(raw).ref: raw for raw in await self._client.get_orders(ended)}
            except (AuthExpired, Rejected):
                # The key is good, the orders have just been read with it.
                return list(raws.values())
        return list(raws.values())


def head(raw: msgspec.Raw) -> Head:
    """Number and state of an order that may otherwise be unreadable; empty where it has none."""
    try:
        return msgspec.json.decode(raw, type=Head)
    except msgspec.DecodeError:
        return Head()


def _spans(begin: datetime, end: datetime) -> list[tuple[datetime, datetime]]:
    spans = []
    while end - begin > SPAN:
        spans.append((begin, begin + SPAN))
        begin += SPAN
    return [*spans, (begin, end)]


def _page(answer: SearchAnswer) -> Page:
    pages = answer.pages
    return Page(
        refs=answer.refs or [],
        total=(pages and pages.total_records_amount) or 0,
        pages=(pages and pages.total_pages) or 1,
    )
