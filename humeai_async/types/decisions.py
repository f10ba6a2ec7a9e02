"""What Audio Decisions returns: the results of a request, estimates and runs.

A missing result is an error of its question alone. What one question came to, and how that is
read, stands in `decision_results.py`.
"""

from __future__ import annotations

import datetime as dt
import enum
from collections.abc import Iterator, Mapping
from typing import Any, Self, overload

from attrs import Factory, field

from humeai_async._base.frozen import frozen
from humeai_async.errors import DecodeError, InvalidArgumentError
from humeai_async.types.decision_results import (
    ChoiceResult,
    NoulResult,
    Result,
    ScoreResult,
    SpanResult,
    UnknownResult,
    read_result,
    shares_of,
    value_of,
)
from humeai_async.types.json import is_object
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

    def _repr_html_(self) -> str:
        """Show the answers in a notebook."""
        from humeai_async._base import html

        rows = [
            (name, html.bars(shares_of(self.results.get(name))), value_of(self.results.get(name)))
            for name in self.questions
        ]
        columns = ("question", "share of raters", "value")
        return html.table("Decision", columns, rows, total=len(rows))

    def __iter__(self) -> Iterator[str]:
        return iter(self.results)

    def __len__(self) -> int:
        return len(self.results)


_COLUMNS = frozenset({"source", "run_id", "input_tokens", "start_ms", "end_ms", "error"})
_ARROW_TYPES: Mapping[type[Question], str] = {Choice: "string", Span: "int64"}


def column_of(name: str) -> str:
    """Return the column of a question, apart from those that every table may have."""
    return f"question_{name}" if name in _COLUMNS else name
