"""What the house never does: each item of the list, looked for in code, API, settings and texts."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator, Mapping
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest

from channels import registry
from channels.amazon import mapping_feeds
from channels.base import Adapter
from channels.rakuten import adapter as rakuten_adapter
from channels.rakuten import mapping as rakuten_mapping
from channels.shopify import documents
from channels.shopify import mapping as shopify_mapping
from channels.yahoo import mapping as yahoo_mapping
from inventory import connections, reasons
from inventory.app import create_app
from inventory.config import Settings
from inventory.decision_table.nevers import NEVER
from inventory.decision_table.words import NOBODY, SHOPS
from inventory.desk import casework
from inventory.reasons import (
    Action,
    Asker,
    Case,
    Counts,
    Extent,
    Market,
    OrderState,
    ReasonRefused,
    ShipNotice,
)
from inventory.vocabulary import Kind, Reason

ROOT = Path(__file__).parents[2]
# What the marketplaces call telling a shipment, writing to a buyer, and refunding by itself.
SHIP_NOTICES = (
    "POST_ORDER_FULFILLMENT_DATA|confirmShipment|shipmentConfirmation|updateOrderShipping"
    "|orderShipStatusChange|fulfillmentCreate|confirmOrderShipping"
)
MESSAGES = "messaging/v1|sendInvoice|R-Messe|replyInquiry|orderCreateMessage|externalTalk"
PAYING = "refundCreate|returnRefund|bank_transfer"


def sources(*rooms: str) -> Iterator[tuple[str, str]]:
    """Our own code without the sandbox, by path."""
    for room in rooms:
        for path in (ROOT / room).rglob("*.py"):
            name = path.relative_to(ROOT).as_posix()
            if not name.startswith("channels/sandbox/"):
                yield name, path.read_text(encoding="utf-8")


@cache
def code_of(room: str) -> dict[str, str]:
    """By path, the names and texts of a room's modules, docstrings and comments left out."""
    return {name: "\n".join(_words(ast.parse(text))) for name, text in sources(room)}


