"""What is looked at in the database, and the same of the model."""

from __future__ import annotations

from typing import Any

from tests.ledger.machine.state import State

# The first thing that is wrong, if any: a balance that is not the sum of its movements, a gap in
# its revisions, units reserved for nobody, a moved SKU without its mark.
BALANCED = """
WITH mine AS (SELECT id, code FROM sku WHERE starts_with(code, $1)),
moved AS (
  SELECT m.sku_id, m.location_id, sum(on_hand_delta) AS on_hand, sum(reserved_delta) AS reserved,
    count(*) AS entries, min(revision) AS low, max(revision) AS high
  FROM movement m JOIN mine ON mine.id = m.sku_id GROUP BY 1, 2
), promised AS (
  SELECT p.sku_id, p.location_id, sum(p.reserved) AS units FROM (
    SELECT sku_id, location_id, reserved FROM order_part
    UNION ALL
    SELECT parts[n], parts[n + 1], parts[n + 2]
    FROM reservation, generate_series(1, cardinality(parts), 3) AS n
  ) p JOIN mine ON mine.id = p.sku_id GROUP BY 1, 2
)
SELECT mine.code || ' at ' || coalesce(v.location_id, m.location_id, p.location_id)
  || ': ' || to_json(v)::text || to_json(m)::text || coalesce(p.units, 0)
FROM moved m
FULL JOIN (SELECT v.* FROM stock_level v JOIN mine ON mine.id = v.sku_id) v
  USING (sku_id, location_id)
FULL JOIN promised p USING (sku_id, location_id)
JOIN mine ON mine.id = sku_id
WHERE (v.on_hand, v.reserved, v.revision) IS DISTINCT FROM
    (coalesce(m.on_hand, 0), coalesce(m.reserved, 0), coalesce(m.entries, 0))
  OR m.low <> 1 OR m.high <> m.entries
  OR v.reserved <> coalesce(p.units, 0)
  OR (m.sku_id IS NOT NULL AND NOT EXISTS (SELECT FROM stale_sku s WHERE s.sku_id = m.sku_id))
LIMIT 1
"""

BOOKS = """
WITH mine AS (SELECT id, code FROM sku WHERE starts_with(code, $1)),
place AS (SELECT id, code FROM location)
SELECT json_build_object(
  'levels', (SELECT json_agg(json_build_array(mine.code, place.code, on_hand, reserved))
    FROM stock_level v JOIN mine ON mine.id = sku_id JOIN place ON place.id = location_id
    WHERE on_hand <> 0 OR reserved <> 0),
  'names', (SELECT json_agg(json_build_array(channel_id, fact_ref)) FROM fact
    WHERE channel_id = ANY($2::int[]) AND starts_with(fact_ref, $1)),
  'orders', (SELECT json_agg(json_build_array(o.channel_id, o.order_ref, o.cancelled, o.revision,
      (SELECT json_agg(json_build_array(l.line_ref, l.ordered, l.cancelled, l.shipped,
        (SELECT json_agg(json_build_array(s.code, place.code, p.reserved, p.shipped))
          FROM order_part p JOIN sku s ON s.id = p.sku_id JOIN place ON place.id = p.location_id
          WHERE (p.order_id, p.line_ref) = (l.order_id, l.line_ref))))
        FROM order_line l WHERE l.order_id = o.id)))
    FROM sales_order o WHERE o.channel_id = ANY($2::int[]) AND starts_with(o.order_ref, $1)),
  'holds', (SELECT json_agg(json_build_array(f.channel_id, f.fact_ref,
      (SELECT json_agg(json_build_array(s.code, place.code, parts[n + 2]))
        FROM generate_series(1, cardinality(parts), 3) AS n
        JOIN sku s ON s.id = parts[n] JOIN place ON place.id = parts[n + 1])))
    FROM reservation r JOIN fact f ON f.id = r.fact_id
    WHERE f.channel_id = ANY($2::int[]) AND starts_with(f.fact_ref, $1)),
  'transfers', (SELECT json_agg(json_build_array(
      transfer_ref, mine.code, place.code, quantity, arrived, missing))
    FROM transfer t JOIN mine ON mine.id = sku_id JOIN place ON place.id = to_location_id),
  'supplies', (SELECT json_agg(json_build_array(
      supply_ref, mine.code, place.code, expected, received, ended))
    FROM inbound_supply i JOIN mine ON mine.id = sku_id JOIN place ON place.id = location_id),
  'counts', (SELECT json_agg(json_build_array(
      count_ref, mine.code, place.code, state, difference))
    FROM stock_count c JOIN mine ON mine.id = sku_id JOIN place ON place.id = location_id),
  'cases', (SELECT json_agg(json_build_array(mine.code, shortage, shortage_max))
    FROM oversell o JOIN mine ON mine.id = sku_id WHERE o.state = 'open')
)::text
"""


def of(state: State) -> dict[str, Any]:
    """The model's books, in the words of the database's."""
    return {
        "levels": [
            [sku, place, level.on_hand, level.reserved]
            for (sku, place), level in state.levels.items()
            if level.on_hand or level.reserved
        ],
        "names": [list(name) for name in state.names],
        "orders": [
            [*key, order.cancelled, order.revision, _lines(order.lines)]
            for key, order in state.orders.items()
        ],
        "holds": [
            [*key, [[*part, units] for part, units in hold.items()]]
            for key, hold in state.holds.items()
            if hold
        ],
        "transfers": [[ref, *transfer] for ref, transfer in state.transfers.items()],
        "supplies": [
            [ref, each.sku, each.location, each.expected, each.received, each.ended]
            for ref, each in state.supplies.items()
        ],
        "counts": [
            [ref, count[0], count[1], count[3], count[4]] for ref, count in state.counts.items()
        ],
        "cases": [[sku, *case] for sku, case in state.cases.items()],
    }


def _lines(lines: dict[str, Any]) -> list[Any]:
    return [
        [
            ref,
            line.ordered,
            line.cancelled,
            line.shipped,
            [
                [sku, place, *part]
                for sku, parts in line.taken.items()
                for place, part in parts.items()
            ],
        ]
        for ref, line in lines.items()
    ]


def differences(found: dict[str, Any], expected: dict[str, Any]) -> list[str]:
    """What the database holds and the model does not, and the other way round; [] when equal."""
    said = []
    for subject, rows in expected.items():
        have, want = _set(found[subject]), _set(rows)
        said += [f"{subject}: the ledger has {row}" for row in sorted(have - want)]
        said += [f"{subject}: the model has {row}" for row in sorted(want - have)]
    return said


def _set(rows: list[Any] | None) -> set[str]:
    return {str(_sorted(row)) for row in rows or ()}


def _sorted(value: Any) -> Any:
    """Lists within a row have no order of their own, and none is empty."""
    if not isinstance(value, list):
        return value
    inner = [_sorted(each) for each in value]
    if inner and all(isinstance(each, list) for each in inner):
        return sorted(inner, key=str)
    return [each for each in inner if each not in ([], None)]
