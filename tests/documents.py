"""Reading the documents as a person would: their code blocks, tables, commands and addresses."""

from __future__ import annotations

import importlib.util
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import typer
from msgspec import Struct

from inventory.cli import app

ROOT = Path(__file__).resolve().parent.parent
EXAMPLES = ROOT / "docs/examples"
DOCUMENTS = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SPAN = re.compile(r"`([^`\n]+)`")
CELL = re.compile(r"(?<!\\)\|")


class Block(Struct, frozen=True):
    """A code block: where it stands, its language, its text."""

    document: str
    language: str
    text: str


class Call(Struct, frozen=True):
    """One request of a shell sample, with its address below /v1."""

    method: str
    path: str
    body: str | None


def blocks(*languages: str, document: Path | None = None) -> list[Block]:
    """The code blocks of one document or of all, in order."""
    return [
        Block(str(path.relative_to(ROOT)), language, text)
        for path in ([document] if document else DOCUMENTS)
        for language, text in BLOCK.findall(path.read_text(encoding="utf-8"))
        if language in languages
    ]


def spans() -> list[tuple[str, str]]:
    """Every inline code with its document; those of code blocks are left out."""
    return [
        (str(path.relative_to(ROOT)), span)
        for path in DOCUMENTS
        for span in SPAN.findall(BLOCK.sub("", path.read_text(encoding="utf-8")))
    ]


def table(path: str, *heading: str) -> list[list[str]]:
    """The cells of the rows under the one table of a document that has this heading."""
    lines = (ROOT / path).read_text(encoding="utf-8").splitlines()
    starts = [number for number, line in enumerate(lines) if cells(line) == list(heading)]
    assert len(starts) == 1, f"{path} has {len(starts)} tables headed {heading}"
    rows = []
    for line in lines[starts[0] + 2 :]:
        if not line.startswith("|"):
            break
        rows.append(cells(line))
    assert rows, f"{path} has an empty table headed {heading}"
    return rows


def cells(line: str) -> list[str]:
    """The cells of a table's line."""
    return [cell.strip() for cell in CELL.split(line.strip())[1:-1]]


def code(cell: str) -> list[str]:
    """The inline codes of a cell."""
    found: list[str] = SPAN.findall(cell)
    return found


def commands(text: str) -> Iterator[list[str]]:
    """The commands of a shell block, each as its words; quotes may span lines."""
    waiting = ""
    for line in text.splitlines():
        waiting += line + "\n"
        try:
            words = shlex.split(waiting, comments=True)
        except ValueError:  # a quotation goes on in the next line
            continue
        waiting = ""
        if words:
            yield words
    assert not waiting, f"a quotation has no end: {waiting}"


def call(words: list[str]) -> Call | None:
    """The request that `call …` makes; None for any other command."""
    if words[0] != "call":
        return None
    method, body, path = None, None, ""
    rest = iter(words[1:])
    for word in rest:
        if word == "-X":
            method = next(rest)
        elif word == "-d":
            body = next(rest)
        else:
            path = word.removeprefix("$API")
            assert path != word, f"not an address of ours: {word}"
    return Call(method or ("GET" if body is None else "POST"), path, body)


def hikiate(words: list[str]) -> list[str] | None:
    """The arguments of a `hikiate` command, also of one inside `$(…)`; None for any other."""
    for number, word in enumerate(words):
        if word.rpartition("$(")[2] in {"hikiate", "./hikiate"}:
            return [argument.rstrip(")") for argument in words[number + 1 :]]
    return None


def known_commands() -> dict[str, Any]:
    """Every command of the command line by its words, such as `key create`."""
    found: dict[str, Any] = {}
    group: Any = typer.main.get_command(app)
    for name, command in group.commands.items():
        inner = getattr(command, "commands", None)
        if inner is None:
            found[name] = command
        else:
            found |= {f"{name} {below}": deeper for below, deeper in inner.items()}
    return found


def options(command: Any) -> set[str]:
    """The options of a command, with their dashes."""
    return {text for option in command.params for text in option.opts if text.startswith("--")}


def example(name: str) -> ModuleType:
    """A program of docs/examples as a module."""
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def shapes(text: str) -> set[str]:
    """Printed lines without what differs from night to night: numbers, SKUs, limits, "…"."""
    found = set()
    for line in text.splitlines():
        shape = re.sub(r"\d[\d.,]*", "#", line.partition("limits crossed")[0].strip())
        found.add(re.sub(r"^[A-Z]+(-[A-Z]+)?:", "SKU:", shape).replace("# orders,", "# order,"))
    return found - {"…", ""}
