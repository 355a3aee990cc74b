"""What a case chooses from: the orders that may end, and what it has proposed of them already."""

from __future__ import annotations

from hashlib import sha256

import msgspec
from msgspec import Struct
from sqlalchemy.ext.asyncio import AsyncSession

from inventory.desk import proposals
from inventory.desk.needs import Cover, Need
from inventory.desk.proposals import Candidate
from inventory.models import Oversell

# So many proposals are weighed anew with other orders, of which 500 are read with them. Are there
# more, they stay, and the rest comes on top: else nothing but them would be read.
ANEW_MAX = 250


class Field(Struct, frozen=True, kw_only=True):
    """What a case chooses from. `units` are to be covered by `able`, the orders that may end.

    `proposed` are those among them that it has proposed and nobody has decided; `firm` what else of
    its own has not been sent, and stays as long as it is needed.
    """

    need: Need
    found: tuple[Candidate, ...]
    units: int
    proposed: dict[int, Cover]
    firm: tuple[Cover, ...]

    @property
    def able(self) -> list[Candidate]:
        """Orders that the shop may end now."""
        return proposals.may_be_cancelled(self.found)

    @property
    def lost(self) -> list[Candidate]:
        """Proposed orders that the shop may not end any more, nor in a while."""
        undecided = {cover.order_id for cover in _anew(self.need)}
        return [
            order
            for order in self.found
            if order.order_id in undecided - self.proposed.keys()
            and not proposals.may_become_open(order)
        ]

    @property
    def uncovered(self) -> int:
        """Units for which no order may be ended."""
        return max(self.units - sum(order.units for order in self.able), 0)

    @property
    def name(self) -> str:
        """A name of what the choice depends on, prices and standings of channels aside."""
        parts = (
            self.units,
            self.need.to_give_up,
            sorted((order.order_id, order.units) for order in self.able),
            sorted(self.proposed),
            sorted((cover.order_id, cover.units) for cover in self.firm),
            sorted(order.order_id for order in self.lost),
        )
        return sha256(msgspec.json.encode(parts)).hexdigest()


async def field_of(session: AsyncSession, case: Oversell, need: Need) -> Field:
    """What there is to choose from.

    Where orders that do not wait for supply are too few, the ones that do are asked as well.
    """
    own = [cover.cancellation_id for cover in _anew(need)]
    waiting = need.plan.waiting
    found = await proposals.candidates(session, case.sku_id, need.pool, waiting=waiting, own=own)
    field = _of(found, need, need.missing)
    if not waiting or not field.uncovered:
        return field
    everything = await proposals.candidates(session, case.sku_id, need.pool, own=own)
    whole = _of(everything, need, need.missing + need.plan.inbound_supply)
    return field if whole.uncovered else whole


def _of(found: list[Candidate], need: Need, missing: int) -> Field:
    able = {order.order_id for order in proposals.may_be_cancelled(found)}
    proposed = {cover.order_id: cover for cover in _anew(need) if cover.order_id in able}
    return Field(
        need=need,
        found=tuple(found),
        units=max(missing + sum(cover.units for cover in proposed.values()), 0),
        proposed=proposed,
        firm=tuple(
            cover
            for cover in need.own_unsent
            if cover.units
            and cover.order_id not in proposed
            and cover.order_id not in need.plan.waiting
        ),
    )


def _anew(need: Need) -> list[Cover]:
    """The proposals that are weighed anew."""
    undecided = need.undecided
    return undecided if len(undecided) <= ANEW_MAX else []
