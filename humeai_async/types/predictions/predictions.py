"""The predictions of a batch job: a typed shell around slices of the body.

The scanner makes the shell of `measurements.py` at once and leaves each prediction as a slice
of the body (see `slices.py`). `codec.py` calls `Predictions.from_json`, users read the rest;
tables are made below, in `tables.py`.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Generator, Iterable, Iterator, Sequence
from typing import Any, ClassVar, overload

import msgspec

from humeai_async.errors import DecodeError, InvalidArgumentError
from humeai_async.types.json import (
    BYTE_ORDER_MARK,
    UNREADABLE,
    scan,
    with_path_prefix,
)
from humeai_async.types.paging import Undecodable
from humeai_async.types.predictions import tables
from humeai_async.types.predictions.layouts import read_stretches
from humeai_async.types.predictions.measurements import SourcePredictions
from humeai_async.types.predictions.rows import SCORE_FIELDS
from humeai_async.types.predictions.score_table import ScoreTable
from humeai_async.types.predictions.source_texts import (
    BEGINNINGS,
    NOT_PREDICTIONS,
    cut,
    lists_of,
    parts_decoder,
    path_of,
    problem_in,
    read_sources,
    refuse_all,
    source_decoder,
    undecodable_at,
    without_collection,
)
from humeai_async.types.predictions.views import PredictionViews

__all__ = ["Predictions", "SourcePredictions", "UnreadPredictions"]


class Predictions(PredictionViews):
    """The predictions of a job: one `SourcePredictions` for each source, in order.

    Holds the body it was read from. Predictions are slices of it and made when they are
    touched, and so are their lists of scores: what is wrong inside of one is a `DecodeError`
    then, or of `validate`. A source of which nothing can be read keeps its place, with an
    `error` that says so and the whole of it in `undecodable`.

    Attributes:
        body: The JSON text as it came; characters and numbers that JSON does not have are
            replaced, see `from_json`.
    """

    __slots__ = ("_sources", "body")

    def __init__(self, sources: Sequence[SourcePredictions], body: bytes = b"") -> None:
        self._sources = sources
        self.body: bytes = body

    @classmethod
    def from_json(cls, body: bytes | str) -> Predictions:
        """Read the JSON text of a job's predictions.

        Halves of surrogate pairs become U+FFFD. NaN, Infinity and null in place of a score
        become a score that is `math.nan`. The first prediction of each list of the first file
        is looked at, so that a text of another kind is recognised at once.

        Args:
            body: JSON text, usually as the bytes of a response or of a file.

        Raises:
            InvalidArgumentError: `body` is neither bytes nor text.
            DecodeError: It is not a list of predictions, or no source in it can be read;
                `path` says where.
        """
        text = _as_bytes(body).removeprefix(BYTE_ORDER_MARK)
        with without_collection():
            sources, text = read_sources(text)
        found = cls(sources, text)
        return found._with_first_file_tried()

    @classmethod
    def from_json_in_steps(cls, body: bytes) -> Generator[None, None, Predictions]:
        """Read as `from_json` does, source by source, so that others can work in between.

        Each source begins as the first one does, so the places of all are found quickly. Where
        what lies between two of them cannot be read as a source, everything is read at once.

        Yields:
            Nothing, after each few milliseconds.

        Returns:
            The predictions.

        Raises:
            DecodeError: As `from_json`.
        """
        for beginning in BEGINNINGS if len(body) >= READ_AT_ONCE else ():
            sources = yield from _in_steps(cut(body, beginning))
            if sources:
                found = cls(sources, body)
                return found._with_first_file_tried()
        return cls.from_json(body)

    def _with_first_file_tried(self) -> Predictions:
        first = next((place for place, source in enumerate(self) if source.files), None)
        problem = None if first is None else problem_in(self[first], first, files=1, most=1)
        if first is None or problem is None:
            return self
        refuse_all({first: problem}, self._sources)
        return self._with_undecodable({first: problem})

    def _with_undecodable(self, problems: dict[int, DecodeError]) -> Predictions:
        parts = scan(parts_decoder, self.body, NOT_PREDICTIONS)
        sources = [*self._sources]
        for place, problem in problems.items():
            sources[place] = undecodable_at(parts[place], problem, place)
        return Predictions(sources, self.body)

    @property
    def undecodable(self) -> list[Undecodable]:
        """Sources that the service sent and that could not be read, in order."""
        return [odd for source in self._sources if (odd := source.undecodable) is not None]

    def checked(self) -> Predictions:
        """Read everything, and say of each source that cannot be read whole that it cannot.

        Costs as much time as reading everything, and keeps nothing of it.

        Returns:
            These predictions, or a copy in which each source with a wrong part has an `error`
            and is in `undecodable`.
        """
        found = {place: problem_in(one, place, scores=True) for place, one in enumerate(self)}
        problems = {place: problem for place, problem in found.items() if problem is not None}
        return self._with_undecodable(problems) if problems else self

    def validate(self) -> None:
        """Read everything, so that nothing wrong is left for later, and keep nothing.

        Raises:
            DecodeError: A part is not what was promised; `path` names it.
        """
        for place, source in enumerate(self._sources):
            if (odd := source.undecodable) is not None:
                path = f"$[{place}]{odd.path[1:]}"
                raise DecodeError(f"{NOT_PREDICTIONS}: {odd.reason} at {path}", path=path)
            if (problem := problem_in(source, place, scores=True)) is not None:
                raise problem

    def scores(self, model: str, field: str = "emotions") -> ScoreTable:
        """Read all scores of one model, without an object a score.

        Args:
            model: One of `face`, `burst`, `prosody`, `language`, `ner`, `facemesh`.
            field: Which list of scores: `emotions`, or what the model has beside them, such as
                `facs` and `descriptions` of a face, `sentiment` and `toxicity` of language.

        Returns:
            One row a prediction, in the order in which they stand in the response; the columns
            are the names that occur, in the service's order.

        Raises:
            InvalidArgumentError: There is no such model, or it has no such scores.
            DecodeError: A part is not what was promised; `path` names it.
        """
        tables.check_model(model)
        fields = SCORE_FIELDS[model]
        if field not in fields:
            raise InvalidArgumentError(
                f"the field of {model} must be one of {', '.join(fields)}", field="field"
            )
        table = ScoreTable(grows=True)
        each = (lists_of(source, place, (model,)) for place, source in enumerate(self))
        for where, many in itertools.chain.from_iterable(each):
            before = len(table)
            try:
                for some in read_stretches(model, many, (field,)):
                    table.extend(some.names[0] or (), some.scores, some.count)
            except DecodeError as problem:
                place = len(table) - before
                inside = "" if problem.path.startswith("$[") else f"[{place}].{field}"
                raise with_path_prefix(problem, f"{path_of(where)}{inside}") from None
        return table

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

    def to_wire(self) -> msgspec.Raw | list[SourcePredictions]:
        """Return what the JSON writer takes: the text as it came, or the sources as objects."""
        return msgspec.Raw(self.body) if self.body else [*self._sources]

    def __reduce__(self) -> tuple[Any, ...]:
        return (Predictions.from_json, (self.body,)) if self.body else (Predictions, (self[:],))

    def __repr__(self) -> str:
        return f"Predictions({len(self)} sources, {len(self.body)} bytes)"


class UnreadPredictions:
    """The JSON text of predictions, of which only the ends were checked.

    Reading takes as long as receiving. Code that only stores bodies does without it, and still
    notices error pages, other responses and a body that breaks off.

    Attributes:
        body: The JSON text as it came.
    """

    __slots__ = ("body",)

    def __init__(self, body: bytes) -> None:
        self.body: bytes = body

    @classmethod
    def from_json(cls, body: bytes) -> UnreadPredictions:
        """Check that a response body begins and ends as a list does.

        Raises:
            DecodeError: It is no list.
        """
        start, end = body[:_END].lstrip()[:1], body[-_END:].rstrip()[-1:]
        # Where the ends are not those of a list, reading it says what is wrong.
        return cls(body if (start, end) == (b"[", b"]") else Predictions.from_json(body).body)

    def read(self) -> Predictions:
        """Read the JSON text into predictions, source by source.

        In a thread it lets other threads work after each source, where reading all at once holds
        the interpreter until its end.

        Raises:
            DecodeError: It is not a list of predictions; `path` says where.
        """
        reading = Predictions.from_json_in_steps(self.body)
        while True:
            try:
                next(reading)
            except StopIteration as ended:
                found: Predictions = ended.value
                return found


def _in_steps(
    pieces: Iterable[memoryview],
) -> Generator[None, None, list[SourcePredictions]]:
    """Read pieces of a text, of which each seems to be a source; none if one of them is not."""
    sources: list[SourcePredictions] = []
    since = time.perf_counter()
    for piece in pieces:
        try:
            with without_collection():
                sources.append(source_decoder.decode(piece))
        except UNREADABLE:
            return []
        if time.perf_counter() - since > _STEP_SECONDS:
            yield
            since = time.perf_counter()
    return sources


READ_AT_ONCE = 500_000
"""Bytes below which a body is read in one step: that takes about a millisecond, and half the CPU
time of one source after the other."""
_STEP_SECONDS = 0.005
"""Time for which sources are read before others have a turn."""
_END = 64
"""Bytes at either end of a body that may be white space."""


def _as_bytes(body: object) -> bytes:
    if isinstance(body, (bytes, bytearray)):
        return bytes(body)
    if isinstance(body, str):
        return body.encode(errors="surrogatepass")
    raise InvalidArgumentError(
        f"body must be the JSON of predictions, as bytes or a string, not {type(body).__name__}; "
        "for a file, pass Path(...).read_bytes()",
        field="body",
    )
