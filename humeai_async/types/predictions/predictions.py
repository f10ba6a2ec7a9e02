"""The predictions of a batch job: a typed shell around slices of the body.

The scanner makes the shell of `measurements.py` at once and leaves each prediction as a slice
of the body (see `slices.py`). `codec.py` calls `Predictions.from_json`, users read the rest;
tables are made below, in `tables.py`.
"""

from __future__ import annotations

import contextlib
import gc
import itertools
import re
import time
from collections.abc import Generator, Iterator, Sequence
from typing import Any, ClassVar, TypeAlias, overload

import msgspec

from humeai_async.errors import DecodeError, InvalidArgumentError
from humeai_async.types.json import (
    BYTE_ORDER_MARK,
    UNREADABLE,
    repaired,
    scan,
    scan_leniently,
    with_path_prefix,
)
from humeai_async.types.paging import Undecodable
from humeai_async.types.predictions import tables
from humeai_async.types.predictions.layouts import read_stretches
from humeai_async.types.predictions.measurements import Source, SourcePredictions
from humeai_async.types.predictions.rows import MODELS, SCORE_FIELDS
from humeai_async.types.predictions.score_table import ScoreTable
from humeai_async.types.predictions.scores import Scored, Scores
from humeai_async.types.predictions.views import PredictionViews

__all__ = ["Predictions", "SourcePredictions", "UnreadPredictions"]


class _Head(msgspec.Struct):
    """What names a source, when its results cannot be read."""

    source: Source = Source()


_decoder = msgspec.json.Decoder(list[SourcePredictions])
_parts_decoder = msgspec.json.Decoder(list[msgspec.Raw])
_source_decoder = msgspec.json.Decoder(SourcePredictions)
_head_decoder = msgspec.json.Decoder(_Head)
_any_decoder: msgspec.json.Decoder[Any] = msgspec.json.Decoder(float_hook=float)

_NOT_PREDICTIONS = "the predictions do not have the documented form"

_Where: TypeAlias = tuple[int, int, str, int]
"""Source, file, model and group: a path is made of it only for an error."""


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
        with _without_collection():
            sources, text = _read(text)
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
        if len(body) < READ_AT_ONCE:
            return cls.from_json(body)
        sources: list[SourcePredictions] = []
        since = time.perf_counter()
        for piece in _cut(body):
            try:
                with _without_collection():
                    sources.append(_source_decoder.decode(piece))
            except UNREADABLE:
                return cls.from_json(body)
            if time.perf_counter() - since > _STEP_SECONDS:
                yield
                since = time.perf_counter()
        if not sources:
            return cls.from_json(body)
        found = cls(sources, body)
        return found._with_first_file_tried()

    def _with_first_file_tried(self) -> Predictions:
        first = next((place for place, source in enumerate(self) if source.files), None)
        problem = None if first is None else self._problem_in(first, files=1, most=1)
        if first is None or problem is None:
            return self
        _refuse_all({first: problem}, self._sources)
        return self._with_undecodable({first: problem})

    def _with_undecodable(self, problems: dict[int, DecodeError]) -> Predictions:
        parts = scan(_parts_decoder, self.body, _NOT_PREDICTIONS)
        sources = [*self._sources]
        for place, problem in problems.items():
            sources[place] = _undecodable(parts[place], problem, place)
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
        found = {place: self._problem_in(place, scores=True) for place in range(len(self))}
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
                raise DecodeError(f"{_NOT_PREDICTIONS}: {odd.reason} at {path}", path=path)
            if (problem := self._problem_in(place, scores=True)) is not None:
                raise problem

    def _problem_in(
        self,
        place: int,
        *,
        files: int | None = None,
        most: int | None = None,
        scores: bool = False,
    ) -> DecodeError | None:
        """Read one source, or the first predictions of its first files; tell what is wrong."""
        try:
            for where, index, prediction in self._each(MODELS, most, only=place, files=files):
                if scores:
                    _check_scores(prediction, f"{_path(where)}[{index}]")
        except DecodeError as problem:
            return problem
        return None

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
        for where, many in self._lists((model,), None, None):
            before = len(table)
            try:
                for some in read_stretches(model, many, (field,)):
                    table.extend(some.names[0] or (), some.scores, some.count)
            except DecodeError as problem:
                place = len(table) - before
                inside = "" if problem.path.startswith("$[") else f"[{place}].{field}"
                raise with_path_prefix(problem, f"{_path(where)}{inside}") from None
        return table

    def _each(
        self,
        models: tuple[str, ...] = MODELS,
        most: int | None = None,
        *,
        only: int | None = None,
        files: int | None = None,
    ) -> Iterator[tuple[_Where, int, Scored]]:
        """Make all predictions, or so many of each list; those of the scores are not read."""
        for where, many in self._lists(models, only, files):
            try:
                for place, prediction in enumerate(itertools.islice(many, most)):
                    yield where, place, prediction
            except DecodeError as problem:
                raise with_path_prefix(problem, _path(where)) from None

    def _lists(
        self, models: tuple[str, ...], only: int | None, files: int | None
    ) -> Iterator[tuple[_Where, Sequence[Scored]]]:
        for s in range(len(self._sources)) if only is None else (only,):
            for f, file in enumerate(self._sources[s].files[:files]):
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


