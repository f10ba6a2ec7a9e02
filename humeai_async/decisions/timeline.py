"""Questions put to a recording window by window, and their results over time.

It cuts windows, and keeps what came of each: a result, or why there is none. Nothing here sends.
"""

from __future__ import annotations

from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    Awaitable,
    Callable,
    Iterator,
    Sequence,
)
from typing import Any, cast

from attrs import field

from humeai_async._base.base_values import is_number
from humeai_async._base.frozen import frozen
from humeai_async.decisions.uploads import LONGEST, SHORTEST, check_length
from humeai_async.errors import HumeError, InvalidArgumentError
from humeai_async.media.wav import BYTES_A_MS
from humeai_async.types.decision_results import (
    NoulResult,
    ScoreResult,
    SpanResult,
    TimeSpan,
    value_of,
)
from humeai_async.types.decisions import Decision, column_of
from humeai_async.types.questions import QuestionSet

LEAST_WINDOW = 5.0
"""Seconds that most questions want."""


def check_windows(window: float, hop: float | None) -> tuple[int, int]:
    """Return length of and distance between windows in milliseconds.

    Raises:
        InvalidArgumentError: They are out of range.
    """
    hop = window if hop is None else hop
    if not is_number(window) or not SHORTEST <= window <= LONGEST:
        raise InvalidArgumentError(
            f"window must be from {SHORTEST:g} to {LONGEST:g} seconds, not {window!r}",
            field="window",
        )
    if not is_number(hop) or not 0.02 <= hop <= window:  # noqa: PLR2004 - a step of the cuts
        raise InvalidArgumentError(
            f"hop must be from 0.02 to {window:g} seconds (window), not {hop!r}", field="hop"
        )
    return round(window * 1000), round(hop * 1000)


async def windows_of(
    blocks: AsyncIterable[bytes], window_ms: int, hop_ms: int
) -> AsyncGenerator[tuple[int, bytes]]:
    """Cut samples into windows.

    A rest that is too short for questions is made longer with what comes before it.

    Args:
        blocks: The samples.
        window_ms: Length of a window in milliseconds.
        hop_ms: Milliseconds from the start of one to that of the next.

    Yields:
        Where a window begins, in milliseconds, and its samples.

    Raises:
        InvalidArgumentError: All samples together are too short for a window.
    """
    held, start_ms, end_ms = bytearray(), 0, 0
    size = window_ms * BYTES_A_MS
    async for block in blocks:
        held += block
        while len(held) >= size + (start_ms - _held_from(start_ms, hop_ms)) * BYTES_A_MS:
            skip = (start_ms - _held_from(start_ms, hop_ms)) * BYTES_A_MS
            yield start_ms, bytes(held[skip : skip + size])
            end_ms = start_ms + window_ms
            before, start_ms = _held_from(start_ms, hop_ms), start_ms + hop_ms
            del held[: (_held_from(start_ms, hop_ms) - before) * BYTES_A_MS]
    held_from = _held_from(start_ms, hop_ms)
    total_ms = held_from + len(held) // BYTES_A_MS
    if total_ms <= end_ms:
        return
    check_length(total_ms / 1000)
    least = min(window_ms, round(LEAST_WINDOW * 1000))
    begin = max(held_from, min(start_ms, total_ms - least))
    skip = (begin - held_from) * BYTES_A_MS
    yield begin, bytes(held[skip : (total_ms - held_from) * BYTES_A_MS])


def _held_from(start_ms: int, hop_ms: int) -> int:
    """Return from where on samples are held: the last hop too, for a short rest at the end."""
    return max(0, start_ms - max(hop_ms, round(LEAST_WINDOW * 1000)))


@frozen
class DecisionWindow:
    """What came of one window of a recording."""

    start_ms: int
    """Where it began, in milliseconds from the start of the recording."""
    end_ms: int
    """Where it ended."""
    decision: Decision | None = field(default=None, repr=False)
    """The results; `None` where the window failed."""
    error: HumeError | None = None
    """Why it failed."""


Decide = Callable[[int, bytes], Awaitable[DecisionWindow]]
"""Puts questions to samples, which begin at so many milliseconds of a recording or call."""


@frozen(eq=False)
class Timeline(Sequence[DecisionWindow]):
    """Results over time: a sequence of windows, in order; `timeline["calm"]` is one question."""

    windows: tuple[DecisionWindow, ...]
    """The windows."""
    questions: QuestionSet = field(repr=False)
    """The questions of every window."""

    @property
    def input_tokens(self) -> int:
        """Tokens that were billed for all windows."""
        return sum(one.decision.input_tokens or 0 for one in self.windows if one.decision)

    @property
    def failures(self) -> tuple[DecisionWindow, ...]:
        """The windows that have no results, each with its error."""
        return tuple(one for one in self.windows if one.error is not None)

    def __getitem__(self, key: Any) -> Any:
        """Return a window by its index, or the results of a question by its id.

        The results come as start and end in milliseconds and the result, `None` where there is
        none.

        Raises:
            InvalidArgumentError: There was no such question.
        """
        if not isinstance(key, str):
            return cast("Any", self.windows)[key]
        if key not in self.questions.questions:
            raise InvalidArgumentError(f"there was no question {key!r}", field="key")
        return [
            (one.start_ms, one.end_ms, one.decision.results.get(key) if one.decision else None)
            for one in self.windows
        ]

    def __len__(self) -> int:
        return len(self.windows)

    def mean(self, name: str) -> float | None:
        """Return the mean of a noul or score question, each window weighted by its length.

        Args:
            name: Id of the question.

        Returns:
            The mean; `None` where no window has a result of that kind.
        """
        total = weight = 0.0
        for start, end, result in self[name]:
            if isinstance(result, (NoulResult, ScoreResult)):
                value = result.noul if isinstance(result, NoulResult) else result.score
                total, weight = total + value * (end - start), weight + (end - start)
        return total / weight if weight else None

    def spans(self, name: str, threshold: float = 0.0) -> tuple[TimeSpan, ...]:
        """Return when something happened over the whole recording.

        Spans that overlap or touch, as those on both sides of a cut, are one with the larger
        probability.

        Args:
            name: Id of a span question.
            threshold: Least probability, 0 to 1.
        """
        found = sorted(
            (
                span
                for _, _, result in self[name]
                if isinstance(result, SpanResult)
                for span in result.at_least(threshold)
            ),
            key=lambda span: (span.start_ms, span.end_ms),
        )
        merged: list[TimeSpan] = []
        for span in found:
            if merged and span.start_ms <= merged[-1].end_ms:
                last = merged.pop()
                shares = [one.probability for one in (last, span) if one.probability is not None]
                best = max(shares) if shares else None
                merged.append(TimeSpan(last.start_ms, max(last.end_ms, span.end_ms), best))
            else:
                merged.append(span)
        return tuple(merged)

    def rows(self) -> Iterator[dict[str, Any]]:
        """Give one flat row a window: times, each question's value, and what went wrong.

        The value of a span question is the number of its spans; what has no result is `None`.
        """
        for one in self.windows:
            row: dict[str, Any] = {"start_ms": one.start_ms, "end_ms": one.end_ms}
            for name in self.questions:
                row[column_of(name)] = value_of(
                    one.decision.results.get(name) if one.decision else None
                )
            yield {**row, "error": None if one.error is None else str(one.error)}
