"""RMS WEB SERVICE on the wire: the ESA header, paths, paging, and three shapes of errors."""

from __future__ import annotations

import base64
import itertools
import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta, timezone
from typing import Any, TypeVar

import httpx
import msgspec
from msgspec import Struct

from channels.base import AuthExpired, BadAnswer, OutcomeUnknown, Rejected, RetryLater
from channels.http import ChannelHttp
from channels.rakuten.settings import (
    BULK_GET,
    BULK_UPSERT,
    ORDER,
    SPACING_SECONDS,
    RakutenCredentials,
)
from channels.rakuten.wire import (
    ErrorAnswer,
    GetAnswer,
    MessagesAnswer,
    SearchAnswer,
    StockAnswer,
)
from channels.spacing import Spacing

JST = timezone(timedelta(hours=9))
PAGE_ORDERS = 1000
HITS_MAX = 15_000
ROW = re.compile(r"inventories\D{0,3}(\d{1,3})")
# Codes of bulk-upsert that are about the call or the shop, not about rows.
WHOLE_CALL = frozenset({"GE0007", "GE0011", "IE1101", "IE1105"})
CONFLICT_SECONDS = 2.0
TEXT_MAX = 200

T = TypeVar("T")


class RowsRefused(Exception):
    """A bulk-upsert answered 400. `rows`: position → (code, field); `codes`: of no known row."""

    def __init__(self, rows: dict[int, tuple[str, str]], codes: list[str]) -> None:
        super().__init__(f"{len(rows)} rows named, {codes} without a row")
        self.rows = rows
        self.codes = codes


class Found(Struct, frozen=True):
    """Order numbers of a search, oldest first. `complete`: nothing can have slipped between pages.

    Orders that leave the list while it is paged move others to a page already read.
    """

    refs: list[str]
    complete: bool


class RakutenClient:
    """One shop's calls. Methods raise the errors of `channels.base`."""

    def __init__(self, http: ChannelHttp, credentials: RakutenCredentials) -> None:
        self._http = http
        self._spacing = Spacing(seconds=SPACING_SECONDS)
        pair = f"{credentials.service_secret}:{credentials.license_key}".encode()
        self._headers = {
            "Authorization": "ESA " + base64.b64encode(pair).decode(),
            "Content-Type": "application/json; charset=utf-8",
        }

    async def search_orders(
        self, begin: datetime, end: datetime, progress: Sequence[int] = ()
    ) -> Found:
        """Numbers of orders placed in a window of whole seconds, of any state or the ones given.

        searchOrder by order date: at most 63 days, 15,000 orders, 1000 a page.
        """
        refs: dict[str, None] = {}
        totals: list[int] = []
        page, pages = 1, 1
        while page <= pages and page <= HITS_MAX // PAGE_ORDERS:
            answer = await self._search(begin, end, progress, page)
            refs |= dict.fromkeys(answer.refs or [])
            total = (answer.pages and answer.pages.total_records_amount) or 0
            pages = (answer.pages and answer.pages.total_pages) or 1
            totals.append(total)
            page += 1
        shrunk = any(later < earlier for earlier, later in itertools.pairwise(totals))
        return Found(list(refs), complete=not shrunk and totals[-1] < HITS_MAX)

    async def _search(
        self, begin: datetime, end: datetime, progress: Sequence[int], page: int
    ) -> SearchAnswer:
        body: dict[str, Any] = {
            "dateType": 1,
            "startDatetime": _jst(begin),
            "endDatetime": _jst(end),
            "PaginationRequestModel": {
                "requestRecordsAmount": PAGE_ORDERS,
                "requestPage": page,
                "SortModelList": [{"sortColumn": 1, "sortDirection": 1}],
            },
        }
        if progress:
            body["orderProgressList"] = list(progress)
        response = await self._order("searchOrder", body)
        return _decoded(response, SearchAnswer)

    async def get_orders(self, refs: Sequence[str], *, version: int) -> list[msgspec.Raw]:
        """Up to 100 orders as sent; the ones that the shop does not have are missing."""
        body = {"orderNumberList": list(refs), "version": version}
        return _decoded(await self._order("getOrder", body), GetAnswer).orders or []

    async def cancel_order(self, ref: str, *, reason: int, restore: int) -> None:
        """Apply for a cancellation (cancelOrder); `restore` 2 puts nothing back on display.

        Raises Rejected when the state does not allow it.
        """
        body = {
            "orderNumber": ref,
            "inventoryRestoreType": restore,
            "changeReasonDetailApply": reason,
        }
        await self._order("cancelOrder", body, writes=True)

    async def bulk_upsert(self, rows: Sequence[tuple[str, str, int]]) -> None:
        """Set up to 400 (manageNumber, variantId, quantity) absolutely (bulk-upsert 2.0).

        Raises RowsRefused for a 400 about rows. Whether the other rows were then written is
        UNCONFIRMED.
        """
        inventories = [
            {"manageNumber": manage, "variantId": variant, "mode": "ABSOLUTE", "quantity": quantity}
            for manage, variant, quantity in rows
        ]
        async with self._spacing.turn(BULK_UPSERT):
            response = await self._http.send(
                "POST",
                "/es/2.0/inventories/bulk-upsert",
                endpoint=BULK_UPSERT,
                writes=True,
                headers=self._headers,
                json={"inventories": inventories},
            )
        if response.status_code == httpx.codes.NO_CONTENT:
            return
        if response.is_success:
            raise OutcomeUnknown(f"bulk-upsert: {response.status_code} where 204 was expected")
        _raise_row_errors(response, rows=len(rows))

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
            raise _refusal("bulk-get", response)
        rows = _decoded(response, StockAnswer).inventories
        return {(row.manage_number.lower(), row.variant_id): row.quantity for row in rows}

    async def _order(
        self, function: str, body: dict[str, Any], *, writes: bool = False
    ) -> httpx.Response:
        async with self._spacing.turn(ORDER):
            response = await self._http.send(
                "POST",
                f"/es/2.0/order/{function}/",
                endpoint=ORDER,
                writes=writes,
                headers=self._headers,
                json=body,
            )
        if not response.is_success:
            raise _refusal(function, response)
        # Errors come with 200 too, beside data or without.
        try:
            messages = _decoded(response, MessagesAnswer).messages
        except BadAnswer as error:
            raise (OutcomeUnknown(f"{function}: unreadable answer") if writes else error) from error
        errors = [entry for entry in messages or [] if entry.message_type == "ERROR"]
        if errors:
            raise Rejected(f"{function}: {errors[0].message_code[:TEXT_MAX]}")
        if writes and not messages:
            raise OutcomeUnknown(f"{function}: an answer without a message")
        return response

    async def aclose(self) -> None:
        """Close connections."""
        await self._http.aclose()


