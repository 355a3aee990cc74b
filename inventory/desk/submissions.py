"""Submitting cancellations: noted before the call, read back after it, judged by the order itself.

An attempt is never repeated until a read-back has shown the order still live (L8): `submitted`
without a reference means that nobody knows yet.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from msgspec import Struct
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from inventory import reasons
from inventory.decision_table.words import NOBODY
from inventory.desk import buyer_evidence, casework
from inventory.desk.cancellations import lock, order_state, withdraw
from inventory.desk.casework import BY_HAND, BY_HAND_ALERT, FAILED_ALERT
from inventory.models import Cancellation, Channel, OrderLine, Oversell, SalesOrder
from inventory.reasons import Action, OrderState, ReasonRefused
from inventory.vocabulary import CancelRequest, Kind, Reason

ATTEMPTS_MAX = 5
# No adapter's call may last longer; a later look at the order then tells the truth.
CALL_SECONDS_MAX = 60
FIRST_READ_SECONDS = 2
LOST_READ_SECONDS = 15
READ_SECONDS_MAX = 120
# An unanswered call is over by then; an accepted one (a feed, a job) may take its time.
RESEND_SECONDS = 120
RESEND_ACCEPTED_SECONDS = 900
BY_HAND_SECONDS_MAX = 365 * 86_400


class Submission(Struct, frozen=True, kw_only=True):
    """One attempt at submitting a cancellation; `attempt` tells its answer from older ones."""

    id: int
    attempt: int
    request: CancelRequest


class ReadBack(Struct, frozen=True, kw_only=True):
    """A submitted cancellation to look at. `reference` None: nobody knows whether it arrived.

    `overdue`: it was accepted so long ago that the order itself must be looked at.
    """

    id: int
    order_ref: str
    reference: str | None
    overdue: bool


async def begin_submission(
    session: AsyncSession, cancellation_id: int, now: datetime
) -> Submission | None:
    """Note that a cancellation goes out now. None: another worker has it, or it must not go.

    An order that can no longer be given up is let go here, so that another one is chosen; one
    whose buyer's wish does not hold as its reason any more is let go too (L10).
    """
    row = await lock(session, cancellation_id, "approved")
    if row is None or (row.due_at is not None and row.due_at > now):
        return None
    order = await session.get_one(SalesOrder, row.order_id)
    if order.cancelled or not await _is_needed(session, row):
        return None
    kind = Kind((await session.get_one(Channel, row.channel_id)).kind)
    state, reason = await order_state(session, order), Reason(row.reason)
    if reasons.decide(kind, state, reasons.asker_of(reason)).action is not Action.CANCEL:
        await withdraw(session, row.id, f"the order is {state.value} now", now)
        return None
    try:
        request = await _request(session, row, order, kind)
    except ReasonRefused as refused:
        await withdraw(session, row.id, str(refused), now)
        return None
    row.state, row.submitted_at, row.reference = "submitted", now, None
    row.attempts += 1
    row.due_at = now + timedelta(seconds=LOST_READ_SECONDS)
    return Submission(id=row.id, attempt=row.attempts, request=request)


async def _is_needed(session: AsyncSession, row: Cancellation) -> bool:
    """Whether there is still a shortage; a buyer's wish does not depend on one."""
    if row.oversell_id is None:
        return row.reason == Reason.BUYER_REQUEST.value
    return bool((await session.get_one(Oversell, row.oversell_id)).shortage)


async def _request(
    session: AsyncSession, row: Cancellation, order: SalesOrder, kind: Kind
) -> CancelRequest:
    """Raises `ReasonRefused`, also for a buyer's reason that no person has approved (L10)."""
    if row.reason == Reason.BUYER_REQUEST.value and (row.decided_by or "desk").lower() in NOBODY:
        raise ReasonRefused(f"{order.order_ref}: a buyer's reason is a person's to approve")
    lines = select(OrderLine.line_ref).where(OrderLine.order_id == order.id, OrderLine.ordered > 0)
    evidence = await buyer_evidence.evidence_for(session, order)
    case = "the buyer asked" if row.oversell_id is None else f"oversell case {row.oversell_id}"
    return reasons.cancel_request(
        kind,
        Reason(row.reason),
        order_ref=order.order_ref,
        line_refs=list(await session.scalars(lines.order_by(OrderLine.line_ref))),
        evidence=evidence,
        note=case,
    )


async def accepted(
    session: AsyncSession, submission: Submission, reference: str, now: datetime
) -> None:
    """The channel took the request; whether it has an effect, the order will tell."""
    row = await _lock_attempt(session, submission)
    if row is None:
        return
    row.reference, row.failure = reference, None
    row.due_at = now + timedelta(seconds=FIRST_READ_SECONDS)
    detail = {
        "cancellation": row.id,
        "order_ref": submission.request.order_ref,
        "reason_code": row.reason_code,
        "attempt": row.attempts,
        "reference": reference,
    }
    casework.note(session, row.oversell_id, "submitted", detail, now=now)


