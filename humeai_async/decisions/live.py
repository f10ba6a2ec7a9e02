"""Questions put to the turns of a call while it goes on.

The caller says where a turn ended; the clip is cut here, and made long enough. A decision that does
not come in time is late, which is a value and no exception: the call goes on, and the decision is
filled in when it comes.
"""

from __future__ import annotations

from typing import Self

import anyio
from attrs import define, field

from humeai_async._base.cancellation import time_limit
from humeai_async.decisions.timeline import LEAST_WINDOW, Decide, DecisionWindow
from humeai_async.decisions.uploads import LONGEST
from humeai_async.errors import ClientClosedError, HumeError, InvalidArgumentError
from humeai_async.http.arguments import check_bytes, check_number
from humeai_async.media.wav import BYTES_A_MS, WIDTH
from humeai_async.types.decisions import Decision

_LEAST_MS = round(LEAST_WINDOW * 1000)
_LONGEST_MS = round(LONGEST * 1000)
_KEPT_MS = _LONGEST_MS + 60_000
"""Milliseconds of the call that are kept."""


@define(eq=False)
class Turn:
    """One turn of a call, and what came of the questions to it."""

    start_ms: int
    """Where it began, in milliseconds from the start of the call."""
    end_ms: int
    """Where it ended."""
    clip_start_ms: int
    """From where on it was sent: earlier for a turn of less than 5 seconds, later for one of more
    than 5 minutes."""
    decision: Decision | None = field(default=None, repr=False)
    """The results; `None` while they are not there, or where there is an `error`."""
    error: HumeError | None = None
    """Why there are no results."""
    is_late: bool = False
    """Whether the results were not there in time; they are filled in when they come."""
    _done: anyio.Event = field(factory=anyio.Event, init=False, repr=False)

    async def wait(self) -> Decision | None:
        """Wait for the results of a turn that is late; `None` where there is an `error`."""
        await self._done.wait()
        return self.decision

    def take(self, window: DecisionWindow) -> None:
        """Fill in what came of the questions."""
        self.decision, self.error = window.decision, window.error
        self._done.set()

    def leave(self) -> None:
        """Say that no results come: the call was left while they were on their way."""
        self.error = ClientClosedError(
            "the call was left before the decision came; hume.decisions.runs tells whether it is "
            "billed",
            outcome_unknown=True,
        )
        self._done.set()


class LiveTurns:
    """Puts the same questions to each turn of a call; `hume.decisions.live` makes it.

    ```python
    async with hume.decisions.live(questions, wait=2.0) as call:
        async for samples, has_turn_ended in microphone:
            call.feed(samples)
            if has_turn_ended:
                turn = await call.end_turn()
                if turn.decision is not None:  # else it is late, or has an error
                    print(turn.decision["frustrated"].noul)
    ```

    Leaving the block waits for decisions under way, which are paid for; an exception cancels them.

    Args:
        decide: Puts the questions to samples.
        wait: Seconds to wait for a decision; `None` is without limit.
    """

    def __init__(self, decide: Decide, wait: float | None) -> None:
        self.turns: list[Turn] = []
        """All turns so far, in order."""
        self._decide = decide
        self._wait = wait
        self._held = bytearray()
        self._held_from_ms = 0
        self._tasks = anyio.create_task_group()
        self._is_open = False

    @property
    def now_ms(self) -> int:
        """How much of the call was fed, in milliseconds."""
        return self._held_from_ms + len(self._held) // BYTES_A_MS

    def feed(self, samples: bytes) -> None:
        """Take what was heard of the call; the last six minutes are kept.

        Args:
            samples: 16-bit samples, low byte first, 16 kHz, mono, without a header.

        Raises:
            InvalidArgumentError: They are no whole samples.
        """
        check_bytes("samples", samples)
        if len(samples) % WIDTH:
            raise InvalidArgumentError(
                f"{len(samples)} bytes are no whole 16-bit samples", field="samples"
            )
        self._held += samples
        surplus_ms = self.now_ms - self._held_from_ms - _KEPT_MS
        if surplus_ms > 0:
            del self._held[: surplus_ms * BYTES_A_MS]
            self._held_from_ms += surplus_ms

    async def end_turn(self, *, start_ms: int | None = None, end_ms: int | None = None) -> Turn:
        """Put the questions to the turn that has ended, and wait for the results.

        Costs one request, billed by the length of the clip: that of the turn, 5 seconds at least
        where the call has them. A turn of more than 5 minutes is heard from its last 5 on.

        Args:
            start_ms: Where the turn began, in milliseconds from the start of the call; where the
                turn before it ended if left out.
            end_ms: Where it ended; now if left out.

        Returns:
            The turn, with `decision`, `error`, or `is_late` set.

        Raises:
            InvalidArgumentError: There is no such stretch of the call.
            ClientClosedError: The block was left, or not entered.
        """
        if not self._is_open:
            raise ClientClosedError("turns are decided inside of `async with`")
        turn = self._turn(start_ms, end_ms)
        begin, end = (
            (at - self._held_from_ms) * BYTES_A_MS for at in (turn.clip_start_ms, turn.end_ms)
        )
        self.turns.append(turn)
        self._tasks.start_soon(self._fill_in, turn, bytes(self._held[begin:end]))
        async with time_limit(self._wait):
            await turn.wait()
        turn.is_late = turn.decision is None and turn.error is None
        return turn

    def _turn(self, start_ms: int | None, end_ms: int | None) -> Turn:
        for name, given in (("start_ms", start_ms), ("end_ms", end_ms)):
            if given is not None:
                check_number(name, given, least=0)
        previous = self.turns[-1].end_ms if self.turns else 0
        end = self.now_ms if end_ms is None else end_ms
        start = min(previous, end) if start_ms is None else start_ms
        if not (0 <= start < end <= self.now_ms and end > self._held_from_ms):
            raise InvalidArgumentError(
                f"the call was heard to {self.now_ms} ms, and there is no turn from {start} to "
                f"{end} ms in what is kept",
                field="start_ms" if end_ms is None else "end_ms",
            )
        clip = max(min(start, end - _LEAST_MS), end - _LONGEST_MS, self._held_from_ms, 0)
        return Turn(start, end, clip)

    async def _fill_in(self, turn: Turn, samples: bytes) -> None:
        try:
            window = await self._decide(turn.clip_start_ms, samples)
        except BaseException:  # whoever waits for the turn is told, too
            turn.leave()
            raise
        turn.take(window)

    async def __aenter__(self) -> Self:
        await self._tasks.__aenter__()
        self._is_open = True
        return self

    async def __aexit__(self, _: object, problem: BaseException | None, __: object) -> None:
        self._is_open = False
        if problem is not None:
            self._tasks.cancel_scope.cancel()
        # Without the exception, which would come out in a group.
        await self._tasks.__aexit__(None, None, None)
