"""Movements on their way out: streamed to CSV or Parquet, whatever their number.

They are read a few thousand at a time by their place in the ledger, month by month, in each SKU by
SKU, location by location, in the order of revisions. An entry never changes, so that no snapshot
need be held while a slow reader takes them.
"""

from __future__ import annotations

import asyncio
import csv
import io
from collections.abc import AsyncGenerator, AsyncIterator, Coroutine, Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import IO, TYPE_CHECKING, Any, TypeVar, cast

from msgspec import Struct
from sqlalchemy import Row, TextClause, text

from inventory.partitions import PLAN_ANEW, State, months

if TYPE_CHECKING:
    from arro3.core import RecordBatch, Schema

    from inventory.db import Database

CHUNK = 5_000
ROW_GROUP = 100_000
PARTS_MAX = 16
# A spreadsheet takes a cell that begins so for a formula.
FORMULA = frozenset("=+-@\t\r")
COLUMNS = (
    *("recorded_at", "occurred_at", "sku", "location", "revision", "kind", "on_hand_delta"),
    *("reserved_delta", "reason", "channel", "fact", "fact_ref", "line", "fact_id"),
)
TIMES = 2
PRECISE = "microseconds"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)

# The facts of a chunk are looked up one by one: reading all of them costs more, chunk after chunk.
_CHUNK = """
SELECT m.recorded_at, m.occurred_at, coalesce(s.code, ''), coalesce(l.code, ''), m.revision,
  m.kind, m.on_hand_delta, m.reserved_delta, m.reason, coalesce(c.code, ''),
  coalesce(f.kind, ''), coalesce(f.fact_ref, ''), m.line, m.fact_id, m.sku_id, m.location_id
FROM (
  SELECT * FROM {table}
  WHERE (sku_id, location_id, revision) > (:sku_id, :location_id, :revision)
    AND recorded_at >= :since AND recorded_at < :until
    AND (:all_skus OR sku_id = ANY(CAST(:sku_ids AS int[])))
  ORDER BY sku_id, location_id, revision LIMIT {chunk}
) AS m
LEFT JOIN sku s ON s.id = m.sku_id LEFT JOIN location l ON l.id = m.location_id
LEFT JOIN LATERAL (
  SELECT channel_id, kind, fact_ref FROM fact WHERE id = m.fact_id OFFSET 0
) AS f ON true
LEFT JOIN channel c ON c.id = f.channel_id
ORDER BY m.sku_id, m.location_id, m.revision
"""

Rows = Sequence[Sequence[Any]]
T = TypeVar("T")
# The event loop itself would forget a task that nobody waits for.
_UNDER_WAY: set[asyncio.Task[Any]] = set()


class Format(StrEnum):
    """What comes out."""

    CSV = "csv"
    PARQUET = "parquet"


MEDIA_TYPES = {Format.CSV: "text/csv", Format.PARQUET: "application/vnd.apache.parquet"}


class Selection(Struct, frozen=True, kw_only=True):
    """Which movements: of these SKUs (None: all), recorded at or after `since`, before `until`."""

    sku_ids: Sequence[int] | None = None
    since: datetime
    until: datetime


async def chunks(database: Database, selection: Selection, now: datetime) -> AsyncIterator[Rows]:
    """The movements of the attached months, up to 5,000 at a time, as rows of `COLUMNS`."""
    async with database.engine.connect() as connection:
        known = await months(connection, now)
    for month in known:
        # The default partition may hold several months.
        since, until = max(month.since, selection.since), min(month.until, selection.until)
        attached = month.table and month.state not in {State.DETACHED, State.MISSING}
        if since < until and attached:
            within = Selection(sku_ids=selection.sku_ids, since=since, until=until)
            async for rows in _month(database, str(month.table), within):
                yield rows


async def _month(database: Database, table: str, selection: Selection) -> AsyncIterator[Rows]:
    query = text(_CHUNK.format(table=table, chunk=CHUNK))
    place = {"sku_id": 0, "location_id": 0, "revision": 0}
    values = {
        "since": selection.since,
        "until": selection.until,
        "all_skus": selection.sku_ids is None,
        "sku_ids": list(selection.sku_ids or ()),
    }
    while True:
        rows = await _undisturbed(_read(database, query, values | place))
        if rows:
            yield [row[: len(COLUMNS)] for row in rows]
            place = {name: getattr(rows[-1], name) for name in place}
        if len(rows) < CHUNK:
            return


async def _read(
    database: Database, query: TextClause, values: dict[str, Any]
) -> Sequence[Row[Any]]:
    async with database.engine.connect() as connection:
        await connection.execute(PLAN_ANEW)
        return (await connection.execute(query, values)).all()


async def _undisturbed(work: Coroutine[Any, Any, T]) -> T:
    """Work to its end also when the reader leaves meanwhile: the connection is given back whole."""
    task = asyncio.create_task(work)
    _UNDER_WAY.add(task)
    task.add_done_callback(_UNDER_WAY.discard)
    return await asyncio.shield(task)


