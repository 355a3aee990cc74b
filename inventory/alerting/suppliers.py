"""Suppliers with their lead time, and how each SKU is bought: category, supplier, pack size."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

from msgspec import Meta, Struct, structs
from sqlalchemy import select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from inventory import audit
from inventory.alerting.uses import NAMED_MAX, refuse_if_used
from inventory.catalogue import mark_stale
from inventory.errors import BadInput, NotFound, UnknownSku
from inventory.fields import Code, Text, Units
from inventory.models import BuyingTerms, Sku, Supplier

ROWS_MAX = 1_000

LeadDays = Annotated[int, Meta(ge=0, le=365, description="Days, 0 to 365.")]
CoverDays = Annotated[int, Meta(ge=1, le=365, description="Days, 1 to 365.")]
Category = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=100,
        pattern=r"^[^\x00-\x1f\x7f-\x9f\u2028\u2029]*\Z",
        description="Up to 100 characters, no line breaks.",
    ),
]


class SupplierTerms(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A supplier: `lead_days` from the order to the shelf, null where it is not known.

    What is ordered should last `cover_days` after it has arrived.
    """

    name: Text = ""
    lead_days: LeadDays | None = None
    cover_days: CoverDays = 28


class SupplierRow(SupplierTerms, frozen=True, kw_only=True):
    """A supplier and its terms."""

    code: str


class BuyingRow(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How one SKU is bought: its category, its supplier, and the units in one pack."""

    sku: Code
    category: Category | None = None
    supplier: Code | None = None
    pack_size: Units = 1


class BuyingRows(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Up to 1,000 SKUs, each once."""

    skus: Annotated[list[BuyingRow], Meta(min_length=1, max_length=ROWS_MAX)]


_USED_BY = text("""
SELECT used FROM (
  SELECT 1 AS place, id, 'rule ' || id AS used FROM alert_rule WHERE supplier_id = :id AND active
  UNION ALL
  SELECT 2, 0, 'SKU ' || s.code FROM buying_terms b JOIN sku s ON s.id = b.sku_id
  WHERE b.supplier_id = :id
) found ORDER BY place, id, used LIMIT :most
""")


async def supplier_by_code(session: AsyncSession, code: str) -> Supplier:
    """The supplier, kept from being removed until the transaction ends. Raises `NotFound`."""
    found = select(Supplier).where(Supplier.code == code, Supplier.removed_at.is_(None))
    supplier = await session.scalar(found.with_for_update(read=True, key_share=True))
    if supplier is None:
        raise NotFound(f"no supplier {code!r}")
    return supplier


async def remove_supplier(session: AsyncSession, code: str, *, by: str, now: datetime) -> None:
    """Remove a supplier that nothing names.

    Raises `NotFound`, and `WrongState` that says what names it: rules, SKUs bought from it.
    """
    found = select(Supplier).where(Supplier.code == code, Supplier.removed_at.is_(None))
    supplier = await session.scalar(found.with_for_update())
    if supplier is None:
        raise NotFound(f"no supplier {code!r}")
    values = {"id": supplier.id, "most": NAMED_MAX + 1}
    await refuse_if_used(session, _USED_BY, values, subject=f"supplier {code!r}")
    supplier.removed_at = now
    audit.note(session, by=by, action="supplier.removed", detail={"supplier": code}, now=now)
    await session.flush()


async def put_supplier(
    session: AsyncSession, code: str, terms: SupplierTerms, *, by: str, now: datetime
) -> SupplierRow:
    """Add a supplier or change it wholly; its SKUs are judged anew.

    One that was removed is there again, under the same code.
    """
    values = structs.asdict(terms)
    supplier_id = await session.scalar(
        insert(Supplier)
        .values(code=code, created_at=now, **values)
        .on_conflict_do_update(index_elements=["code"], set_=values | {"removed_at": None})
        .returning(Supplier.id)
    )
    audit.note(session, by=by, action="supplier.put", detail={"supplier": code} | values, now=now)
    concerned = select(BuyingTerms.sku_id).where(BuyingTerms.supplier_id == supplier_id)
    await mark_stale(session, list(await session.scalars(concerned)), now)
    return SupplierRow(code=code, **values)


async def suppliers(
    session: AsyncSession, *, after: str = "", limit: int = ROWS_MAX
) -> Sequence[SupplierRow]:
    """Suppliers by code."""
    rows = await session.scalars(
        select(Supplier)
        .where(Supplier.code > after, Supplier.removed_at.is_(None))
        .order_by(Supplier.code)
        .limit(limit)
    )
    return [
        SupplierRow(
            code=row.code, name=row.name, lead_days=row.lead_days, cover_days=row.cover_days
        )
        for row in rows
    ]


async def put_terms(
    session: AsyncSession, rows: Sequence[BuyingRow], *, by: str, now: datetime
) -> None:
    """Say how up to 1,000 SKUs are bought, each wholly; they are judged anew.

    Raises `BadInput` for a SKU given twice, `UnknownSku` and `NotFound` naming what is not there.
    """
    codes = {row.sku for row in rows}
    if len(rows) > ROWS_MAX or len(codes) < len(rows):
        raise BadInput(f"up to {ROWS_MAX} SKUs, each once")
    ids = dict((await session.execute(select(Sku.code, Sku.id).where(Sku.code.in_(codes)))).all())
    if missing := sorted(codes - set(ids)):
        raise UnknownSku("no SKU " + ", ".join(missing[:NAMED_MAX]))
    named = {row.supplier for row in rows if row.supplier is not None}
    found = (
        select(Supplier.code, Supplier.id)
        .where(Supplier.code.in_(named), Supplier.removed_at.is_(None))
        .order_by(Supplier.id)
        .with_for_update(read=True, key_share=True)
    )
    known = dict((await session.execute(found)).all())
    if missing := sorted(named - set(known)):
        raise NotFound("no supplier " + ", ".join(missing[:NAMED_MAX]))
    values = [
        {
            "sku_id": ids[row.sku],
            "category": row.category,
            "supplier_id": row.supplier and known[row.supplier],
            "pack_size": row.pack_size,
        }
        for row in sorted(rows, key=lambda row: ids[row.sku])
    ]
    put = insert(BuyingTerms).values(values)
    changed = {name: put.excluded[name] for name in ("category", "supplier_id", "pack_size")}
    await session.execute(put.on_conflict_do_update(index_elements=["sku_id"], set_=changed))
    detail = {"skus": sorted(codes)[:NAMED_MAX], "count": len(rows)}
    audit.note(session, by=by, action="buying_terms.put", detail=detail, now=now)
    await mark_stale(session, list(ids.values()), now)


_TERMS = text("""
SELECT s.code AS sku, b.category, u.code AS supplier, coalesce(b.pack_size, 1) AS pack_size
FROM sku s LEFT JOIN buying_terms b ON b.sku_id = s.id LEFT JOIN supplier u ON u.id = b.supplier_id
WHERE s.id = :sku_id
""")


async def terms_of(session: AsyncSession, sku: Sku) -> BuyingRow:
    """How a SKU is bought."""
    [row] = (await session.execute(_TERMS, {"sku_id": sku.id})).mappings()
    return BuyingRow(**row)
