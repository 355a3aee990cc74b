"""What people write at a command line: numbers, times and files, by the limits of the API."""

from __future__ import annotations

import sys
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

ID_MAX = 2**63 - 1
SMALL_ID_MAX = 2**31 - 1
FILE_BYTES_MAX = 1_000_000

Number = Annotated[int, typer.Argument(help="Its number.", min=1, max=ID_MAX)]


def checked(wish: Any, kind: Any, *, strict: bool = True) -> Any:
    """What was written, as the API's bodies have it. Raises `BadInput`."""
    import msgspec

    from inventory.errors import BadInput
    from inventory.fields import plain

    try:
        return msgspec.convert(wish, kind, strict=strict)
    except msgspec.ValidationError as error:
        raise BadInput(plain(str(error))) from None


def moment_of(written: datetime | None) -> datetime | None:
    """The moment in UTC; one without a time zone is this machine's. Raises `BadInput`."""
    from inventory.errors import BadInput
    from inventory.fields import YEARS, moment

    if written is None:
        return None
    if not YEARS[0] < written.year < YEARS[1]:
        raise BadInput(f"a time must lie between the years {YEARS[0]} and {YEARS[1]}")
    return moment(written.astimezone())


def json_in(file: Path) -> Any:
    """The JSON of a file, - for standard input. Raises `BadInput`, and `OSError`."""
    import msgspec

    from inventory.errors import BadInput

    if str(file) == "-":
        data = sys.stdin.buffer.read(FILE_BYTES_MAX + 1)
    else:
        with file.open("rb") as opened:
            data = opened.read(FILE_BYTES_MAX + 1)
    if len(data) > FILE_BYTES_MAX:
        raise BadInput(f"{file}: more than {FILE_BYTES_MAX:,} bytes")
    try:
        return msgspec.json.decode(data)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise BadInput(f"{file} is no JSON: {error}") from None
