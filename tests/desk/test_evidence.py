"""A buyer's reason is sent only where what is on record makes it true."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inventory import reasons
from inventory.decision_table.evidence import Evidence, objection
from inventory.reasons import Market, ReasonRefused
from inventory.vocabulary import Kind, Reason

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
MOMENTS = st.integers(-5, 5).map(lambda hours: NOON + timedelta(hours=hours))


@st.composite
def evidences(draw: st.DrawFn) -> Evidence:
    """Any record of a buyer's wish, true or not."""
    return Evidence(
        by_marketplace=draw(st.booleans()),
        asked_at=draw(MOMENTS),
        recorded_at=draw(MOMENTS),
        recorded_by=draw(st.sampled_from(["mori", "", " ", "desk", "Policy", "ledger"])),
        reference=draw(st.sampled_from(["inquiry 12", "", " "])),
        short_since=draw(st.none() | MOMENTS),
        told_at=draw(st.none() | MOMENTS),
    )


@settings(max_examples=400, deadline=None)
@given(kind=st.sampled_from(list(Kind)), evidence=st.none() | evidences())
def test_b_a_buyers_reason_is_sent_only_where_it_is_true(
    kind: Kind, evidence: Evidence | None
) -> None:
    try:
        request = reasons.cancel_request(
            kind, Reason.BUYER_REQUEST, order_ref="o-1", line_refs=["1"], evidence=evidence
        )
    except ReasonRefused:
        assert objection(Market(kind.value), evidence) is not None
        return
    assert request.reason is Reason.BUYER_REQUEST
    assert evidence is not None
    told = evidence.told_at
    if kind is Kind.AMAZON:
        assert evidence.by_marketplace
        assert told is None or told > evidence.asked_at
        return
    assert kind in {Kind.RAKUTEN, Kind.YAHOO}
    assert evidence.recorded_by == "mori"
    assert evidence.reference == "inquiry 12"
    assert evidence.asked_at <= evidence.recorded_at
    assert evidence.short_since is None or evidence.short_since > evidence.recorded_at
    assert told is None or told > evidence.recorded_at


@pytest.mark.parametrize(
    ("kind", "changes", "why"),
    [
        (Kind.AMAZON, {}, None),
        (Kind.AMAZON, {"short_since": NOON - timedelta(days=1)}, None),
        (Kind.AMAZON, {"by_marketplace": False}, "does not show"),
        (Kind.AMAZON, {"told_at": NOON - timedelta(hours=2)}, "after we had written"),
        (Kind.AMAZON, {"told_at": NOON - timedelta(hours=1)}, "after we had written"),
        (Kind.AMAZON, {"told_at": NOON}, None),
        (Kind.RAKUTEN, {}, None),
        (Kind.YAHOO, {"short_since": NOON + timedelta(seconds=1)}, None),
        (Kind.YAHOO, {"short_since": NOON}, "shortage case"),
        (Kind.RAKUTEN, {"recorded_by": "policy"}, "named person"),
        (Kind.RAKUTEN, {"reference": " "}, "reference"),
        (Kind.RAKUTEN, {"asked_at": NOON + timedelta(hours=1)}, "future"),
        (Kind.YAHOO, {"told_at": NOON}, "written to the buyer"),
        (Kind.SHOPIFY, {}, "no row"),
    ],
)
def test_b_what_speaks_against_a_buyers_reason(
    kind: Kind, changes: dict[str, Any], why: str | None
) -> None:
    values: dict[str, Any] = {
        "by_marketplace": kind is Kind.AMAZON,
        "asked_at": NOON - timedelta(hours=1),
        "recorded_at": NOON,
        "recorded_by": "mori",
        "reference": "inquiry 12",
    }
    found = objection(Market(kind.value), Evidence(**(values | changes)))
    assert (found is None) if why is None else (found is not None and why in found)
