"""What the sandbox hands to every marketplace."""

from __future__ import annotations

import random

from msgspec import Struct

from channels.sandbox.clock import Clock
from channels.sandbox.faults import Faults


class Services(Struct, kw_only=True, frozen=True):
    """What the sandbox hands to a marketplace: the clock, its fault knobs and the run's dice."""

    clock: Clock
    faults: Faults
    rng: random.Random
