"""Time in sessions: when the next frame may go, and which moment of the media a result is about.

Pure sums over a clock that the caller reads; nothing here waits or sends.
"""

from __future__ import annotations

from attrs import define, field

from humeai_async.expression.limits import FRAMES_PER_SECOND


@define(eq=False)
class AudioPacer:
    """Lets audio go as fast as it plays, and never faster to catch up."""

    _next_at: float | None = None

    def wait(self, now: float) -> float:
        """Return the seconds until the next frame may go."""
        return 0.0 if self._next_at is None else max(0.0, self._next_at - now)

    def sent(self, now: float, seconds: float) -> None:
        """Note that a frame of so many seconds went out."""
        late = 0.0 if self._next_at is None else now - self._next_at
        # A timer's jitter is made up for, a stall is not.
        base = now if self._next_at is None or late > seconds / 2 else self._next_at
        self._next_at = base + seconds

    def slow_down(self, now: float, seconds: float) -> None:
        """Wait for so many seconds more, after a refusal."""
        self._next_at = max(now, self._next_at or now) + seconds


@define(eq=False)
class VideoPacer:
    """Three frames a second, fewer after a refusal, as Hume's own client paces them."""

    rate: float = FRAMES_PER_SECOND
    """Frames a second that may go now."""
    _tokens: float = 1.0
    _at: float | None = None

    def wait(self, now: float) -> float:
        """Return the seconds until the next frame may go."""
        self._fill(now)
        return max(0.0, (1.0 - self._tokens) / self.rate)

    def sent(self, now: float) -> None:
        """Note that a frame went out."""
        self._fill(now)
        self._tokens -= 1.0

    def refused(self) -> None:
        """Go at half the rate, but at one frame in two seconds at least."""
        self.rate = max(0.5, self.rate / 2)
        self._tokens = min(self._tokens, 0.0)

    def accepted(self) -> None:
        """Climb back to the full rate."""
        self.rate = min(FRAMES_PER_SECOND, self.rate + 1.0 / self.rate)

    def _fill(self, now: float) -> None:
        if self._at is not None:
            self._tokens = min(2.0, self._tokens + (now - self._at) * self.rate)
        self._at = now


@define(eq=False)
class TimeMap:
    """From milliseconds of accepted audio, which the service counts, to those of the media."""

    accepted_ms: int = 0
    """Milliseconds that were sent and not refused."""
    _segments: list[tuple[int, int]] = field(factory=list[tuple[int, int]])
    """Where accepted audio began to follow the media anew: accepted, media."""

    def add(self, media_ms: int, length_ms: int) -> None:
        """Note that a frame went out."""
        if not self._segments or self.to_media(self.accepted_ms) != media_ms:
            self._segments.append((self.accepted_ms, media_ms))
        self.accepted_ms += length_ms

    def take_back(self, length_ms: int) -> None:
        """Note that the last frame was refused."""
        self.accepted_ms -= length_ms
        while self._segments and self._segments[-1][0] >= self.accepted_ms:
            if self._segments[-1][0] == self.accepted_ms == 0 and len(self._segments) == 1:
                break
            self._segments.pop()

    def to_media(self, accepted_ms: int, *, is_end: bool = False) -> int:
        """Return the time of the media; an end belongs to what comes before it."""
        found = self._segments[0] if self._segments else (0, 0)
        for segment in self._segments:
            if segment[0] < accepted_ms or (segment[0] == accepted_ms and not is_end):
                found = segment
        return found[1] + accepted_ms - found[0]
