"""What one question of Audio Decisions came to, typed by the question.

Names inside of results are documented in part only, so they are read leniently, each result by
itself: a form that nobody knew stays readable as `raw`. Everything that reads the open points
stands in this file; `decisions.py` puts the results of a request together.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from attrs import field

from humeai_async._base.frozen import frozen
from humeai_async.errors import InvalidArgumentError
from humeai_async.types.json import is_array, is_object
from humeai_async.types.questions import Choice, Noul, Question, Score


@frozen(kw_only=True)
class Result:
    """What a question came to; one of an unknown form has `raw` alone."""

    raw: Any = field(repr=False)
    """The result as it came, as a plain JSON value."""


@frozen(kw_only=True)
class NoulResult(Result):
    """What a noul question came to."""

    noul: float
    """Share of raters who would say yes, 0 to 1; near 0.5 they would split."""


@frozen(kw_only=True)
class ChoiceResult(Result):
    """What a choice question came to."""

    choice: str
    """The option with the largest share."""
    probabilities: Mapping[str, float] = field(factory=dict[str, float])
    """Share of raters by option."""
    confidence: float | None = None
    """How far raters would agree, 0 to 1; not how sure the model is."""


@frozen(kw_only=True)
class ScoreResult(Result):
    """What a score question came to."""

    score: float
    """Mean level, as an index from 0; it may lie between two levels."""
    probabilities: Mapping[int, float] = field(factory=dict[int, float])
    """Share of raters by index of the level."""
    legend: Mapping[int, str] = field(factory=dict[int, str])
    """Levels by their index; those of the question where the service sends none."""
    confidence: float | None = None
    """How far raters would agree, 0 to 1; not how sure the model is."""

    def share_from(self, level: int | str) -> float:
        """Return the share of raters who would give this level or a higher one.

        Args:
            level: Index or text of the level.

        Raises:
            InvalidArgumentError: There is no such level.
        """
        index = next((n for n, text in self.legend.items() if level in {n, text}), None)
        if index is None:
            raise InvalidArgumentError(f"the scale has no level {level!r}", field="level")
        return sum(share for number, share in self.probabilities.items() if number >= index)


@frozen
class TimeSpan:
    """When something may have happened."""

    start_ms: float
    """Start in milliseconds from the start of the file, or of the recording that it is of."""
    end_ms: float
    """End in milliseconds."""
    probability: float | None = None
    """How likely it is, 0 to 1."""


@frozen(kw_only=True)
class SpanResult(Result):
    """What a span question came to."""

    spans: tuple[TimeSpan, ...] = ()
    """When it may have happened; may be empty."""

    def at_least(self, threshold: float) -> tuple[TimeSpan, ...]:
        """Return the spans whose probability is at or above a threshold."""
        return tuple(one for one in self.spans if (one.probability or 0.0) >= threshold)


@frozen(kw_only=True)
class UnknownResult(Result):
    """A result of a form that this version of the library does not know."""


def value_of(result: Result | None) -> float | str | None:
    """Return what a result comes to in one cell of a table; a number of spans for a span."""
    if isinstance(result, NoulResult):
        return result.noul
    if isinstance(result, ChoiceResult):
        return result.choice
    if isinstance(result, ScoreResult):
        return result.score
    return len(result.spans) if isinstance(result, SpanResult) else None


def shares_of(result: Result | None) -> list[tuple[str, float]]:
    """Return the shares of raters by what they would answer, the largest first."""
    if isinstance(result, NoulResult):
        return [("yes", result.noul)]
    shares: dict[str, float] = {}
    if isinstance(result, ChoiceResult):
        shares = dict(result.probabilities)
    elif isinstance(result, ScoreResult):
        shares = {result.legend.get(n, str(n)): one for n, one in result.probabilities.items()}
    return sorted(shares.items(), key=lambda share: -share[1])


def read_result(
    question: Question, raw: Any, *, seconds: float | None = None, offset_ms: float = 0.0
) -> Result:
    """Read one result by its question; one that is not understood stays raw."""
    try:
        if isinstance(question, Noul):
            return NoulResult(raw=raw, noul=_number(raw["noul"] if is_object(raw) else raw))
        if isinstance(question, Choice):
            return _read_choice(raw)
        if isinstance(question, Score):
            return _read_score(question, raw)
        return _read_spans(raw, seconds, offset_ms)
    except (KeyError, OverflowError, TypeError, ValueError):
        return UnknownResult(raw=raw)


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError
    return float(value)


def _read_choice(raw: Any) -> ChoiceResult:
    choice = raw["choice"]
    if not isinstance(choice, str):
        raise TypeError
    return ChoiceResult(
        raw=raw,
        choice=choice,
        probabilities={str(k): _number(v) for k, v in _pairs(raw.get("probabilities"))},
        confidence=_optional(raw.get("confidence")),
    )


def _read_score(question: Score, raw: Any) -> ScoreResult:
    score = _number(raw["score"])
    legend = {int(k): str(v) for k, v in _pairs(raw.get("legend"))}
    legend = legend or dict(enumerate(question.criteria))
    numbers = {text: number for number, text in legend.items()}
    shares = {
        numbers[k] if k in numbers else int(k): _number(v)
        for k, v in _pairs(raw.get("probabilities"))
    }
    return ScoreResult(
        raw=raw,
        score=score,
        probabilities=shares,
        legend=legend,
        confidence=_optional(raw.get("confidence")),
    )


def _optional(value: Any) -> float | None:
    return None if value is None else _number(value)


def _pairs(value: Any) -> Iterator[tuple[Any, Any]]:
    """Read a map, or a list whose places are the keys."""
    if is_object(value):
        yield from value.items()
    elif is_array(value):
        yield from enumerate(value)


_SPAN_KEYS = (("start_ms", "end_ms"), ("start", "end"), ("begin", "end"))
"""Names of start and end, in the order to try; Hume documents neither."""


def _read_spans(raw: Any, seconds: float | None, offset_ms: float) -> SpanResult:
    found = raw["spans"] if is_object(raw) else raw
    if not is_array(found):
        raise TypeError
    return SpanResult(raw=raw, spans=tuple(_read_span(one, seconds, offset_ms) for one in found))


def _read_span(raw: Any, seconds: float | None, offset_ms: float) -> TimeSpan:
    names = next((pair for pair in _SPAN_KEYS if pair[0] in raw and pair[1] in raw), None)
    if names is None:
        raise KeyError
    start, end = raw[names[0]], raw[names[1]]
    # What is named for milliseconds is in milliseconds. Otherwise a fraction, or an end within
    # the file's seconds, tells seconds.
    is_seconds = not names[0].endswith("_ms") and (
        isinstance(start, float)
        or isinstance(end, float)
        or (seconds is not None and _number(end) <= seconds)
    )
    scale = 1000.0 if is_seconds else 1.0
    return TimeSpan(
        _number(start) * scale + offset_ms,
        _number(end) * scale + offset_ms,
        _optional(raw.get("probability")),
    )
