"""House rules that no linter knows: sizes, directions of imports, and what may not be committed."""

from __future__ import annotations

import ast
import io
import re
import subprocess
import sys
import tokenize
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parent.parent
FILE_LINES_MAX = 300
FUNCTION_LINES_MAX = 40
NESTING_MAX = 3
COLUMNS_MAX = 100
LOOPS = (ast.For, ast.AsyncFor, ast.While)
BLOCKS = (*LOOPS, ast.If, ast.Match, ast.Try, ast.TryStar, ast.With, ast.AsyncWith)
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
ROOMS = ("channels", "inventory", "workers")
# A folder of one machine; the address or host of a package index; a setting that names one.
# Names that end in .invalid are nobody's.
ONE_MACHINE = re.compile(
    r"(?<![\w.$}/])/(?:work|farm|root|home|Users)/\w"
    r"|https?://(?![^\s/]*\.invalid\b)[^\s\"'<>]*/(?:simple|packages)\b"
    r"|pypi\.org|python[h]osted"
    r"|index-url\s*=(?!\s*http://\S*\.invalid\b)|--(?:extra-)?index-url[ =]\S|--find[-]links"
)
# The one exception: where the launcher looks when no setting of the site names an index.
PUBLIC_INDEX = re.compile(r'^DEFAULT_INDEX = "[^"]+"$', re.MULTILINE)
EXCUSE = re.compile(r"(?:type:\s*ignore|noqa)(?P<rest>.*)")
# A code in the tool's own form, then words that say why.
EXCUSE_WITH_REASON = re.compile(r"(?:\[[\w, -]+\]|:\s*[A-Z]+\d+(?:,\s*[A-Z]+\d+)*)\W+\w+.*")
# A line of the lock with at least one hash.
PINNED = re.compile(r"^([a-z0-9-]+)==(\S+)(?: ;.*)? \\\n    --hash=sha256:", re.MULTILINE)


def python_files(*folders: str) -> list[Path]:
    """Our Python files in these folders."""
    found = [path for folder in folders for path in (ROOT / folder).rglob("*.py")]
    return sorted(path for path in found if "__pycache__" not in path.parts)


def sized_files(*folders: str) -> list[Path]:
    """Those whose size is limited: a migration is a record, as long as what it did."""
    return [path for path in python_files(*folders) if path.parent.name != "versions"]


def committed_files() -> list[Path]:
    """Files that are in the repository or about to be; without git, our Python files."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    listed = subprocess.run(command, check=False, cwd=ROOT, capture_output=True, text=True)
    if listed.returncode:
        return python_files(*ROOMS, "tests")
    return [path for name in listed.stdout.split("\0") if (path := ROOT / name).is_file()]


def shown(path: Path, line: int) -> str:
    """A place that an editor can open."""
    return f"{path.relative_to(ROOT)}:{line}"


def functions(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Every function, also those inside others."""
    return (node for node in ast.walk(tree) if isinstance(node, FUNCTIONS))


def nesting(node: ast.AST) -> int:
    """How many blocks stand inside one another; an elif is no deeper than its if."""
    deepest = 0
    for child in ast.iter_child_nodes(node):
        if isinstance(child, (*FUNCTIONS, ast.ClassDef)):
            continue
        is_elif = isinstance(node, ast.If) and isinstance(child, ast.If) and node.orelse == [child]
        step = 1 if isinstance(child, BLOCKS) and not is_elif else 0
        deepest = max(deepest, step + nesting(child))
    return deepest


