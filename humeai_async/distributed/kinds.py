"""What the partitions of a run are made of: batch predictions, measurements, or decisions.

A plan names its kind; `work` runs the sources of a partition by it and has its files of results
put in place. A kind knows how its sources are run and what its results are, and no partition.
"""

from __future__ import annotations

import abc
import contextlib
from collections.abc import AsyncIterable, Generator, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from attrs import evolve

from humeai_async._base.packages import load_package
from humeai_async._base.unset import UNSET
from humeai_async.bulk.ledger import Memory
from humeai_async.bulk.options import BulkOptions
from humeai_async.bulk.outcome import Outcome, label_of
from humeai_async.bulk.outcomes import Outcomes
from humeai_async.bulk.part_files import COMPRESSION
from humeai_async.bulk.sinks import Parquet, Sinks
from humeai_async.bulk.text_files import CompressedJsonLines
from humeai_async.distributed.plan import RunSettings
from humeai_async.errors import DecodeError, LedgerError, SaveError
from humeai_async.types.decisions import Decision
from humeai_async.types.expression import AudioResult, ImagesResult
from humeai_async.types.paging import Items
from humeai_async.types.questions import QuestionSet
from humeai_async.types.tabular import Tabular

if TYPE_CHECKING:
    from humeai_async.client import HumeAI

_ROWS_AT_ONCE = 65_536
"""Rows that are written together, at least."""


class ResultFiles(Protocol):
    """The files of a partition's results, under way in a temporary folder. It blocks."""

    @property
    def table(self) -> Path:
        """The Parquet file, once it is finished."""
        ...

    @property
    def lines(self) -> Path | None:
        """A file with the whole results, where the service keeps none."""
        ...

    def write(self, outcome: Outcome[Any, Any]) -> Outcome[Any, Any]:
        """Write an outcome; returns it, with an error where its result makes no rows."""
        ...

    def finish(self) -> None:
        """Bring the files to their end."""

    def close(self) -> None:
        """Let go of the files."""


class RunKind(abc.ABC):
    """A kind of work.

    Args:
        settings: The run's settings.
    """

    is_billed: ClassVar[bool] = True
    """Whether each response holds the result and what it is billed: then a budget can bound the
    run, and a `RedisLedger` cannot keep it."""

    def __init__(self, settings: RunSettings) -> None:
        self.settings = settings

    @abc.abstractmethod
    def run(
        self,
        hume: HumeAI,
        sources: Iterable[Any] | AsyncIterable[Any],
        ledger: Memory,
        options: BulkOptions | None,
        budget: float | None = None,
    ) -> Outcomes[Any, Any]:
        """Return the outcomes of sources, not begun yet."""

    @abc.abstractmethod
    def open_files(self, folder: Path) -> ResultFiles:
        """Begin the files of a partition's results, in a temporary folder."""


class PredictionKind(RunKind):
    """Predictions of batch jobs."""

    is_billed: ClassVar[bool] = False

    def run(
        self,
        hume: HumeAI,
        sources: Iterable[Any] | AsyncIterable[Any],
        ledger: Memory,
        options: BulkOptions | None,
        budget: float | None = None,  # noqa: ARG002 - jobs do not say what they cost
    ) -> Outcomes[Any, Any]:
        """Return the outcomes of sources, not begun yet."""
        request = self.settings.request
        return hume.batch.predict(
            sources,
            models=request.get("models"),
            transcription=request.get("transcription", UNSET),
            ledger=ledger,
            options=options,
            job_size=self.settings.job_size,
        )

    def open_files(self, folder: Path) -> ResultFiles:
        """Begin the file of predictions."""
        return _PredictionFiles(folder)


class MeasurementKind(RunKind):
    """Measurements of recordings and images, one row a score: all files have the same columns."""

    def run(
        self,
        hume: HumeAI,
        sources: Iterable[Any] | AsyncIterable[Any],
        ledger: Memory,
        options: BulkOptions | None,
        budget: float | None = None,
    ) -> Outcomes[Any, Any]:
        """Return the outcomes of recordings and images, not begun yet."""
        given = {**self.settings.request, **_given(options)}
        return hume.expression.measure_many(sources, ledger=ledger, budget=budget, **given)

    def open_files(self, folder: Path) -> ResultFiles:
        """Begin the files of measurements."""
        sound = AudioResult(run_id="", utterances=Items(()), measurements=Items(()))
        images = ImagesResult(run_id="", measurements=Items(()))
        columns = {**sound.columns(), **images.columns(), **images.columns(long=True)}
        return _TableFiles(folder, columns, long=True)


