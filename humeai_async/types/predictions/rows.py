"""Predictions as flat rows: one a prediction, one column an expression.

The columns are the same for every model and every run, so that files of different runs can be put
together; expressions that Hume has added since are further columns at the end. Pure: it knows
nothing of files or formats; `columns.py` makes columns of the rows, sinks write them.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from humeai_async.types.predictions.expressions import EXPRESSIONS, LANGUAGE_EXPRESSIONS
from humeai_async.types.predictions.layouts import Names, read_stretches
from humeai_async.types.predictions.measurements import (
    BurstPrediction,
    FacemeshPrediction,
    FacePrediction,
    LanguagePrediction,
    NerPrediction,
    ProsodyPrediction,
    SourcePredictions,
)

__all__ = [
    "COLUMNS",
    "EXPRESSIONS",
    "LANGUAGE_EXPRESSIONS",
    "MODELS",
    "PLACE",
    "SCORES",
    "SENTIMENT",
    "TOXICITY",
    "Place",
    "Row",
    "RowBatch",
    "row_batches",
]

SENTIMENT = tuple(str(level) for level in range(1, 10))
"""Levels of sentiment, from most negative to most positive."""

TOXICITY = ("toxic", "severe_toxic", "obscene", "threat", "insult", "identity_hate")
"""Kinds of toxicity."""

MODELS = ("face", "burst", "prosody", "language", "ner", "facemesh")
"""The models, as columns name them."""


class Place(NamedTuple):
    """Where a prediction comes from: the first columns of its row."""

    source: str
    """The source as it was given, or its URL or file name."""
    file: str
    """Path relative to the source."""
    model: str
    """Name of the model, one of `MODELS`."""
    id: str
    """Label of the face or speaker, or `unknown`."""
    frame: int | None = None
    """Frame number, of faces."""
    begin: float | None = None
    """Seconds from the start of the media."""
    end: float | None = None
    """Seconds; of a face the same as `begin`."""
    text_begin: int | None = None
    """First character in the whole text."""
    text_end: int | None = None
    """Character after the last one."""
    box_x: float | None = None
    """Left edge of a face, in pixels."""
    box_y: float | None = None
    """Top edge, in pixels."""
    box_w: float | None = None
    """Width of the box, in pixels."""
    box_h: float | None = None
    """Height of the box, in pixels."""
    text: str | None = None
    """The words, or the named entity."""
    probability: float | None = None
    """Probability that it is a face, 0 to 1."""
    confidence: float | None = None
    """Confidence of the transcript, 0 to 1."""
    speaker_confidence: float | None = None
    """Confidence of the speaker's label, 0 to 1."""


PLACE = Place._fields
"""Columns that say where a prediction comes from."""

SCORES = (
    *EXPRESSIONS,
    *LANGUAGE_EXPRESSIONS,
    *(f"sentiment_{level}" for level in SENTIMENT),
    *(f"toxicity_{kind}" for kind in TOXICITY),
)
"""Columns with scores, mostly 0 to 1."""

COLUMNS = (*PLACE, *SCORES)
"""All columns, in order."""


class Row(NamedTuple):
    """One prediction as a flat row of a table."""

    place: Place
    """Where the prediction comes from."""
    names: tuple[str, ...]
    """Columns of the scores: some of `SCORES`, and expressions that Hume has added since."""
    scores: list[float]
    """Score of each of these columns; `math.nan` where the service gave no number."""

    def as_dict(self) -> dict[str, Any]:
        """Return the row by column, without what is missing.

        A score that is no number is `None`.
        """
        place = {
            name: value
            for name, value in self.place._asdict().items()
            if value is not None and value == value  # noqa: PLR0124 - NaN is no value
        }
        scores = [None if math.isnan(score) else score for score in self.scores]
        return place | dict(zip(self.names, scores, strict=True))


class RowBatch(NamedTuple):
    """Rows that follow one another, of one group and with the same names of scores."""

    start: tuple[str, str, str, str]
    """What all places begin with: source, file, model and label."""
    places: list[Any]
    """The rest of each place, one after the other."""
    names: tuple[str, ...]
    """Columns of the scores, as in `Row`."""
    scores: array[float]
    """Score of each of these columns, row after row; not a number where there is none."""
    size: int
    """The number of rows."""
    may_have_gaps: bool = True
    """Whether any of the scores can be missing."""

    def rows(self) -> Iterator[Row]:
        """Give the rows one by one."""
        places, width, step = self.places, len(self.names), PLACE_WIDTH
        for at in range(self.size):
            place = _new_place(Place, (*self.start, *places[at * step : (at + 1) * step]))
            scores = self.scores[at * width : (at + 1) * width].tolist()
            yield _new_row(Row, (place, self.names, scores))

    def place_columns(self) -> dict[str, list[Any]]:
        """Return the rest of the places by column."""
        names = PLACE[len(self.start) :]
        return {name: self.places[at::PLACE_WIDTH] for at, name in enumerate(names)}


