"""Bodies of answers that are spoiled on their way out: cut, blown up, in letters unannounced."""

from __future__ import annotations

from channels.sandbox.faults import Faults

GARBAGE = b"\x00<{]oops"
MEGABYTE = 1_000_000
HUGE_MB_MAX = 100


def spoiled(body: bytes, faults: Faults, endpoint: str) -> bytes:
    """The body as the client gets it; the same where no fault strikes. No body stays none.

    What is blown up is followed by blanks, which JSON and XML allow: only its size is wrong.
    """
    if not body:
        return body
    if faults.hit("truncated", endpoint):
        body = body[: len(body) // 2]
    if faults.hit("wrong_charset", endpoint):
        body = body.decode("utf-8", "replace").encode("utf-16")
    megabytes = min(faults.amount("huge_mb", endpoint), HUGE_MB_MAX)
    return body + b" " * int(megabytes * MEGABYTE)
