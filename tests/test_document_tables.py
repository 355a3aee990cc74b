"""What the guides list is what there is: steps, alerts, rules, prices, messages, modules."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, get_args

import httpx
import msgspec
import pytest
from typer.exceptions import TyperException

from channels.sandbox.server import create_app
from inventory import connections, penalties
from inventory.alerting import content, rules
from inventory.desk import prices
from inventory.models import Base
from inventory.outgoing import endpoints
from inventory.story import decisions
from inventory.story.delay import Where
from inventory.vocabulary import Kind
from tests import documents
from tests.documents import ROOT, blocks, code, spans, table

DOCS = ROOT / "docs"
PACKAGES = (
    *("alerting", "booking", "decision_table", "desk", "outgoing", "penalty_record"),
    *("reconcile", "reports", "story"),
)
PYTHON = re.compile(r"[\w/.-]+\.py")
STEP = re.compile(r'(?:note\(\s*session,\s*[\w.]+,\s*|^STEP = )"([a-z_]+)"', re.MULTILINE)
ALERT = re.compile(r'(?:ALERT = |call_person\(\s*session, |fire\(\s*session, kind=)"([a-z_]+)"')
EVENT = re.compile(r'(?<!action=)"((?:shipping|reservation|listing|endpoint|alert)\.[a-z]+)"')


def sources(*folders: str) -> str:
    """All the code of some folders."""
    files = [path for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]
    return "\n".join(path.read_text("utf-8") for path in files)


def listed(path: str, *heading: str) -> set[str]:
    """The codes in the first column of a table."""
    return {name for row in table(path, *heading) for name in code(row[0])}


def test_python_files_named_exist() -> None:
    known = [path.relative_to(ROOT) for path in _python_files()]
    names = {str(path) for path in known} | {path.name for path in known}
    found = [(place, span) for place, span in spans() if PYTHON.fullmatch(span)]
    assert len(found) > 100
    assert [each for each in found if each[1] not in names] == []


def _python_files() -> list[Path]:
    folders = ("channels", "docs", "inventory", "tests", "workers")
    return [path for folder in folders for path in (ROOT / folder).rglob("*.py")]


@pytest.mark.parametrize("folder", [*(f"inventory/{name}" for name in PACKAGES), "workers"])
def test_architecture_leads_to_every_module(folder: str) -> None:
    text = (ROOT / "docs/architecture.md").read_text("utf-8")
    modules = {path.name for path in (ROOT / folder).glob("*.py")} - {"__init__.py", "app.py"}
    assert {name for name in modules if f"{name}`" not in text} == set()


def test_architecture_has_every_table() -> None:
    assert listed("docs/architecture.md", "Table", "One row is") == set(Base.metadata.tables)


def test_the_desk_knows_every_step_of_a_case() -> None:
    desk = sources("inventory/desk") + (ROOT / "inventory/oversells.py").read_text("utf-8")
    steps = listed("docs/desk.md", "Step", "What happens")
    assert set(STEP.findall(desk)) <= steps
    assert {step for step in steps if f'"{step}"' not in desk} == set()
    assert steps == decisions._WORDS.keys()


def test_every_alert_is_in_a_guide() -> None:
    fired = set(ALERT.findall(sources("inventory", "workers")))
    desk = listed("docs/desk.md", "Alert", "Do this")
    others = listed("docs/alerts.md", "Alert", "Of", "See")
    assert len(fired) > 10
    assert fired <= desk | others
    assert desk <= fired


def test_the_desk_has_policies_prices_and_places_of_delay() -> None:
    policies = listed("docs/desk.md", "Policy", "A proposal is")
    assert policies == set(get_args(connections.Policy))
    assert listed("docs/desk.md", "Where", "It means") == {each.value for each in Where}

    shown: dict[tuple[str, str], str] = {}
    for kinds, members, defaults in table("docs/desk.md", "Kind", "Member", "Default"):
        names, values = code(members), code(defaults)
        for kind in kinds.split(", "):
            shown |= {(kind, name): "".join(values[n : n + 1]) for n, name in enumerate(names)}
    for kind in Kind:
        shape = prices.PRICES.get(kind, prices.Prices)
        for field in msgspec.structs.fields(shape):
            value = shown.get((kind.value, field.name), shown.get(("all", field.name)))
            assert value is not None, (kind, field.name)
            if field.name not in {"as_of", "fines_yen", "steps"}:
                assert value == str(field.default), (kind, field.name)


def test_alerts_have_every_rule_and_every_member_of_the_advice() -> None:
    heading = ("Rule", "`level`", "Fires", "Ends")
    assert listed("docs/alerts.md", *heading) == set(get_args(rules.RuleKind))
    members = {field.name for field in msgspec.structs.fields(content.BuyerAdvice)}
    members -= {"sku", "name", "category", "supplier"}
    assert listed("docs/alerts.md", "Member", "Is") == members


def test_webhooks_have_every_event_and_every_transport() -> None:
    told = set(EVENT.findall(sources("inventory/desk", "inventory/outgoing", "inventory/alerting")))
    told |= set(EVENT.findall((ROOT / "inventory/deliveries.py").read_text("utf-8")))
    told -= {"alert.id"}
    assert listed("docs/webhooks.md", "Event", "Data") == told
    assert listed("docs/webhooks.md", "Kind", "Needs") == set(get_args(endpoints.TransportName))


def test_commands_of_samples_can_be_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Options, values and arguments are taken as they stand; files are there and empty."""
    monkeypatch.chdir(tmp_path)
    known = documents.known_commands()
    given = 0
    for block in blocks("sh"):
        for words in documents.commands(block.text):
            arguments = documents.hikiate(words)
            if arguments and arguments[0] != "test":
                _take(known, arguments, block.document)
                given += 1
    assert given > 40


def _take(known: dict[str, Any], arguments: list[str], place: str) -> None:
    for word in arguments:
        if word.endswith(".csv"):
            Path(word).touch()
    [name] = [name for name in known if arguments[: len(name.split())] == name.split()]
    try:
        known[name].make_context(name, arguments[len(name.split()) :])
    except TyperException as error:
        raise AssertionError(f"{place}: {' '.join(arguments)}: {error}") from error


def test_settings_of_samples_are_taken() -> None:
    [costs] = [json.loads(block.text) for block in blocks("json", document=DOCS / "desk.md")]
    assert prices.prices_of(Kind.AMAZON, costs["costs"]) != prices.prices_of(Kind.AMAZON, {})
    assert prices.prices_of(Kind.YAHOO, costs["costs"])
    [metrics] = [json.loads(block.text) for block in blocks("json", document=DOCS / "penalties.md")]
    assert penalties.rules_of(Kind.AMAZON, metrics["metrics"])


async def test_the_sandbox_takes_what_its_guide_sends() -> None:
    app: Any = create_app()
    transport = httpx.ASGITransport(app)
    form = {"content-type": "application/x-www-form-urlencoded"}
    guide = DOCS / "sandbox.md"
    address = "http://127.0.0.1:8020/_sandbox"
    asked = 0
    async with httpx.AsyncClient(transport=transport, base_url=address) as client:
        assert (await client.get("/credentials")).is_success
        for block in blocks("sh", document=guide):
            for words in documents.commands(block.text):
                if words[0] == "curl":
                    _, path, _, body = words
                    path = path.removeprefix("$SANDBOX")
                    answer = await client.post(path, content=body, headers=form)
                    assert answer.is_success, answer.text
                    asked += 1
        [faults] = blocks("json", document=guide)
        answer = await client.put("/yahoo/faults", content=faults.text)
        assert answer.is_success, answer.text
    assert asked == 2
