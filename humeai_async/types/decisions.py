"""What Audio Decisions returns: results typed by their questions, estimates and runs.

Names inside of results are documented in part only, so they are read leniently, each result by
itself: a form that nobody knew stays readable as `raw`, and a missing result is an error of that
question alone. Everything that reads the open points stands in this file.
"""

from __future__ import annotations

import datetime as dt
import enum
from collections.abc import Iterator, Mapping
from typing import Any, Self, overload

from attrs import Factory, field

from humeai_async._base.frozen import frozen
from humeai_async.errors import DecodeError, InvalidArgumentError
from humeai_async.types.json import is_array, is_object
from humeai_async.types.paging import CursorPage, Items
from humeai_async.types.questions import Choice, Noul, Question, QuestionSet, Score, Span
from humeai_async.types.tabular import Tabular
from humeai_async.types.times import from_rfc3339
from humeai_async.types.unknown_fields import Open


class DecisionRunStatus(enum.StrEnum):
    """How a run ended; an errored one has no results."""

    ENDED = "ended"
    ERRORED = "errored"


@frozen(kw_only=True)
class DecisionReceived(Open):
    """What a request was billed for."""

    input_tokens: int | None = None
    """Billed tokens; `None` where the run was not billed."""
    file_bytes: int | None = None
    """Bytes of the file, in runs only."""


@frozen(kw_only=True)
class DecisionResponse(Open):
    """The response to a decision, before its results are read."""

    run_id: str | None = None
    """Id of the run."""
    received: DecisionReceived | None = None
    """What it was billed for."""

    def find_results(self, questions: QuestionSet) -> Mapping[str, Any]:
        """Find the results by the ids of their questions, wherever the service has put them."""
        candidates = [self.extra.get("answers"), *self.extra.values(), self.extra]
        for one in candidates:
            if is_object(one) and not one.keys().isdisjoint(questions):
                return one
        return {}


@frozen(kw_only=True)
class TokenEstimate(Open):
    """What a decision would be billed for, about."""

    input_tokens: int | None = None
    """Estimated tokens; it may differ slightly from the bill."""

    @property
    def tokens(self) -> int | None:
        """Estimated tokens, also under a name that this library does not know."""
        if self.input_tokens is not None:
            return self.input_tokens
        numbers = [n for n in self.extra.values() if type(n) is int]
        return numbers[0] if len(numbers) == 1 else None


@frozen(kw_only=True)
class DecisionRun(Open):
    """One decision, as the service remembers it; results are not kept."""

    run_id: str
    """UUID of the run."""
    user_id: str | None = None
    """Hume user who made it."""
    status: DecisionRunStatus | str | None = None
    """How it ended."""
    started_at: str | None = None
    """Start, in RFC 3339."""
    ended_at: str | None = None
    """End, in RFC 3339."""
    received: DecisionReceived | None = None
    """Size of the file, and billed tokens where it was billed."""
    request: Mapping[str, Any] | None = None
    """The request as it was sent, as plain JSON; in single runs only."""

    @property
    def is_billed(self) -> bool:
        """Whether the request was billed."""
        return self.received is not None and self.received.input_tokens is not None

    @property
    def start_time(self) -> dt.datetime | None:
        """Start of the run in UTC; `None` where it is not known."""
        return from_rfc3339(self.started_at)

    @property
    def end_time(self) -> dt.datetime | None:
        """End of the run in UTC; `None` where it is not known."""
        return from_rfc3339(self.ended_at)


@frozen(kw_only=True)
class DecisionRunPage(CursorPage):
    """One page of runs, newest first."""

    runs: Items[DecisionRun] = Factory(Items[DecisionRun])
    """The runs on this page."""


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


