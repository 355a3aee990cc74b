"""Which SKU a listing is: the codes that the shop wrote there, and when a person must look."""

from __future__ import annotations

import pytest

from inventory.matching import Match, Offered, counts, match

SKUS = ("MUG-RED", "MUG-BLUE", "Tee", "TEE", "PEN")


@pytest.mark.parametrize(
    ("codes", "state", "sku", "candidates", "by"),
    [
        (("MUG-RED",), Match.MATCHED, "MUG-RED", (), "MUG-RED"),
        (("no-such", "MUG-RED"), Match.MATCHED, "MUG-RED", (), "MUG-RED"),
        (("mug-red",), Match.MATCHED, "MUG-RED", (), "mug-red"),
        (("ＭＵＧ－ＲＥＤ ",), Match.MATCHED, "MUG-RED", (), "ＭＵＧ－ＲＥＤ "),
        (("MUG-RED", "PEN"), Match.AMBIGUOUS, None, ("MUG-RED", "PEN"), ""),
        # The very spelling goes before another case of it, and before other codes' other cases.
        (("Tee",), Match.MATCHED, "Tee", (), "Tee"),
        (("PEN", "mug-red"), Match.MATCHED, "PEN", (), "PEN"),
        (("tee",), Match.AMBIGUOUS, None, ("TEE", "Tee"), ""),
        (("MUG",), Match.UNMATCHED, None, (), ""),
        ((), Match.UNMATCHED, None, (), ""),
        (("", " "), Match.UNMATCHED, None, (), ""),
    ],
)
def test_the_codes_of_a_listing_name_its_sku(
    codes: tuple[str, ...], state: Match, sku: str | None, candidates: tuple[str, ...], by: str
) -> None:
    [row] = match([Offered(channel_sku="r/1", codes=codes)], SKUS, {})

    assert (row.state, row.sku, row.candidates, row.by) == (state, sku, candidates, by)


def test_the_channel_sku_is_asked_last() -> None:
    [row] = match([Offered(channel_sku="PEN", codes=("none",))], SKUS, {})

    assert (row.state, row.sku, row.by) == (Match.MATCHED, "PEN", "PEN")


def test_what_is_mapped_stays_whatever_its_codes_say() -> None:
    [row] = match([Offered(channel_sku="r/1", codes=("PEN",))], SKUS, {"r/1": "MUG-RED"})

    assert (row.state, row.sku) == (Match.MAPPED, "MUG-RED")


def test_two_listings_of_one_sku_are_shown_to_a_person() -> None:
    offered = [
        Offered(channel_sku="r/1", codes=("PEN",)),
        Offered(channel_sku="r/2", codes=("pen",)),
        Offered(channel_sku="r/3", codes=("MUG-RED",)),
        Offered(channel_sku="r/4", codes=("MUG-BLUE",)),
    ]

    rows = match(offered, SKUS, {"r/9": "MUG-BLUE"})

    assert [row.state for row in rows] == [
        Match.DUPLICATE,
        Match.DUPLICATE,
        Match.MATCHED,
        Match.DUPLICATE,
    ]
    assert [row.sku for row in rows] == ["PEN", "PEN", "MUG-RED", "MUG-BLUE"]
    assert counts(rows) == {
        "mapped": 0,
        "matched": 1,
        "unmatched": 0,
        "ambiguous": 0,
        "duplicate": 3,
    }


def test_what_the_channel_ships_itself_is_told() -> None:
    [row] = match(
        [Offered(channel_sku="A1", codes=("PEN",), fulfilled_by_channel=True, title="pen")],
        SKUS,
        {},
    )

    assert (row.fulfilled_by_channel, row.title) == (True, "pen")
