"""What people read in a chat: an alert with all a buyer can act on, and a digest of many."""

from __future__ import annotations

import re
from pathlib import Path

import inventory
from inventory.outgoing.wording import LINES_MAX, WHAT, said

KIND = re.compile(r'ALERT = "([a-z_]+)"')
ADVICE = {
    "sku": "MUG",
    "name": "青いマグ",
    "available": 3,
    "sold_per_day": 1.5,
    "days_of_cover": 2.0,
    "runs_out_on": "2026-11-24",
    "inbound": [{"due_on": "2026-11-30", "units": 48, "late": False}],
    "lead_days": 14,
    "order_by": "2026-11-10",
    "suggested_quantity": 72,
    "pack_size": 24,
    "why": "sells 1.5 a day",
    "why_ja": "1日1.5個のペースで、72個あれば28日もちます",
    "sells_on": [{"channel": "rakuten", "channel_sku": "mug/x", "shows": 3, "as_kit": None}],
}
ALERT = {
    "team": "tableware",
    "id": 7,
    "kind": "low_cover",
    "subject": "sku:MUG",
    "rule_id": 1,
    "detail": {"sku": "MUG", "level": 7, "days_of_cover": 2.4},
    "advice": ADVICE,
}


def test_an_alert_says_what_a_buyer_can_act_on() -> None:
    words = said("alert.fired", ALERT)

    assert words.title == "【要確認】在庫日数が少なくなっています・MUG"
    facts = dict(words.facts)
    assert facts["有効在庫"] == "3"
    assert facts["在庫日数"] == "2.0"
    assert facts["入荷予定"] == "予定日=2026-11-30 数量=48 遅れ=いいえ"
    assert (facts["発注期限"], facts["推奨発注数"], facts["入数"]) == ("2026-11-10", "72", "24")
    assert facts["根拠"].startswith("1日1.5個")
    assert facts["販売チャネル"].startswith("店舗=rakuten")
    assert "理由" not in facts


def test_a_digest_has_a_line_for_each_and_counts_the_rest() -> None:
    alerts = [{"event": "fired"} | ALERT, {"event": "escalated"} | ALERT | {"advice": None}] * 30
    counts = {"fired": 200, "reminded": 0, "escalated": 100, "closed": 0}
    words = said("alert.digest", {"digest": 1, "counts": counts, "alerts": alerts, "more": 240})

    assert words.title == "【まとめ】300件"
    assert words.facts[0] == ("内訳", "要確認 200件、未対応のため転送 100件")
    assert words.facts[1] == ("【要確認】在庫日数が少なくなっています・MUG", ADVICE["why_ja"])
    assert words.facts[2] == ("【未対応のため転送】在庫日数が少なくなっています・MUG", "")
    assert words.facts[-1] == ("ほか", f"{240 + 60 - (LINES_MAX - 2)}件")
    assert len(words.facts) == LINES_MAX


def test_every_kind_of_alert_has_words() -> None:
    house = Path(inventory.__file__).parent
    kinds = {kind for file in house.rglob("*.py") for kind in KIND.findall(file.read_text("utf-8"))}
    assert {"oversell", "drift", "order_lapses"} <= kinds
    assert kinds <= WHAT.keys()
    assert said("alert.fired", {"kind": "health.expiry_near"}).title.startswith("【要確認】連携")
