"""What the endpoints of one of Hume's products share, and the constants of several tables.

It knows no endpoint. The tables beside it make their entries with it.
"""

from __future__ import annotations

import datetime as dt
from typing import TypeVar
from urllib.parse import urljoin

from humeai_async._base.frozen import frozen
from humeai_async.http.endpoint import Encoding, Endpoint, Pagination

T = TypeVar("T")

NOTHING = type(None)
"""What a response that only confirms is read as."""
PAGE = ("page_number", "page_size")
"""Query fields of every list in pages."""


@frozen(kw_only=True)
class Product:
    """One of Hume's products, with what its endpoints share."""

    bucket: str
    """Quota that the product's endpoints draw on."""
    docs: str
    """Beginning of the addresses of the reference's pages."""
    sunset: dt.date
    """First day on which Hume no longer serves the product."""
    replacement: str
    """What took the product's place."""

    def endpoint(
        self,
        name: str,
        method: str,
        path: str,
        returns: type[T],
        *,
        docs: str,
        row: str | None = None,
        query: tuple[str, ...] = (),
        body: tuple[str, ...] = (),
        encoding: Encoding | None = None,
        items: str | None = None,
        binary: bool = False,
        socket: bool = False,
    ) -> Endpoint[T]:
        """Describe one endpoint of this product; the rest follows from what is given."""
        if encoding is None:
            encoding = Encoding.JSON if body else Encoding.NONE
        if items is None:
            paging = Pagination.NONE
        else:
            paging = Pagination.SPRING if items == "content" else Pagination.NUMBERED
        return Endpoint(
            name=name,
            method=method,
            path=path,
            returns=returns,
            bucket=self.bucket,
            source=urljoin(self.docs, docs),
            row=row,
            query=query,
            body=body,
            encoding=encoding,
            paging=paging,
            items=items,
            repeatable=method in {"GET", "DELETE"},
            binary=binary,
            socket=socket,
            sunset=self.sunset,
            replacement=self.replacement,
        )


EVI = Product(
    bucket="evi",
    docs="https://dev.hume.ai/reference/empathic-voice-interface-evi/",
    # Ended on that day at 00:01 EST; the accounts' data was deleted afterwards.
    sunset=dt.date(2026, 11, 13),
    replacement="nothing (Hume named no successor)",
)
"""The Empathic Voice Interface, which two tables describe: its HTTP calls and its socket."""
