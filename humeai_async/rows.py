"""Predictions as flat rows: one a prediction, one column an expression.

The columns are the same for every model and every run, so that files of different runs can be
put together. Pure: it knows nothing of files or formats; the command line and users' own
table tools call it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from humeai_async.types.predictions import (
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

PLACE = (
    "source", "file", "model", "id", "frame", "begin", "end", "text_begin", "text_end",
    "box_x", "box_y", "box_w", "box_h", "text", "probability", "confidence",
    "speaker_confidence",
)  # fmt: skip
"""Columns that say where a prediction comes from; times in seconds, the box in pixels."""

COLUMNS = (
    *PLACE,
    *EXPRESSIONS,
    *LANGUAGE_EXPRESSIONS,
    *(f"sentiment_{level}" for level in SENTIMENT),
    *(f"toxicity_{kind}" for kind in TOXICITY),
)
"""All columns, in order."""


def rows(source: str, predictions: SourcePredictions) -> Iterator[dict[str, Any]]:
    """Flatten what was found for one source.

    Args:
        source: What to write into the column `source`.
        predictions: What was found.

    Returns:
        One dict a prediction; its keys are some of `COLUMNS` and, for expressions that Hume
        has added since, their names. What is not there is left out.
    """
    for file in predictions.files:
        for model in MODELS:
            found = getattr(file.models, model)
            for group in found.grouped_predictions if found else ():
                for prediction in group.predictions:
                    yield {
                        "source": source,
                        "file": file.file,
                        "model": model,
                        "id": group.id,
                        **_place(prediction),
                        **_scores(prediction),
                    }


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


def _place(prediction: Any) -> dict[str, Any]:
    place: dict[str, Any] = {}
    if isinstance(prediction, FacePrediction):
        box = prediction.box
        place |= {"frame": prediction.frame, "probability": prediction.prob}
        place |= {"begin": prediction.time, "end": prediction.time}
        place |= {"box_x": box.x, "box_y": box.y, "box_w": box.w, "box_h": box.h}
        return place
    time = getattr(prediction, "time", None)
    if isinstance(time, TimeInterval):
        place |= {"begin": time.begin, "end": time.end}
    if isinstance(prediction, (LanguagePrediction, NerPrediction)):
        position = prediction.position
        place |= {"text_begin": position.begin, "text_end": position.end}
    if isinstance(prediction, (LanguagePrediction, ProsodyPrediction, NerPrediction)):
        text = prediction.entity if isinstance(prediction, NerPrediction) else prediction.text
        place |= {"text": text, "confidence": prediction.confidence}
        place |= {"speaker_confidence": prediction.speaker_confidence}
    return {name: value for name, value in place.items() if value is not None}


def _scores(prediction: Any) -> dict[str, float]:
    emotions: Scores = prediction.emotions
    scores = emotions.as_dict()
    if isinstance(prediction, LanguagePrediction):
        for prefix in ("sentiment", "toxicity"):
            extra: Scores | None = getattr(prediction, prefix)
            scores |= {f"{prefix}_{name}": score for name, score in extra or ()}
    return scores
