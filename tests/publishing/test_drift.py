"""Why a channel shows another number: the verdict for each kind of evidence."""

from __future__ import annotations

from datetime import timedelta

import pytest

from inventory.availability import Shown
from inventory.reconcile.drift import IGNORED_TIMES_MAX, Cause, Evidence, Pushed, classify
from tests.factories import NOON

EIGHT = Shown(low=8, high=8)
# Ten stood there, and eight were sent; twelve before that.
SENT = (
    Pushed(quantity=8, before=10, sent_at=NOON),
    Pushed(quantity=12, before=3, sent_at=NOON - timedelta(minutes=1)),
)
UNANSWERED = (Pushed(quantity=5, before=8, sent_at=NOON, accepted=False), *SENT)


@pytest.mark.parametrize(
    ("evidence", "cause"),
    [
        pytest.param(Evidence(shown=8, expected=EIGHT, seen_all=False), None, id="as expected"),
        pytest.param(
            Evidence(shown=7, expected=Shown(low=6, high=8), seen_all=False), None, id="in range"
        ),
        pytest.param(Evidence(shown=3, expected=None, seen_all=True), None, id="nothing expected"),
        pytest.param(
            Evidence(shown=None, expected=EIGHT, seen_all=True),
            Cause.MAPPING_ERROR,
            id="no listing",
        ),
        pytest.param(
            Evidence(shown=None, expected=None, seen_all=True),
            Cause.MAPPING_ERROR,
            id="never there",
        ),
        pytest.param(
            Evidence(shown=0, closed=True, expected=EIGHT, seen_all=True),
            Cause.CLOSED_LISTING,
            id="closed",
        ),
        pytest.param(
            Evidence(shown=6, expected=EIGHT, seen_all=False, pushes=SENT),
            Cause.ORDER_NOT_PULLED,
            id="fell, and orders may come",
        ),
        pytest.param(
            Evidence(shown=6, expected=EIGHT, seen_all=True, pushes=SENT),
            Cause.HAND_EDIT,
            id="fell, and no orders came",
        ),
        pytest.param(
            Evidence(shown=10, expected=EIGHT, seen_all=False, pushes=SENT),
            Cause.IGNORED,
            id="what stood there before",
        ),
        pytest.param(
            Evidence(shown=9, expected=Shown(low=7, high=7), seen_all=False, pushes=SENT),
            Cause.IGNORED,
            id="what stood there before, less a sale",
        ),
        pytest.param(
            Evidence(shown=10, expected=EIGHT, seen_all=True, pushes=SENT, confirmed=True),
            Cause.HAND_EDIT,
            id="as before, but eight was seen there",
        ),
        pytest.param(
            Evidence(shown=12, expected=EIGHT, seen_all=True, pushes=SENT, confirmed=True),
            Cause.LOST_UPDATE,
            id="an older number of ours",
        ),
        pytest.param(
            Evidence(shown=5, expected=EIGHT, seen_all=True, pushes=UNANSWERED),
            Cause.LOST_UPDATE,
            id="a number of ours that had no answer",
        ),
        pytest.param(
            Evidence(shown=15, expected=EIGHT, seen_all=False, pushes=SENT),
            Cause.HAND_EDIT,
            id="a number that nobody sent",
        ),
        pytest.param(
            Evidence(shown=15, expected=EIGHT, seen_all=True), Cause.HAND_EDIT, id="nothing sent"
        ),
    ],
)
def test_the_evidence_decides(evidence: Evidence, cause: Cause | None) -> None:
    verdict = classify(evidence)

    assert (verdict.cause if verdict else None) == cause


def test_the_story_names_numbers_and_times_in_tokyo() -> None:
    verdict = classify(Evidence(shown=12, expected=EIGHT, seen_all=True, pushes=SENT))
    assert verdict is not None
    assert verdict.story == (
        "shows 12 where 8 was expected: 12, which we sent at 20:59:00, stands there instead of 8,"
        " sent at 21:00:00; it is sent again"
    )


def test_a_person_hears_of_what_pushing_again_does_not_end() -> None:
    ignored = classify(Evidence(shown=10, expected=EIGHT, seen_all=True, pushes=SENT))
    edited = classify(Evidence(shown=15, expected=EIGHT, seen_all=True))
    waiting = classify(Evidence(shown=7, expected=EIGHT, seen_all=False))
    assert ignored is not None
    assert edited is not None
    assert waiting is not None
    assert [ignored.alarms(times) for times in (1, IGNORED_TIMES_MAX)] == [False, True]
    assert edited.alarms(1)
    assert not waiting.alarms(10)
