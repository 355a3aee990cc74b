"""The glossary in the README is what the code says: one word for one idea."""

from __future__ import annotations

import ast
import re

from tests.documents import ROOT, code, table

WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")


def identifiers() -> set[str]:
    """Every name that the code of inventory and workers gives or uses."""
    found: set[str] = set()
    for path in [*(ROOT / "inventory").rglob("*.py"), *(ROOT / "workers").rglob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            named = (getattr(node, field, None) for field in ("id", "attr", "arg", "name"))
            found |= {name for name in named if isinstance(name, str)}
    return found


def given_names() -> set[str]:
    """Every name that the code of inventory and workers gives; not those it finds in libraries."""
    given: set[str] = set()
    for path in [*(ROOT / "inventory").rglob("*.py"), *(ROOT / "workers").rglob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            match node:
                case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                    given.add(name)
                case ast.ClassDef(name=name) | ast.arg(arg=name):
                    given.add(name)
                case ast.Name(id=name, ctx=ast.Store()) | ast.Attribute(attr=name, ctx=ast.Store()):
                    given.add(name)
    return given


def test_the_glossary_is_what_the_code_says() -> None:
    names = identifiers()
    given = given_names()
    words = {word.lower() for name in given for word in WORD.findall(name)} | given
    for row in table("README.md", "Word", "日本語", "In code", "Meaning", "Not"):
        assert row[1], row
        assert set(code(row[2])) <= names, row
        refused = {word.strip() for word in row[4].split(",")} - {""}
        assert not refused & words, row
