"""What the documents say is so: commands, settings, addresses, tables, words, links."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from channels import registry
from channels.amazon import settings as amazon
from channels.eccube import settings as eccube
from channels.rakuten import settings as rakuten
from channels.shopify import settings as shopify
from channels.yahoo import settings as yahoo
from inventory import config, health, penalties, telemetry
from inventory.api import status
from inventory.app import check_by_adapter, create_app
from inventory.availability import Shown, target_absolute
from inventory.config import Settings, load
from inventory.connections import NewChannel
from inventory.errors import SettingWrong
from inventory.vocabulary import Kind
from tests import documents
from tests.documents import DOCUMENTS, ROOT, blocks, code, spans, table

BUDGETS = {
    "rakuten": rakuten.BUDGETS,
    "yahoo": yahoo.BUDGETS,
    "amazon": amazon.BUDGETS,
    "shopify": shopify.BUDGETS,
    "eccube": eccube.BUDGETS,
}
REQUIRED = {
    "DATABASE_URL": "postgresql://x/y",
    "REDIS_URL": "redis://x",
    "HIKIATE_SECRET_KEY": "s" * 40,
}
ADDRESS = re.compile(r"\b(GET|POST|PUT|PATCH|DELETE) (/[\w/{}.-]*)")
FILE = re.compile(r"(?:\.ci|channels|docker|docs|inventory|tests|workers)/[\w./-]*")
LINK = re.compile(r"\]\(([^)\s]+)\)")
PARTS = ("Context", "Decision", "Consequences", "Refused")
DECISION_LINES_MAX = 30


@pytest.fixture(scope="module")
def described() -> Mapping[str, Any]:
    """The addresses of the API's description, with their methods in small letters."""
    settings = Settings(
        database_url="postgresql://x/y", redis_url="redis://x", secret_key="s" * 40, data_dir=ROOT
    )
    app = create_app(settings, ring=lambda _: None)
    paths: Mapping[str, Any] = app.openapi_schema.to_schema()["paths"]
    return paths


def fits(template: str, path: str) -> bool:
    """Whether an address is one of a described one, its variables filled in or not."""
    pattern = re.sub(r"\\{\w+\\}", r"[^/]+", re.escape(template))
    return re.fullmatch(pattern, path) is not None


def named_commands() -> Iterator[tuple[str, list[str]]]:
    """Where a document names a hikiate command, and its arguments."""
    for place, span in spans():
        arguments = documents.hikiate(span.split())
        if arguments and span.removeprefix("./").startswith("hikiate "):
            yield place, arguments
    for block in blocks("sh"):
        for words in documents.commands(block.text):
            arguments = documents.hikiate(words)
            if arguments:
                yield block.document, arguments


def test_every_command_named_exists_with_its_options() -> None:
    known = documents.known_commands()
    found = list(named_commands())
    assert len(found) > 20
    for place, arguments in found:
        names = [name for name in known if arguments[: len(name.split())] == name.split()]
        assert names, f"{place}: hikiate {' '.join(arguments)}"
        [name] = names
        if name != "test":
            given = {word for word in arguments if word.startswith("--")}
            assert given <= documents.options(known[name]), f"{place}: {arguments}"


def test_the_readme_lists_every_command_with_every_option() -> None:
    known = documents.known_commands()
    listed = {}
    for command, text in table("README.md", "Command", "What it does"):
        said = " ".join(code(text))
        listed[code(command)[0].removeprefix("hikiate ")] = set(re.findall(r"--[a-z-]+", said))
    expected = {name: documents.options(command) - {"--help"} for name, command in known.items()}
    assert listed == expected