def imported(path: Path) -> Iterator[tuple[int, str]]:
    """The modules that a file imports, with the line; relative ones by their full name."""
    package = path.relative_to(ROOT).parent.parts
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) + 1 - node.level] if node.level else ()
            base = ".".join([*above, *([node.module] if node.module else [])])
            yield from ((node.lineno, f"{base}.{alias.name}") for alias in node.names)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("def f():\n if a:\n  pass\n elif b:\n  pass\n elif c:\n  for d in e:\n   pass", 2),
        ("def f():\n for a in b:\n  with c:\n   try:\n    pass\n   finally:\n    pass", 3),
        ("def f():\n if a:\n  def g():\n   if b:\n    pass", 1),
        ("def f():\n if a:\n  pass\n else:\n  if b:\n   pass\n  c()", 2),
    ],
)
def test_nesting_is_counted_as_people_do(source: str, expected: int) -> None:
    [function, *_] = functions(ast.parse(source))
    assert nesting(function) == expected


def test_files_are_short() -> None:
    long = {
        shown(path, lines)
        for path in sized_files(*ROOMS, "tests")
        if (lines := path.read_text(encoding="utf-8").count("\n")) > FILE_LINES_MAX
    }
    assert not long


def test_functions_are_short_and_flat() -> None:
    wrong = []
    for path in sized_files(*ROOMS):
        for function in functions(ast.parse(path.read_text(encoding="utf-8"))):
            lines = (function.end_lineno or 0) - function.lineno + 1
            if lines > FUNCTION_LINES_MAX or nesting(function) > NESTING_MAX:
                place = shown(path, function.lineno)
                wrong.append(f"{place} {function.name}: {lines} lines, {nesting(function)} levels")
    assert not wrong


def test_lines_fit_the_page() -> None:
    wide = {
        shown(path, number)
        for path in sized_files(*ROOMS)
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if len(line) > COLUMNS_MAX
    }
    assert not wide


def test_every_module_says_in_a_sentence_what_it_is_for() -> None:
    silent = []
    for path in python_files(*ROOMS, "tests"):
        docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
        if not docstring.split("\n\n")[0].endswith((".", "?")):
            silent.append(shown(path, 1))
    assert not silent


def test_imports_point_one_way() -> None:
    program = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run(
        [program, "--no-logo", "--no-cache"], check=False, cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout


def test_the_sandbox_imports_nothing_of_ours() -> None:
    borrowed = [
        f"{shown(path, line)} {module}"
        for path in python_files("channels/sandbox")
        for line, module in imported(path)
        if module.split(".")[0] in ROOMS and not f"{module}.".startswith("channels.sandbox.")
    ]
    assert not borrowed


def test_the_shared_words_need_nothing_of_ours() -> None:
    path = ROOT / "inventory/vocabulary.py"
    assert not [module for _, module in imported(path) if module.split(".")[0] in ROOMS]


def test_every_excuse_names_a_rule_and_a_reason() -> None:
    bare = []
    for path in python_files(*ROOMS, "tests"):
        text = io.StringIO(path.read_text(encoding="utf-8"))
        for token in tokenize.generate_tokens(text.readline):
            excuse = EXCUSE.search(token.string) if token.type == tokenize.COMMENT else None
            if excuse and not EXCUSE_WITH_REASON.match(excuse["rest"]):
                bare.append(f"{shown(path, token.start[0])} {token.string}")
    assert not bare


def test_the_lock_holds_what_the_project_asks_for() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    locked = dict(PINNED.findall(lock))
    asked = project["project"]["dependencies"] + project["dependency-groups"]["dev"]

    wrong = [
        str(wish)
        for wish in map(Requirement, asked)
        if wish.name not in locked or not wish.specifier.contains(locked[wish.name])
    ]

    assert not wrong
    assert len(locked) == len(re.findall(r"^[^#\s]", lock, re.MULTILINE))


def test_nothing_committed_belongs_to_one_machine() -> None:
    found = []
    for path in committed_files():
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        if path == ROOT / "inventory/bootstrap.py":
            text, exceptions = PUBLIC_INDEX.subn("", text, count=1)
            assert exceptions == 1
        for number, line in enumerate(text.splitlines(), 1):
            found += [f"{shown(path, number)} {match[0]}" for match in ONE_MACHINE.finditer(line)]
    assert not found