class DecisionKind(RunKind):
    """Decisions of clips, one row a clip with a column for each question."""

    def run(
        self,
        hume: HumeAI,
        sources: Iterable[Any] | AsyncIterable[Any],
        ledger: Memory,
        options: BulkOptions | None,
        budget: float | None = None,
    ) -> Outcomes[Any, Any]:
        """Return the outcomes of clips, not begun yet."""
        given = {"convert": self.settings.request["convert"], **_given(options)}
        most = int(budget) if budget is not None and float(budget).is_integer() else budget
        given["budget"] = most  # tokens are whole ones
        return hume.decisions.create_many(sources, self._questions, ledger=ledger, **given)

    def open_files(self, folder: Path) -> ResultFiles:
        """Begin the files of decisions."""
        none = Decision(run_id=None, questions=self._questions)
        return _TableFiles(folder, none.columns(), long=False)

    @property
    def _questions(self) -> QuestionSet:
        wire = self.settings.request["questions"]
        return QuestionSet(wire["questions"], wire.get("context"))


KINDS: Mapping[str, type[RunKind]] = {
    "predictions": PredictionKind,
    "measurements": MeasurementKind,
    "decisions": DecisionKind,
}
"""Kinds of work by the name that stands in a run's settings."""


def kind_of(settings: RunSettings) -> RunKind:
    """Return the kind of a run's work.

    Raises:
        LedgerError: This release does not know it.
    """
    kind = KINDS.get(settings.kind)
    if kind is None:
        raise LedgerError(f"the run is one of {settings.kind}, which this release does not know")
    return kind(settings)


def _given(options: BulkOptions | None) -> dict[str, Any]:
    """Return the options of single requests, of those that are given."""
    if options is None:
        return {}
    return {
        "concurrency": options.jobs_at_once,
        "search_patience": options.search_patience,
        "outage_patience": options.outage_patience,
    }


class _PredictionFiles:
    """Predictions as a Parquet file of the usual columns."""

    lines: Path | None = None

    def __init__(self, folder: Path) -> None:
        self._sinks = Sinks(folder, ("parquet",), one_file=True)
        self.table: Path = self._sinks.paths[0] / Parquet.first_file

    def write(self, outcome: Outcome[Any, Any]) -> Outcome[Any, Any]:
        """Write an outcome; returns it as it was written."""
        return self._sinks.write(outcome)

    def finish(self) -> None:
        """Bring the file to its end."""
        self._sinks.sync()
        self._sinks.finish()

    def close(self) -> None:
        """Let go of the file."""
        self._sinks.close()


class _TableFiles:
    """Results as a Parquet file of given columns, and whole beside it.

    Args:
        folder: A temporary folder.
        columns: The columns with their Arrow types, besides that of the source.
        long: Whether rows are of the long form.

    Raises:
        MissingPackageError: pyarrow is not installed.
        SaveError: The disk refuses them.
    """

    def __init__(self, folder: Path, columns: Mapping[str, str], *, long: bool) -> None:
        self._arrow = arrow = load_package("pyarrow")
        kinds = {"source": "string", **columns}
        fields = [(name, arrow.type_for_alias(kind)) for name, kind in kinds.items()]
        self._schema = arrow.schema(fields)
        self._long = long
        self.table: Path = folder / "results.parquet"
        self.lines: Path | None = folder / "results.jsonl.zst"
        parquet = load_package("pyarrow.parquet")
        with contextlib.ExitStack() as stack, _explained():
            self._lines = CompressedJsonLines(self.lines)
            stack.callback(self._lines.close)
            self._writer = parquet.ParquetWriter(self.table, self._schema, compression=COMPRESSION)
            stack.pop_all()
        self._waiting: list[Any] = []
        self._rows = 0

    def write(self, outcome: Outcome[Any, Any]) -> Outcome[Any, Any]:
        """Write an outcome; returns it, with a `DecodeError` where its result makes no rows."""
        with _explained():
            self._lines.write(outcome, ())
        found = outcome.predictions
        if not isinstance(found, Tabular):
            return outcome
        source = label_of(outcome.source)
        try:
            rows = [{"source": source, **row} for row in found.rows(long=self._long)]
            table = self._arrow.Table.from_pylist(rows, schema=self._schema)
        except (DecodeError, ValueError, TypeError, OverflowError) as problem:  # pyarrow's too
            error = DecodeError(f"a result makes no rows: {problem}")
            return evolve(outcome, predictions=None, error=error, is_unreadable=True)
        self._waiting.append(table)
        self._rows += len(rows)
        if self._rows >= _ROWS_AT_ONCE:
            with _explained():
                self._write_rows()
        return outcome

    def finish(self) -> None:
        """Bring the files to their end."""
        with _explained():
            self._write_rows()
            self._writer.close()
            self._lines.sync()

    def close(self) -> None:
        """Let go of the files."""
        self._lines.close()
        with contextlib.suppress(OSError):  # a full disk, which is known by then
            self._writer.close()

    def _write_rows(self) -> None:
        if self._rows:
            self._writer.write_table(self._arrow.concat_tables(self._waiting))
            self._waiting, self._rows = [], 0


@contextlib.contextmanager
def _explained() -> Generator[None]:
    """Turn errors of the system into ours."""
    try:
        yield
    except OSError as problem:
        reason = problem.strerror or str(problem)
    else:
        return
    raise SaveError(f"cannot write the results: {reason}")