def test_the_settings_table_is_what_is_read() -> None:
    asked: list[str] = []

    class Environment(dict[str, str]):
        def get(self, name: str, default: Any = None) -> Any:
            asked.append(name)
            return super().get(name, default)

    settings = load(Environment(REQUIRED))
    rows = table("README.md", "Name", "Default", "Unit", "Meaning")
    assert sorted(code(row[0])[0] for row in rows) == sorted(set(asked))
    for name, default, unit, _ in rows:
        variable = code(name)[0]
        value = getattr(settings, variable.removeprefix(config.PREFIX).lower())
        expected = "none" if value == () else f"`{value}`"
        assert default == ("required" if variable in REQUIRED else expected), variable
        bounds = re.search(r"\d[\d.]* to (below )?\d+", unit)
        if bounds:
            with pytest.raises(SettingWrong, match=re.escape(bounds[0])):
                load({**REQUIRED, variable: "-1"})


def test_every_address_named_exists(described: Mapping[str, Any]) -> None:
    named = [
        (str(path.relative_to(ROOT)), method, address.rstrip("."))
        for path in DOCUMENTS
        for method, address in ADDRESS.findall(path.read_text(encoding="utf-8"))
    ]
    for block in blocks("sh"):
        for words in documents.commands(block.text):
            call = documents.call(words)
            if call is not None:
                named.append((block.document, call.method, "/v1" + call.path.partition("?")[0]))
    assert len(named) > 40
    for place, method, address in named:
        found = [path for path in described if fits(path, address)]
        assert any(method.lower() in described[path] for path in found), (place, method, address)


def test_samples_can_be_read() -> None:
    read: dict[str, Callable[[str], object]] = {
        "json": json.loads,
        "toml": tomllib.loads,
        "text": _read_json_in_text,
    }
    samples = blocks(*read)
    assert {block.language for block in samples} == read.keys()
    for block in samples:
        read[block.language](block.text)
    known = {*read, "sh", "sql"}
    for path in DOCUMENTS:
        fences = re.findall(r"^ *```(.*)$", path.read_text(encoding="utf-8"), re.MULTILINE)
        assert set(fences[::2]) <= known, path.name
        assert set(fences[1::2]) <= {""}, path.name


def _read_json_in_text(text: str) -> None:
    for line in text.splitlines():
        if line.startswith("{"):
            json.loads(line)


def test_operating_finds_pg_dump_where_it_is() -> None:
    [sample] = [block for block in blocks("sh") if "pg_dump" in block.text]
    [code] = re.findall(r"BIN=\$\(\.venv/bin/python -c '([^']+)'\)", sample.text)
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (Path(found.stdout.strip()) / "pg_dump").exists()


@pytest.mark.parametrize("kind", ["rakuten", "yahoo", "amazon", "shopify", "eccube"])
def test_a_guide_connects_a_shop_and_names_what_its_adapter_knows(kind: str) -> None:
    guide = f"docs/channels/{kind}.md"
    [sample] = blocks("json", document=ROOT / guide)
    channel = msgspec.json.decode(sample.text, type=NewChannel)
    if "public_key_pem" in channel.credentials:
        channel.credentials["public_key_pem"] = _public_key()
    check_by_adapter(Kind(channel.kind), channel.base_url, channel.settings, channel.credentials)

    recipe = registry.RECIPES[kind]
    secret = {field.name for field in msgspec.structs.fields(recipe.credentials)}
    assert set(channel.credentials) == secret
    rows = table(guide, "Setting", "Default", "Meaning")
    listed = {code(name)[0]: default.strip("`") for name, default, _ in rows}
    fields = msgspec.structs.fields(recipe.settings)
    assert listed == {field.name: _default(field) for field in fields}


def _default(field: msgspec.structs.FieldInfo) -> str:
    if field.required:
        return "required"
    if field.default is None or isinstance(field.default, bool):
        return str(field.default).lower()
    return str(field.default)


def _public_key() -> str:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048).public_key()
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


@pytest.mark.parametrize("kind", BUDGETS)
def test_a_guide_names_every_budget(kind: str) -> None:
    seconds = "Seconds per point" if kind == "shopify" else "Seconds between calls"
    rows = table(f"docs/channels/{kind}.md", "Budget", seconds, "At once", "For")
    listed = [(code(name)[0], wait, burst) for name, wait, burst, _ in rows]
    assert listed == [(one.endpoint, f"{one.seconds:g}", str(one.burst)) for one in BUDGETS[kind]]


