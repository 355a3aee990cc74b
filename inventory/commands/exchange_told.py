"""Telling people and programs what became of a file that went in."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from inventory.exchange.imported import Imported

BAD_ROWS_PRINTED = 20
FAR_PRINTED = 20


def tell_imported(done: Imported, words: tuple[str, str, str], *, json_out: bool) -> None:
    """Print what became of a file; exit code 1 where a row could not be used.

    `words` are what rows that are created, changed and unchanged are called.
    """
    if json_out:
        import msgspec

        typer.echo(json.dumps(msgspec.to_builtins(done), ensure_ascii=False))
    else:
        for line in [*imported_lines(done, words), *_hints(done)]:
            typer.echo(line)
    if done.bad_rows:
        raise typer.Exit(1)


def imported_lines(done: Imported, words: tuple[str, str, str]) -> list[str]:
    """What became of a file, for people."""
    told = [f"BAD {bad}" for bad in done.bad[:BAD_ROWS_PRINTED]]
    if done.bad_rows > BAD_ROWS_PRINTED:
        told.append(f"… and {done.bad_rows - BAD_ROWS_PRINTED} more")
    told += [f"left out: {count} {reason}" for reason, count in done.left_out.items()]
    if done.stopped:
        return [*told, f"nothing went in: {done.bad_rows} of {done.rows} rows cannot be used"]
    told += [f"COUNT AGAIN {sku}: far from the book" for sku in done.far[:FAR_PRINTED]]
    if done.recounts > FAR_PRINTED:
        told.append(f"… and {done.recounts - FAR_PRINTED} more: GET /v1/counts?state=recount")
    new, changed, unchanged = words
    numbers = f"{done.rows} rows: {done.created} {new}, {done.changed} {changed}"
    numbers += f", {done.unchanged} {unchanged}, {done.bad_rows} bad"
    if done.recounts:
        numbers += f", {done.recounts} to be counted again"
    return [*told, numbers + (f"; {done.skus_created} SKUs added" if done.skus_created else "")]


def _hints(done: Imported) -> list[str]:
    """What a person may want to do about bad rows."""
    from inventory.exchange.imported import NO_LOCATION, NO_SKU

    problems = {bad.problem for bad in done.bad}
    told = []
    if NO_SKU in problems:
        told.append(
            "--create-skus adds SKUs that are not there; --column sku=HEADING takes them from"
            " another column"
        )
    if NO_LOCATION in problems:
        told.append("--place NAME=LOCATION says which of our locations a place of the file is")
    return told
