"""The predictions of a batch job: a typed shell around slices of the body.

The scanner makes the shell of `measurements.py` at once and leaves each prediction as a slice
of the body (see `slices.py`). `codec.py` calls `Predictions.from_json`, users read the rest;
tables are made below, in `tables.py`.
"""

from __future__ import annotations

import gc
import itertools
from collections.abc import Iterator, Sequence
from typing import Any, ClassVar, TypeAlias, overload

import msgspec

from humeai_async.errors import DecodeError, InvalidArgumentError
from humeai_async.types.json import BYTE_ORDER_MARK, scan, with_path_prefix
from humeai_async.types.predictions import tables
from humeai_async.types.predictions.measurements import SourcePredictions
from humeai_async.types.predictions.rows import MODELS, Row, flat
from humeai_async.types.predictions.score_table import ScoreTable
from humeai_async.types.predictions.scores import Scored, Scores

__all__ = ["Predictions", "SourcePredictions", "UnreadPredictions"]

_decoder = msgspec.json.Decoder(list[SourcePredictions])

_Where: TypeAlias = tuple[int, int, str, int]
"""Source, file, model and group: a path is made of it only for an error."""


class Predictions(Sequence[SourcePredictions]):
    """The answer of "Get job predictions": one `SourcePredictions` a source, in order.

    Holds the body it was read from. Predictions are slices of it and made when they are
    touched, and so are their lists of scores: what is wrong inside of one is a `DecodeError`
    then, or of `validate`. The first prediction of each list of the first file is looked at
    before, so that an answer of another kind is told at once.

    Attributes:
        body: The JSON text as it came.
    """

    __slots__ = ("_sources", "body")

    def __init__(self, sources: Sequence[SourcePredictions], body: bytes = b"") -> None:
        self._sources = sources
        self.body: bytes = body

    @classmethod
    def from_json(cls, body: bytes) -> Predictions:
        """Read a predictions body.

        Raises:
            DecodeError: It is not a list of predictions; `path` says where.
        """
        body = body.removeprefix(BYTE_ORDER_MARK)
        # Everything made here stays: to look for garbage meanwhile would only hold the loop.
        collects = gc.isenabled()
        gc.disable()
        try:
            sources = scan(_decoder, body, "the predictions are not what was promised")
        finally:
            if collects:
                gc.enable()
        found = cls(sources, body)
        found._try_first_file()
        return found

    def validate(self) -> None:
        """Read everything, so that nothing wrong is left for later, and keep nothing.

        Raises:
            DecodeError: A part is not what was promised; `path` names it.
        """
        for where, place, prediction in self._walk():
            for name in prediction.score_fields:
                scores: Scores | None = getattr(prediction, name)
                if scores is not None:
                    try:
                        scores.validate()
                    except DecodeError as problem:
                        raise with_path_prefix(problem, f"{_path(where)}[{place}].{name}") from None

    def named(self) -> Iterator[tuple[str, SourcePredictions]]:
        """Give each source with its URL or file name, or `#2` for a text that stands third."""
        for place, found in enumerate(self._sources):
            yield found.source.url or found.source.filename or f"#{place}", found

    def scores(self, model: str, field: str = "emotions") -> ScoreTable:
        """Read all scores of one model, without an object a score.

        Args:
            model: One of `face`, `burst`, `prosody`, `language`, `ner`, `facemesh`.
            field: Which list of scores: `emotions`, or what the model has beside them, such as
                `facs` and `descriptions` of a face, `sentiment` and `toxicity` of language.

        Returns:
            One row a prediction, in the order in which they stand in the answer; the columns
            are the names that occur, in the service's order.

        Raises:
            InvalidArgumentError: There is no such model, or it has no such scores.
            DecodeError: A part is not what was promised; `path` names it.
        """
        if model not in MODELS:
            raise InvalidArgumentError(f"model is one of {', '.join(MODELS)}", field="model")
        table = ScoreTable(grows=True)
        for where, place, prediction in self._walk((model,)):
            if field not in prediction.score_fields:
                known = ", ".join(prediction.score_fields)
                raise InvalidArgumentError(f"field of {model} is one of {known}", field="field")
            scores: Scores | None = getattr(prediction, field)
            try:
                table.append(*(scores.split() if scores is not None else ((), [])))
            except DecodeError as problem:
                raise with_path_prefix(problem, f"{_path(where)}[{place}].{field}") from None
        return table

    def to_arrow(self) -> Any:
        """Make a table of all predictions, one flat row each; see `humeai_async.tables`.

        Returns:
            A `pyarrow.Table` with the columns and types of `tables.SCHEMA`, always all of them.

        Raises:
            MissingPackageError: pyarrow is not installed (extra `arrow`).
            DecodeError: A part is not what was promised; `path` names it.
        """
        try:
            return tables.to_arrow(self.rows())
        except DecodeError:
            self.validate()
            raise

    def to_polars(self) -> Any:
        """Make a `polars.DataFrame` of all predictions; else as `to_arrow`.

        Raises:
            MissingPackageError: polars or pyarrow is not installed.
            DecodeError: A part is not what was promised; `path` names it.
        """
        return tables.to_polars(self.to_arrow())

    def to_pandas(self) -> Any:
        """Make a `pandas.DataFrame` of all predictions; else as `to_arrow`.

        Whole numbers that may be missing, such as `frame`, have pandas' own type `Int64`.

        Raises:
            MissingPackageError: pandas or pyarrow is not installed.
            DecodeError: A part is not what was promised; `path` names it.
        """
        return tables.to_pandas(self.to_arrow())

    def rows(self) -> Iterator[Row]:
        """Flatten all predictions, one row each, with `named` in the column `source`.

        Raises:
            DecodeError: A part is not what was promised.
        """
        for name, found in self.named():
            yield from flat(name, found)

    def _try_first_file(self) -> None:
        tried: tuple[int, int] | None = None
        for (source, file, *_), _, _ in self._walk(most=1):
            tried = tried or (source, file)
            if tried != (source, file):
                return

    def _walk(
        self, models: tuple[str, ...] = MODELS, most: int | None = None
    ) -> Iterator[tuple[_Where, int, Scored]]:
        """Make all predictions, or so many of each list; those of the scores are not read."""
        for where, many in self._lists(models):
            try:
                for place, prediction in enumerate(itertools.islice(many, most)):
                    yield where, place, prediction
            except DecodeError as problem:
                raise with_path_prefix(problem, _path(where)) from None

    def _lists(self, models: tuple[str, ...]) -> Iterator[tuple[_Where, Sequence[Scored]]]:
        for s, source in enumerate(self._sources):
            for f, file in enumerate(source.files):
                for model in models:
                    found = getattr(file.models, model)
                    groups: list[Any] = found.grouped_predictions if found else []
                    for g, group in enumerate(groups):
                        yield (s, f, model, g), group.predictions

    @overload
    def __getitem__(self, key: int) -> SourcePredictions: ...
    @overload
    def __getitem__(self, key: slice) -> Sequence[SourcePredictions]: ...
    def __getitem__(self, key: int | slice) -> SourcePredictions | Sequence[SourcePredictions]:
        return self._sources[key]

    def __len__(self) -> int:
        return len(self._sources)

    def __iter__(self) -> Iterator[SourcePredictions]:
        return iter(self._sources)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Predictions):
            return list(self._sources) == list(other._sources)
        return NotImplemented

    __hash__: ClassVar[None] = None  # type: ignore[assignment]  # sources can be lists

    def __reduce__(self) -> tuple[Any, ...]:
        return (Predictions.from_json, (self.body,)) if self.body else (Predictions, (self[:],))

    def __repr__(self) -> str:
        return f"Predictions({len(self)} sources, {len(self.body)} bytes)"


class UnreadPredictions:
    """A body of predictions that was looked at no closer than at its ends.

    Reading costs as much as receiving. Who only keeps bodies does without, and is still told
    of error pages, of other answers and of a body that breaks off.

    Attributes:
        body: The JSON text as it came.
    """

    __slots__ = ("body",)

    def __init__(self, body: bytes) -> None:
        self.body: bytes = body

    @classmethod
    def from_json(cls, body: bytes) -> UnreadPredictions:
        """Take a body in.

        Raises:
            DecodeError: It is no list.
        """
        start, end = body[:_END].lstrip()[:1], body[-_END:].rstrip()[-1:]
        # Where the ends are not those of a list, reading it says what is wrong.
        return cls(body if (start, end) == (b"[", b"]") else Predictions.from_json(body).body)

    def read(self) -> Predictions:
        """Read the body.

        Raises:
            DecodeError: It is not a list of predictions; `path` says where.
        """
        return Predictions.from_json(self.body)


_END = 64
"""Bytes at either end of a body that may be white space."""


def _path(where: _Where) -> str:
    s, f, model, g = where
    return f"$[{s}].results.predictions[{f}].models.{model}.grouped_predictions[{g}].predictions"
