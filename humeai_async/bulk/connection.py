"""The connection to a ledger: its transactions, and which row each source has.

An index over random keys would rewrite a page for each source: new keys are kept in memory, and
go into the index `known` some hundred thousand at a time, in its order. Nothing else is held in
memory, and what stands there is what is committed. What a source is, and what states it can be
in, is `storage.py`'s.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Literal, TypeVar

T = TypeVar("T")

RECENT = 1 << 17
"""Keys that are kept in memory before they go into the index together."""
_AT_ONCE = 500
"""Values in one query."""


class Connection(sqlite3.Connection):
    """A connection that knows the rows of sources, once `load_keys` is called."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._synchronous: str | None = None
        self._indexed = 0
        """Row of the last source in the index."""
        self._recent: dict[bytes, int] = {}
        """Rows of the sources after that."""
        self._added: dict[bytes, int] = {}
        """Rows of sources that this transaction has added."""
        self._is_indexing = False
        """Whether this transaction has brought all keys into the index."""

    def load_keys(self) -> None:
        """Bring the keys that are not in the index yet into memory."""
        row = self.execute("SELECT value FROM facts WHERE name = 'indexed'").fetchone()
        self._indexed = int(row[0]) if row else 0
        rows = self.execute("SELECT key, number FROM sources WHERE number > ?", (self._indexed,))
        self._recent = dict(rows)

    @contextmanager
    def transaction(self, *, synchronous: Literal["NORMAL", "FULL"] = "FULL") -> Generator[None]:
        """Do a block as one transaction, which an error undoes.

        Args:
            synchronous: `FULL` waits until it is on the disk.
        """
        if synchronous != self._synchronous:
            self.execute(f"PRAGMA synchronous = {synchronous}")
            self._synchronous = synchronous
        self.execute("BEGIN IMMEDIATE")
        try:
            yield
            self.execute("COMMIT")
            self._keep_added()
        finally:
            if self.in_transaction:
                self.execute("ROLLBACK")
            self._added = {}
            self._is_indexing = False

    def may_know(self, keys: Sequence[bytes]) -> bool:
        """Whether the ledger may know some sources, as far as can be said without reading it.

        Can be called from any thread.
        """
        recent = self._recent  # read before `_indexed`: what leaves the one is in the other by then
        return self._indexed > 0 or any(key in recent for key in keys)

    def find(self, keys: Sequence[bytes]) -> dict[bytes, int]:
        """Return the rows of those sources that the ledger knows."""
        found: dict[bytes, int] = {}
        for key in keys:
            number = self._recent.get(key) or self._added.get(key)
            if number is not None:
                found[key] = number
        if len(found) < len(keys) and self._indexed:
            for some in portions([key for key in keys if key not in found]):
                query = f"SELECT key, source FROM known WHERE key IN ({marks(some)})"  # noqa: S608 - only question marks
                found.update(self.execute(query, some))
        return found

    def add(self, rows: Mapping[bytes, int]) -> None:
        """Note the rows of sources that were added, as the last ones there are."""
        self._added.update(rows)
        if len(self._recent) + len(self._added) >= RECENT:
            self.execute(
                "INSERT INTO known SELECT key, number FROM sources WHERE number > ? ORDER BY key",
                (self._indexed,),
            )
            last = str(max(self._added.values()))
            self.execute("UPDATE facts SET value = ? WHERE name = 'indexed'", (last,))
            self._is_indexing = True
        if not self.in_transaction:
            self._keep_added()

    def _keep_added(self) -> None:
        if self._is_indexing:
            self._indexed = max(self._added.values())
            self._recent = {}
        else:
            self._recent.update(self._added)
        self._added = {}
        self._is_indexing = False


def portions(values: Sequence[T]) -> Iterable[Sequence[T]]:
    """Give some values in as many parts as one query can take."""
    return (values[at : at + _AT_ONCE] for at in range(0, len(values), _AT_ONCE))


def marks(values: Sequence[object]) -> str:
    """Return a question mark for each value."""
    return ",".join("?" * len(values))


def conditions(numbers: Sequence[int]) -> Iterable[tuple[str, Sequence[int]]]:
    """Give what rows have to meet to be those of some numbers, and its values.

    Args:
        numbers: Each once. Those of one piece of work mostly follow one another.
    """
    if numbers and max(numbers) - min(numbers) + 1 == len(numbers):
        return [("BETWEEN ? AND ?", (min(numbers), max(numbers)))]
    return ((f"IN ({marks(some)})", some) for some in portions(numbers))
