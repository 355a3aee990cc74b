"""Two cases of a made-up night, with orders at three marketplaces, as the rows tell them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from inventory.demo.case_evidence import Case, Cases, Line, Selling, Weighing
from inventory.demo.evidence import Evidence
from inventory.desk.case_figures import GivenUp
from inventory.vocabulary import Kind

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
KINDS = (Kind.SHOPIFY, Kind.RAKUTEN, Kind.AMAZON)
METRICS: dict[Kind, dict[str, Any]] = {Kind.SHOPIFY: {"fee_percent": 5.0}}


def selling() -> tuple[Selling, ...]:
    """The channels with the prices that are assumed; their ids are 1, 2 and 3."""
    return tuple(
        Selling(
            channel_id=number,
            code=kind.value,
            kind=kind,
            metrics=METRICS.get(kind, {}),
            costs={},
            known_from=NOW - timedelta(days=400),
        )
        for number, kind in enumerate(KINDS, start=1)
    )


def line(number: int, kind: Kind, sku: str, *, imported: int | None = None, late: int = 0) -> Line:
    """One unit for 1,000 yen, ordered in the given minute and imported in the given sequence."""
    ordered_at = NOW - timedelta(hours=1) + timedelta(minutes=number)
    return Line(
        order_id=imported or number,
        channel_id=KINDS.index(kind) + 1,
        kind=kind.value,
        order_ref=f"o-{number}",
        ordered_at=ordered_at,
        recorded_at=NOW + timedelta(seconds=late),
        ship_by=None,
        sku=sku,
        listing_id=None,
        ordered=1,
        unit_price=1000,
    )


def case(sku: str, second: int, *given_up: tuple[Kind, str], **more: Any) -> Case:
    """A case whose desk chose at a second and gave these orders up."""
    detail = {
        "units": len(given_up),
        "cost_yen": 4321,
        "margin_lost_yen": 300,
        "limits_crossed": [],
        "cost_yen_newest_first": 0,
        "cost_yen_last_imported": 0,
        "runner_up": None,
    }
    values: dict[str, Any] = {
        "sku": sku,
        "state": "closed",
        "shortage": len(given_up) + 1,
        "weighed": (Weighing(at=NOW + timedelta(seconds=second), detail=detail),),
        "mitigations": ({"kind": "holds", "state": "done", "units": 1, "result": "1 unit"},),
        "given_up": tuple(
            GivenUp(channel=kind.value, order_ref=ref, state="confirmed", reason_code=kind.value)
            for kind, ref in given_up
        ),
    }
    return Case(**(values | more))


def night() -> Cases:
    """Of MUG and TEE the desk gave up the order at Shopify; the newest are at Rakuten and Amazon.

    The last orders to come in are those at Amazon. Order 9 came when all was over.
    """
    lines = [
        line(number, kind, sku, imported=number + 10 if kind is Kind.AMAZON else None)
        for number, kind, sku in (
            (1, Kind.SHOPIFY, "MUG"),
            (2, Kind.AMAZON, "MUG"),
            (3, Kind.RAKUTEN, "MUG"),
            (4, Kind.SHOPIFY, "TEE"),
            (5, Kind.AMAZON, "TEE"),
            (6, Kind.RAKUTEN, "TEE"),
        )
    ]
    return Cases(
        cases=(
            case("MUG", 1, (Kind.SHOPIFY, "o-1")),
            case("TEE", 2, (Kind.SHOPIFY, "o-4")),
        ),
        channels=selling(),
        lines=(*lines, line(9, Kind.RAKUTEN, "MUG", late=60)),
    )


def evidence(found: Cases) -> Evidence:
    """The marketplaces' own books of these orders."""
    markets: dict[str, Any] = {kind.value: {"orders": []} for kind in KINDS}
    for each in found.lines:
        bought = {"price": each.unit_price, "quantity": each.ordered}
        order = {"ref": each.order_ref, "by_channel": False, "lines": [bought]}
        markets[each.kind]["orders"].append(order)
    cases: list[Any] = [{"shortage_max": each.shortage, "cause": "count"} for each in found.cases]
    return Evidence(rows={"cases": cases}, books={"markets": markets})
