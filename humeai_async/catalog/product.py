"""What the endpoints of one of Hume's products share, and the constants of several tables.

It knows no endpoint. The tables beside it make their entries with it.
"""

from __future__ import annotations

import datetime as dt
from typing import TypeVar
from urllib.parse import urljoin

from humeai_async._base.frozen import frozen
from humeai_async.http.endpoint import Encoding, Endpoint, Pagination
from humeai_async.limiter.allowance import Allowance

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
    sunset: dt.date | None = None
    """First day on which Hume no longer serves the product; `None` while it is served."""
    replacement: str = ""
    """What took the product's place."""
    is_cloud: bool = False
    """Whether it is served at `api.cloud.hume.ai`."""
    allowance: Allowance | None = None
    """Calls that an account may make in a time, where that is documented."""

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
        paging: Pagination | None = None,
        repeatable: bool | None = None,
    ) -> Endpoint[T]:
        """Describe one endpoint of this product; `Endpoint` says what each argument is.

        What is left out follows from the others: a body is JSON, items make a list in pages,
        and GET and DELETE may be repeated.
        """
        if encoding is None:
            encoding = Encoding.JSON if body else Encoding.NONE
        if paging is None:
            paging = _paging_of(items)
        if repeatable is None:
            repeatable = method in {"GET", "DELETE"}
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
            repeatable=repeatable,
            binary=binary,
            socket=socket,
            sunset=self.sunset,
            replacement=self.replacement,
            is_cloud=self.is_cloud,
            allowance=self.allowance,
        )


def _paging_of(items: str | None) -> Pagination:
    """Tell how a list is paged by the name of the field that holds its items."""
    if items is None:
        return Pagination.NONE
    return Pagination.SPRING if items == "content" else Pagination.NUMBERED


EVI = Product(
    bucket="evi",
    docs="https://dev.hume.ai/reference/empathic-voice-interface-evi/",
    # Ended on that day at 00:01 EST; the accounts' data was deleted afterwards.
    sunset=dt.date(2026, 11, 13),
    replacement="nothing (Hume named no successor)",
)
"""The Empathic Voice Interface, which two tables describe: its HTTP calls and its socket."""
