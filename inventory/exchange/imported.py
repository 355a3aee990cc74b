"""What an import shares, whatever is imported: bad rows stop it or are skipped, SKUs are found."""

from __future__ import annotations

from bisect import insort
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Literal, TypeVar

from msgspec import Struct, field
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from inventory import audit
from inventory.db import Database
from inventory.exchange.reader import BadRow

BAD_ROWS_SHOWN = 1_000
NO_SKU = "there is no such SKU"
NO_LOCATION = "there is no such location"
CHUNK = 5_000

Line = TypeVar("Line")
BadRows = Literal["stop", "skip"]
Tell = Callable[[str, int, int], None]


class Manner(Struct, frozen=True, kw_only=True):
    """How an import is done: whether one bad row keeps all out, and unknown SKUs are added."""

    bad_rows: BadRows = "stop"
    create: bool = False
    by: str
    now: datetime


class Imported(Struct, kw_only=True):
    """What became of a file. `bad` are the first 1,000 rows of `bad_rows` that could not be used.

    `stopped`: there were bad rows, and so nothing went in. `left_out` counts rows by the reason
    for which they are none of ours. `recounts` were kept for a second count, as they are far from
    the book; `far` names the first of them.
    """

    rows: int = 0
    created: int = 0
    changed: int = 0
    unchanged: int = 0
    skus_created: int = 0
    bad_rows: int = 0
    bad: list[BadRow] = field(default_factory=list)
    left_out: dict[str, int] = field(default_factory=dict)
    recounts: int = 0
    far: list[str] = field(default_factory=list)
    stopped: bool = False

    def refuse(self, bad: BadRow) -> None:
        """Note a row that cannot be used; those that are shown stand in the file's order."""
        self.bad_rows += 1
        if len(self.bad) < BAD_ROWS_SHOWN or bad.line < self.bad[-1].line:
            insort(self.bad, bad, key=lambda each: each.line)
            del self.bad[BAD_ROWS_SHOWN:]

    def leave(self, reason: str) -> None:
        """Note a row that is none of ours."""
        self.left_out[reason] = self.left_out.get(reason, 0) + 1


def sort_out(rows: Iterable[Line | BadRow], result: Imported, tell: Tell) -> list[Line]:
    """The rows that can be read; the others are noted in the result."""
    good: list[Line] = []
    for number, row in enumerate(rows, 1):
        if isinstance(row, BadRow):
            result.refuse(row)
        else:
            good.append(row)
        if number % CHUNK == 0:
            tell("read", number, 0)
    result.rows = len(good) + result.bad_rows
    tell("read", result.rows, result.rows)
    return good


class KnownSku(Struct, frozen=True):
    """A SKU that is there."""

    id: int
    kit: bool


_SKUS = text("""
SELECT s.code, s.id, EXISTS (SELECT FROM kit_part k WHERE k.kit_id = s.id) AS kit
FROM sku s WHERE s.code = ANY(:codes)
""")
_NEW_SKUS = text("""
INSERT INTO sku (code, name, created_at)
SELECT code, name, :now FROM unnest(CAST(:codes AS text[]), CAST(:names AS text[]))
  AS n (code, name) ORDER BY code
ON CONFLICT (code) DO NOTHING RETURNING id
""")


async def known_skus(session: AsyncSession, codes: Iterable[str]) -> dict[str, KnownSku]:
    """Those of the SKUs that are there."""
    wanted = sorted(set(codes))
    found: dict[str, KnownSku] = {}
    for start in range(0, len(wanted), CHUNK):
        rows = await session.execute(_SKUS, {"codes": wanted[start : start + CHUNK]})
        found |= {code: KnownSku(sku_id, kit) for code, sku_id, kit in rows}
    return found


async def create_skus(
    database: Database, titles: Mapping[str, str], manner: Manner, tell: Tell
) -> int:
    """Add SKUs (code → name) that are not there; how many were new."""
    created, codes = 0, sorted(titles)
    for start in range(0, len(codes), CHUNK):
        part = codes[start : start + CHUNK]
        async with database.transaction() as session:
            names = [titles[code] for code in part]
            values = {"codes": part, "names": names, "now": manner.now}
            new = len((await session.execute(_NEW_SKUS, values)).all())
            detail = {"created": new, "first": part[0], "last": part[-1]}
            audit.note(session, by=manner.by, action="skus.imported", detail=detail, now=manner.now)
        created += new
        tell("SKUs", min(start + CHUNK, len(codes)), len(codes))
    return created


def chunks(lines: Sequence[Line], size: int) -> Iterable[Sequence[Line]]:
    """The lines in parts of at most `size`."""
    for start in range(0, len(lines), size):
        yield lines[start : start + size]
