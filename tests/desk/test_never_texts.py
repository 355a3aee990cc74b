"""No text of ours asks a buyer to cancel, blames him, or leads around the marketplace."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import product

import pytest

from inventory.decision_table.nevers import TextRefused, wrong_in
from inventory.desk import draft_texts, drafts
from inventory.desk.drafts import Item, Money
from inventory.reasons import Extent, Market

EVERY_DRAFT = list(product(Market, Money, Extent))


@pytest.mark.parametrize(("market", "money", "extent"), EVERY_DRAFT)
def test_a_no_draft_asks_a_buyer_to_cancel(market: Market, money: Money, extent: Extent) -> None:
    draft = drafts.out_of_stock(
        market, order_ref="o-1", items=[Item(name="Mug", units=1)], money=money, extent=extent
    )
    assert wrong_in(f"{draft.subject}\n{draft.body}") == []


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("お手数ですが、キャンセル申請をお願いいたします。", "cancel"),
        ("マイページの注文履歴からお手続きください。", "cancel"),
        ("お客様よりキャンセルのお手続きをいただけますと幸いです。", "cancel"),
        ("キャンセルをお願いできますでしょうか。", "cancel"),
        ("キャンセルリクエストを送ってくださいませ。", "cancel"),
        ("お手数ですが、ご注文の取り消しをお願いいたします。", "cancel"),
        ("マイページより注文を取消してください。", "cancel"),
        ("キャンセルをご希望の旨、出品者への連絡フォームよりお知らせください。", "cancel"),
        ("購入者様の方でお取消しのお手続きをいただきたく存じます。", "cancel"),
        ("You will have to cancel it from your account.", "cancel"),
        ("Could you please cancel the order?", "cancel"),
        ("You may file a cancellation request.", "cancel"),
        ("お客様のご都合によるキャンセルとして承ります。", "buyer's wish"),
        ("お客様のご希望によりキャンセルいたしました。", "buyer's wish"),
        ("ご購入者様のご都合による取り消しといたします。", "buyer's wish"),
        ("ご注文者様都合でのキャンセル", "buyer's wish"),
        ("Cancelled at your request.", "buyer's wish"),
        ("商品は発送済みです。", "shipment"),
        ("商品の配送完了のお知らせです。", "shipment"),
        ("ご指定の口座番号をお知らせください。", "outside"),
        ("当店より直接ご返金いたします。", "outside"),
        ("銀行振込にて返金いたします。", "outside"),
        ("代金は現金でお返しします。", "outside"),
        ("返金はお振り込みで承ります。", "outside"),
        ("PayPayで送金いたします。", "outside"),
        ("詳しくは https://example.com をご覧ください。", "around"),
        ("shop@example.com までご連絡ください。", "around"),
        ("お電話は 03-1234-5678 まで。", "around"),
    ],
)
def test_a_g_texts_that_must_not_reach_a_buyer_are_known(text: str, why: str) -> None:
    assert any(why in wrong for wrong in wrong_in(text))


def test_what_the_shop_itself_does_is_no_request() -> None:
    for text in (
        "当店の都合により、ご注文を取り消させていただきたく、お詫び申し上げます。",
        "返金の手続きは取り消しから48時間以内に行います。",
    ):
        assert wrong_in(text) == []


@pytest.mark.parametrize("money", Money)
@pytest.mark.parametrize("market", Market)
def test_of_a_part_only_what_is_missing_is_refunded(market: Market, money: Money) -> None:
    item = [Item(name="Mug", units=1)]
    part = drafts.out_of_stock(
        market, order_ref="o-1", items=item, money=money, extent=Extent.PART
    ).body
    assert "お届けできない商品の代金" in part
    for of_the_whole in ("全額", "お支払いの必要はございません", "取り消させて"):
        assert of_the_whole not in part


@pytest.mark.parametrize("market", Market)
def test_the_shop_is_reminded_where_the_refund_is_its_own(market: Market) -> None:
    ended_at = datetime(2026, 11, 21, tzinfo=UTC)
    draft = drafts.out_of_stock(
        market, order_ref="o-1", items=[], money=Money.DEPENDS, ended_at=ended_at
    )
    own = market in {Market.ECCUBE, Market.OWN_STORE, Market.HOUSE}
    assert ("モール" in draft.body) is not own
    assert ("48時間以内" in draft.body) is own
    assert draft.repay_due_at == (ended_at + timedelta(hours=48) if own else None)


def test_a_a_text_of_ours_that_asks_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(draft_texts, "CLOSING", "キャンセル申請をお願いいたします。")
    with pytest.raises(TextRefused, match="asks the buyer to cancel"):
        drafts.out_of_stock(Market.AMAZON, order_ref="o-1", items=[], money=Money.NOT_TAKEN)


def test_a_a_skus_name_cannot_ask_either() -> None:
    items = [Item(name="キャンセル申請をお願いします", units=1), Item(name="Mug", units=2)]
    draft = drafts.out_of_stock(Market.RAKUTEN, order_ref="o-1", items=items, money=Money.DEPENDS)
    assert "申請" not in draft.body
    assert ("【商品名】" in draft.placeholders, "Mug" in draft.body) == (True, True)
