"""How a gateway's own definition differs from the documented rows of the catalog.

Pure: it compares what it is given. The command `humeai-async check` prints it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from humeai_async._base.frozen import frozen
from humeai_async.http.endpoint import Endpoint
from humeai_async.types.definition import Definition, Operation

_BRACES = re.compile(r"\{[^}]*\}")


@frozen
class Change:
    """A row whose parameters are others in the definition."""

    row: str
    """Method and path, as the catalog has them."""
    missing: tuple[str, ...] = ()
    """Parameters that the catalog has and the definition has not."""
    new: tuple[str, ...] = ()
    """Parameters that only the definition has."""


@frozen
class Comparison:
    """How a definition differs from the catalog."""

    url: str
    """Where the definition was found."""
    rows: int
    """Operations in the definition."""
    missing: tuple[str, ...]
    """Rows of the catalog that the definition has not."""
    new: tuple[str, ...]
    """Rows that only the definition has."""
    changed: tuple[Change, ...]
    """Rows of both whose parameters differ."""

    @property
    def is_equal(self) -> bool:
        """Whether the definition has the catalog's rows with the same parameters."""
        return not (self.missing or self.new or self.changed)


def compare(definition: Definition, table: Iterable[Endpoint[Any]]) -> Comparison:
    """Compare a gateway's definition with rows of the catalog.

    The names of path parameters do not matter, their places do.

    Args:
        definition: What the gateway says.
        table: Rows of the catalog, such as `humeai_async.catalog.TABLE`.
    """
    theirs = {_key(one.method, one.path): one for one in definition.operations}
    ours = {_key(one.method, one.path): one for one in table}
    both = [key for key in ours if key in theirs]
    changes = [_change(ours[key], theirs[key]) for key in both]
    return Comparison(
        url=definition.url,
        rows=len(definition.operations),
        missing=_rows(ours, theirs),
        new=_rows(theirs, ours),
        changed=tuple([change for change in changes if change.missing or change.new]),
    )


def _key(method: str, path: str) -> tuple[str, str]:
    return method, _BRACES.sub("{}", path)


def _rows(
    those: Mapping[tuple[str, str], Operation | Endpoint[Any]],
    others: Mapping[tuple[str, str], object],
) -> tuple[str, ...]:
    return tuple([f"{one.method} {one.path}" for key, one in those.items() if key not in others])


def _change(endpoint: Endpoint[Any], operation: Operation) -> Change:
    known = dict.fromkeys((*endpoint.query, *endpoint.body))
    found = dict.fromkeys((*operation.query, *operation.body))
    return Change(
        f"{endpoint.method} {endpoint.path}",
        missing=tuple([name for name in known if name not in found]),
        new=tuple([name for name in found if name not in known]),
    )
