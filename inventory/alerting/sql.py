"""The statements that judge SKUs by the rules, fire what crossed and close what ended."""

from __future__ import annotations

from sqlalchemy import text

from inventory.recipes import STAND

# What every message about an alert needs to know of it.
COLUMNS = "id, kind, subject, rule_id, sku_id, team_id, fired_at, closed_at, snoozed_until, detail"

# Behind `WITH RECURSIVE asked (sku_id) AS (…)`: what a rule may look at, one row per SKU. The next
# units are those expected soonest, today or later; with none, those that an order of today would
# bring.
METER = f"""
{STAND}, meter AS (
  SELECT s.id, s.code, s.name, stand.available, b.category, b.supplier_id, p.per_day,
    greatest(stand.available, 0) / nullif(p.per_day, 0) AS cover,
    CASE WHEN p.per_day > 0 THEN CAST(:today AS date)
      + CAST(least(floor(greatest(stand.available, 0) / p.per_day), 9999) AS int) END AS out_on,
    coalesce(i.next_on, CAST(:today AS date) + u.lead_days) AS next_on
  FROM stand JOIN sku s ON s.id = stand.sku_id
  LEFT JOIN buying_terms b ON b.sku_id = s.id LEFT JOIN supplier u ON u.id = b.supplier_id
  LEFT JOIN sku_pace p ON p.sku_id = s.id
  LEFT JOIN (
    SELECT e.sku_id, min(e.due_on) AS next_on FROM inbound_supply e
    WHERE NOT e.ended AND e.received < e.expected AND e.due_on >= CAST(:today AS date)
    GROUP BY e.sku_id
  ) i ON i.sku_id = s.id
)
"""  # noqa: S608 -- constants

# Of each kind the nearest rules judge: those of the SKU, else of its category, else of its
# supplier, else those for everything. Four joins by equality: one with OR compares every SKU with
# every rule.
_REACH = """
reach AS (
  SELECT m.id AS sku_id, r.id AS rule_id, 1 AS near FROM meter m JOIN rule r ON r.sku_id = m.id
  UNION ALL
  SELECT m.id, r.id, 2 FROM meter m JOIN rule r ON r.category = m.category
  UNION ALL
  SELECT m.id, r.id, 3 FROM meter m JOIN rule r ON r.supplier_id = m.supplier_id
  UNION ALL
  SELECT m.id, r.id, 4 FROM meter m CROSS JOIN rule r
  WHERE r.sku_id IS NULL AND r.category IS NULL AND r.supplier_id IS NULL
), nearest AS (
  SELECT f.sku_id, f.rule_id, f.near, min(f.near) OVER (PARTITION BY f.sku_id, r.kind) AS least
  FROM reach f JOIN rule r ON r.id = f.rule_id
)
"""

# `low`: it fires. `still`: an open alert stays open, which reaches further by the margin, so that
# a number which goes to and fro around the level fires once.
_VERDICT = """
verdict AS (
  SELECT m.*, r.id AS rule_id, r.kind, r.level, r.team_id, x.*
  FROM nearest n JOIN meter m ON m.id = n.sku_id JOIN rule r ON r.id = n.rule_id
  CROSS JOIN LATERAL (SELECT
    CASE r.kind WHEN 'low_stock' THEN m.available <= r.level
      WHEN 'low_cover' THEN m.cover < r.level
      ELSE m.out_on < coalesce(m.next_on, 'infinity')
        AND m.out_on <= CAST(:today AS date) + r.level END AS low,
    CASE r.kind WHEN 'low_stock' THEN m.available <= r.level + r.clear_margin
      WHEN 'low_cover' THEN m.cover < r.level + r.clear_margin
      ELSE m.out_on < coalesce(m.next_on, 'infinity') + r.clear_margin * interval '1 day'
        AND m.out_on <= CAST(:today AS date) + r.level + r.clear_margin END AS still
  ) x WHERE n.near = n.least
)
"""
_SEEN = """
jsonb_strip_nulls(jsonb_build_object('available', {m}.available,
  'sold_per_day', round({m}.per_day::numeric, 2), 'days_of_cover', round({m}.cover::numeric, 1),
  'runs_out_on', {m}.out_on, 'next_units_on', {m}.next_on))
"""

