"""What a table of predictions does not hold, since it failed: a table of its own.

One row is one source that failed whole, or one file of a source whose other files did not. It
knows predictions and no bulk runs; `Predictions.failures` and `Outcomes.failures` are made of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, ClassVar, overload

import attrs
from attrs import field

from humeai_async._base.frozen import frozen
from humeai_async._base.packages import load_package
from humeai_async._base.urls import repr_without_query
from humeai_async.types.predictions import tables
from humeai_async.types.predictions.measurements import SourcePredictions

__all__ = ["Failure", "Failures", "find_failures"]


@frozen(kw_only=True)
class Failure:
    """A source, or a file of one, that has no predictions."""

    source: str = field(repr=repr_without_query)
    """The source as it was given, or its URL or file name."""
    file: str | None = None
    """Path of the file, relative to the source; `None` if the whole source failed."""
    job_id: str | None = None
    """The job that it went into, as far as known."""
    error: str
    """Name of the error's class: `SourceFailedError` and `FileFailedError` are what Hume says
    of a source and of a file of one, `DecodeError` is a part that cannot be read."""
    message: str = field(repr=repr_without_query)
    """Description of the failure."""
    is_open: bool = False
    """True if the next run with the same ledger tries the source again."""

    @property
    def reason(self) -> str:
        """Description of the failure, with the file where not the whole source failed."""
        return self.message if self.file is None else f"{self.file}: {self.message}"


class Failures(Sequence[Failure]):
    """Everything that failed, in order; a sequence, and a table of its own."""

    def __init__(self, failures: Iterable[Failure] = ()) -> None:
        self._failures: list[Failure] = [*failures]

    @overload
    def __getitem__(self, key: int) -> Failure: ...
    @overload
    def __getitem__(self, key: slice) -> Failures: ...
    def __getitem__(self, key: int | slice) -> Failure | Failures:
        if isinstance(key, slice):
            return Failures(self._failures[key])
        return self._failures[key]

    def __len__(self) -> int:
        return len(self._failures)

    def __eq__(self, other: object) -> bool:
        return self._failures == other._failures if isinstance(other, Failures) else NotImplemented

    __hash__: ClassVar[None] = None  # type: ignore[assignment]  # as of a list

    def __repr__(self) -> str:
        return f"Failures({self._failures})"

    def _repr_html_(self) -> str:
        """Show the first of them in a notebook."""
        from humeai_async._base import html

        title = f"Failures: {len(self):,}"
        return self.as_html(title, rows=html.MOST_ROWS, most=html.MOST_BYTES)

    def as_html(self, title: str, *, rows: int, most: int) -> str:
        """Show the first of them.

        Args:
            title: What they are.
            rows: Rows at most.
            most: Bytes at most.
        """
        from humeai_async._base import html

        return html.table(
            title,
            ("source", "file", "error", "message"),
            ((one.source, one.file, one.error, one.message) for one in self[:rows]),
            total=len(self),
            most=most,
        )

    def to_arrow(self) -> Any:
        """Make a `pyarrow.Table` with the fields of `Failure` as columns.

        Raises:
            MissingPackageError: pyarrow is not installed (extra `arrow`).
        """
        pa = load_package("pyarrow")
        kinds = [(name, pa.bool_() if name == "is_open" else pa.string()) for name in _COLUMNS]
        rows = [{name: getattr(each, name) for name in _COLUMNS} for each in self]
        return pa.Table.from_pylist(rows, schema=pa.schema(kinds))

    def to_polars(self) -> Any:
        """Make a `polars.DataFrame`; else as `to_arrow`.

        Raises:
            MissingPackageError: polars or pyarrow is not installed.
        """
        return tables.to_polars(self.to_arrow())

    def to_pandas(self) -> Any:
        """Make a `pandas.DataFrame`; else as `to_arrow`.

        Raises:
            MissingPackageError: pandas or pyarrow is not installed.
        """
        return tables.to_pandas(self.to_arrow())


_COLUMNS = tuple(each.name for each in attrs.fields(Failure))


def find_failures(
    name: str, found: SourcePredictions, job_id: str | None = None
) -> Iterator[Failure]:
    """Give what failed of a source: all of it, or some of its files.

    Args:
        name: What tables have in their column `source`.
        found: What was found for the source.
        job_id: The job that it went into.
    """
    if found.error is not None:
        kind = "SourceFailedError" if found.undecodable is None else "DecodeError"
        yield Failure(source=name, job_id=job_id, error=kind, message=found.error)
    for failed in found.results.errors if found.results else ():
        yield Failure(
            source=name,
            file=failed.file,
            job_id=job_id,
            error="FileFailedError",
            message=failed.message,
        )
