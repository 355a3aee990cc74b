"""The decision table, case by case, against what is said of it in `whole_table`."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest

from inventory import reasons
from inventory.reasons import (
    Action,
    Asker,
    Case,
    Extent,
    Fulfilment,
    Market,
    OrderState,
    ShipNotice,
)
from tests.desk.whole_table import WHOLE, Said


def cases(said: Said) -> list[tuple[Market, Case]]:
    """The cases that a row is about."""
    kinds: list[Any] = [OrderState, Asker, ShipNotice, Fulfilment, Extent]
    values = [
        [kind(word) for word in words] or list(kind)
        for kind, words in zip(kinds, said.case, strict=True)
    ]
    return [
        (
            Market(said.market),
            Case(state=state, asker=asker, ship_notice=notice, fulfilment=ships, extent=extent),
        )
        for state, asker, notice, ships, extent in product(*values)
    ]


@pytest.mark.parametrize("said", WHOLE, ids=str)
def test_every_case_has_the_action_codes_and_weight_that_are_said(said: Said) -> None:
    for asked in cases(said):
        rule = reasons.TABLE[asked]
        sent = (rule.reason_code, *rule.other_codes) if rule.reason_code else ()
        assert (rule.action.value, sent) == (said.action, said.codes)
        assert (rule.counts.value, rule.weighs) == (said.counts, said.weighs)
        assert rule.reason_code or not rule.other_codes
        assert said.named in rule.source


def test_the_table_has_no_case_that_is_not_said() -> None:
    told = {asked for said in WHOLE for asked in cases(said)}
    forbidden = {asked for asked, rule in reasons.TABLE.items() if rule.action is Action.FORBIDDEN}

    assert reasons.TABLE.keys() - told <= forbidden
    assert reasons.TABLE.keys() >= told
