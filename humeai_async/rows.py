"""Predictions as flat rows: one a prediction, one column an expression.

The columns are the same for every model and every run, so that files of different runs can be
put together. Pure: it knows nothing of files or formats; `tables.py` makes columns of the
rows, the sinks and users' own table tools call it too.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from humeai_async.types.measurements import (
    FacePrediction,
    FilePredictions,
    LanguagePrediction,
    NerPrediction,
    ProsodyPrediction,
    SourcePredictions,
    TimeInterval,
)
from humeai_async.types.scores import Scores

EXPRESSIONS = (
    "Admiration", "Adoration", "Aesthetic Appreciation", "Amusement", "Anger", "Anxiety", "Awe",
    "Awkwardness", "Boredom", "Calmness", "Concentration", "Confusion", "Contemplation",
    "Contempt", "Contentment", "Craving", "Desire", "Determination", "Disappointment", "Disgust",
    "Distress", "Doubt", "Ecstasy", "Embarrassment", "Empathic Pain", "Entrancement", "Envy",
    "Excitement", "Fear", "Guilt", "Horror", "Interest", "Joy", "Love", "Nostalgia", "Pain",
    "Pride", "Realization", "Relief", "Romance", "Sadness", "Satisfaction", "Shame",
    "Surprise (negative)", "Surprise (positive)", "Sympathy", "Tiredness", "Triumph",
)  # fmt: skip
"""The 48 expressions that every model measures."""

LANGUAGE_EXPRESSIONS = ("Annoyance", "Disapproval", "Enthusiasm", "Gratitude", "Sarcasm")
"""Five more that the language models measure."""

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
    """One of `MODELS`."""
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
    """Width, in pixels."""
    box_h: float | None = None
    """Height, in pixels."""
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
    """One prediction: its place, and its lists of scores unread."""

    place: Place
    emotions: Scores
    sentiment: Scores | None = None
    toxicity: Scores | None = None

    def named_scores(self) -> tuple[tuple[str, ...], list[float]]:
        """Return the columns' names of all its scores, and the scores.

        Raises:
            DecodeError: A list of scores is not what was promised.
        """
        names, scores = self.emotions.split()
        for prefix, more in (("sentiment", self.sentiment), ("toxicity", self.toxicity)):
            if more is not None:
                more_names, more_scores = more.split()
                names += tuple([f"{prefix}_{name}" for name in more_names])
                scores += more_scores
        return names, scores


def flat(source: str, predictions: SourcePredictions) -> Iterator[Row]:
    """Flatten what was found for one source, scores left as they are.

    Args:
        source: What to write into the column `source`.
        predictions: What was found.

    Returns:
        One row a prediction: file after file, model after model, in the service's order.
    """
    for file in predictions.files:
        for model in MODELS:
            found = getattr(file.models, model)
            for group in found.grouped_predictions if found else ():
                for prediction in group.predictions:
                    yield _row(source, file.file, model, group.id, prediction)


def rows(source: str, predictions: SourcePredictions) -> Iterator[dict[str, Any]]:
    """Flatten what was found for one source.

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
        place = {name: value for name, value in row.place._asdict().items() if value is not None}
        yield place | dict(zip(*row.named_scores(), strict=True))


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


def _row(source: str, file: str, model: str, id: str, prediction: Any) -> Row:
    if isinstance(prediction, FacePrediction):
        return Row(_face(source, file, model, id, prediction), prediction.emotions)
    time = getattr(prediction, "time", None)
    begin, end = (time.begin, time.end) if isinstance(time, TimeInterval) else (None, None)
    place = Place(source, file, model, id, None, begin, end)
    if isinstance(prediction, (LanguagePrediction, NerPrediction)):
        position = prediction.position
        place = place._replace(text_begin=position.begin, text_end=position.end)
    if isinstance(prediction, (LanguagePrediction, ProsodyPrediction, NerPrediction)):
        text = prediction.entity if isinstance(prediction, NerPrediction) else prediction.text
        place = place._replace(
            text=text,
            confidence=prediction.confidence,
            speaker_confidence=prediction.speaker_confidence,
        )
    if isinstance(prediction, LanguagePrediction):
        return Row(place, prediction.emotions, prediction.sentiment, prediction.toxicity)
    return Row(place, prediction.emotions)


def _face(source: str, file: str, model: str, id: str, face: FacePrediction) -> Place:
    # By position: there are more faces than anything else, and this is the fastest way.
    time, box = face.time, face.box
    return Place(
        source, file, model, id, face.frame, time, time, None, None,
        box.x, box.y, box.w, box.h, None, face.prob,
    )  # fmt: skip
