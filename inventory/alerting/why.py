"""The one sentence that says why so many units are suggested, in English and in Japanese."""

from __future__ import annotations

from datetime import timedelta

from inventory.alerting.advice import Advice, Situation


def why(case: Situation, advice: Advice, *, measured_days: float | None) -> str:
    """One sentence: pace, cover, what is expected, what to order by when and for how long."""
    if case.per_day is None or measured_days is None:
        return "Too few days in stock were seen to say how fast it sells."
    parts = [f"Sells {case.per_day:.1f} a day (over {measured_days:.1f} days in stock)"]
    if advice.days_of_cover is not None:
        lasts = f"{advice.days_of_cover:.1f} days"
        parts.append(f"so {case.available} available last {lasts}")
    parts.append(_expected(case))
    parts.append(_order(case, advice))
    return "; ".join(part for part in parts if part) + "."


def _expected(case: Situation) -> str:
    told = [f"{each.units} come on {each.due_on}" for each in case.inbound if not each.late][:1]
    late = sum(each.units for each in case.inbound if each.late)
    if late:
        told.append(f"{late} are late")
    return " and ".join(told) or "nothing is on order"


def _order(case: Situation, advice: Advice) -> str:
    units = advice.suggested_quantity or 0
    if not units:
        return "nothing need be ordered"
    packs = f" ({units // case.pack_size} packs of {case.pack_size})" if case.pack_size > 1 else ""
    for_days = f"to last {case.cover_days} days"
    if case.lead_days is None:
        return f"order {units}{packs} {for_days}, lead time not known"
    by = "" if advice.order_by is None else f" by {advice.order_by}"
    if advice.order_by is not None and advice.order_by <= case.today:
        by = " today"
    return f"order {units}{packs}{by} {for_days} after {case.lead_days} days of lead time"


def why_ja(case: Situation, advice: Advice, *, measured_days: float | None) -> str:
    """The same in Japanese."""
    if case.per_day is None or measured_days is None:
        return "在庫のあった日数が足りず、販売ペースはまだ測れていません。"
    parts = [f"1日平均{case.per_day:.1f}個販売（在庫のあった{measured_days:.1f}日間の実績）"]
    if advice.days_of_cover is not None:
        parts.append(f"有効在庫{case.available}個は{advice.days_of_cover:.1f}日分")
    parts.append(_expected_ja(case))
    parts.append(_order_ja(case, advice))
    return "、".join(part for part in parts if part) + "。"


def _expected_ja(case: Situation) -> str:
    told = [f"{each.due_on}に{each.units}個入荷予定" for each in case.inbound if not each.late][:1]
    late = sum(each.units for each in case.inbound if each.late)
    if late:
        told.append(f"{late}個は入荷遅れ")
    return "・".join(told) or "入荷予定なし"


def _order_ja(case: Situation, advice: Advice) -> str:
    units = advice.suggested_quantity or 0
    if not units:
        return "発注は不要です"
    packs = f"（{case.pack_size}個入り{units // case.pack_size}箱）" if case.pack_size > 1 else ""
    if case.lead_days is None:
        return f"{case.cover_days}日分として{units}個{packs}の発注を提案（リードタイム未設定）"
    by = "" if advice.order_by is None else f"{advice.order_by}までに"
    if advice.order_by is not None and advice.order_by <= case.today:
        by = "本日中に"
    arrives = case.today + timedelta(days=case.lead_days)
    reach = f"リードタイム{case.lead_days}日（最短{arrives}着）、{case.cover_days}日分として"
    return f"{reach}{by}{units}個{packs}の発注を提案"
