"""Python's garbage collector, set for a process that serves for days."""

from __future__ import annotations

import gc

# New containers before the young ones are looked at, and how many such looks before older ones
# are: facts, outcomes and movements hold no cycles, so there is little to find.
YOUNG_MAX = 50_000
LOOKS = (20, 50)


def calm() -> None:
    """Look for cycles rarely, and never again at what is there now: code, routes, models.

    With thousands of callers waiting, the usual thresholds have the collector walk over all of
    their tasks many times a second, which takes as long as deciding their sales.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG_MAX, *LOOKS)
