"""The two styles of pages that Hume sends.

Each takes all items and a request, and returns the requested page. It knows no endpoint;
the EVI store and the registry call it. Items are turned into records page by page, so long
lists stay cheap.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TypeVar

from humeai_async.testing.exchange import Arrival, Record

T = TypeVar("T")

_SIZE = 10
_MOST = 100


def numbered(
    arrival: Arrival, items: Sequence[T], items_field: str, view: Callable[[T], Record]
) -> Record:
    """Return an EVI page: `page_number`, `page_size`, `total_pages` and the items.

    A page past the end is empty. Hume documents neither that nor the 400 for a size out of
    range; both are what its own client relies on.
    """
    number = arrival.number("page_number", default=0, least=0)
    size = arrival.number("page_size", default=_SIZE, least=1, most=_MOST)
    return {
        "page_number": number,
        "page_size": size,
        "total_pages": math.ceil(len(items) / size),
        items_field: [view(item) for item in items[number * size : (number + 1) * size]],
    }


def directed(
    arrival: Arrival, items: Sequence[T], items_field: str, view: Callable[[T], Record]
) -> Record:
    """Return an EVI page whose order the query field `ascending_order` chooses.

    Args:
        arrival: The request.
        items: All items, oldest first.
        items_field: Name of the list in the page.
        view: Makes the record of an item.
    """
    ascending = arrival.flag("ascending_order", default=True)
    ordered = items if ascending else items[::-1]
    page = numbered(arrival, ordered, items_field, view)
    return {**page, "pagination_direction": "ASC" if ascending else "DESC"}


def spring(arrival: Arrival, items: Sequence[T], view: Callable[[T], Record]) -> Record:
    """Return a registry page: `content`, `number`, `total_pages`, `last` and the rest."""
    number = arrival.number("page_number", default=0, least=0)
    size = arrival.number("page_size", default=_SIZE, least=1)
    arrival.flag("shared_assets", default=False)
    content = [view(item) for item in items[number * size : (number + 1) * size]]
    total = math.ceil(len(items) / size)
    sort = {"empty": True, "sorted": False, "unsorted": True}
    return {
        "content": content,
        "pageable": {
            "offset": number * size,
            "sort": sort,
            "paged": True,
            "unpaged": False,
            "page_number": number,
            "page_size": size,
        },
        "total": len(items),
        "last": number + 1 >= total,
        "total_elements": len(items),
        "total_pages": total,
        "size": size,
        "number": number,
        "sort": sort,
        "first": number == 0,
        "number_of_elements": len(content),
        "empty": not content,
    }
