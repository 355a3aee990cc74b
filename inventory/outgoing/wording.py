"""What a message says to people, in Japanese: a title, and lines of what and how much."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from msgspec import Struct

TITLE_CHARACTERS_MAX = 120
VALUE_CHARACTERS_MAX = 300
LINES_MAX = 40
ROWS_MAX = 10

WHAT: Mapping[str, str] = {
    "low_stock": "在庫が少なくなっています",
    "low_cover": "在庫日数が少なくなっています",
    "stock_out": "入荷前に欠品する見込みです",
    "oversell": "売り越しが発生しました",
    "oversell_stuck": "売り越しを解消できる注文がありません",
    "cancellation_proposed": "キャンセル案の承認が必要です",
    "cancellation_by_hand": "管理画面でのキャンセルが必要です",
    "cancellation_failed": "キャンセルに失敗しました",
    "cancellation_overdue": "キャンセル案の判断期限が近づいています",
    "cancellation_unclassified": "分類できないキャンセルがあります",
    "cancelled_and_shipped": "キャンセル済みの注文が出荷されています",
    "order_lapses": "モールによる自動キャンセルが近づいています",
    "transfer_wanted": "ほかの拠点からの移動が必要です",
    "repayment_due": "返金の確認が必要です",
    "drift": "モールの在庫数が想定と異なります",
    "listing_closed_by_channel": "モール側で出品が停止されています",
    "endpoint_disabled": "通知先が停止されました",
}
# Of findings of health, only the beginning of their kind is known here.
FINDING = "連携の状態を確認してください"
EVENTS: Mapping[str, str] = {
    "alert.fired": "要確認",
    "alert.reminded": "再通知",
    "alert.escalated": "未対応のため転送",
    "alert.closed": "解消",
    "alert.digest": "まとめ",
    "shipping.hold": "出荷保留",
    "shipping.release": "出荷保留の解除",
    "endpoint.ping": "通知テスト",
}
LABELS: Mapping[str, str] = {
    "sku": "SKU",
    "name": "商品名",
    "available": "有効在庫",
    "level": "下限",
    "sold_per_day": "1日あたり販売数",
    "days_of_cover": "在庫日数",
    "inbound": "入荷予定",
    "inbound_at": "入荷予定日",
    "expected_at": "入荷予定日",
    "order_by": "発注期限",
    "suggested_quantity": "推奨発注数",
    "suggested": "推奨発注数",
    "runs_out_on": "欠品予測日",
    "pack_size": "入数",
    "supplier": "仕入先",
    "category": "カテゴリ",
    "lead_days": "リードタイム（日）",
    "due_on": "予定日",
    "units": "数量",
    "late": "遅れ",
    "why_ja": "根拠",
    "why": "理由",
    "channel": "店舗",
    "channels": "販売チャネル",
    "sells_on": "販売チャネル",
    "channel_sku": "出品",
    "shows": "表示数",
    "as_kit": "セット",
    "shortage": "不足数",
    "order_ref": "注文番号",
    "reason": "キャンセル理由",
    "reason_code": "理由コード",
    "cancellation": "キャンセル番号",
    "oversell": "売り越し番号",
    "quantity": "数量",
    "what": "内容",
    "since": "開始",
    "count": "件数",
}


class Said(Struct, frozen=True, kw_only=True):
    """What is said: one title of at most 120 characters, and up to 40 pairs of label and value."""

    title: str
    facts: list[tuple[str, str]]

    @property
    def lines(self) -> list[str]:
        """The pairs as lines of text."""
        return [f"{label}: {value}" for label, value in self.facts]


def said(event: str, data: Mapping[str, Any]) -> Said:
    """The words for a message, whatever its event and data are.

    A member without a label of ours keeps its own name; of long lists the first ten are said.
    """
    if event == "alert.digest":
        return _digest(data)
    detail, advice = data.get("detail"), data.get("advice")
    body = dict(detail) if isinstance(detail, Mapping) else dict(data)
    if isinstance(advice, Mapping):
        body |= {name: value for name, value in advice.items() if name != "why"}
    kind = str(data.get("kind", "")) if event.startswith("alert.") else ""
    what = _what(kind)
    subject = str(data.get("subject") or body.get("sku") or body.get("order_ref") or "")
    parts = [part for part in (what, subject.removeprefix("sku:")) if part]
    title = f"【{EVENTS.get(event, event)}】" + "・".join(parts)
    facts = [(LABELS.get(name, name), text) for name, text in _facts(body)]
    return Said(title=_short(title, TITLE_CHARACTERS_MAX), facts=facts[:LINES_MAX])


def _digest(data: Mapping[str, Any]) -> Said:
    """Many alerts at once: how many of each, then a line for each, the most urgent first."""
    counts, alerts = data.get("counts") or {}, data.get("alerts") or []
    numbers = [
        f"{EVENTS.get(f'alert.{name}', name)} {count}件" for name, count in counts.items() if count
    ]
    facts = [("内訳", "、".join(numbers))]
    most = LINES_MAX - 2
    for alert in alerts[:most]:
        told = said(f"alert.{alert.get('event', 'fired')}", alert)
        advice = alert.get("advice") or {}
        facts.append((told.title, _short(str(advice.get("why_ja") or ""), VALUE_CHARACTERS_MAX)))
    left = int(data.get("more") or 0) + max(len(alerts) - most, 0)
    if left:
        facts.append(("ほか", f"{left}件"))
    return Said(title=f"【{EVENTS['alert.digest']}】{sum(counts.values())}件", facts=facts)


def _what(kind: str) -> str:
    return FINDING if kind.startswith("health.") else WHAT.get(kind, kind.replace("_", " "))


def _facts(body: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, value in _ordered(body):
        if isinstance(value, list) and any(isinstance(each, Mapping) for each in value):
            for each in value[:ROWS_MAX]:
                yield name, _short(_text(each), VALUE_CHARACTERS_MAX)
            if len(value) > ROWS_MAX:
                yield name, f"ほか{len(value) - ROWS_MAX}件"
        elif value not in (None, "", []):
            yield name, _short(_text(value), VALUE_CHARACTERS_MAX)


def _ordered(body: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """In the order of our labels, then the others as they came; stored JSON keeps no order."""
    places = {name: place for place, name in enumerate(LABELS)}
    return sorted(body.items(), key=lambda item: places.get(item[0], len(places)))


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "はい" if value else "いいえ"
    if isinstance(value, Mapping):
        return " ".join(f"{LABELS.get(str(key), key)}={_text(one)}" for key, one in _ordered(value))
    if isinstance(value, list):
        return "、".join(_text(each) for each in value[:ROWS_MAX])
    return str(value)


def _short(text: str, most: int) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= most else flat[: most - 1] + "…"
