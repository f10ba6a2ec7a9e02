"""Timeouts of calls and of silent servers: any number of them on one timer of the event loop.

When the client is closed, the time of every call is up.

A cancel scope of its own for each call costs more than the rest of the session's work, since
hardly any call ever comes to its deadline; and aiohttp's limit for a server that sends nothing sets
a timer for each request and for each piece of a body. Here both only enter a set; the one timer is
set for the earliest deadline and looks at the set when it goes off. The session and the transport
use it.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
from types import TracebackType
from typing import Protocol

from attrs import field

from humeai_async._base.frozen import define

_READING = 0.1
"""Seconds in which an event loop that was late reads what came meanwhile."""


@define(eq=False, repr=False)
class Deadline:
    """A block of code that is cancelled when its time is up.

    ```python
    with Deadline(deadlines, when):
        return await work()
    # Here its time was up.
    ```

    As with `asyncio.timeout`, the block is cancelled once; a cancellation from elsewhere that
    comes at the same time wins. Several blocks, one after the other, may share one deadline.
    """

    _owner: Deadlines
    """Watches the deadlines of the event loop."""
    when: float
    """Time of the event loop's clock; infinite means never."""
    _task: asyncio.Task[object] | None = field(default=None, init=False)
    _cancelling: int = field(default=0, init=False)
    _is_over: bool = field(default=False, init=False)
    _is_last_look: bool = field(default=False, init=False)

    def __enter__(self) -> None:
        task = self._task = asyncio.current_task(self._owner.loop)
        if task is None:
            raise RuntimeError("calls can be made in tasks only")
        self._cancelling = task.cancelling()
        self._owner.watch(self)

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool:
        """Swallow the cancellation that is its own."""
        self._owner.running.discard(self)  # its timer is left to expire in vain
        task, self._task = self._task, None
        if not self._is_over or task is None:
            return False
        is_only_ours = task.uncancel() <= self._cancelling
        return is_only_ours and exc_type is asyncio.CancelledError

    def expire(self) -> None:
        """Cancel the block, at the latest once what came while the event loop was late is read."""
        late = self._owner.loop.time() - self.when
        if late <= 0 or self._is_last_look:
            self._cancel()
        else:
            self._look_once_more(late)

    def _look_once_more(self, late: float) -> None:
        # What came while the event loop stood still is not read yet, and may be paid for.
        self._is_last_look = True
        self.when = self._owner.loop.time() + min(late, _READING)
        self._owner.watch(self)

    def _cancel(self) -> None:
        if self._task is not None and not self._is_over:
            self._is_over = True
            self._task.cancel()


class Deadlines:
    """The deadlines of all calls on one event loop."""

    __slots__ = ("_timer", "loop", "running", "timer_at")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop: asyncio.AbstractEventLoop = loop
        self.running: set[Deadline] = set()
        """Those of the blocks that run."""
        self._timer: asyncio.TimerHandle | None = None
        self.timer_at: float = math.inf
        """When the timer goes off."""

    def watch(self, deadline: Deadline) -> None:
        """Watch a block that begins."""
        self.running.add(deadline)
        if deadline.when < self.timer_at:
            self.set_timer(deadline.when)

    def expire_all(self) -> None:
        """Cancel every block; on another event loop than the running one, soon."""
        if self.loop is asyncio.get_running_loop():
            self._expire(math.inf)
        else:
            with contextlib.suppress(RuntimeError):  # it was closed
                self.loop.call_soon_threadsafe(self._expire, math.inf)

    def _expire(self, until: float) -> None:
        for deadline in [one for one in self.running if one.when <= until]:
            self.running.discard(deadline)
            deadline.expire()

    def set_timer(self, when: float) -> None:
        """Look at the blocks that run at a time of the event loop's clock."""
        if self._timer is not None:
            self._timer.cancel()
        self.timer_at = when
        self._timer = self.loop.call_at(when, self._on_timer)

    def _on_timer(self) -> None:
        """Expire what is due, and set the timer for the next."""
        # A timer may come early by the grain of its clock, and would do so again.
        now = max(self.loop.time(), self.timer_at)
        self._timer, self.timer_at = None, math.inf
        self._expire(now)
        following = min((one.when for one in self.running), default=math.inf)
        if following < math.inf:
            self.set_timer(following)


_LOOKS = 8
"""Looks at a body in the time of a stall, which may so be found that much later."""


class Body(Protocol):
    """A body that is on its way."""

    @property
    def total_bytes(self) -> int:
        """Bytes that have come."""
        ...


@define(eq=False, repr=False)
class StallLimit(Deadline):
    """A block of code that is cancelled when the server has sent nothing for too long.

    The time runs from `start` on, and for a body that is being read from its block's begin.
    """

    seconds: float
    """How long; infinite means for ever."""
    content: Body | None = None
    """The body that is being read."""
    _received: int = 0
    _since: float = 0.0

    def start(self, content: Body | None = None) -> None:
        """Let the time run: a request was written, or the next piece of a body is waited for."""
        owner = self._owner
        self._since = owner.loop.time()
        self._is_last_look = False
        self.content = content
        if content is None:
            self.when = self._since + self.seconds
        else:
            self._received = content.total_bytes
            self.when = self._since + self.seconds / _LOOKS
        # Within its block it is watched, and the timer mostly set for an earlier deadline.
        if self._task is not None and self.when < owner.timer_at:
            owner.set_timer(self.when)

    def expire(self) -> None:
        """Cancel the block, unless something came since the last look."""
        now = max(self._owner.loop.time(), self.when)
        if self.content is not None and self.content.total_bytes != self._received:
            self._received, self._since = self.content.total_bytes, now
            self._is_last_look = False
        end = self._since + self.seconds
        if now < end:
            self.when: float = min(end, now + self.seconds / _LOOKS)
            self._owner.watch(self)
        elif self._is_last_look:
            self._cancel()
        else:
            self._look_once_more(now - self.when)
