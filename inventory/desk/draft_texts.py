"""The Japanese texts that drafts are put together from, by channel; None stands for all others."""

from __future__ import annotations

from collections.abc import Mapping

from inventory.decision_table.words import Market

ITEM = "【商品名】"
PLACEHOLDERS = ("【お客様名】", "【店舗名】", "【担当者名】", "【代替商品名】", ITEM)

SUBJECT = "【店舗名】ご注文商品の欠品によるキャンセルのお詫び（ご注文番号 {order_ref}）"
SUBJECT_PART = "【店舗名】ご注文商品の一部欠品のお詫び（ご注文番号 {order_ref}）"
GREETING = "【お客様名】 様\n\nこのたびは【店舗名】をご利用いただき、誠にありがとうございます。"
APOLOGY_WHOLE = (
    "ご注文いただきました商品につきまして、当店の在庫管理の不備により欠品しており、"
    "お届けすることができなくなりました。"
    "誠に勝手ながら、当店の都合により、欠品を理由としてご注文を取り消させていただきます。"
    "お客様には多大なご迷惑をおかけいたしますこと、深くお詫び申し上げます。"
)
APOLOGY_PART = (
    "ご注文いただきました商品の一部につきまして、当店の在庫管理の不備により欠品しており、"
    "下記の商品をお届けすることができなくなりました。ほかの商品は予定どおりお届けいたします。"
    "下記の商品を除いてお届けしてよろしいか、ご意向をお聞かせいただけますと幸いです。"
    "お客様には多大なご迷惑をおかけいたしますこと、深くお詫び申し上げます。"
)
ORDER = "ご注文番号：{order_ref}\nお届けできない商品：\n{items}"
CLOSING = (
    "今後このようなことのないよう、在庫管理を見直してまいります。"
    "ご不明な点がございましたら、このメッセージへの返信にてお知らせください。"
    "\n\n【店舗名】\n担当：【担当者名】"
)

# No marketplace stands between these and their buyers: the shop refunds by itself.
OWN_STORES = frozenset({Market.ECCUBE, Market.OWN_STORE, Market.HOUSE})
_CARD_AND_UNPAID = (
    "クレジットカードの場合、ご利用明細への反映まで数日かかることがございます。"
    "お支払い前の場合は、お支払いの必要はございません。"
)
_AUTOMATIC = (
    "お支払いがお済みの場合は、モールの定める方法により、お支払い方法に応じて返金されます。"
    + _CARD_AND_UNPAID
)
_BY_THE_SHOP = (
    "お支払いがお済みの場合は、お支払い方法に応じて、取り消しから48時間以内に返金の手続きを行います。"
    + _CARD_AND_UNPAID
)
# By what is known of the money: the wire values of `drafts.Money`.
MONEY: Mapping[str, Mapping[Market | None, str]] = {
    "not_taken": {
        None: "代金のご請求は発生しておりませんので、ご返金のお手続きは必要ございません。",
        Market.AMAZON: (
            "Amazonでは出荷前の代金のご請求は確定いたしませんので、"
            "ご返金のお手続きは必要ございません。"
        ),
    },
    "taken": {
        None: (
            "お支払いいただいた代金は、ご注文時のお支払い方法へ全額返金いたします。"
            "返金の手続きは取り消しから48時間以内に行います。"
        ),
        Market.SHOPIFY: (
            "お支払いいただいた代金は、ご注文時のお支払い方法へ全額返金いたします。"
            "返金の手続きは取り消しから48時間以内に行います。"
            "手続き後、カード会社での反映まで10営業日ほどかかることがございます。"
        ),
        Market.MERCARI_SHOPS: "お支払いいただいた代金は、メルカリShopsより自動的に返金されます。",
    },
    "depends": {None: _AUTOMATIC} | dict.fromkeys(OWN_STORES, _BY_THE_SHOP),
}
# Of an order that is short only in part: the rest is delivered, and paid for.
MONEY_PART: Mapping[str, Mapping[Market | None, str]] = {
    "not_taken": {
        None: "お届けできない商品の代金はご請求いたしません。",
        Market.AMAZON: "お届けできない商品の代金は、Amazonを通じて調整または返金いたします。",
    },
    "taken": {
        None: (
            "お届けできない商品の代金は、ご注文時のお支払い方法へ返金いたします。"
            "返金の手続きは、ご注文内容の変更から48時間以内に行います。"
        ),
    },
    "depends": {
        None: (
            "お支払いがお済みの場合は、お届けできない商品の代金を、お支払い方法に応じて返金いたします。"
            "お支払い前の場合は、お届けできる商品の代金のみのご請求となります。"
        ),
    },
}
POINTS: Mapping[Market, str] = {
    Market.RAKUTEN: (
        "ご利用いただいたポイントは楽天市場の定めにより返還されますが、"
        "期間限定ポイントやキャンペーンで進呈されたポイントなど、"
        "有効期限等により返還されないものがございます。あわせてお詫び申し上げます。"
    ),
    Market.YAHOO: (
        "ご利用いただいたポイントやクーポンはYahoo!ショッピングの定めにより取り扱われ、"
        "有効期限等により戻らないものがございます。あわせてお詫び申し上げます。"
    ),
    Market.AU_PAY: (
        "ご利用いただいたポイントはモールの定めにより取り扱われ、"
        "有効期限等により戻らないものがございます。あわせてお詫び申し上げます。"
    ),
}
ALTERNATIVE: Mapping[Market | None, str] = {
    None: (
        "もしよろしければ、代わりの商品として【代替商品名】をご用意できます。"
        "ご希望の場合は、このメッセージへの返信にてお知らせください。"
    ),
    # Whether an offer in a buyer message is advertising is UNCONFIRMED: no link, no coupon.
    Market.AMAZON: "同等の商品として、当店では【代替商品名】を取り扱っております。",
    Market.MERCARI_SHOPS: "",
}