async def by_hand(session: AsyncSession, submission: Submission, now: datetime) -> None:
    """The channel takes no cancellation by API: a person is asked to end the order there."""
    row = await _lock_attempt(session, submission)
    if row is None:
        return
    row.reference, row.failure = BY_HAND, None
    row.due_at = now + timedelta(seconds=FIRST_READ_SECONDS)
    detail = {"cancellation": row.id, "order_ref": submission.request.order_ref}
    casework.note(session, row.oversell_id, "asked_by_hand", detail, now=now)
    why = "this channel has no API for it: end the order in the shop's own admin, as out of stock"
    await casework.call_person(session, BY_HAND_ALERT, row, why, now)


async def unanswered(
    session: AsyncSession, submission: Submission, detail: str, now: datetime
) -> None:
    """No answer came: it stays submitted, and only a read-back may decide (L8)."""
    row = await _lock_attempt(session, submission)
    if row is None:
        return
    row.failure = detail[:500]
    said = {"cancellation": row.id, "attempt": row.attempts, "detail": row.failure}
    casework.note(session, row.oversell_id, "outcome_unknown", said, now=now)


async def postponed(
    session: AsyncSession, submission: Submission, detail: str, *, seconds: float, now: datetime
) -> None:
    """Nothing was sent: it is approved again and goes out after `seconds`."""
    row = await _lock_attempt(session, submission)
    if row is None:
        return
    row.state, row.failure = "approved", detail[:500]
    row.attempts -= 1
    row.due_at = now + timedelta(seconds=max(seconds, 1.0))


async def begin_reading(
    session: AsyncSession, cancellation_id: int, now: datetime
) -> ReadBack | None:
    """Take a submitted cancellation for reading back; the next look comes later and later."""
    row = await lock(session, cancellation_id, "submitted")
    if row is None or row.submitted_at is None or (row.due_at is not None and row.due_at > now):
        return None
    age = (now - row.submitted_at).total_seconds()
    pause = min(max(age / 4, FIRST_READ_SECONDS), READ_SECONDS_MAX)
    row.due_at = now + timedelta(seconds=pause)
    order = await session.get_one(SalesOrder, row.order_id)
    return ReadBack(
        id=row.id,
        order_ref=order.order_ref,
        reference=row.reference,
        overdue=age >= _resend_seconds(row),
    )


async def judge(
    session: AsyncSession, cancellation_id: int, *, refusal: str | None, now: datetime
) -> bool:
    """Decide on a submitted cancellation whose order was read and is not cancelled.

    `refusal` is the channel's own word that it will not be. Otherwise it is sent again once the
    order is seen live and open after the grace time, at most 5 times in all.
    """
    row = await lock(session, cancellation_id, "submitted")
    if row is None or row.submitted_at is None:
        return False
    order = await session.get_one(SalesOrder, row.order_id)
    if order.cancelled:
        return False
    state = await order_state(session, order)
    age = (now - row.submitted_at).total_seconds()
    if refusal is not None:
        await _fail(session, row, refusal, now)
    elif state in {OrderState.SHIPPED, OrderState.PARTLY_SHIPPED}:
        await _fail(session, row, "the order was shipped meanwhile", now)
    elif age < _resend_seconds(row):
        return False
    elif state is not OrderState.OPEN:
        await _fail(session, row, f"the order is {state.value} and not cancelled", now)
    elif row.attempts >= ATTEMPTS_MAX:
        await _fail(session, row, f"sent {row.attempts} times without effect", now)
    else:
        row.state, row.due_at = "approved", now
        detail = {"cancellation": row.id, "attempt": row.attempts}
        casework.note(session, row.oversell_id, "not_applied", detail, now=now)
    return True


def _resend_seconds(row: Cancellation) -> int:
    if row.reference == BY_HAND:
        return BY_HAND_SECONDS_MAX
    return RESEND_ACCEPTED_SECONDS if row.reference else RESEND_SECONDS


async def _fail(session: AsyncSession, row: Cancellation, words: str, now: datetime) -> None:
    row.state, row.failure, row.due_at = "failed", words[:500], None
    detail = {"cancellation": row.id, "why": row.failure}
    casework.note(session, row.oversell_id, "failed", detail, now=now)
    await casework.answered(session, BY_HAND_ALERT, row, now)
    await casework.release_shipping(session, row, "the channel did not cancel the order", now)
    await casework.call_person(session, FAILED_ALERT, row, row.failure, now)


async def _lock_attempt(session: AsyncSession, submission: Submission) -> Cancellation | None:
    """The row, if it still waits for the answer to this very attempt."""
    return await session.scalar(
        select(Cancellation)
        .where(
            Cancellation.id == submission.id,
            Cancellation.state == "submitted",
            Cancellation.attempts == submission.attempt,
            Cancellation.reference.is_(None),
        )
        .with_for_update()
    )
