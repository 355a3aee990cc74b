"""Driving the oversell desk: tend the cases, submit, read back, and take note of what has ended.

Everything is found by looking, so a run may start twice or end anywhere. No transaction is open
during a call to a channel.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import structlog

from channels.base import AuthExpired, BadAnswer, Cancels, ChannelError, Rejected, RetryLater
from channels.purposes import Purpose, asks
from inventory.desk import cancellations, endings, submissions
from inventory.desk.submissions import CALL_SECONDS_MAX
from workers import cases

if TYPE_CHECKING:
    from channels.base import Adapter
    from inventory.desk.submissions import ReadBack, Submission
    from workers.cases import House

log = structlog.get_logger()

# A worker's task may last 120 s: nothing new is begun later than this.
BEGIN_SECONDS_MAX = 45
AUTH_SECONDS = 60


async def work(house: House) -> int:
    """One round of the desk; how many things were done."""
    done = await cases.tend(house)
    done += await cases.note_parts(house)
    async with house.database.sessions() as session:
        channel_ids = await cancellations.due_channels(session, house.clock.now())
    ends = asyncio.get_running_loop().time() + BEGIN_SECONDS_MAX
    async with asyncio.TaskGroup() as group:
        served = [group.create_task(_serve(house, each, ends)) for each in channel_ids]
    done += sum(task.result() for task in served)
    done += await cases.observe(house)
    done += await cases.remind(house)
    done += await cases.tend(house)
    if done:
        house.ring("notify")
    return done


@asks(Purpose.CANCEL)
async def _serve(house: House, channel_id: int, ends: float) -> int:
    """Settle, read back and submit for one channel, until it wants to be left alone."""
    async with house.lease(f"desk:{channel_id}") as mine:
        if not mine:
            return 0
        try:
            adapter = await house.adapter(channel_id)
        except ChannelError as error:
            _warn("adapter_missing", channel_id, error)
            return 0
        return await _Desk(house, adapter, channel_id).serve(ends)


class _Desk:
    """One channel's cancellations. `tired`: the channel wants to be left alone for now."""

    def __init__(self, house: House, adapter: Adapter, channel_id: int) -> None:
        self._house = house
        self._adapter = adapter
        self._channel_id = channel_id
        self.tired = False

    async def serve(self, ends: float) -> int:
        """Work through what is due, nothing new after `ends` (the loop's time)."""
        async with self._house.database.sessions() as session:
            ended = await endings.ended(session, self._channel_id)
        done = sum([await self.settle(each) for each in ended])
        for state, handle in (("submitted", self.read_back), ("approved", self.submit)):
            async with self._house.database.sessions() as session:
                now = self._house.clock.now()
                due = await cancellations.due(session, self._channel_id, state, now)
            for cancellation_id in due:
                if self.tired or asyncio.get_running_loop().time() > ends:
                    return done
                done += await handle(cancellation_id)
        return done

    async def settle(self, cancellation_id: int) -> bool:
        """Settle a cancellation whose order has ended, its closed listings first."""
        now = self._house.clock.now()
        database = self._house.database
        if self._adapter.capabilities.closes_on_out_of_stock:
            async with database.sessions() as session:
                closed = await endings.listings_closed(session, cancellation_id)
            for listing_id in closed:
                async with database.transaction() as session:
                    await endings.close_listing(session, listing_id, cancellation_id, now)
        async with database.transaction() as session:
            settled = await endings.settle(session, cancellation_id, now)
            if settled and self._adapter.capabilities.restocks:
                await endings.read_again(session, cancellation_id, now)
        return settled

    async def submit(self, cancellation_id: int) -> bool:
        """Send one approved cancellation; noted as submitted before the call (L8)."""
        async with self._house.database.transaction() as session:
            submission = await submissions.begin_submission(
                session, cancellation_id, self._house.clock.now()
            )
        if submission is None:
            return False
        if self._adapter.capabilities.cancels is Cancels.NONE:
            async with self._house.database.transaction() as session:
                await submissions.by_hand(session, submission, self._house.clock.now())
            return True
        try:
            async with asyncio.timeout(CALL_SECONDS_MAX):
                reference = await self._adapter.cancel_order(submission.request)
        except Rejected as error:
            await self._rejected(submission, error)
        except BadAnswer as error:
            await self._unanswered(submission, error)
        except (RetryLater, AuthExpired) as error:
            await self._not_now(submission, error)
        except (ChannelError, TimeoutError) as error:
            await self._unanswered(submission, error)
        else:
            async with self._house.database.transaction() as session:
                now = self._house.clock.now()
                await submissions.accepted(session, submission, reference, now)
        return True

    async def _not_now(self, submission: Submission, error: ChannelError) -> None:
        """Nothing was changed at the channel: it goes out again later."""
        _warn("cancel_postponed", self._channel_id, error)
        self.tired = True
        seconds = error.seconds if isinstance(error, RetryLater) else AUTH_SECONDS
        async with self._house.database.transaction() as session:
            await submissions.postponed(
                session, submission, _words(error), seconds=seconds, now=self._house.clock.now()
            )

    async def _unanswered(self, submission: Submission, error: Exception) -> None:
        _warn("cancel_unanswered", self._channel_id, error)
        async with self._house.database.transaction() as session:
            await submissions.unanswered(
                session, submission, _words(error), self._house.clock.now()
            )

    async def _rejected(self, submission: Submission, error: Rejected) -> None:
        """The channel refused: the order itself tells whether an earlier attempt did it."""
        _warn("cancel_rejected", self._channel_id, error)
        try:
            await self._take_order(submission.request.order_ref)
        except ChannelError as unread:
            await self._unanswered(submission, error)
            _warn("cancel_unread", self._channel_id, unread)
            return
        await self._conclude(submission.id, refusal=_words(error))

    async def read_back(self, cancellation_id: int) -> bool:
        """Look whether a submitted cancellation has had its effect."""
        async with self._house.database.transaction() as session:
            look = await submissions.begin_reading(
                session, cancellation_id, self._house.clock.now()
            )
        if look is None:
            return False
        try:
            refusal, ended = await self._ask(look)
            if refusal is None and not ended:
                return False
            await self._take_order(look.order_ref)
        except ChannelError as error:
            _warn("cancel_unread", self._channel_id, error)
            self.tired = isinstance(error, (RetryLater, AuthExpired))
            return False
        return await self._conclude(look.id, refusal=refusal)

    async def _ask(self, look: ReadBack) -> tuple[str | None, bool]:
        """What the channel says of a request that it took: its refusal, and whether it is done.

        Where it gave no reference, never answered or takes too long, only the order can tell.
        """
        if not look.reference or look.overdue:
            return None, True
        state = await self._adapter.cancel_state(look.order_ref, look.reference)
        return state.refused, state.confirmed

    async def _take_order(self, order_ref: str) -> None:
        """Read the order and hand it to the ledger as the pull would."""
        order = await self._adapter.read_order(order_ref)
        if order is None:
            return
        ids = await self._house.inbox.receive_orders(self._channel_id, [order])
        if ids:
            await self._house.inbox.handle(ids)
            self._house.ring("refresh")

    async def _conclude(self, cancellation_id: int, *, refusal: str | None) -> bool:
        if await self.settle(cancellation_id):
            return True
        async with self._house.database.transaction() as session:
            return await submissions.judge(
                session, cancellation_id, refusal=refusal, now=self._house.clock.now()
            )


def _words(error: Exception) -> str:
    return str(error) or type(error).__name__


def _warn(event: str, channel_id: int, error: Exception) -> None:
    code = error.code if isinstance(error, ChannelError) else type(error).__name__
    log.warning(event, channel_id=channel_id, code=code, detail=str(error))
