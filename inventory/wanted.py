"""Writes down what each listing should show: number, lane, revision, and since when."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import RowMapping, text
from sqlalchemy.ext.asyncio import AsyncSession

from inventory.availability import Lane, Target

if TYPE_CHECKING:
    from inventory.listings import Assessed

REASSESS_SECONDS = 3

_NOTE = text("""
UPDATE listing l SET lane = n.lane, quantity_wanted = n.wanted, wanted_at = n.wanted_at,
  revision_wanted = n.revision, revision_published = n.published, raise_since = n.raise_since,
  reassess_at = n.reassess_at, failures = CASE WHEN n.anew THEN 0 ELSE l.failures END,
  not_before = CASE WHEN n.anew THEN NULL ELSE l.not_before END
FROM unnest(CAST(:id AS int[]), CAST(:lane AS text[]), CAST(:quantity_wanted AS int[]),
  CAST(:wanted_at AS timestamptz[]), CAST(:revision_wanted AS bigint[]),
  CAST(:revision_published AS bigint[]), CAST(:raise_since AS timestamptz[]),
  CAST(:reassess_at AS timestamptz[]), CAST(:anew AS bool[]))
  AS n (id, lane, wanted, wanted_at, revision, published, raise_since, reassess_at, anew)
WHERE l.id = n.id
""")
NOTED = (
    *("id", "lane", "quantity_wanted", "wanted_at", "revision_wanted", "revision_published"),
    *("raise_since", "reassess_at"),
)


async def note(session: AsyncSession, assessed: Sequence[Assessed], now: datetime) -> None:
    """Write down what each listing should show, a new revision where it differs."""
    noted = [values for listing in assessed if (values := _noted(listing, now))]
    if noted:
        columns = {name: [values[name] for values in noted] for name in (*NOTED, "anew")}
        await session.execute(_NOTE, columns)


def _noted(listing: Assessed, now: datetime) -> dict[str, Any]:
    """What must be written, nothing where all of it stands there already."""
    row = listing.row
    values = _wanted(listing, now)
    # A zero does not wait for what an earlier number was refused for.
    anew = listing.target.lane is Lane.ZERO and row["lane"] != Lane.ZERO
    if not anew and all(row[name] == value for name, value in values.items()):
        return {}
    return {name: row[name] for name in NOTED} | values | {"anew": anew}


def _wanted(listing: Assessed, now: datetime) -> dict[str, Any]:
    row, target = listing.row, listing.target
    below = listing.shown is not None and listing.shown.low < target.wanted
    # What is held early is given back when the channel's watermark has passed: no mark tells.
    again = below or listing.early > 0
    reassess_at = now + timedelta(seconds=REASSESS_SECONDS) if again else None
    values: dict[str, Any] = {"reassess_at": reassess_at}
    if target.lane is None:
        done = {"lane": None, "raise_since": None, "quantity_wanted": target.wanted}
        return values | done | {"revision_published": row["revision_wanted"]}
    values["lane"] = target.lane.value
    if target.lane is Lane.READ and row["closed_by_channel"]:
        return values | {"revision_published": row["revision_wanted"]}
    in_sync = row["revision_published"] >= row["revision_wanted"]
    if in_sync:
        values["wanted_at"] = now
    if in_sync or row["lane"] != target.lane.value or row["quantity_wanted"] != target.wanted:
        values |= {"revision_wanted": row["revision_wanted"] + 1, "quantity_wanted": target.wanted}
    values["raise_since"] = _raise_since(row, target, now)
    return values


def _raise_since(row: RowMapping, target: Target, now: datetime) -> datetime | None:
    """When the number now wanted was first wanted: it may fall meanwhile, but not rise."""
    if target.lane is not Lane.RAISE:
        return None
    waiting = row["raise_since"] is not None and row["quantity_wanted"] is not None
    if waiting and target.wanted <= row["quantity_wanted"]:
        since: datetime = row["raise_since"]
        return since
    return now
