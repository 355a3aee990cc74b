"""RMS InventoryAPI 2.0 and 2.1: write and read the numbers that Rakuten displays."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from channels.sandbox.rakuten_market import (
    KEY_BYTES_MAX,
    KEY_LETTERS,
    QUANTITY_MAX,
    Orphan,
    RakutenMarket,
    json_body,
    jst,
)
from channels.sandbox.wire import Answer, Call, Refused, Route

UPSERT_ROWS_MAX = 400
READ_ROWS_MAX = 1000
VARIANTS_MAX = 400
FIELDS_20 = frozenset({"manageNumber", "variantId", "mode", "quantity"})
FIELDS_21 = FIELDS_20 | {"operationLeadTime", "shipFromIds"}


class Error(msgspec.Struct, kw_only=True):
    """One entry of the `errors` shape."""

    code: str
    message: str = ""
    metadata: dict[str, str] = {}


class InventoryApi:
    """The inventory functions of one shop, under /es/2.0 and /es/2.1."""

    def __init__(self, market: RakutenMarket) -> None:
        self._market = market

    def routes(self) -> list[Route]:
        """All functions of both versions; a function's limit counts for both."""
        routes = []
        slow, fast = self._market.inventory_limits, self._market.read_limits
        for version in ("2.0", "2.1"):
            root = f"/es/{version}/inventories"
            one = f"{root}/manage-numbers/{{manage}}/variants/{{variant}}"
            for method, path, name, run, limit in (
                ("POST", f"{root}/bulk-upsert", "bulk-upsert", self.bulk_upsert, slow),
                ("POST", f"{root}/bulk-get", "bulk-get", self.bulk_get, fast),
                ("GET", f"{root}/bulk-get/range", "bulk-get-range", self.by_range, fast),
                ("PUT", one, "upsert", self.upsert, slow),
                ("GET", one, "get", self.get, slow),
                ("DELETE", one, "delete", self.delete, slow),
            ):
                routes.append(
                    Route(method=method, path=path, endpoint=name, run=run, limits=[limit[name]])
                )
        routes.append(
            Route(
                method="GET",
                path="/es/2.1/inventories/variant-lists/manage-numbers/{manage}",
                endpoint="variant-lists",
                run=self.variant_list,
                limits=[slow["variant-lists"]],
            )
        )
        return routes

    def bulk_upsert(self, call: Call) -> Answer:
        """1-400 rows, absolute or relative; 204 when all are written."""
        rows = _rows(call, most=UPSERT_ROWS_MAX)
        if self._market.collides():
            return _refusal(409, [Error(code="CE0001", message="conflict")])
        fields = FIELDS_21 if call.path.startswith("/es/2.1/") else FIELDS_20
        errors: list[Error] = []
        good: list[tuple[str, int, str]] = []
        met: set[str] = set()
        for position, row in enumerate(rows):
            key, error = self._checked(row, fields, position, met)
            if error is None:
                good.append((key, self._after(key, row), row["mode"].lower()))
            else:
                errors.append(error if self._market.rules.names_rows else _nameless(error))
        if errors and self._market.rules.bulk_atomic:
            return _refusal(400, errors)
        for key, quantity, mode in good:
            self._write(key, quantity, mode)
        return _refusal(400, errors) if errors else Answer(status=204)

    def upsert(self, call: Call) -> Answer:
        """One SKU; `mode` and `quantity` in the body, the key in the path."""
        body = json_body(call, otherwise=_refusal(400, [Error(code="GE0011")]))
        if self._market.collides():
            return _refusal(409, [Error(code="CE0001", message="conflict")])
        row = {**body, "manageNumber": call.params["manage"], "variantId": call.params["variant"]}
        fields = FIELDS_21 if call.path.startswith("/es/2.1/") else FIELDS_20
        key, error = self._checked(row, fields, None, set())
        if error is not None:
            return _refusal(400, [error])
        self._write(key, self._after(key, row), row["mode"].lower())
        return Answer(status=204)

    def get(self, call: Call) -> Answer:
        """One SKU, 404 GE0014 when there is no record."""
        row = self._row(_key(call.params["manage"], call.params["variant"]))
        if row is None:
            return _refusal(404, [Error(code="GE0014", message="not found")])
        return Answer(body=msgspec.json.encode(row))

    def delete(self, call: Call) -> Answer:
        """Remove one record: an unknown SKU's is gone, a listed one shows 0."""
        key = _key(call.params["manage"], call.params["variant"])
        if self._row(key) is None:
            return _refusal(404, [Error(code="GE0014", message="not found")])
        if key in self._market.listings:
            self._market.set_displayed(key, 0)
        else:
            del self._market.orphans[key]
        return Answer(status=204)

    def bulk_get(self, call: Call) -> Answer:
        """1-1000 keys; those without a record are left out, without an error."""
        found = []
        for row in _rows(call, most=READ_ROWS_MAX):
            if not isinstance(row, dict):
                raise Refused(_refusal(400, [Error(code="IE0002")]))
            found.append(self._row(_key(str(row.get("manageNumber")), str(row.get("variantId")))))
        return _inventories([row for row in found if row is not None])

    def by_range(self, call: Call) -> Answer:
        """All records within two bounds, newest change first; more than 1000 is IE0116."""
        try:
            least, most = int(call.query["minQuantity"]), int(call.query["maxQuantity"])
        except (KeyError, ValueError):
            return _refusal(400, [Error(code="IE0105")])
        if least > most:
            return _refusal(400, [Error(code="IE0113")])
        rows = [self._row(key) for key in [*self._market.listings, *self._market.orphans]]
        hits = [row for row in rows if row is not None and least <= row["quantity"] <= most]
        if len(hits) > READ_ROWS_MAX:
            return _refusal(400, [Error(code="IE0116")])
        return _inventories(sorted(hits, key=lambda row: row["updated"], reverse=True))

    def variant_list(self, call: Call) -> Answer:
        """The variants of one item (`variantList`), 404 when it has none."""
        manage = call.params["manage"].lower()
        keys = [key for key in self._market.listings if key.partition("/")[0] == manage]
        if not keys:
            return _refusal(404, [Error(code="GE0014", message="not found")])
        variants = [{"variantId": key.partition("/")[2]} for key in keys]
        body = {"manageNumber": manage, "variantList": variants}
        return Answer(body=msgspec.json.encode(body))

    def _checked(
        self, row: Any, fields: frozenset[str], position: int | None, met: set[str]
    ) -> tuple[str, Error | None]:
        def wrong(code: str, name: str) -> tuple[str, Error]:
            place = (position or 0) + self._market.rules.row_base
            path = name if position is None else f"inventories[{place}].{name}"
            return "", Error(code=code, message=name, metadata={"propertyPath": path})

        if not isinstance(row, dict):
            return wrong("IE0002", "")
        for name in ("manageNumber", "variantId"):
            part = row.get(name)
            if part is None:
                return wrong("IE0001", name)
            if not isinstance(part, str) or not part or not set(part) <= KEY_LETTERS:
                return wrong("IE0002", name)
            if len(part) > KEY_BYTES_MAX:
                return wrong("IE0004", name)
        for name in sorted(set(row) - fields):
            return wrong("IE0002", name)
        key = _key(row["manageNumber"], row["variantId"])
        code, name = self._number_error(key, row)
        if not code and key in met:
            code, name = "IE1102", "variantId"
        if not code and self._one_too_many(key):
            code, name = "IE0121", "variantId"
        met.add(key)
        return wrong(code, name) if code else (key, None)

    def _number_error(self, key: str, row: dict[str, Any]) -> tuple[str, str]:
        mode, quantity = row.get("mode"), row.get("quantity")
        if mode not in {"ABSOLUTE", "RELATIVE"}:
            return ("IE0001" if mode is None else "IE0002"), "mode"
        if type(quantity) is not int:
            return ("IE0001" if quantity is None else "IE0002"), "quantity"
        if mode == "ABSOLUTE" and not 0 <= quantity <= QUANTITY_MAX:
            return "IE0003", "quantity"
        if mode == "RELATIVE" and self._row(key) is None:
            return "IE0500", "quantity"
        if not 0 <= self._after(key, row) <= QUANTITY_MAX:
            return "IE0117", "quantity"
        return "", ""

    def _one_too_many(self, key: str) -> bool:
        """Whether the key would be a new one of an item that has 400."""
        market = self._market
        if key in market.listings or key in market.orphans:
            return False
        item = key.partition("/")[0] + "/"
        known = [*market.listings, *market.orphans]
        return sum(one.startswith(item) for one in known) >= VARIANTS_MAX

    def _after(self, key: str, row: dict[str, Any]) -> int:
        if row["mode"] == "ABSOLUTE":
            return int(row["quantity"])
        before = self._row(key)
        return int(row["quantity"]) + (0 if before is None else int(before["quantity"]))

    def _write(self, key: str, quantity: int, mode: str) -> None:
        market = self._market
        if key in market.listings:
            market.set_displayed(key, quantity, mode)
        elif not market.ignoring:
            now = market.clock.now()
            row = market.orphans.setdefault(
                key, Orphan(quantity=quantity, created_at=now, changed_at=now)
            )
            row.quantity, row.changed_at = quantity, now

    def _row(self, key: str) -> dict[str, Any] | None:
        self._market.drop_orphans()
        manage, _, variant = key.partition("/")
        listing, orphan = self._market.listings.get(key), self._market.orphans.get(key)
        if listing is not None:
            quantity = max(listing.displayed, 0)
            created_at, changed_at = listing.created_at, listing.changed_at
        elif orphan is not None:
            quantity = orphan.quantity
            created_at, changed_at = orphan.created_at, orphan.changed_at
        else:
            return None
        return {
            "manageNumber": manage,
            "variantId": variant,
            "quantity": quantity,
            "created": jst(created_at),
            "updated": jst(changed_at),
        }


def _key(manage: str, variant: str) -> str:
    return f"{manage.lower()}/{variant}"


def _rows(call: Call, *, most: int) -> list[Any]:
    body = json_body(call, otherwise=_refusal(400, [Error(code="GE0011")]))
    rows = body.get("inventories")
    if not isinstance(rows, list) or not rows:
        raise Refused(_refusal(400, [Error(code="IE0001", message="inventories")]))
    if len(rows) > most:
        raise Refused(_refusal(400, [Error(code="IE1101", message="inventories")]))
    return rows


def _nameless(error: Error) -> Error:
    return Error(code=error.code, message=error.message)


def _refusal(status: int, errors: Sequence[Error]) -> Answer:
    return Answer(status=status, body=msgspec.json.encode({"errors": errors}))


def _inventories(rows: list[dict[str, Any]]) -> Answer:
    return Answer(body=msgspec.json.encode({"inventories": rows}))