# Both in one statement, so that the stand is worked out once. A crossing of what was snoozed
# before is snoozed as well.
EVALUATE = text(f"""
WITH RECURSIVE asked (sku_id) AS (SELECT id FROM sku WHERE :all OR id = ANY(:ids)), {METER},
rule AS (
  SELECT * FROM alert_rule WHERE active AND kind IN ('low_stock', 'low_cover', 'stock_out')
), {_REACH}, {_VERDICT}, closed AS (
  UPDATE alert a SET state = 'closed', closed_at = :now FROM meter m
  WHERE a.state = 'open' AND a.rule_id IS NOT NULL AND a.sku_id = m.id AND NOT EXISTS (
    SELECT FROM verdict v WHERE v.id = m.id AND v.rule_id = a.rule_id AND v.still)
  RETURNING a.id, a.kind, a.subject, a.rule_id, a.sku_id, a.team_id, a.fired_at, a.closed_at,
    a.snoozed_until, a.detail || {_SEEN.format(m="m")} AS detail
), fired AS (
  INSERT INTO alert (kind, subject, sku_id, rule_id, team_id, detail, fired_at, snoozed_until)
  SELECT v.kind, 'sku:' || v.code, v.id, v.rule_id, v.team_id,
    jsonb_build_object('sku', v.code, 'name', v.name, 'level', v.level) || {_SEEN.format(m="v")},
    :now, (SELECT max(o.snoozed_until) FROM alert o WHERE o.kind = v.kind
      AND o.subject = 'sku:' || v.code AND o.rule_id = v.rule_id AND o.snoozed_until > :now)
  FROM verdict v WHERE v.low ORDER BY v.code, v.rule_id
  ON CONFLICT (kind, subject, coalesce(rule_id, 0)) WHERE state = 'open' DO NOTHING
  RETURNING {COLUMNS}
)
SELECT {COLUMNS} FROM closed UNION ALL SELECT {COLUMNS} FROM fired
""")  # noqa: S608 -- constants

# The team comes from the nearest rule of the first of the kinds that has one.
FIRE = text(f"""
WITH about AS (
  SELECT s.id, b.category, b.supplier_id FROM sku s LEFT JOIN buying_terms b ON b.sku_id = s.id
  WHERE s.code = :sku
)
INSERT INTO alert (kind, subject, sku_id, team_id, detail, fired_at, snoozed_until)
VALUES (:kind, :subject, (SELECT id FROM about), (
  SELECT r.team_id FROM alert_rule r LEFT JOIN about a ON true
  WHERE r.active AND r.kind = ANY(:kinds) AND (r.sku_id = a.id OR r.category = a.category
    OR r.supplier_id = a.supplier_id OR num_nonnulls(r.sku_id, r.category, r.supplier_id) = 0)
  ORDER BY array_position(:kinds, r.kind), r.sku_id IS NULL, r.category IS NULL,
    r.supplier_id IS NULL, r.id LIMIT 1
), CAST(:detail AS jsonb), :now, (SELECT max(o.snoozed_until) FROM alert o
  WHERE o.kind = :kind AND o.subject = :subject AND o.rule_id IS NULL AND o.snoozed_until > :now))
ON CONFLICT (kind, subject, coalesce(rule_id, 0)) WHERE state = 'open' DO NOTHING
RETURNING {COLUMNS}
""")  # noqa: S608 -- constants
CLOSE = text(f"""
UPDATE alert SET state = 'closed', closed_at = :now
WHERE kind = :kind AND subject = :subject AND rule_id IS NULL AND state = 'open'
RETURNING {COLUMNS}
""")  # noqa: S608 -- constants
CLOSE_RULE = text(f"""
UPDATE alert SET state = 'closed', closed_at = :now WHERE rule_id = :rule_id AND state = 'open'
RETURNING {COLUMNS}
""")  # noqa: S608 -- constants
# Evaluations of the same SKU go one after another, so that the last one to look has the last word.
LOCK = text("""
SELECT id FROM sku WHERE :all OR id = ANY(:ids) ORDER BY id FOR NO KEY UPDATE
""")
