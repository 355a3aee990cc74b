"""Commands of the desk, asked oddly: one line says what is wrong, never a traceback."""

from __future__ import annotations

import asyncio
import errno
import os
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from typer.testing import CliRunner

from inventory.cli import app, main
from inventory.commands import failures
from inventory.commands.common import print_table
from inventory.embedded.databases import create_database, drop_database

Said = Callable[..., Awaitable[tuple[int, str]]]


@pytest.fixture
def said(
    database_url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Said:
    """Runs a command as the installed script does; its exit code and what it says is wrong."""
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("REDIS_URL", "redis://127.0.0.1:1/0")
    monkeypatch.setenv("HIKIATE_SECRET_KEY", "only for tests: forty characters or more")

    def run() -> int:
        with pytest.raises(SystemExit) as ended:
            main()
        code = ended.value.code
        return code if isinstance(code, int) else 0

    async def said(*arguments: str) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["hikiate", *arguments])
        code = await asyncio.to_thread(run)
        return code, capsys.readouterr().err

    return said


async def test_a_database_that_is_not_right_is_named_in_one_line(
    said: Said, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts = urlsplit(database_url)
    empty = await create_database(database_url, f"{parts.path[1:]}_empty", template="template0")
    for url, expected in (
        (
            parts._replace(path="/nowhere").geturl(),
            (2, 'hikiate: DATABASE_URL: database "nowhere" does not exist\n'),
        ),
        (
            empty,
            (
                1,
                "hikiate: the database has not the schema of this version: run `hikiate migrate`\n",
            ),
        ),
    ):
        monkeypatch.setenv("DATABASE_URL", url)
        assert await said("oversell", "list") == expected
    monkeypatch.setenv("DATABASE_URL", "postgresql://u:pw@127.0.0.1:1/x")
    code, line = await said("oversell", "list")
    assert (code, line.count("\n")) == (1, 1)
    assert line.endswith("does the house run here? (hikiate up)\n")
    await drop_database(database_url, f"{parts.path[1:]}_empty")


async def test_an_argument_that_is_no_text_is_named_by_its_place(said: Said) -> None:
    for place, asked in (
        (4, ("report", "penalties", "--channel", "\udcff")),
        (3, ("desk", "buyer-asked", "\ud800", "o-1", "--person", "A")),
    ):
        wrong = f"hikiate: argument {place} is not text in UTF-8\n"
        assert await said(*asked) == (2, wrong)


def test_a_full_disk_is_not_taken_for_a_missing_house() -> None:
    full = OSError(errno.ENOSPC, "No space left on device")
    assert failures.said(full) == ("[Errno 28] No space left on device", 1)
    several = OSError("Multiple exceptions: [Errno 111] …")
    assert failures.said(several) == (f"{several}; {failures.HINT}", 1)
    assert failures.said(ZeroDivisionError()) is None


HUGE, INT64, INT32 = str(10**20), str(2**63), str(2**31)


@pytest.mark.parametrize(
    "asked",
    [
        *(("oversell", "show", INT64), ("oversell", "approve", HUGE), ("oversell", "refuse", HUGE)),
        *(("event", "replay", HUGE), ("desk", "message", INT64), ("alert", "show", INT64)),
        *(("desk", "sent", HUGE, "--person", "A"), ("desk", "repaid", HUGE, "--person", "A")),
        *(("alert", "ack", HUGE), ("alert", "snooze", HUGE), ("alert", "unwatch", INT32)),
        *(("webhook", "enable", INT32), ("webhook", "replay", "1", "--cursor", INT64)),
        *(("webhook", "log", "--endpoint", INT32), ("webhook", "log", "--before", INT64)),
        *(("alert", "snooze", "1", "--hours", "1e300"), ("alert", "snooze", "1", "--hours", "inf")),
        *(("webhook", "log", "--since", "0001-01-01"), ("webhook", "log", "--until", "9999-12-31")),
        ("webhook", "replay", "1", "--since", "0001-01-01"),
        *(("oversell", "list", "--state", "x"), ("oversell", "cancellations", "--state", "x")),
        *(("event", "list", "--state", "x"), ("alert", "list", "--state", "x")),
        ("webhook", "log", "--state", "x"),
        *(("report", "penalties", "--csv", "-", "--json"), ("report", "penalties", "--csv", "")),
        *(("report", "penalties", "--chart", ""), ("report", "penalties", "--chart", ".svg")),
        *(("report", "penalties", "--last-day", ""), ("report", "penalties", "--chart", "-")),
        ("report", "penalties", "--last-day", "2023-02-29"),
    ],
    ids=" ".join,
)
async def test_what_cannot_be_is_refused(said: Said, asked: tuple[str, ...]) -> None:
    code, line = await said(*asked)
    assert code == 2
    assert "Traceback" not in line
    assert line.startswith(("hikiate: ", "Usage: "))


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        (("oversell", "list"), "no case is open"),
        (("oversell", "cancellations"), "no cancellation is proposed"),
        (("event", "list"), "no event is parked"),
        (("desk", "messages"), "no message waits to be sent"),
        (("alert", "list", "--team", "heads"), "no alert is open for team heads"),
        (("alert", "rules"), "nothing is watched"),
        (("team", "list"), "there is no team"),
        (("supplier", "list"), "there is no supplier"),
        (("webhook", "list"), "there is none"),
        (("webhook", "log"), "there is none"),
    ],
    ids=" ".join,
)
async def test_nothing_there_is_said(said: Said, asked: tuple[str, ...], expected: str) -> None:
    assert await said(*asked) == (0, f"{expected}\n")


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        (("team", "put", "a b"), "printable ASCII, without spaces and slashes"),
        (("team", "put", "heads", "--name", "a\nb"), "without line breaks and control characters"),
        (("desk", "sent", "1", "--person", "a\nb"), "without line breaks and control characters"),
        (("desk", "buyer-asked", "x", "y", "--person", "a\x1b"), "without line breaks and"),
        (("alert", "watch", "--level", HUGE), "Expected `int` <= 1000000"),
    ],
    ids=lambda each: " ".join(each[:3]) if isinstance(each, tuple) else "",
)
async def test_a_rule_that_was_broken_is_told_in_words(
    said: Said, asked: tuple[str, ...], expected: str
) -> None:
    code, line = await said(*asked)
    assert (code, line.count("\n")) == (2, 1)
    assert expected in line


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "is no JSON: "),
        (b"{", "is no JSON: "),
        (b"\xff\xfe", "is no JSON: "),
        (b"[" * 200_000, "is no JSON: "),
        (b" " * 1_000_001, "more than 1,000,000 bytes"),
    ],
    ids=["empty", "half", "no text", "deep", "large"],
)
async def test_an_endpoint_s_file_that_is_no_json_is_refused(
    said: Said, tmp_path: Path, content: bytes, expected: str
) -> None:
    file = tmp_path / "endpoint.json"
    file.write_bytes(content)
    code, line = await said("webhook", "add", "--from-file", str(file))
    assert (code, line.count("\n")) == (2, 1)
    assert line.startswith(f"hikiate: {file}")
    assert expected in line


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "the file's headings must be some of"),
        (b"sku,sku\nA,B\n", "the file's headings must be some of"),
        (b"sku\n\xff\n", "buying.csv is no CSV in UTF-8"),
        (b'sku\n"' + b"A" * 200_000 + b'"\n', "buying.csv is no CSV in UTF-8: field larger than"),
        (b'sku\n"A\n', "buying.csv is no CSV in UTF-8"),
        (b"sku,category\nA,x\nB,x,y\n", "line 3: more cells than headings"),
        (b"sku,category\nA,x\n,x\n", "line 3: Object missing required field `sku`"),
        (b"sku,pack_size\nA,many\n", "line 2: Expected `int`, got `str` - at `$.pack_size`"),
        (b"sku\nA\nB\nA\n", "line 4: A stands there twice"),
    ],
)
async def test_a_buying_file_is_refused_by_its_line(
    said: Said, tmp_path: Path, content: bytes, expected: str
) -> None:
    file = tmp_path / "buying.csv"
    file.write_bytes(content)
    code, line = await said("buying", "import", str(file))
    assert (code, line.count("\n")) == (2, 1)
    assert line.startswith(f"hikiate: {expected}")