def encoded(rows: AsyncIterator[Rows], format_: Format) -> AsyncGenerator[bytes]:
    """The file, part by part. Close the iterator when you stop before its end."""
    return _csv(rows) if format_ is Format.CSV else _parquet(rows)


async def _csv(chunks: AsyncIterator[Rows]) -> AsyncGenerator[bytes]:
    """UTF-8 with a heading, times in UTC; an apostrophe stands before what looks like a formula."""
    yield _lines([COLUMNS])
    async for rows in chunks:
        columns = [_column(values) for values in zip(*rows, strict=True)]
        yield _lines(zip(*columns, strict=True))


def _lines(rows: Iterable[Sequence[Any]]) -> bytes:
    out = io.StringIO()
    csv.writer(out).writerows(rows)
    return out.getvalue().encode()


def _column(values: Sequence[Any]) -> Sequence[Any]:
    """The values of one column, all of one type, as they stand in the file."""
    if isinstance(values[0], datetime):
        return [f"{value.replace(tzinfo=None).isoformat(timespec=PRECISE)}Z" for value in values]
    if isinstance(values[0], str):
        return [f"'{value}" if value[:1] in FORMULA else value for value in values]
    return values


class _Pipe:
    """What the encoder's thread writes, and the event loop takes part by part."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self.parts: asyncio.Queue[bytes | None] = asyncio.Queue(PARTS_MAX)
        self.failure: BaseException | None = None
        self._closed = False
        self._written = 0

    def write(self, data: bytes) -> int:
        """Wait until there is room; dropped when nobody takes it any more."""
        if not self._closed:
            put = self.parts.put(bytes(data))
            asyncio.run_coroutine_threadsafe(put, self._loop).result()
        self._written += len(data)
        return len(data)

    def flush(self) -> None:
        """Every part is on its way."""

    def seek(self, _offset: int, _whence: int = 0) -> int:
        """Where writing is; a file is asked for it, and nothing goes back."""
        return self._written

    def close(self) -> None:
        """Let a writer that waits for room go on; it gets no more rows and ends."""
        self._closed = True
        while not self.parts.empty():
            self.parts.get_nowait()

    def pull(self, chunks: AsyncIterator[Rows]) -> Iterator[Rows]:
        """The chunks, for the thread."""
        while not self._closed:
            try:
                following = asyncio.run_coroutine_threadsafe(_next(chunks), self._loop).result()
            except BaseException as error:
                # The encoder knows it as one of its own, without a type.
                self.failure = error
                raise
            if following is None:
                return
            yield following


async def _next(chunks: AsyncIterator[Rows]) -> Rows | None:
    return await anext(chunks, None)


async def _parquet(chunks: AsyncIterator[Rows]) -> AsyncGenerator[bytes]:
    """Row groups of up to 100,000 rows, compressed with zstd; times are UTC, microseconds."""
    pipe = _Pipe()

    async def work() -> None:
        try:
            await asyncio.to_thread(_write, pipe, pipe.pull(chunks))
        finally:
            await pipe.parts.put(None)

    writing = asyncio.create_task(work())
    # Whoever stops before the end is not told that the file is not whole.
    writing.add_done_callback(lambda task: task.cancelled() or task.exception())
    try:
        while (part := await pipe.parts.get()) is not None:
            yield part
        if pipe.failure is not None:
            raise pipe.failure
        await writing
    finally:
        pipe.close()
        await asyncio.wait({writing})


def _write(pipe: _Pipe, chunks: Iterator[Rows]) -> None:
    # Loaded where it is needed: no other part of the house needs it.
    from arro3.core import RecordBatchReader  # noqa: PLC0415 -- see above
    from arro3.io import write_parquet  # noqa: PLC0415 -- see above

    schema = _schema()
    batches = (_batch(schema, rows) for rows in chunks)
    reader = RecordBatchReader.from_batches(schema, batches)
    file = cast("IO[bytes]", pipe)
    write_parquet(reader, file, compression="zstd(3)", max_row_group_size=ROW_GROUP)


def _schema() -> Schema:
    from arro3.core import DataType, Field, Schema  # noqa: PLC0415 -- see `_write`

    types = {
        "recorded_at": DataType.timestamp("us", tz="UTC"),
        "occurred_at": DataType.timestamp("us", tz="UTC"),
        "revision": DataType.int64(),
        "on_hand_delta": DataType.int32(),
        "reserved_delta": DataType.int32(),
        "line": DataType.int16(),
        "fact_id": DataType.int64(),
    }
    fields = [Field(name, types.get(name, DataType.utf8()), nullable=False) for name in COLUMNS]
    return Schema(fields)


def _batch(schema: Schema, rows: Rows) -> RecordBatch:
    from arro3.core import Array, DataType, RecordBatch  # noqa: PLC0415 -- see `_write`

    arrays = []
    for number, column in enumerate(zip(*rows, strict=True)):
        type_ = schema.field(number).type
        if number < TIMES:
            since = [(value - EPOCH) // MICROSECOND for value in column]
            arrays.append(Array(since, DataType.int64()).cast(type_))
        else:
            arrays.append(Array(list(column), type_))
    return RecordBatch.from_arrays(arrays, schema=schema)
