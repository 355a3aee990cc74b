"""The questions that a proof asks of the database; each answers with what does not agree."""

from __future__ import annotations

from sqlalchemy import TextClause, text

from inventory.booking.page import IN_TRANSIT as IN_TRANSIT_CODE

# Where a proof begins: one row a balance, with revision, on hand and reserved.
CHECKPOINT = "checkpoint"
CARRIED = "carried"
MOST = 20

# A partition's entries of one balance are unique by revision (its index says so): they are whole
# when there are as many as lie between the first and the last. Each chain goes on where the
# partition before ended, the first one where the proof begins.
_READ_ALL = """
entry AS (
  SELECT m.tableoid, m.sku_id, m.location_id, count(*) AS n, min(m.revision) AS first,
    max(m.revision) AS last, sum(m.on_hand_delta) AS on_hand, sum(m.reserved_delta) AS reserved,
    sum(m.on_hand_delta) FILTER (WHERE m.revision <= c.revision) AS on_hand_then,
    sum(m.reserved_delta) FILTER (WHERE m.revision <= c.revision) AS reserved_then
  FROM movement m LEFT JOIN checkpoint c USING (sku_id, location_id)
  WHERE {full} OR m.revision > coalesce(c.revision, 0)
  GROUP BY m.tableoid, m.sku_id, m.location_id
)"""
_LOOK_UP = """
entry AS (
  SELECT v.sku_id, v.location_id, e.*, NULL::bigint AS on_hand_then, NULL::bigint AS reserved_then
  FROM stock_level v LEFT JOIN checkpoint c USING (sku_id, location_id)
  CROSS JOIN LATERAL (
    SELECT count(*) AS n, min(m.revision) AS first, max(m.revision) AS last,
      sum(m.on_hand_delta) AS on_hand, sum(m.reserved_delta) AS reserved
    FROM movement m
    WHERE m.sku_id = v.sku_id AND m.location_id = v.location_id
      AND m.revision > coalesce(c.revision, 0)
    GROUP BY m.tableoid
  ) e
)"""
_UNBALANCED = """
WITH {entries}, chained AS (
  SELECT e.*, e.first - lag(e.last, 1, coalesce(b.revision, 0)) OVER (
    PARTITION BY e.sku_id, e.location_id ORDER BY e.first) AS step
  FROM entry e LEFT JOIN {base} b USING (sku_id, location_id)
), moved AS (
  SELECT sku_id, location_id, sum(n) AS entries, min(first) AS first, max(last) AS last,
    bool_and(step = 1 AND n = last - first + 1) AS whole, sum(on_hand) AS on_hand,
    sum(reserved) AS reserved, sum(on_hand_then) AS on_hand_then,
    sum(reserved_then) AS reserved_then
  FROM chained GROUP BY sku_id, location_id
), compared AS (
  SELECT sku_id, location_id, v.revision AS balance, v.on_hand, v.reserved, t.entries, t.first,
    t.last, coalesce(t.whole, true) AS whole, coalesce(b.revision, 0) AS base,
    coalesce(b.on_hand, 0) + coalesce(t.on_hand, 0) AS on_hand_moved,
    coalesce(b.reserved, 0) + coalesce(t.reserved, 0) AS reserved_moved,
    coalesce(b.on_hand, 0) + coalesce(t.on_hand_then, 0) AS on_hand_then,
    coalesce(b.reserved, 0) + coalesce(t.reserved_then, 0) AS reserved_then
  FROM stock_level v FULL JOIN moved t USING (sku_id, location_id)
  FULL JOIN {base} b USING (sku_id, location_id)
)
SELECT coalesce(s.code, '#' || x.sku_id) AS sku,
  coalesce(l.code, '#' || x.location_id) AS location, x.*, c.revision AS checkpoint,
  c.on_hand AS on_hand_proven, c.reserved AS reserved_proven,
  {full} AND (c.on_hand, c.reserved) <> (x.on_hand_then, x.reserved_then) AS checkpoint_wrong
FROM compared x LEFT JOIN sku s ON s.id = x.sku_id LEFT JOIN location l ON l.id = x.location_id
LEFT JOIN checkpoint c USING (sku_id, location_id)
WHERE x.balance IS NULL OR NOT x.whole OR x.balance <> coalesce(x.last, x.base)
  OR (x.on_hand, x.reserved) <> (x.on_hand_moved, x.reserved_moved)
  OR {full} AND (c.on_hand, c.reserved) <> (x.on_hand_then, x.reserved_then)
ORDER BY sku, location LIMIT {most}
"""

# The first entry that does not follow the one before; `floor` is where reading begins.
FIRST_GAP = text("""
SELECT revision, before FROM (
  SELECT revision, lag(revision, 1, CAST(:base AS bigint)) OVER (ORDER BY revision) AS before
  FROM movement
  WHERE sku_id = :sku_id AND location_id = :location_id AND revision > :floor
) AS entry
WHERE revision <> before + 1 ORDER BY revision LIMIT 1
""")