def test_columns_stand_below_each_other_in_japanese_too(
    capsys: pytest.CaptureFixture[str],
) -> None:
    rows = [("a", "-", "仕入担当", 5), ("bb", "12.5", "x", 1_000), ("c", "-3", "ｶﾅ", "-")]
    print_table(("code", "a day", "team", "units"), rows)
    assert capsys.readouterr().out.splitlines() == [
        "code  a day  team      units",
        "a         -  仕入担当      5",
        "bb     12.5  x          1000",
        "c        -3  ｶﾅ            -",
    ]


async def test_a_kind_that_is_none_is_refused_before_its_address_is_asked_for(said: Said) -> None:
    code, line = await said("webhook", "add", "--kind", "pigeon")
    assert code == 2
    assert "kind must be webhook, slack, teams" in " ".join(line.split())


async def test_what_cannot_be_put_in_its_place_leaves_nothing_behind(
    said: Said, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "penalties"
    place.mkdir()
    code, line = await said("report", "penalties", "--csv", str(place))
    assert (code, list(tmp_path.iterdir())) == (2, [place])
    assert "is a folder" in line

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "replace", full)
    code, line = await said("report", "penalties", "--csv", str(tmp_path / "entries.csv"))
    assert (code, list(tmp_path.iterdir())) == (1, [place])
    assert "does the house run here?" not in line


async def test_a_house_without_channels_says_so(said: Said) -> None:
    done = await asyncio.to_thread(CliRunner().invoke, app, ["report", "penalties"])
    assert "no channel is connected" in done.stdout
    assert "none in this period" in done.stdout