def _raise_row_errors(response: httpx.Response, *, rows: int) -> None:
    if response.status_code == httpx.codes.CONFLICT:
        raise RetryLater("bulk-upsert: CE0001, somebody else is writing", seconds=CONFLICT_SECONDS)
    errors = _error(response).errors
    if response.status_code != httpx.codes.BAD_REQUEST or not errors:
        raise _refusal("bulk-upsert", response)
    named: dict[int, tuple[str, str]] = {}
    codes: list[str] = []
    for error in errors:
        path = str((error.metadata or {}).get("propertyPath", ""))
        match = ROW.search(path)
        if match and int(match[1]) < rows:
            named.setdefault(int(match[1]), (error.code, path[:TEXT_MAX]))
        else:
            codes.append(error.code)
    if WHOLE_CALL.intersection(codes):
        raise _refusal("bulk-upsert", response)
    raise RowsRefused(named, codes)


def _refusal(function: str, response: httpx.Response) -> Exception:
    error = _error(response)
    codes = [entry.message_code for entry in error.messages or []]
    codes += [entry.code for entry in error.errors or []]
    if error.results is not None:
        codes.append(error.results.error_code)
    said = ", ".join(code for code in codes if code)[:TEXT_MAX] or "no code"
    text = f"{function}: {response.status_code} {said}"
    # ES04-01 is the gateway's word for a wrong or expired key or a function not switched on.
    return AuthExpired(text) if "ES04-01" in codes else Rejected(text)


def _error(response: httpx.Response) -> ErrorAnswer:
    try:
        return msgspec.json.decode(response.content, type=ErrorAnswer)
    except msgspec.DecodeError:
        return ErrorAnswer()


def _decoded(response: httpx.Response, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(response.content, type=kind)
    except msgspec.DecodeError as error:
        raise BadAnswer(f"unreadable answer: {str(error)[:TEXT_MAX]}") from error


def _jst(moment: datetime) -> str:
    return moment.astimezone(JST).strftime("%Y-%m-%dT%H:%M:%S+0900")
