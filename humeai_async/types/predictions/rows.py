"""Predictions as flat rows: one a prediction, one column an expression.

The columns are the same for every model and every run, so that files of different runs can be put
together; expressions that Hume has added since are further columns at the end. Pure: it knows
nothing of files or formats; `tables.py` makes columns of the rows, the sinks and users' own table
tools call it too.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

from humeai_async.types.predictions.expressions import EXPRESSIONS, LANGUAGE_EXPRESSIONS
from humeai_async.types.predictions.layouts import Names, read_each
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
    "flat",
    "rows",
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


def flat(
    source: str,
    predictions: SourcePredictions,
    models: Sequence[str] = MODELS,
    *,
    described: bool = False,
) -> Iterator[Row]:
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
            fields, to_place = _FIELDS[described, model], _PLACES[model]
            for group in found.grouped_predictions if found else ():
                start = (source, file.file, model, group.id)
                last: Names | None = None
                columns: tuple[str, ...] = ()
                for one, names, scores in read_each(model, group.predictions, fields):
                    if names is not last:
                        columns = known.get(names) or known.setdefault(
                            names, _columns(fields, names)
                        )
                        last = names
                    yield _new_row(Row, (to_place(start, one), columns, scores))


def rows(source: str, predictions: SourcePredictions) -> Iterator[dict[str, Any]]:
    """Flatten what was found for one source into dicts.

    Args:
        source: What to write into the column `source`.
        predictions: What was found.

    Returns:
        One dict a prediction; its keys are some of `COLUMNS` and, for expressions that Hume
        has added since, their names. What is not there is left out.

    Raises:
        DecodeError: A list of scores is not what was promised.
    """
    for row in flat(source, predictions):
        yield row.as_dict()


_Start: TypeAlias = tuple[str, str, str, str]
"""Source, file, model and label."""

# By position, and without the constructor's look at each: this is the fastest way.
_new: Any = tuple.__new__  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]  # untyped in typeshed
_new_place: Callable[[type[Place], tuple[Any, ...]], Place] = _new
_new_row: Callable[[type[Row], tuple[Any, ...]], Row] = _new


def _face_place(start: _Start, face: Any) -> Place:
    time, box = face.time, face.box
    return _new_place(Place, (
        *start, face.frame, time, time, None, None,
        box.x, box.y, box.w, box.h, None, face.prob, None, None,
    ))  # fmt: skip


def _burst_place(start: _Start, burst: Any) -> Place:
    return Place(*start, None, burst.time.begin, burst.time.end)


def _prosody_place(start: _Start, speech: Any) -> Place:
    return _new_place(Place, (
        *start, None, speech.time.begin, speech.time.end, None, None, None, None, None, None,
        speech.text, None, speech.confidence, speech.speaker_confidence,
    ))  # fmt: skip


def _words_place(start: _Start, words: Any, text: str | None) -> Place:
    span, position = words.time, words.position
    begin, end = (None, None) if span is None else (span.begin, span.end)
    return _new_place(Place, (
        *start, None, begin, end, position.begin, position.end, None, None, None, None,
        text, None, words.confidence, words.speaker_confidence,
    ))  # fmt: skip


def _language_place(start: _Start, words: Any) -> Place:
    return _words_place(start, words, words.text)


def _ner_place(start: _Start, words: Any) -> Place:
    return _words_place(start, words, words.entity)


def _place_alone(start: _Start, _: Any) -> Place:
    return Place(*start)


_PLACES: Mapping[str, Callable[[_Start, Any], Place]] = {
    "face": _face_place,
    "burst": _burst_place,
    "prosody": _prosody_place,
    "language": _language_place,
    "ner": _ner_place,
    "facemesh": _place_alone,
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
