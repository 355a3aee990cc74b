"""Yahoo! Shopping's files: the stock rows of a store as CSV, made when asked for."""

from __future__ import annotations

import csv
import io
from datetime import datetime, timedelta
from urllib.parse import parse_qsl
from xml.etree import ElementTree as ET

from channels.sandbox.wire import Answer, Call, Route
from channels.sandbox.yahoo_market import YahooMarket, error, xml

STOCK = "2"
FIELDS_MAX = 20
COLUMNS = ("code", "name", "sub-code", "quantity", "allow-overdraft", "stock-close")


class FileApi:
    """downloadRequest and downloadSubmit of one store, for its stock rows."""

    def __init__(self, market: YahooMarket) -> None:
        self._market = market
        self._ready_at: datetime | None = None

    def routes(self) -> list[Route]:
        """Both functions; each address has its own call a second."""
        return [
            self._market.stock_route("POST", "downloadRequest", self.request),
            self._market.stock_route("GET", "downloadSubmit", self.submit),
        ]

    def request(self, call: Call) -> Answer:
        """Begin to make the file."""
        form = dict(parse_qsl(call.body.decode("latin-1"), max_num_fields=FIELDS_MAX))
        if form.get("seller_id") != self._market.seller_id or form.get("type") != STOCK:
            return error(400, "pm-08001", "seller_id, type")
        self._ready_at = call.at + timedelta(seconds=self._market.rules.file_s)
        root = ET.Element("ResultSet")
        ET.SubElement(ET.SubElement(root, "Result"), "Status").text = "OK"
        return xml(root)

    def submit(self, call: Call) -> Answer:
        """The file as of now, once it is made."""
        query = call.query
        if query.get("seller_id") != self._market.seller_id or query.get("type") != STOCK:
            return error(400, "pm-08001", "seller_id, type")
        if self._ready_at is None or call.at < self._ready_at:
            return error(400, "pm-08003", "the file is not there yet")
        text = io.StringIO()
        writer = csv.writer(text)
        writer.writerow(COLUMNS)
        for listing in self._market.listings.values():
            item, _, sub = listing.key.partition(":")
            closed = str(int(listing.closed))
            overdraft = listing.extra["overdraft"]
            writer.writerow((item, f"見本 {item}", sub, listing.displayed, overdraft, closed))
        return Answer(body=text.getvalue().encode("cp932"), media_type="text/csv")
