"""Files that a command will write: refused before the work begins, not after it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer


def will_be_written(path: Path | None) -> Path | None:
    """The path, if a file can be put there now. Raises `typer.BadParameter`."""
    if path is None:
        return None
    folder = path.absolute().parent
    if path.is_dir():
        raise typer.BadParameter(f"{path} is a folder")
    if not folder.is_dir():
        raise typer.BadParameter(f"there is no folder {folder}")
    if not os.access(path if path.exists() else folder, os.W_OK):
        raise typer.BadParameter(f"{path} cannot be written")
    return path


ReportOut = Annotated[
    Path | None, typer.Option(help="Write the report as JSON.", callback=will_be_written)
]