def _words(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        match node:
            case ast.Expr(value=ast.Constant() as said):
                said.value = ""
            case ast.Constant(value=str() as text):
                yield text
            case ast.Attribute(attr=name) | ast.Name(id=name) | ast.FunctionDef(name=name):
                yield name


def named_in(pattern: str, *rooms: str) -> list[str]:
    """The modules of these rooms that name such a thing."""
    return [
        name for room in rooms for name, text in code_of(room).items() if re.search(pattern, text)
    ]


def test_the_list_is_whole() -> None:
    assert [never.letter for never in NEVER] == list("abcdefg")
    assert all(never.words and never.held_by and never.source for never in NEVER)


# (a) nobody is asked to cancel (texts: test_never_texts.py)


def test_a_no_address_and_no_adapter_writes_to_a_buyer() -> None:
    settings_ = Settings(
        database_url="postgresql://x/y", redis_url="redis://x", secret_key="s" * 40, data_dir=ROOT
    )
    paths = create_app(settings_, ring=lambda _: None).openapi_schema.to_schema()["paths"]
    about = {path for path in paths if re.search(r"messag|mail|contact|notify", path)}
    assert about == {
        "/v1/cancellations/{cancellation_id}/message",
        "/v1/cancellations/{cancellation_id}/message/sent",
        "/v1/cancellations/{cancellation_id}/message/repaid",
        "/v1/desk/messages",
    }
    port = {name for name, _ in inspect.getmembers(Adapter) if not name.startswith("_")}
    assert not {name for name in port if re.search(r"messag|mail|write_to|refund|ship", name)}
    assert named_in(MESSAGES, "channels", "workers") == []


# (b) a buyer's reason needs its evidence (test_evidence.py)


def test_b_no_policy_has_the_name_of_a_person() -> None:
    assert {casework.DESK, casework.POLICY, casework.LEDGER} <= NOBODY


def test_b_the_desks_own_proposals_are_out_of_stock() -> None:
    for name, text in sources("inventory", "workers"):
        if "Reason.BUYER_REQUEST" in text or "Asker.BUYER_REQUEST" in text:
            assert name in {
                "inventory/desk/buyer_requests.py",
                "inventory/desk/endings.py",
                "inventory/decision_table/amazon.py",
                "inventory/decision_table/malls.py",
                "inventory/decision_table/parts.py",
                "inventory/decision_table/words.py",
                "inventory/penalty_record/entries.py",
                "inventory/reasons.py",
                "inventory/penalty_record/standings.py",
                "inventory/desk/submissions.py",
            }, name


# (c) no ship notice


def test_c_no_adapter_can_send_a_ship_notice() -> None:
    assert named_in(SHIP_NOTICES, "channels", "workers", "inventory") == []


def test_c_the_table_asks_for_a_ship_notice_only_after_a_hand_over() -> None:
    for (_, case), rule in reasons.TABLE.items():
        if rule.action is Action.SHIP_NOTICE:
            assert case.state is OrderState.SHIPPED
            assert case.asker not in SHOPS


# (d) no order is left to lapse


def test_d_no_row_waits_with_an_order_that_the_shop_cannot_fill() -> None:
    for market, extent in product(Market, Extent):
        case = Case(
            state=OrderState.OPEN,
            asker=Asker.SHOP_OUT_OF_STOCK,
            ship_notice=ShipNotice.NOT_SENT,
            extent=extent,
        )
        assert reasons.decide(market, case).action not in {Action.WAIT, Action.NOTHING}


def test_d_a_lapse_is_known_to_count_and_no_policy_is_named_after_it() -> None:
    rule = reasons.decide(Kind.AMAZON, OrderState.CANCELLED, Asker.MARKETPLACE_LAPSED)
    assert (rule.counts, rule.weighs) == (Counts.YES, True)
    fields = msgspec.structs.fields(connections.NewChannel)
    [policies] = [field.type for field in fields if field.name == "desk_policy"]
    said = " ".join(map(str, get_args(policies)))
    assert not re.search(r"lapse|ignore|never|none|wait", said)


# (e) every reason has its code


def test_e_every_reason_has_its_own_code_at_every_marketplace() -> None:
    codes: dict[str, Mapping[Reason, Any]] = {
        "rakuten": rakuten_mapping.REASON_CODES,
        "yahoo": yahoo_mapping.REASON_CODES,
        "amazon": mapping_feeds.CANCEL_REASONS,
        "shopify": shopify_mapping.CANCEL_REASONS,
    }
    for known in codes.values():
        assert set(known) == set(Reason)
        assert all(str(code).strip() for code in known.values())
        assert len({str(code) for code in known.values()}) == len(Reason)
    for kind, known in codes.items():
        for reason in Reason:
            rule = reasons.decide(Kind(kind), OrderState.OPEN, reasons.asker_of(reason))
            if rule.action is Action.CANCEL:
                assert rule.reason_code == str(known[reason])


def test_e_a_request_without_a_code_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    blank = msgspec.structs.replace(
        reasons.decide(Kind.YAHOO, OrderState.OPEN, Asker.SHOP_OUT_OF_STOCK), reason_code=""
    )
    monkeypatch.setattr(reasons, "decide", lambda *_: blank)
    with pytest.raises(ReasonRefused):
        reasons.cancel_request(Kind.YAHOO, Reason.OUT_OF_STOCK, order_ref="o", line_refs=["1"])


# (f) no channel restocks


def test_f_nothing_is_put_back_on_sale_and_no_setting_changes_that() -> None:
    assert rakuten_adapter.RESTORE_NOTHING == 2
    assert "restock: false" in documents.CANCEL
    assert "$restock" not in documents.CANCEL
    assert mapping_feeds.CANCEL_REASONS[Reason.OUT_OF_STOCK] == "NoInventory"
    for recipe in registry.RECIPES.values():
        for field in msgspec.structs.fields(recipe.settings):
            assert not re.search(r"restock|restore|reason|ship_notice|refund_outside", field.name)
    called = [
        node
        for _, text in sources("channels")
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.keyword) and node.arg == "restore"
    ]
    assert called
    assert all(ast.unparse(node.value) in {"RESTORE_NOTHING", "restore"} for node in called)


# (g) no money outside the platform


def test_g_nothing_moves_money() -> None:
    # The table names the page where Shopify says how a person does it.
    assert named_in(PAYING, "channels", "workers", "inventory") == [
        "inventory/decision_table/others.py"
    ]