# Where the buyer can no longer be written to once the order has ended, or must be told first.
BEFORE_CANCEL = frozenset({Market.MERCARI_SHOPS, Market.AU_PAY})
REPAY_NOTE = (
    "代金が動いている場合は、取り消しから48時間以内に返金を確認してください"
    "（販売者向けの案内による目安。モールの規定としては未確認）。"
)
NOTES: Mapping[Market | None, tuple[str, ...]] = {
    None: (
        "【】の部分を書き換え、代わりの商品がなければその一文を削ってから送ってください。",
        "購入者にキャンセルの手続きを求めないでください。理由は欠品のまま変えないでください。",
        "返金は、注文を受けたモールやストアの決済を通して行い、その外では行わないでください。",
    ),
    Market.AMAZON: (
        "キャンセルの通知はAmazonが購入者へ自動で送ります。このメッセージは任意です。",
        "購入者・出品者メッセージから送り、リンク、クーポン、宣伝を入れないでください（範囲は未確認）。",
    ),
    Market.RAKUTEN: (
        "R-Messeまたは受注管理のメールから送ってください。",
        "一部のみの欠品では、購入者の同意を得てから明細を変更してください。",
        "その場合、メールは自動で送られないことがあります（未確認）。",
    ),
    Market.YAHOO: (
        "ストアクリエイターProの注文管理または問い合わせ管理から送ってください。",
        "カードやPayPayの返金が自動で行われるかは未確認です。注文の返金状況を確かめてください。",
        "キャンセル後、商品が在庫クローズになります（1社の情報）。在庫管理画面で解除してください。",
    ),
    Market.SHOPIFY: (
        "取り消しの通知をShopifyから送る設定（notify_customer）と重ならないか確かめてください。",
        "カードの決済手数料は戻りません。",
    ),
    Market.ECCUBE: (
        "注文取消しにすると、EC-CUBEの在庫とポイントが戻ります。掲載在庫数は自動で書き直されます。",
    ),
    Market.AU_PAY: ("取り消しの前に購入者へ連絡してください（手順は未確認）。",),
    Market.MERCARI_SHOPS: (
        "取り消した後は連絡できません。取り消す前に送ってください（古い案内による。未確認）。",
        "返金はメルカリShopsが自動で行います。個別に返金しないでください。",
    ),
}
