"""What the end of a push makes of its listings: worked out row by row, written in one statement."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from msgspec import Struct, convert
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from inventory.availability import Lane
from inventory.listings import ORDER_TIME_GRAIN
from inventory.vocabulary import PushOutcome, PushStatus

BACKOFF_SECONDS_MAX = 300
SETTLE_SECONDS = 2
# A guarded decrement that was refused, as the channel had fewer units left.
SOLD = "sold"


class Sent(Struct, kw_only=True):
    """A number that was sent, and its listing as it is now; `status` and `code` are of the end.

    `sold`: an order of the listing was placed near the moment of sending, or after it.
    """

    quantity: int
    change: int | None
    revision: int
    id: int
    channel_sku: str
    sold: bool
    quantity_wanted: int | None
    raise_since: datetime | None
    revision_wanted: int
    revision_published: int
    lane: str | None
    push_id: int | None
    zero_push_id: int | None
    quantity_known: int | None
    known_from: datetime | None
    known_at: datetime | None
    quantity_published: int | None
    published_at: datetime | None
    read_after: datetime | None
    reassess_at: datetime | None
    not_before: datetime | None
    failures: int
    failure: str | None
    status: str = ""
    code: str = ""

    def let_go(self, push_id: int, sent_at: datetime) -> bool:
        """Free the listing of this push; whether a zero overtook it meanwhile."""
        if self.zero_push_id == push_id:
            self.zero_push_id = None
            return False
        overtaken = self.zero_push_id is not None or (
            self.known_from is not None
            and self.known_from >= sent_at
            and self.quantity_published == 0
        )
        self.push_id = None
        return overtaken

    def unsent(self, failure: str | None, *, wait_seconds: float, now: datetime) -> None:
        """It never left: it may go again."""
        self.status, self.code = "unsent", failure or ""
        self.not_before = now + timedelta(seconds=wait_seconds)
        self.failure = f"not sent: {failure}" if failure else self.failure

    def hear(self, outcome: PushOutcome, sent_at: datetime, now: datetime) -> None:
        """Take the channel's answer for it."""
        self.status, self.code = outcome.status.value, outcome.code
        if outcome.status is PushStatus.ACCEPTED:
            self._accepted(sent_at, now)
            return
        self.failure = f"{outcome.code} {outcome.detail}".strip()[:500]
        if outcome.status is PushStatus.UNKNOWN:
            self.forget(now)
        elif self.change is not None and outcome.code == SOLD:
            # Nothing was written, and fewer stand there than we thought: look at once.
            self.forget(now, settle_seconds=0)
        else:
            self.failures += 1
            wait = min(2**self.failures, BACKOFF_SECONDS_MAX)
            self.not_before = now + timedelta(seconds=wait)

    def _accepted(self, sent_at: datetime, now: datetime) -> None:
        doubted = self._doubted(sent_at)
        if self.change is not None:
            # A difference leaves the moment at which the number was known as it is.
            known = self.quantity_known
            self.quantity_known = None if known is None else known + self.change
        elif not doubted:
            self.quantity_known = self.quantity
            self.known_from, self.known_at = sent_at, now
        self.quantity_published, self.published_at = self.quantity, now
        if not doubted:
            self.revision_published = max(self.revision_published, self.revision)
        self.failures, self.failure, self.not_before = 0, None, None
        if doubted or not self._settled():
            self.reassess_at = now
        else:
            self.lane = self.raise_since = None

    def _settled(self) -> bool:
        """Whether an assessment could only find that the listing shows what it should now.

        That is so where the very number that is wanted stands there, nothing was sold that it may
        not contain, and no margin or early sale was kept when the listing was last assessed.
        Whatever changes from now on marks the SKU as stale.
        """
        return (
            self.change is None
            and not self.sold
            and self.reassess_at is None
            and self.quantity == self.quantity_wanted
            and self.revision == self.revision_wanted
            and self.lane != Lane.READ
        )

    def _doubted(self, sent_at: datetime) -> bool:
        """Whether another push may have landed after this one: its number proves nothing."""
        if self.read_after is None:
            return False
        return sent_at < self.read_after - timedelta(seconds=SETTLE_SECONDS)

    def forget(self, now: datetime, *, settle_seconds: float = SETTLE_SECONDS) -> None:
        """We no longer know what stands there: read back, then decide (L8)."""
        self.quantity_known = None
        self.known_from = self.known_at = None
        self.revision_published = min(self.revision_published, self.revision_wanted - 1)
        self.lane = Lane.ZERO.value if self.quantity_wanted == 0 else Lane.READ.value
        self.read_after = now + timedelta(seconds=settle_seconds)
        # An own store is never read: assessing it anew is what sends its number again.
        self.reassess_at = now


# Columns of a listing that the end of a push may change, with their types.
_CHANGED = {
    "push_id": "bigint",
    "zero_push_id": "bigint",
    "quantity_known": "int",
    "known_from": "timestamptz",
    "known_at": "timestamptz",
    "quantity_published": "int",
    "published_at": "timestamptz",
    "revision_published": "bigint",
    "lane": "text",
    "raise_since": "timestamptz",
    "read_after": "timestamptz",
    "reassess_at": "timestamptz",
    "not_before": "timestamptz",
    "failures": "int",
    "failure": "text",
}
_LOAD = text("""
SELECT r.quantity, r.change, r.revision, l.id, l.channel_sku, l.quantity_wanted, l.revision_wanted,
  l.revision_published, l.lane, l.raise_since, l.push_id, l.zero_push_id, l.quantity_known,
  l.known_from, l.known_at, l.quantity_published, l.published_at, l.read_after, l.reassess_at,
  l.not_before, l.failures, l.failure, EXISTS (SELECT FROM order_line o
    WHERE o.listing_id = l.id AND o.ordered_at > p.sent_at - CAST(:grain AS interval)) AS sold
FROM push p JOIN push_row r ON r.push_id = p.id JOIN listing l ON l.id = r.listing_id
WHERE p.id = :push ORDER BY l.id FOR NO KEY UPDATE OF l
""")
_SAVE = text(f"""
UPDATE listing l SET {", ".join(f"{name} = n.{name}" for name in _CHANGED)}
FROM unnest(CAST(:id AS int[]),
  {", ".join(f"CAST(:{name} AS {kind}[])" for name, kind in _CHANGED.items())})
  AS n (id, {", ".join(_CHANGED)})
WHERE l.id = n.id
""")  # noqa: S608 -- constants
_END = text("""
UPDATE push_row r SET status = n.status, code = n.code
FROM unnest(CAST(:id AS int[]), CAST(:status AS text[]), CAST(:code AS text[]))
  AS n (id, status, code)
WHERE r.push_id = :push AND r.listing_id = n.id
""")


async def load(session: AsyncSession, push_id: int) -> list[Sent]:
    """The numbers of a push with their listings, which are locked."""
    rows = await session.execute(_LOAD, {"push": push_id, "grain": ORDER_TIME_GRAIN})
    return [convert(dict(row), Sent) for row in rows.mappings()]


async def save(session: AsyncSession, push_id: int, ended: Sequence[Sent]) -> None:
    """Write down what has become of them."""
    columns = {name: [getattr(each, name) for each in ended] for name in ("id", *_CHANGED)}
    await session.execute(_SAVE, columns)
    ends = {name: [getattr(each, name) for each in ended] for name in ("id", "status", "code")}
    await session.execute(_END, ends | {"push": push_id})
