"""How long a server may send nothing, for all requests of an event loop on one timer.

aiohttp's own limit sets a timer of the event loop for each request and for each piece of a body,
which takes as long as the whole pacing of a call. The transport uses this one wherever it knows
when a request is written; aiohttp's where a large body is on its way.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from humeai_async._base.frozen import define
from humeai_async.http.deadlines import Deadline

if TYPE_CHECKING:
    from aiohttp import StreamReader

_LOOKS = 8
"""Looks at a body in the time of a stall, which may so be found that much later."""


@define(eq=False, repr=False)
class StallLimit(Deadline):
    """A block of code that is cancelled when the server has sent nothing for too long.

    The time runs from `start` on, and for a body that is being read from its block's begin.
    """

    seconds: float
    """How long; infinite means for ever."""
    content: StreamReader | None = None
    """The body that is being read."""
    _received: int = 0
    _since: float = 0.0

    def start(self, content: StreamReader | None = None) -> None:
        """Let the time run: a request was written, or the next piece of a body is waited for."""
        owner = self._owner
        self._since = owner.loop.time()
        self.content = content
        if content is None:
            self.when = self._since + self.seconds
        else:
            self._received = content.total_bytes
            self.when = self._since + self.seconds / _LOOKS
        if self._task is not None:
            owner.watch(self)

    def expire(self) -> None:
        """Cancel the block, unless something came since the last look."""
        now = max(self._owner.loop.time(), self.when)
        if self.content is not None and self.content.total_bytes != self._received:
            self._received, self._since = self.content.total_bytes, now
        end = self._since + self.seconds
        if now >= end:
            super().expire()
        else:
            self.when = min(end, now + self.seconds / _LOOKS)
            self._owner.watch(self)
