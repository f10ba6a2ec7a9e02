"""What a test wants its sources to have: scores by model, or an error.

It checks what a test says and puts the scores into predictions that are made up otherwise. It
knows no job. `FakeHume.set_predictions` reads with it, the predictions are changed with it.
"""

from __future__ import annotations

import copy
import difflib
import math
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from attrs import field, frozen

from humeai_async.testing.exchange import Record
from humeai_async.testing.scores import EXPRESSIONS, LANGUAGE_EXPRESSIONS
from humeai_async.testing.sources import Source

Scores: TypeAlias = Mapping[str, float]
"""Scores by expression; what is not named has 0."""

_VOCABULARIES = {
    "face": EXPRESSIONS,
    "burst": EXPRESSIONS,
    "prosody": EXPRESSIONS,
    "language": LANGUAGE_EXPRESSIONS,
    "ner": LANGUAGE_EXPRESSIONS,
    "facemesh": EXPRESSIONS,
}
"""Expressions that each model scores."""


@frozen
class Wanted:
    """What one source is to have."""

    scores: Mapping[str, Scores | tuple[Scores, ...]] = field(factory=dict[str, Scores])
    """By model: the scores of all its predictions, or those of each."""
    error: str | None = None
    """Why the source fails, if it does."""

    @classmethod
    def of(cls, scores: Mapping[str, Scores | Sequence[Scores]], error: str | None) -> Wanted:
        """Check what a test says.

        Raises:
            ValueError: There is no such model or expression, or a score is not 0 to 1.
        """
        read = {model: _read(model, wanted) for model, wanted in scores.items()}
        return cls(read, error)

    def apply(self, model: str, predictions: list[tuple[str, Record]]) -> list[tuple[str, Record]]:
        """Return predictions of a model, each with its group, with the wanted scores."""
        wanted = self.scores.get(model)
        if wanted is None or not predictions:
            return predictions
        if isinstance(wanted, Mapping):
            return [(group, _with_scores(one, model, wanted)) for group, one in predictions]
        last = len(predictions) - 1
        chosen = [predictions[min(place, last)] for place in range(len(wanted))]
        return [
            (group, _with_scores(one, model, scores))
            for (group, one), scores in zip(chosen, wanted, strict=True)
        ]

    def count(self, model: str) -> int | None:
        """Return how many predictions of a model are wanted, or `None` if that does not matter."""
        wanted = self.scores.get(model)
        return None if wanted is None or isinstance(wanted, Mapping) else len(wanted)


NOTHING_WANTED = Wanted()
"""For sources of which no test says anything."""


def find_wanted(source: Source, wanted: Mapping[str, Wanted]) -> Wanted:
    """Return what a source is to have: by its URL or text, or else by its file name."""
    return wanted.get(source.identity) or wanted.get(source.name) or NOTHING_WANTED


def _read(model: str, wanted: Scores | Sequence[Scores]) -> Scores | tuple[Scores, ...]:
    if model not in _VOCABULARIES:
        raise ValueError(f"there is no model {model!r}, but {', '.join(_VOCABULARIES)}")
    if isinstance(wanted, Mapping):
        return _check(model, wanted)
    given: Any = wanted  # a test may hand in anything
    if isinstance(given, str) or not all(isinstance(one, Mapping) for one in given):
        raise ValueError(f"{model} is a dict of scores, or a list of such, not {wanted!r:.80}")
    return tuple([_check(model, scores) for scores in wanted])


def _check(model: str, scores: Scores) -> Scores:
    for name, score in scores.items():
        if name not in _VOCABULARIES[model]:
            close = difflib.get_close_matches(name, _VOCABULARIES[model], n=1)
            hint = f": did you mean {close[0]!r}?" if close else ""
            raise ValueError(f"the model {model} has no expression {name!r}{hint}")
        if not (0 <= score <= 1 and math.isfinite(score)):
            raise ValueError(f"a score is a number from 0 to 1, not {score!r} ({name})")
    return dict(scores)


def _with_scores(prediction: Record, model: str, scores: Scores) -> Record:
    names = _VOCABULARIES[model]
    emotions = [{"name": name, "score": float(scores.get(name, 0.0))} for name in names]
    return {**copy.deepcopy(prediction), "emotions": emotions}