_FIGURES = """
SELECT count(*) AS balances, coalesce(sum(v.revision), 0) AS all_movements,
  coalesce(sum(v.revision - coalesce(b.revision, 0)), 0) AS movements, {since} AS since
FROM stock_level v LEFT JOIN {base} b USING (sku_id, location_id)
"""

_NO_FACT_READ_ALL = f"""
SELECT coalesce(s.code, '#' || m.sku_id) AS sku,
  coalesce(l.code, '#' || m.location_id) AS location, m.revision, m.fact_id
FROM movement m LEFT JOIN checkpoint c USING (sku_id, location_id)
LEFT JOIN sku s ON s.id = m.sku_id LEFT JOIN location l ON l.id = m.location_id
WHERE NOT EXISTS (SELECT FROM fact f WHERE f.id = m.fact_id)
  AND ({{full}} OR m.revision > coalesce(c.revision, 0))
ORDER BY sku, location, m.revision LIMIT {MOST}
"""  # noqa: S608 -- a constant
# A subquery that is asked entry by entry: the planner cannot know how few there are.
_NO_FACT_LOOK_UP = text(f"""
SELECT s.code AS sku, l.code AS location, m.revision, m.fact_id
FROM stock_level v LEFT JOIN checkpoint c USING (sku_id, location_id)
CROSS JOIN LATERAL (
  SELECT m.revision, m.fact_id FROM movement m
  WHERE m.sku_id = v.sku_id AND m.location_id = v.location_id
    AND m.revision > coalesce(c.revision, 0)
    AND (SELECT f.id FROM fact f WHERE f.id = m.fact_id) IS NULL
  OFFSET 0
) m
JOIN sku s ON s.id = v.sku_id JOIN location l ON l.id = v.location_id
ORDER BY s.code, l.code, m.revision LIMIT {MOST}
""")  # noqa: S608 -- a constant

RESERVED = text(f"""
WITH promised AS (
  SELECT sku_id, location_id, sum(units) AS units FROM (
    SELECT sku_id, location_id, reserved AS units FROM order_part WHERE reserved > 0
    UNION ALL
    SELECT parts[n], parts[n + 1], parts[n + 2]
    FROM reservation, generate_series(1, cardinality(parts), 3) AS n
  ) AS part GROUP BY sku_id, location_id
)
SELECT s.code AS sku, l.code AS location, coalesce(p.units, 0) AS promised,
  coalesce(v.reserved, 0) AS stored
FROM stock_level v FULL JOIN promised p USING (sku_id, location_id)
JOIN sku s ON s.id = sku_id JOIN location l ON l.id = location_id
WHERE coalesce(p.units, 0) <> coalesce(v.reserved, 0)
ORDER BY s.code, l.code LIMIT {MOST}
""")  # noqa: S608 -- a constant

IN_TRANSIT = text(f"""
WITH sent AS (
  SELECT sku_id, sum(quantity - arrived - missing) AS units FROM transfer
  WHERE arrived + missing < quantity GROUP BY sku_id
), held AS (
  SELECT v.sku_id, v.on_hand FROM stock_level v JOIN location l ON l.id = v.location_id
  WHERE l.code = '{IN_TRANSIT_CODE}'
)
SELECT s.code AS sku, '{IN_TRANSIT_CODE}' AS location, coalesce(t.units, 0) AS under_way,
  coalesce(h.on_hand, 0) AS stored
FROM held h FULL JOIN sent t USING (sku_id) JOIN sku s ON s.id = sku_id
WHERE coalesce(t.units, 0) <> coalesce(h.on_hand, 0)
ORDER BY s.code LIMIT {MOST}
""")  # noqa: S608 -- a constant

ADVANCE = text("""
INSERT INTO checkpoint (sku_id, location_id, revision, on_hand, reserved, proven_at)
SELECT sku_id, location_id, revision, on_hand, reserved, :now FROM stock_level
ON CONFLICT (sku_id, location_id) DO UPDATE SET revision = excluded.revision,
  on_hand = excluded.on_hand, reserved = excluded.reserved, proven_at = excluded.proven_at
WHERE checkpoint.revision <> excluded.revision
""")


def unbalanced(*, full: bool, few: bool) -> TextClause:
    """Balances that are not what they begin with and their movements since, by SKU and location.

    `few`: movements are looked up balance by balance in place of reading them all.
    """
    base, flag = CARRIED if full else CHECKPOINT, str(full).lower()
    entries = (_LOOK_UP if few else _READ_ALL).replace("{full}", flag)
    return text(_UNBALANCED.format(entries=entries, base=base, full=flag, most=MOST))


def no_fact(*, full: bool, few: bool) -> TextClause:
    """Movements without their fact."""
    if few:
        return _NO_FACT_LOOK_UP
    return text(_NO_FACT_READ_ALL.format(full=str(full).lower()))


def figures(*, full: bool) -> TextClause:
    """Balances; movements that made them, and those to add up; the newest checkpoint's time."""
    base, since = (CARRIED, "NULL::timestamptz") if full else (CHECKPOINT, "max(b.proven_at)")
    return text(_FIGURES.format(base=base, since=since))