@frozen(eq=False, kw_only=True)
class Decision(Mapping[str, Result], Tabular):
    """The results of one request, by the ids of its questions.

    `decision["frustrated"].noul` reads one by its id. Where the question itself is at hand,
    `decision.of(FRUSTRATED)` gives it with its type.
    """

    run_id: str | None
    """Id of the run, for `hume.decisions.runs`."""
    questions: QuestionSet = field(repr=False)
    """The questions."""
    input_tokens: int | None = None
    """Tokens that were billed."""
    results: Mapping[str, Result] = field(factory=dict[str, Result])
    """Results by id, in the order of the questions; those that came."""
    raw: Mapping[str, Any] = field(factory=dict[str, Any], repr=False)
    """Everything else that came, as plain JSON values."""

    @classmethod
    def read(
        cls,
        response: DecisionResponse,
        questions: QuestionSet,
        *,
        seconds: float | None = None,
        offset_ms: float = 0.0,
    ) -> Self:
        """Read the results of a response.

        Args:
            response: The response.
            questions: The questions.
            seconds: Length of the audio, which tells seconds from milliseconds in spans.
            offset_ms: Where the audio began in the recording that it was cut from.
        """
        found = response.find_results(questions)
        return cls(
            run_id=response.run_id,
            questions=questions,
            input_tokens=response.received.input_tokens if response.received else None,
            results={
                name: read_result(question, found[name], seconds=seconds, offset_ms=offset_ms)
                for name, question in questions.items()
                if found.get(name) is not None
            },
            raw=response.extra,
        )

    def json_members(self) -> dict[str, object]:
        """Say what it consists of, for `to_dict` and files."""
        return {
            "run_id": self.run_id,
            "input_tokens": self.input_tokens,
            "results": dict(self.results),
            **self.raw,
        }

    @property
    def missing(self) -> tuple[str, ...]:
        """Ids of questions without a result."""
        return tuple(name for name in self.questions if name not in self.results)

    def __getitem__(self, name: str) -> Any:
        """Return the result of a question.

        Raises:
            InvalidArgumentError: There was no such question.
            DecodeError: The response has no result for it.
        """
        found = self.results.get(name)
        if found is not None:
            return found
        if name not in self.questions.questions:
            raise InvalidArgumentError(f"there was no question {name!r}", field="name")
        raise DecodeError(
            f"the response has no result for {name!r}; the other questions are not affected",
            path=f"$.answers.{name}",
        )

    @overload
    def of(self, question: Noul) -> NoulResult: ...
    @overload
    def of(self, question: Choice) -> ChoiceResult: ...
    @overload
    def of(self, question: Score) -> ScoreResult: ...
    @overload
    def of(self, question: Span) -> SpanResult: ...
    def of(self, question: Question) -> Result:
        """Return the result of a question, with the type that belongs to it.

        Raises:
            InvalidArgumentError: There was no such question.
            DecodeError: It has no result, or one of an unknown form.
        """
        name = next((n for n, one in self.questions.items() if one == question), None)
        if name is None:
            raise InvalidArgumentError("there was no such question", field="question")
        found: Result = self[name]
        if isinstance(found, UnknownResult):
            raise DecodeError(
                f"the result of {name!r} has a form that is not known; see its raw",
                path=f"$.answers.{name}",
            )
        return found

    def get(self, name: str, default: Any = None) -> Any:
        """Return the result of a question, or a default where there is none."""
        return self.results.get(name, default)

    def __contains__(self, name: object) -> bool:
        return name in self.results

    def rows(self, *, long: bool = False) -> Iterator[dict[str, Any]]:
        """Give one flat row with each question's value, or one row a question.

        Args:
            long: Whether to give the long form, with the columns `question`, `kind`, `value`,
                `choice` and `confidence`. In both the value of a span question is the number of its
                spans, and what has no result, or one of an unknown form, is `None`.
        """
        if not long:
            values = {column_of(n): value_of(self.results.get(n)) for n in self.questions}
            yield {"run_id": self.run_id, "input_tokens": self.input_tokens, **values}
            return
        for name, question in self.questions.items():
            result = self.results.get(name)
            value = value_of(result)
            is_choice = isinstance(result, ChoiceResult)
            yield {
                "run_id": self.run_id,
                "question": name,
                "kind": question.kind,
                "value": None if is_choice else value,
                "choice": value if is_choice else None,
                "confidence": getattr(result, "confidence", None),
            }

    def columns(self, *, long: bool = False) -> Mapping[str, str]:
        """Return the columns that every table has, with their Arrow types."""
        if long:
            texts = dict.fromkeys(("run_id", "question", "kind"), "string")
            return {**texts, "value": "double", "choice": "string", "confidence": "double"}
        kinds = {
            column_of(name): _ARROW_TYPES.get(type(one), "double")
            for name, one in self.questions.items()
        }
        return {"run_id": "string", "input_tokens": "int64", **kinds}

    def __iter__(self) -> Iterator[str]:
        return iter(self.results)

    def __len__(self) -> int:
        return len(self.results)


_COLUMNS = frozenset({"source", "run_id", "input_tokens", "start_ms", "end_ms", "error"})
_ARROW_TYPES: Mapping[type[Question], str] = {Choice: "string", Span: "int64"}


def column_of(name: str) -> str:
    """Return the column of a question, apart from those that every table may have."""
    return f"question_{name}" if name in _COLUMNS else name


def value_of(result: Result | None) -> float | str | None:
    """Return what a result comes to in one cell of a table; a number of spans for a span."""
    if isinstance(result, NoulResult):
        return result.noul
    if isinstance(result, ChoiceResult):
        return result.choice
    if isinstance(result, ScoreResult):
        return result.score
    return len(result.spans) if isinstance(result, SpanResult) else None


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
