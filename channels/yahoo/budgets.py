"""How often each of Yahoo!'s addresses may be called: a second apart, and within the day."""

from __future__ import annotations

from channels.limits import Budget

SET_STOCK = "yahoo.set_stock"
GET_STOCK = "yahoo.get_stock"
ORDER_COUNT = "yahoo.order_count"
ORDER_LIST = "yahoo.order_list"
ORDER_INFO = "yahoo.order_info"
STATUS_CHANGE = "yahoo.status_change"
ORDER_CHANGE = "yahoo.order_change"
DOWNLOAD_REQUEST = "yahoo.download_request"
DOWNLOAD_SUBMIT = "yahoo.download_submit"
TOKEN = "yahoo.token"  # noqa: S105  (a budget's name)

# One call a second per address; more is blocked for a while (store API pages, "利用制限"). Whether
# that counts per application, store or source address is UNCONFIRMED: stores of one application
# share it, which is within all three (but for stores of several applications at one address).
# 50,000 calls a day are for the application as a whole (help page, "リクエスト数の上限"); whether
# the token address is among them is UNCONFIRMED, and it is not counted.
DAY_CALLS = 50_000
FUNCTIONS = (
    SET_STOCK,
    GET_STOCK,
    ORDER_COUNT,
    ORDER_LIST,
    ORDER_INFO,
    STATUS_CHANGE,
    ORDER_CHANGE,
    DOWNLOAD_REQUEST,
    DOWNLOAD_SUBMIT,
)


def budgets(*, second_per_store: bool) -> tuple[Budget, ...]:
    """All budgets of one store; `second_per_store` gives each store a second of its own."""
    functions = (
        Budget(
            endpoint=endpoint,
            seconds=1.0,
            per_credential=not second_per_store,
            per_day=DAY_CALLS,
            day="yahoo",
            day_per_credential=True,
        )
        for endpoint in FUNCTIONS
    )
    return (*functions, Budget(endpoint=TOKEN, seconds=1.0, burst=5))


BUDGETS = budgets(second_per_store=False)
