"""Predictions as flat rows: one a prediction, one column an expression.

The columns are the same for every model and every run, so that files of different runs can be put
together; expressions that Hume has added since are further columns at the end. Pure: it knows
nothing of files or formats; `tables.py` makes columns of the rows, the sinks and users' own table
tools call it too.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, NamedTuple

from humeai_async.types.predictions.expressions import EXPRESSIONS, LANGUAGE_EXPRESSIONS
from humeai_async.types.predictions.measurements import (
    FacePrediction,
    FilePredictions,
    LanguagePrediction,
    NerPrediction,
    ProsodyPrediction,
    SourcePredictions,
    TimeInterval,
)
from humeai_async.types.predictions.scores import Scores

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
    "strongest",
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


def flat(source: str, predictions: SourcePredictions) -> Iterator[Row]:
    """Flatten what was found for one source.

    Args:
        source: What to write into the column `source`.
        predictions: What was found.

    Returns:
        One row a prediction: file after file, model after model, in the service's order.

    Raises:
        DecodeError: A list of scores is not what was promised.
    """
    known: dict[tuple[str, ...], tuple[str, ...]] = {}
    for file in predictions.files:
        for model in MODELS:
            found = getattr(file.models, model)
            for group in found.grouped_predictions if found else ():
                for prediction in group.predictions:
                    place = _place(Place(source, file.file, model, group.id), prediction)
                    names, scores = _scores(prediction)
                    # Rows that are kept share one tuple of names: it is larger than the scores.
                    columns = known.get(names) or known.setdefault(names, _beside_place(names))
                    yield Row(place, columns, scores)


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


def strongest(file: FilePredictions) -> dict[str, tuple[str, float]]:
    """Return the strongest expression that each model saw anywhere in a file."""
    best: dict[str, tuple[str, float]] = {}
    for model in MODELS:
        found = getattr(file.models, model)
        for group in found.grouped_predictions if found else ():
            for prediction in group.predictions:
                for top in prediction.emotions.top(1):
                    if model not in best or top.score > best[model][1]:
                        best[model] = (top.name, top.score)
    return best


def _place(start: Place, prediction: Any) -> Place:
    if isinstance(prediction, FacePrediction):
        # By position: there are more faces than anything else, and this is the fastest way.
        time, box = prediction.time, prediction.box
        return Place(
            *start[:4], prediction.frame, time, time, None, None,
            box.x, box.y, box.w, box.h, None, prediction.prob,
        )  # fmt: skip
    found: dict[str, Any] = {}
    span = getattr(prediction, "time", None)
    if isinstance(span, TimeInterval):
        found |= {"begin": span.begin, "end": span.end}
    if isinstance(prediction, (LanguagePrediction, NerPrediction)):
        position = prediction.position
        found |= {"text_begin": position.begin, "text_end": position.end}
    if isinstance(prediction, (LanguagePrediction, ProsodyPrediction, NerPrediction)):
        text = prediction.entity if isinstance(prediction, NerPrediction) else prediction.text
        found |= {"text": text, "confidence": prediction.confidence}
        found |= {"speaker_confidence": prediction.speaker_confidence}
    return start._replace(**found)


def _beside_place(names: tuple[str, ...]) -> tuple[str, ...]:
    """Name the columns of expressions; one that is called like a place gets a prefix."""
    return tuple([f"score_{name}" if name in PLACE else name for name in names])


def _scores(prediction: Any) -> tuple[tuple[str, ...], list[float]]:
    """Return the columns of all scores of a prediction that have one, and the scores."""
    names, scores = prediction.emotions.split()
    if isinstance(prediction, LanguagePrediction):
        for prefix in ("sentiment", "toxicity"):
            more: Scores | None = getattr(prediction, prefix)
            if more is not None:
                more_names, more_scores = more.split()
                names += tuple([f"{prefix}_{name}" for name in more_names])
                scores += more_scores
    return names, scores
