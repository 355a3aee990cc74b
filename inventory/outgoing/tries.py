"""The log of a delivery: every try of it, when, how long it took, and what came of it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec
from msgspec import Struct

from inventory.outgoing.outbound import Answer

# One run has thirteen; more come where a person sends it again, or newer numbers take its place.
TRIES_MAX = 20
# Of a row `d` that is claimed: its tries, the oldest left out where there are too many, and a new
# one. It is noted before it is made, so that one whose sender died is in the log too.
NOTED = f"""
CASE WHEN jsonb_array_length(d.tries) < {TRIES_MAX} THEN d.tries ELSE d.tries - 0 END
  || jsonb_build_object('at', CAST(:at AS text), 'version', d.version)
"""


class Try(Struct, frozen=True, kw_only=True):
    """One try, begun `at`. `version` is the message's: of one topic the newer takes a row over.

    `status` and `failure` are three digits and a word of ours, `failure` null after a success; what
    was answered is not read. Without `milliseconds` it has not ended, or its sender died.
    """

    at: datetime
    version: int
    status: int | None = None
    failure: str | None = None
    milliseconds: int | None = None


def ended(
    tries: Sequence[dict[str, Any]], begun: Try, answer: Answer, milliseconds: int
) -> list[dict[str, Any]]:
    """The tries, the last of which has ended; `begun` stands in for one that was not noted."""
    *before, last = tries or [msgspec.to_builtins(begun)]
    outcome = {"status": answer.status, "failure": answer.failure, "milliseconds": milliseconds}
    return [*before, last | outcome]


def read(tries: Sequence[dict[str, Any]]) -> list[Try]:
    """Tries as they are stored, oldest first."""
    return msgspec.convert(tries, type=list[Try])
