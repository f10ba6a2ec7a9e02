"""Recordings longer than one upload: where they are cut, and how the parts become one result.

A part ends at the quietest tenth of a second of its last minute. The last utterance of a part that
touches the cut is dropped, for it may go on, and measured again with the next part. One that is
longer than a part stays, its pieces become one utterance, and that is marked. Nothing here sends.
"""

from __future__ import annotations

import sys
from array import array
from collections.abc import Iterable

from attrs import define, evolve, field

from humeai_async.expression.uploads import LARGEST_SAMPLES
from humeai_async.media.wav import BYTES_A_MS
from humeai_async.types.expression import AudioMeasurement, AudioReceived, AudioResult, Utterance
from humeai_async.types.paging import Items, Undecodable

STEP_MS = 20
"""Milliseconds that cuts are multiples of."""
LONGEST_PART_MS = LARGEST_SAMPLES // BYTES_A_MS // STEP_MS * STEP_MS
"""Milliseconds of the longest part: about 13 minutes."""
SEARCHED_MS = 60_000
"""Milliseconds before the longest end in which the quietest place is looked for."""
TOUCH_MS = 2_000
"""Milliseconds before a cut in which an utterance that ends may go on after it."""
LEAD_MS = 500
"""Milliseconds of silence to begin before an utterance that is measured again."""
_QUIET_STEPS = 5
"""Steps of the quiet place: a tenth of a second."""


def find_cut(samples: bytes, longest_ms: int = LONGEST_PART_MS) -> int:
    """Return where to end a part, in milliseconds from its start.

    Args:
        samples: The recording from the part's start on, `longest_ms` at least.
        longest_ms: Milliseconds of the longest part.
    """
    step = STEP_MS * BYTES_A_MS
    first = max(longest_ms - SEARCHED_MS, longest_ms // 2) // STEP_MS
    loudness: list[int] = []
    for place in range(first, longest_ms // STEP_MS):
        numbers = array("h", samples[place * step : (place + 1) * step])
        if sys.byteorder == "big":
            numbers.byteswap()
        loudness.append(sum(map(abs, numbers[::4])))
    sums = [sum(loudness[n : n + _QUIET_STEPS]) for n in range(len(loudness) - _QUIET_STEPS + 1)]
    # The last of the quietest: a part should be long.
    best = max(range(len(sums)), key=lambda n: (-sums[n], n))
    return (first + best + _QUIET_STEPS // 2) * STEP_MS


@define(eq=False)
class Joiner:
    """Makes one result of the results of parts."""

    run_ids: list[str] = field(factory=list[str])
    utterances: list[Utterance] = field(factory=list[Utterance])
    measurements: list[AudioMeasurement] = field(factory=list[AudioMeasurement])
    end_ms: int = 0
    """Up to where the recording was measured."""
    _request_id: str | None = None
    _is_cut: bool = False
    """Whether the last utterance goes on in the next part."""
    _next_id: int = 0
    _lost_utterances: list[Undecodable] = field(factory=list[Undecodable])
    """Utterances that could not be read, as their parts had them."""
    _lost_measurements: list[Undecodable] = field(factory=list[Undecodable])

    def add(self, part: AudioResult, start_ms: int, end_ms: int, *, is_last: bool) -> int:
        """Take the result of a part.

        Args:
            part: The result, with times from the part's start.
            start_ms: Where the part began in the recording.
            end_ms: Where it ended.
            is_last: Whether the recording ends there.

        Returns:
            Where the next part begins, in milliseconds from the start of the recording.
        """
        self.run_ids.append(part.run_id)
        self._request_id = part.request_id
        found = list(part.utterances)
        was_cut, self._is_cut = self._is_cut, False
        following = end_ms
        if not is_last:
            following = self._next_start(found, start_ms, end_ms)
        again = {one.utterance_id for one in part.utterances[len(found) :]}
        ids = self._add_utterances(found, start_ms, was_cut=was_cut)
        for one in part.measurements:
            if one.utterance_id in again:
                continue
            if one.utterance_id not in ids:  # its utterance could not be read
                ids[one.utterance_id] = self._new_id()
            self.measurements.append(
                evolve(
                    one,
                    measurement_id=len(self.measurements),
                    utterance_id=ids[one.utterance_id],
                    audio_start_ms=one.audio_start_ms + start_ms,
                    audio_end_ms=one.audio_end_ms + start_ms,
                )
            )
        self._lost_utterances += part.utterances.undecodable
        self._lost_measurements += part.measurements.undecodable
        self.end_ms = following
        return following

    def result(self) -> AudioResult:
        """Return the one result of all parts so far."""
        return AudioResult(
            run_id=self.run_ids[0] if self.run_ids else "",
            run_ids=tuple(self.run_ids),
            request_id=self._request_id,
            received=AudioReceived(audio_duration_ms=self.end_ms),
            utterances=Items(self.utterances, undecodable=self._lost_utterances),
            measurements=Items(self.measurements, undecodable=self._lost_measurements),
        )

    def _new_id(self) -> int:
        self._next_id += 1
        return self._next_id - 1

    def _next_start(self, found: list[Utterance], start_ms: int, end_ms: int) -> int:
        """Decide where the next part begins, and drop what is measured again with it."""
        quiet = end_ms - TOUCH_MS
        if not found:
            return _up(max(start_ms + STEP_MS, quiet))
        last = found[-1]
        if start_ms + last.audio_end_ms < quiet:
            return quiet
        before = start_ms + (found[-2].audio_end_ms if len(found) > 1 else 0)
        again = max(_up(before), start_ms + last.audio_start_ms - LEAD_MS) // STEP_MS * STEP_MS
        if again <= start_ms + LEAD_MS:  # it fills the part
            self._is_cut = True
            return end_ms
        found.pop()
        return min(again, end_ms)  # nothing is left out, whatever the service says

    def _add_utterances(
        self, found: Iterable[Utterance], start_ms: int, *, was_cut: bool
    ) -> dict[int, int]:
        """Put utterances on the one time line; return their new ids by the part's own."""
        ids: dict[int, int] = {}
        for one in found:
            end_ms = one.audio_end_ms + start_ms
            if was_cut and self.utterances and one.audio_start_ms <= LEAD_MS:
                self.utterances[-1] = evolve(
                    self.utterances[-1], audio_end_ms=end_ms, is_joined=True
                )
            else:
                self.utterances.append(
                    evolve(
                        one,
                        utterance_id=self._new_id(),
                        audio_start_ms=one.audio_start_ms + start_ms,
                        audio_end_ms=end_ms,
                    )
                )
            was_cut = False
            ids[one.utterance_id] = self.utterances[-1].utterance_id
        return ids


def _up(milliseconds: int) -> int:
    return -(-milliseconds // STEP_MS) * STEP_MS