def test_operating_knows_every_finding_and_every_metric() -> None:
    sources = [Path(module.__file__ or "").read_text("utf-8") for module in (health, status)]
    found = re.findall(
        r"""(?:^SELECT '|what=["'])([a-z_]+)['"]""", "\n".join(sources), re.MULTILINE
    )
    found += re.findall(r"""_LATE = text\("{3}\nSELECT '([a-z_]+)'""", sources[0])
    rows = table("docs/operating.md", "Finding", "It means", "Do this")
    assert {code(name)[0] for name, *_ in rows} == set(found)

    text = (ROOT / "docs/operating.md").read_text("utf-8")
    source = Path(telemetry.__file__ or "").read_text("utf-8")
    families = {f"hikiate_channel_{name}" for name in telemetry._CHANNEL_GAUGES}
    families |= {f"hikiate_{name}" for name in telemetry._HOUSE_GAUGES}
    families |= {f"hikiate_ledger_{name}" for name in telemetry._LEDGER_GAUGES}
    listed = set(re.findall(r"`(hikiate_[a-z_]+)`", text))
    assert families <= listed
    for name in listed - families:
        short = name.removeprefix("hikiate_channel_").removesuffix("_total")
        assert f'"{short}"' in source, name


def test_the_penalty_record_has_the_thresholds_of_every_metric() -> None:
    expected = {("all", "as_of"), ("all", "history_from")}
    defaults: dict[tuple[str, str], object] = {}
    for kind, rules in penalties.RULES.items():
        for field in msgspec.structs.fields(rules):
            if field.name not in {"as_of", "history_from"}:
                defaults[kind.value, field.name] = field.default
    rows = table("docs/penalties.md", "Kind", "Member", "Default", "Meaning")
    listed = {(kind, code(member)[0]): default.strip("`") for kind, member, default, _ in rows}
    assert listed.keys() == expected | defaults.keys()
    for key, default in defaults.items():
        shown = ", ".join(map(str, default)) if isinstance(default, tuple) else str(default)
        assert listed[key] == ("none" if default is None else shown)


def test_worked_cases_are_what_publishing_decides() -> None:
    heading = ("Wanted", "Known there", "U", "Sent", "Lane", "Because")
    for wanted, known, unseen, sent, lane, why in table("docs/architecture.md", *heading):
        ends = re.fullmatch(r"(\d+) to (\d+)", known)
        shown = Shown(low=int(ends[1]), high=int(ends[2])) if ends else None
        target = target_absolute(
            int(wanted), shown, lower_margin=int(unseen), raise_margin=int(unseen)
        )
        assert (str(target.quantity), target.lane or "–") == (sent, lane), why


def test_decisions_are_short_and_whole() -> None:
    records = sorted((ROOT / "docs/decisions").glob("*.md"))
    assert [record.name[:4] for record in records] == [
        f"{number:04}" for number in range(1, len(records) + 1)
    ]
    for record in records:
        text = record.read_text(encoding="utf-8")
        assert text.count("\n") <= DECISION_LINES_MAX, record.name
        assert re.findall(r"^\*\*(\w+)\.\*\* \S", text, re.MULTILINE) == list(PARTS), record.name
        assert text.startswith(f"# {record.name[:4]}: "), record.name


def anchors(path: Path) -> set[str]:
    """The places in a document that a link may name."""
    headings = re.findall(r"^#+ (.+)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    kept = (re.sub(r"[^\w\s-]", "", heading.lower()) for heading in headings)
    return {heading.replace(" ", "-") for heading in kept}


def test_files_and_links_named_exist() -> None:
    found = 0
    for place, span in spans():
        match = FILE.fullmatch(span)
        if match is not None:
            found += 1
            assert (ROOT / span).exists(), f"{place}: {span}"
    for path in DOCUMENTS:
        for link in LINK.findall(path.read_text(encoding="utf-8")):
            target, _, anchor = link.partition("#")
            there = (path.parent / target).resolve() if target else path
            assert there.exists(), f"{path.name}: {link}"
            assert not anchor or anchor in anchors(there), f"{path.name}: {link}"
    assert found > 50