PLACE_WIDTH = len(PLACE) - 4
"""Values of a place after source, file, model and label."""


def row_batches(
    source: str,
    predictions: SourcePredictions,
    models: Sequence[str] = MODELS,
    *,
    described: bool = False,
) -> Iterator[RowBatch]:
    """Flatten what was found for one source.

    Args:
        source: What to write into the column `source`.
        predictions: What was found.
        models: Names of the models to read; the others cost nothing.
        described: Whether to give what a job can ask for beside the expressions too, as columns
            such as `facs_AU2 Outer Brow Raise` and `descriptions_Smile`.

    Returns:
        One row a prediction: file after file, model after model, in the service's order.

    Raises:
        DecodeError: A list of scores is not what was promised.
    """
    # Rows that are kept share one tuple of columns: it is larger than the scores.
    known: dict[Names, tuple[str, ...]] = {}
    for file in predictions.files:
        for model in MODELS:
            found = getattr(file.models, model) if model in models else None
            fields, place_of = _FIELDS[described, model], _PLACES[model]
            for group in found.grouped_predictions if found else ():
                start = (source, file.file, model, group.id)
                for some in read_stretches(model, group.predictions, fields, place_of):
                    columns = known.get(some.names)
                    if columns is None:
                        columns = known[some.names] = _columns(fields, some.names)
                    yield RowBatch(
                        start, some.kept, columns, some.scores, some.count, some.may_have_gaps
                    )


# By position, and without the constructor's look at each: this is the fastest way.
_new: Any = tuple.__new__  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]  # untyped in typeshed
_new_place: Callable[[type[Place], tuple[Any, ...]], Place] = _new
_new_row: Callable[[type[Row], tuple[Any, ...]], Row] = _new


# What a place has after source, file, model and label, all of it in the order of `PLACE`.


def _face_place(face: Any) -> tuple[Any, ...]:
    time, box = face.time, face.box
    return (
        face.frame, time, time, None, None,
        box.x, box.y, box.w, box.h, None, face.prob, None, None,
    )  # fmt: skip


def _burst_place(burst: Any) -> tuple[Any, ...]:
    span = burst.time
    return (None, span.begin, span.end, *_NOTHING[3:])


def _prosody_place(speech: Any) -> tuple[Any, ...]:
    return _spoken_place(speech, speech.text, speech.time, *_NOTHING[:2])


def _language_place(words: Any) -> tuple[Any, ...]:
    position = words.position
    return _spoken_place(words, words.text, words.time, position.begin, position.end)


def _ner_place(words: Any) -> tuple[Any, ...]:
    position = words.position
    return _spoken_place(words, words.entity, words.time, position.begin, position.end)


def _spoken_place(
    spoken: Any, text: str | None, span: Any, text_begin: int | None, text_end: int | None
) -> tuple[Any, ...]:
    begin, end = (None, None) if span is None else (span.begin, span.end)
    return (
        None, begin, end, text_begin, text_end, None, None, None, None,
        text, None, spoken.confidence, spoken.speaker_confidence,
    )  # fmt: skip


_NOTHING = (None,) * PLACE_WIDTH

_PLACES: Mapping[str, Callable[[Any], tuple[Any, ...]]] = {
    "face": _face_place,
    "burst": _burst_place,
    "prosody": _prosody_place,
    "language": _language_place,
    "ner": _ner_place,
    "facemesh": lambda _: _NOTHING,
}
"""By model, what tells where a prediction comes from."""


SCORE_FIELDS: Mapping[str, tuple[str, ...]] = {
    "face": FacePrediction.score_fields,
    "burst": BurstPrediction.score_fields,
    "prosody": ProsodyPrediction.score_fields,
    "language": LanguagePrediction.score_fields,
    "ner": NerPrediction.score_fields,
    "facemesh": FacemeshPrediction.score_fields,
}
"""Fields of a prediction that hold scores, by model."""
_DESCRIBING = ("facs", "descriptions")
_FIELDS: Mapping[tuple[bool, str], tuple[str, ...]] = {
    (described, model): tuple([f for f in fields if described or f not in _DESCRIBING])
    for described in (False, True)
    for model, fields in SCORE_FIELDS.items()
}
"""Fields of scores to read, with descriptions or without them, by model."""


def _columns(fields: tuple[str, ...], names: Names) -> tuple[str, ...]:
    """Name the columns of scores; an expression that is called like a place gets a prefix."""
    columns: list[str] = []
    for field, some in zip(fields, names, strict=True):
        if field == "emotions":
            columns += [f"score_{name}" if name in PLACE else name for name in some or ()]
        else:
            columns += [f"{field}_{name}" for name in some or ()]
    return tuple(columns)
