"""What came of one source: its predictions, or why there are none.

An `Outcome` may hold predictions that are read only when somebody wants them. It knows no pipeline;
those of all products make outcomes.
"""

from __future__ import annotations

import os
from typing import Generic, Protocol, TypeVar, cast

from attrs import define, field, setters

from humeai_async._base.urls import repr_without_query
from humeai_async.errors import DecodeError, HumeError
from humeai_async.http.messages import Upload
from humeai_async.types.sources import BulkSource, Text, name_of

S = TypeVar("S")
P = TypeVar("P")
P_co = TypeVar("P_co", covariant=True)


class SourceFailedError(HumeError):
    """Hume could not process one source of a job.

    Attributes:
        job_id: The job.
    """

    def __init__(self, message: str, *, job_id: str) -> None:
        super().__init__(message)
        self.job_id = job_id


class UnknownSubmissionError(HumeError):
    """Nobody knows whether a submission was carried out, and the service's list cannot be read.

    Nothing is submitted again while that is so: the source stays open, and the next start of
    the run looks again.
    """


class Unread(Protocol[P_co]):
    """Predictions that are read when somebody asks for them."""

    body: bytes

    def read(self) -> P_co:
        """Read the predictions from their JSON.

        Raises:
            DecodeError: They are not what was promised.
        """
        ...


def label_of(source: object) -> str:
    """Return what a source of any product is called in files and tables.

    Args:
        source: A URL, a text, a path or a file. Bytes without a name are called `file`.
    """
    found = (source.filename or source.content) if isinstance(source, Upload) else source
    if isinstance(found, (str, os.PathLike, Text)):
        return name_of(cast("BulkSource", found))
    return "file"


def reason_of(problem: HumeError) -> str:
    """Return why a source failed, in a line."""
    return f"{type(problem).__name__}: {problem.message}"


def _repr_of(source: object) -> str:
    if isinstance(source, (bytes, bytearray)):
        return f"<{len(source)} bytes>"
    if isinstance(source, memoryview):
        return f"<{source.nbytes} bytes>"
    return repr_without_query(source)


@define(kw_only=True, eq=False, on_setattr=setters.frozen)
class Outcome(Generic[S, P]):
    """The outcome of one source; either `predictions` or `error` is set."""

    source: S = field(repr=_repr_of)
    """The source as it was given."""
    job_id: str | None = None
    """Job it went into; `None` where no job was started."""
    _predictions: P | None = field(default=None, alias="predictions")
    _error: HumeError | None = field(default=None, alias="error")
    key: bytes | None = field(default=None, repr=False)
    """Key of the source in the ledger of the run."""
    is_open: bool = False
    """True if the error is not the fault of the source (an outage, a quota, a timeout, a
    submission with an unknown outcome): the next run with the same ledger tries it again."""
    is_unreadable: bool = False
    """True if results exist and are paid for, but cannot be read or matched to this source:
    `retry_failed` reads or fetches them again and submits nothing."""
    size: int = field(default=0, repr=False)
    """Bytes of JSON that the predictions hold in memory, about; 0 where that is not known."""
    _unread: Unread[P] | None = field(default=None, alias="unread", repr=False)
    """In place of the predictions, until somebody asks for them or for the error."""

    @property
    def predictions(self) -> P | None:
        """The predictions, or `None` if there is an error."""
        self._read()
        return self._predictions

    @property
    def error(self) -> HumeError | None:
        """Why the source has no predictions; `None` if it has some."""
        self._read()
        return self._error

    @property
    def body(self) -> bytes | None:
        """JSON text of a whole job's predictions as it came; `None` where there is none.

        Asking for it reads nothing: it is a list by its ends, and no more is known of it
        before `predictions` or `error` is asked for.
        """
        found = self._unread if self._unread is not None else self._predictions
        body: bytes | None = getattr(found, "body", None)
        return body

    @property
    def known(self) -> str:
        """What came of the source, as far as is known without reading anything."""
        if self._error is not None:
            return reason_of(self._error)
        return "predictions" if self._unread is None else "a result that was not read yet"

    @property
    def is_known_to_fail(self) -> bool:
        """Whether there is an error, as far as is known without reading anything."""
        return self._error is not None

    def json_members(self) -> dict[str, object]:
        """Say what came of the source, for `to_dict`; of a file it is the name."""
        return {
            "source": label_of(self.source),
            "job_id": self.job_id,
            "predictions": self.predictions,
            "error": self.error,
            "is_open": self.is_open,
        }

    def result(self) -> P:
        """Return the predictions, or raise the error.

        Raises:
            HumeError: There are no predictions; this is `error`.
        """
        if self.error is not None:
            raise self.error
        predictions = self.predictions
        assert predictions is not None  # noqa: S101 - either of the two is set
        return predictions

    def _read(self) -> None:
        unread = self._unread
        if unread is None:
            return
        found, problem = None, None
        try:
            found = unread.read()
        except DecodeError as failure:
            problem = failure
        for name, value in (("_predictions", found), ("_error", problem), ("_unread", None)):
            object.__setattr__(self, name, value)