READ_AT_ONCE = 500_000
"""Bytes below which a body is read in one step: that takes about a millisecond, and half the CPU
time of one source after the other."""
_STEP_SECONDS = 0.005
"""Time for which sources are read before others have a turn."""
_SPACE = b" \t\r\n"
_BEGINNING = re.compile(rb'[ \t\r\n]*\[[ \t\r\n]*(\{[ \t\r\n]*"source")')


def _cut(body: bytes) -> Iterator[memoryview]:
    """Give the parts of a list between which a source seems to begin; none for another text."""
    beginning = _BEGINNING.match(body)
    stop = len(body.rstrip(_SPACE)) - 1
    if beginning is None or body[stop : stop + 1] != b"]":
        return
    first, start, view = beginning[1], beginning.start(1), memoryview(body)
    while (following := body.find(first, start + 1, stop)) >= 0:
        # What stands before it is a comma, or this is no place between two sources.
        end = following - 1
        while body[end] in _SPACE:
            end -= 1
        yield view[start:end] if body[end : end + 1] == b"," else view[:0]
        start = following
    yield view[start:stop]


@contextlib.contextmanager
def _without_collection() -> Generator[None]:
    """Look for no garbage: everything that is made stays, and it would only hold the loop."""
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collects:
            gc.enable()


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


def _read(text: bytes) -> tuple[list[SourcePredictions], bytes]:
    """Read the sources, each for itself where they cannot be read together.

    Returns:
        The sources, and the text that they are slices of.

    Raises:
        DecodeError: The text is no list, or none of its sources can be read.
    """
    try:
        return _decoder.decode(text), text
    except UNREADABLE:
        pass
    text = repaired(text) or text
    parts = scan(_parts_decoder, text, _NOT_PREDICTIONS)
    sources: list[SourcePredictions] = []
    problems: dict[int, DecodeError] = {}
    for place, part in enumerate(parts):
        try:
            sources.append(scan_leniently(_source_decoder, part, _NOT_PREDICTIONS))
        except DecodeError as problem:
            problems[place] = with_path_prefix(problem, f"$[{place}]")
            sources.append(_undecodable(part, problems[place], place))
    _refuse_all(problems, sources)
    return sources, text


def _refuse_all(problems: dict[int, DecodeError], sources: Sequence[SourcePredictions]) -> None:
    """Raise what is wrong with the first source if no other one can be read either."""
    if problems and len(problems) == len(sources):
        raise next(iter(problems.values()))


def _undecodable(text: bytes | msgspec.Raw, problem: DecodeError, place: int) -> SourcePredictions:
    """Say at the place of a source that it cannot be read, and what is still known of it."""
    reason = problem.message.removesuffix(f" at {problem.path}").rpartition(": ")[2]
    path = "$" + problem.path.removeprefix(f"$[{place}]").removeprefix("$")
    try:
        source = scan_leniently(_head_decoder, text, _NOT_PREDICTIONS).source
    except DecodeError:
        source = Source()
    try:
        value = scan(_any_decoder, text, _NOT_PREDICTIONS)
    except DecodeError:  # nested too deep to be made into objects
        value = bytes(text).decode("utf-8", errors="replace")
    return SourcePredictions(
        source=source,
        error=f"the results that the service sent cannot be read: {reason} at {path}",
        undecodable=Undecodable(json=value, reason=reason, path=path, index=place),
    )


def _check_scores(prediction: Scored, path: str) -> None:
    """Read the scores of a prediction.

    Raises:
        DecodeError: Some are not what was promised; `path` names them.
    """
    for name in prediction.score_fields:
        scores: Scores | None = getattr(prediction, name)
        if scores is not None:
            try:
                scores.validate()
            except DecodeError as problem:
                raise with_path_prefix(problem, f"{path}.{name}") from None


def _path(where: _Where) -> str:
    s, f, model, g = where
    return f"$[{s}].results.predictions[{f}].models.{model}.grouped_predictions[{g}].predictions"
