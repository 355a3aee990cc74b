"""RMS WEB SERVICE on the wire: the ESA header, the paths, and the bodies of every call we make."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta, timezone
from typing import Any

import httpx
import msgspec

from channels.base import BadAnswer, OutcomeUnknown, Rejected
from channels.http import ChannelHttp
from channels.rakuten.answers import decoded, order_errors, refusal, row_errors
from channels.rakuten.settings import (
    BULK_GET,
    BULK_UPSERT,
    ITEMS,
    LICENSE,
    ORDER,
    UPSERT,
    RakutenCredentials,
    RakutenSettings,
)
from channels.rakuten.wire import (
    GetAnswer,
    ItemsAnswer,
    LicenseAnswer,
    SearchAnswer,
    StockAnswer,
)

JST = timezone(timedelta(hours=9))
FIRST_MARK = "*"


class RakutenClient:
    """One shop's calls. Methods raise the errors of `channels.base`."""

    def __init__(
        self, http: ChannelHttp, credentials: RakutenCredentials, settings: RakutenSettings
    ) -> None:
        self._http = http
        self._settings = settings
        self._license_key = credentials.license_key
        pair = f"{credentials.service_secret}:{credentials.license_key}".encode()
        self._headers = {"Authorization": "ESA " + base64.b64encode(pair).decode()}

    # Orders.

    async def search_page(
        self, begin: datetime, end: datetime, progress: Sequence[int], *, page: int, amount: int
    ) -> SearchAnswer:
        """One page (`amount` ≤ 1000) of the numbers of orders placed in a window, oldest first.

        searchOrderItem or searchOrder by order date: at most 63 days and 15,000 orders, whole
        seconds, both ends within the window. `progress`: of these states only, all when empty.
        """
        body: dict[str, Any] = {
            "dateType": 1,
            "startDatetime": _jst(begin),
            "endDatetime": _jst(end),
            "PaginationRequestModel": {
                "requestRecordsAmount": amount,
                "requestPage": page,
                "SortModelList": [{"sortColumn": 1, "sortDirection": 1}],
            },
        }
        if progress:
            body["orderProgressList"] = list(progress)
        lean = self._settings.orders_api == "purchase_item"
        path = "purchaseItem/searchOrderItem" if lean else "order/searchOrder"
        response = await self._order(path, body)
        _raise_first(path, response)
        return decoded(response, SearchAnswer)

    async def get_order_items(self, refs: Sequence[str]) -> list[msgspec.Raw]:
        """Up to 100 orders as sent, without buyer, parcels, or who cancelled (getOrderItem).

        The ones that the shop does not have are missing.
        """
        return await self._get("purchaseItem/getOrderItem", {"orderNumberList": list(refs)})

    async def get_orders(self, refs: Sequence[str]) -> list[msgspec.Raw]:
        """Up to 100 orders in full (getOrder); the ones that the shop does not have are missing."""
        body = {"orderNumberList": list(refs), "version": self._settings.order_version}
        return await self._get("order/getOrder", body)

    async def _get(self, path: str, body: dict[str, Any]) -> list[msgspec.Raw]:
        response = await self._order(path, body)
        orders = decoded(response, GetAnswer).orders or []
        if not orders:
            _raise_first(path, response)
        # An error beside data is about an order that is missing in it; the others count.
        return orders

    async def cancel_order(self, ref: str, *, reason: int, restore: int) -> None:
        """Apply for a cancellation (cancelOrder); `restore` 2 puts nothing back on display.

        Raises Rejected when the state does not allow it.
        """
        body = {
            "orderNumber": ref,
            "inventoryRestoreType": restore,
            "changeReasonDetailApply": reason,
        }
        response = await self._order("order/cancelOrder", body, writes=True)
        _raise_first("order/cancelOrder", response, writes=True)

    async def _order(
        self, path: str, body: dict[str, Any], *, writes: bool = False
    ) -> httpx.Response:
        headers = {**self._headers, "Content-Type": "application/json; charset=utf-8"}
        response = await self._http.send(
            "POST",
            f"/es/2.0/{path}/",
            endpoint=ORDER,
            writes=writes,
            headers=headers,
            json=body,
        )
        if not response.is_success:
            raise refusal(path, response)
        return response

    # Numbers.

    async def bulk_upsert(self, rows: Sequence[tuple[str, str, int]]) -> None:
        """Set up to 400 (manageNumber, variantId, quantity) absolutely (bulk-upsert 2.0).

        Raises RowsRefused for a 400 about rows. Whether the other rows were then written is
        UNCONFIRMED.
        """
        inventories = [
            {"manageNumber": manage, "variantId": variant, "mode": "ABSOLUTE", "quantity": quantity}
            for manage, variant, quantity in rows
        ]
        await self._write(
            "POST",
            "/es/2.0/inventories/bulk-upsert",
            {"inventories": inventories},
            endpoint=BULK_UPSERT,
            rows=len(rows),
        )

    async def add(self, manage: str, variant: str, change: int) -> None:
        """Add to one number (upsert 2.0, RELATIVE); Rakuten refuses to go below 0 or above 99,999.

        Raises RowsRefused for a 400 about it: IE0117 out of bounds, IE0500 no stock record.
        """
        await self._write(
            "PUT",
            f"/es/2.0/inventories/manage-numbers/{manage}/variants/{variant}",
            {"mode": "RELATIVE", "quantity": change},
            endpoint=UPSERT,
            rows=1,
        )

    async def _write(
        self, method: str, path: str, body: dict[str, Any], *, endpoint: str, rows: int
    ) -> None:
        response = await self._http.send(
            method, path, endpoint=endpoint, writes=True, headers=self._headers, json=body
        )
        if response.status_code == httpx.codes.NO_CONTENT:
            return
        if response.is_success:
            raise OutcomeUnknown(f"{endpoint}: {response.status_code} where 204 was expected")
        raise row_errors(endpoint, response, rows=rows)

    async def bulk_get(self, keys: Sequence[tuple[str, str]]) -> Mapping[tuple[str, str], int]:
        """Quantities of up to 1000 (manageNumber, variantId); unknown ones are missing."""
        inventories = [{"manageNumber": manage, "variantId": variant} for manage, variant in keys]
        response = await self._http.send(
            "POST",
            "/es/2.0/inventories/bulk-get",
            endpoint=BULK_GET,
            headers=self._headers,
            json={"inventories": inventories},
        )
        if not response.is_success:
            raise refusal(BULK_GET, response)
        rows = decoded(response, StockAnswer).inventories
        return {(row.manage_number.lower(), row.variant_id): row.quantity for row in rows}

    # The shop.

    async def search_items(self, mark: str = FIRST_MARK, *, hits: int) -> ItemsAnswer:
        """Up to `hits` (≤ 100) items with their SKUs, in no order (items.search by cursorMark).

        The last page names the mark that it was asked with. An item registered less than a day ago
        may be missing.
        """
        response = await self._http.send(
            "GET",
            "/es/2.0/items/search",
            endpoint=ITEMS,
            headers=self._headers,
            params={"hits": hits, "cursorMark": mark},
        )
        if not response.is_success:
            raise refusal(ITEMS, response)
        return decoded(response, ItemsAnswer)

    async def license_ends(self) -> datetime:
        """The last second of this license key (license.expiryDate.get), whole seconds in Japan."""
        response = await self._http.send(
            "GET",
            "/es/1.0/license-management/license-key/expiry-date",
            endpoint=LICENSE,
            headers=self._headers,
            params={"licenseKey": self._license_key},
        )
        if not response.is_success:
            raise refusal(LICENSE, response)
        text = decoded(response, LicenseAnswer).expiry_date
        try:
            ends = datetime.fromisoformat(text)
        except ValueError as error:
            raise BadAnswer(f"{LICENSE}: expiryDate is no date") from error
        return ends if ends.tzinfo else ends.replace(tzinfo=JST)

    async def aclose(self) -> None:
        """Close connections."""
        await self._http.aclose()


def _raise_first(path: str, response: httpx.Response, *, writes: bool = False) -> None:
    for error in order_errors(path, response, writes=writes):
        raise Rejected(f"{path}: {error.message_code[:200]}")


def _jst(moment: datetime) -> str:
    return moment.astimezone(JST).strftime("%Y-%m-%dT%H:%M:%S+0900")
