"""Our way through REST: one line a request, a thousand lines a request, and the null endpoint."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from time import perf_counter

from inventory.bench import books
from inventory.bench.books import Opening
from inventory.bench.cpu import Watch
from inventory.bench.load import Loop, Meter, Reading, Told, drive
from inventory.bench.place import SHOP, Place, code_of
from inventory.bench.scenarios import refs
from inventory.bench.servers import NULL, Served, environment, serve
from inventory.bench.stand import Sample, Stand, finish, write_all
from inventory.bench.wire import Line, post_head
from inventory.db import Database
from inventory.embedded import start_valkey
from inventory.errors import WrongState
from inventory.processes import Supervisor
from inventory.security import Scope, create_key

CALLERS = 32
BULK_CALLERS = 4
BULK_LINES = 1_000
KEPT_MAX = 200
CREATED, OK = 201, 200
SHOWN_MAX = 300
RESERVATIONS = f"/v1/channels/{SHOP}/reservations"
BATCH = "/v1/movements/batch"
BASKET = (0,)
RESERVATION = b'{"reservation_ref":"%b","lines":[{"line_ref":"1","channel_sku":"%b","quantity":1}]}'
ADJUSTMENT = '{"kind":"adjust","ref":"%s","sku":"%s","change":-1,"reason":"correction"}'


class Doors:
    """The real API and the application with the null endpoint, on one database."""

    def __init__(self, stand: Stand, where: Place, before: Opening, key: str) -> None:
        self._stand = stand
        self._where = where
        self._before = before
        self._key = key
        self._told = Told()
        self._kept: list[bytes] = []

    async def reserve(self, api: Served) -> Sample:
        """One repetition of holds, one line a request; some are asked again afterwards."""
        head = post_head(RESERVATIONS, key=self._key, port=api.port)
        names = refs(self._stand.next_run())
        self._kept.clear()

        def loop_of(line: Line) -> Loop:
            return _reserving(line, head, names, self._kept)

        reading = await self._measure(api, loop_of, CALLERS, self._told)
        faults = await self._ask_again(api, head)
        return await finish(self._where, self._before, self._told, reading, faults)

    async def do_nothing(self, null: Served) -> Sample:
        """One repetition of the null endpoint; what it tells is in no book."""
        head = post_head(RESERVATIONS.replace("/v1", NULL), key=self._key, port=null.port)
        names = refs(self._stand.next_run())

        def loop_of(line: Line) -> Loop:
            return _reserving(line, head, names, [])

        reading = await self._measure(null, loop_of, CALLERS, Told())
        return await finish(self._where, self._before, self._told, reading)

    async def adjust(self, api: Served) -> Sample:
        """One repetition of corrections, a thousand lines a request."""
        head = post_head(BATCH, key=self._key, port=api.port)
        names = refs(self._stand.next_run())

        def loop_of(line: Line) -> Loop:
            return _adjusting(line, head, names)

        reading = await self._measure(api, loop_of, BULK_CALLERS, self._told)
        return await finish(self._where, self._before, self._told, reading)

    async def _measure(
        self, server: Served, loop_of: Callable[[Line], Loop], callers: int, told: Told
    ) -> Reading:
        pace = self._stand.pace
        await write_all(self._where.url)
        lines = [await Line.open(server.port) for _ in range(callers)]
        try:
            return await drive(
                [loop_of(line) for line in lines],
                told,
                watch=Watch(self._stand.server.pid, servers=[server.pid], own=False),
                seconds=pace.seconds,
                warm_seconds=pace.warm_seconds,
            )
        finally:
            for line in lines:
                line.close()

    async def _ask_again(self, api: Served, head: bytes) -> list[str]:
        """Each answer that does not say that the hold was granted before."""
        line = await Line.open(api.port)
        try:
            answers = [await line.post(head, body) for body in self._kept]
        finally:
            line.close()
        return [
            f"asked again, a hold was answered with {status}: {answer[:SHOWN_MAX]!r}"
            for status, answer in answers
            if status != OK or b'"repeated":true' not in answer
        ]


def _reserving(line: Line, head: bytes, names: Iterator[str], kept: list[bytes]) -> Loop:
    sku = code_of(BASKET[0]).encode()

    async def loop(meter: Meter) -> None:
        while not meter.ended:
            body = RESERVATION % (next(names).encode(), sku)
            began = perf_counter()
            status, answer = await line.post(head, body)
            seconds = perf_counter() - began
            if status != CREATED:
                raise WrongState(f"a hold was answered with {status}: {answer[:SHOWN_MAX]!r}")
            meter.note(BASKET, seconds, granted=True)
            if len(kept) < KEPT_MAX:
                kept.append(body)

    return loop


def _adjusting(line: Line, head: bytes, names: Iterator[str]) -> Loop:
    sku = code_of(BASKET[0])

    async def loop(meter: Meter) -> None:
        while not meter.ended:
            told = ",".join([ADJUSTMENT % (next(names), sku) for _ in range(BULK_LINES)])
            body = b'{"lines":[%b],"together":false}' % told.encode()
            began = perf_counter()
            status, answer = await line.post(head, body)
            recorded = answer.count(b'"status":"recorded"')
            if status not in {OK, CREATED} or recorded != BULK_LINES:
                raise WrongState(f"a batch was answered with {status}: {answer[:SHOWN_MAX]!r}")
            meter.told.adjusted[BASKET[0]] -= BULK_LINES
            meter.note_work(BULK_LINES, BULK_LINES, perf_counter() - began)

    return loop


@asynccontextmanager
async def open_doors(
    stand: Stand, supervisor: Supervisor, folder: Path
) -> AsyncIterator[tuple[Doors, Served, Served]]:
    """Serve both applications on a fresh database; the doors, the real server, the other one."""
    valkey = start_valkey(folder, supervisor)
    async with stand.database() as (where, _):
        database = Database(where.url)
        try:
            async with database.transaction() as session:
                scopes = [Scope.ORDERS_WRITE, Scope.STOCK_WRITE]
                key = await create_key(session, name="bench", scopes=scopes)
        finally:
            await database.aclose()
        env = environment(where.url, valkey.url, folder)
        real, null = ("inventory", "api", "--port"), ("inventory.bench.null",)
        try:
            yield (
                Doors(stand, where, await books.opening(where), key),
                serve(supervisor, "api", real, env),
                serve(supervisor, "null", null, env),
            )
        finally:
            supervisor.stop("api", "null")
            valkey.stop()
