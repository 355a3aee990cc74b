"""A load that does not give up: sales and holds, over REST and in process, each told until heard.

Runs in a thread with an event loop of its own, so that the main thread can kill and start servers.
"""

from __future__ import annotations

import asyncio
import itertools
import threading
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
from msgspec import Struct

from inventory.clock import Clock
from inventory.db import Database
from inventory.errors import LedgerUnavailable
from inventory.facts import ReservationAsked, SaleLine, SaleReceived, Status
from inventory.ledger import Ledger

CALLERS = 8
# How long one fact may be told in vain: much longer than any server takes to come back.
VAIN_SECONDS_MAX = 90
PAUSE_SECONDS = 0.03
CALL_SECONDS_MAX = 10


class Door(Struct, frozen=True, kw_only=True):
    """Where the load is told, and the SKUs' listings: one for sales, one for holds."""

    database_url: str
    api_url: str
    key: str
    channel: str
    channel_id: int
    sold: str
    held: str


class NotAnswered(Exception):
    """Nobody was heard; the same has to be told again."""


class Load:
    """What was acknowledged: reference → whether it was recorded or granted (False: refused)."""

    def __init__(self, door: Door) -> None:
        self.door = door
        self.sales: dict[str, int] = {}
        self.holds: dict[str, bool] = {}
        self.vain = 0
        self.failure: BaseException | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    @property
    def acknowledged(self) -> int:
        """How many facts were answered."""
        return len(self.sales) + len(self.holds)

    def start(self) -> None:
        """Begin to tell."""
        self._thread.start()

    def stop(self) -> None:
        """End once everything begun is answered. Raises what the load has failed with."""
        self._stop.set()
        self._thread.join()
        if self.failure is not None:
            raise self.failure

    def _run(self) -> None:
        try:
            asyncio.run(self._tell())
        except BaseException as error:  # noqa: BLE001 -- raised by `stop`, in the main thread
            self.failure = error

    async def _tell(self) -> None:
        database = Database(self.door.database_url)
        headers = {"Authorization": f"Bearer {self.door.key}"}
        try:
            async with httpx.AsyncClient(
                base_url=f"{self.door.api_url}/v1/channels/{self.door.channel}",
                headers=headers,
                timeout=CALL_SECONDS_MAX,
                trust_env=False,
            ) as client:
                teller = Teller(self.door, Ledger(database, Clock()), client)
                async with asyncio.TaskGroup() as group:
                    for number in range(CALLERS):
                        group.create_task(self._call(number, teller))
        finally:
            await database.aclose()

    async def _call(self, number: int, teller: Teller) -> None:
        for count in itertools.count():
            if self._stop.is_set():
                return
            ref, units = f"{number}-{count}", 1 + count % 2
            if count % 3:
                tell = teller.sell_by_rest if number % 2 else teller.sell
                await self._until_heard(lambda: tell(ref, units))  # noqa: B023 -- awaited here
                self.sales[ref] = units
            else:
                ask = teller.hold_by_rest if number % 2 else teller.hold
                self.holds[ref] = await self._until_heard(lambda: ask(ref))  # noqa: B023 -- here

    async def _until_heard(self, tell: Callable[[], Awaitable[bool]]) -> bool:
        async with asyncio.timeout(VAIN_SECONDS_MAX):
            while True:
                try:
                    return await tell()
                except (NotAnswered, httpx.TransportError, LedgerUnavailable):
                    self.vain += 1
                    await asyncio.sleep(PAUSE_SECONDS)


class Teller:
    """One way for each fact; the same reference is the same fact, however often it is told."""

    def __init__(self, door: Door, ledger: Ledger, client: httpx.AsyncClient) -> None:
        self._door = door
        self._ledger = ledger
        self._client = client

    async def sell(self, ref: str, units: int) -> bool:
        line = SaleLine(line_ref="1", channel_sku=self._door.sold, quantity=units)
        [outcome] = await self._ledger.apply(
            [SaleReceived(**self._named(f"s{ref}"), order_ref=f"o{ref}", lines=(line,))]
        )
        assert outcome.status is Status.RECORDED, outcome
        return True

    async def hold(self, ref: str) -> bool:
        line = SaleLine(line_ref="1", channel_sku=self._door.held, quantity=1)
        [outcome] = await self._ledger.apply(
            [ReservationAsked(**self._named(f"h{ref}"), lines=(line,))]
        )
        assert outcome.status in {Status.GRANTED, Status.REFUSED}, outcome
        return outcome.status is Status.GRANTED

    async def sell_by_rest(self, ref: str, units: int) -> bool:
        line = {"line_ref": "1", "channel_sku": self._door.sold, "quantity": units}
        body = {"event_id": f"s{ref}", "order_ref": f"o{ref}", "lines": [line]}
        await self._post("/orders", body, {200, 201})
        return True

    async def hold_by_rest(self, ref: str) -> bool:
        line = {"line_ref": "1", "channel_sku": self._door.held, "quantity": 1}
        body = {"reservation_ref": f"h{ref}", "lines": [line]}
        return await self._post("/reservations", body, {200, 201, 409}) != httpx.codes.CONFLICT

    async def _post(self, path: str, body: dict[str, Any], expected: set[int]) -> int:
        answer = await self._client.post(path, json=body)
        if answer.status_code in {429, 503}:
            raise NotAnswered
        assert answer.status_code in expected, (answer.status_code, answer.text)
        if answer.status_code == httpx.codes.CONFLICT:
            assert answer.json()["code"] == "insufficient_stock", answer.text
        return answer.status_code

    def _named(self, ref: str) -> dict[str, Any]:
        return {
            "channel_id": self._door.channel_id,
            "fact_ref": ref,
            "occurred_at": Clock().now(),
        }
