"""A recording of any length, measured part by part.

It reads and converts as it goes, holds one part in memory, and hands each to whoever uploads it.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing

from humeai_async._base.cancellation import in_thread
from humeai_async.errors import HumeError, PartialResultError
from humeai_async.expression.limits import AUDIO_UNREADABLE, UNSUPPORTED
from humeai_async.expression.parts import LONGEST_PART_MS, Joiner, find_cut
from humeai_async.expression.uploads import refuse
from humeai_async.http.messages import Part
from humeai_async.media.conversion import ConversionError, samples_of
from humeai_async.media.recordings import Recording
from humeai_async.media.wav import BYTES_A_MS, to_wav
from humeai_async.types.expression import AudioResult

Measure = Callable[[Part, int], Awaitable[AudioResult]]
"""Uploads one part, which begins at so many milliseconds of the recording."""


async def measure_recording(
    recording: Recording, measure: Measure, *, longest_ms: int = LONGEST_PART_MS
) -> AudioResult:
    """Measure a recording part by part.

    Raises:
        InvalidArgumentError: It holds no sound that can be read.
        PartialResultError: A part failed, or could not be read, after others had been measured.
    """
    joiner = Joiner()
    async with aclosing(samples_of(recording)) as blocks:
        reason = ""
        try:
            return await _measure_parts(blocks, measure, longest_ms, joiner)
        except ConversionError as problem:
            reason = str(problem)
    failure = refuse(f"the recording cannot be read: {reason}", UNSUPPORTED)
    if joiner.run_ids:
        raise _partial(joiner, failure) from failure
    raise failure


async def _measure_parts(
    blocks: AsyncGenerator[bytes], measure: Measure, longest_ms: int, joiner: Joiner
) -> AudioResult:
    held, start_ms, is_last = bytearray(), 0, False
    while not is_last:
        while len(held) <= longest_ms * BYTES_A_MS and not is_last:
            block = await anext(blocks, b"")
            held += block
            is_last = not block
        is_last = is_last and len(held) <= longest_ms * BYTES_A_MS
        if not held and not joiner.run_ids:
            raise refuse("the recording holds no sound", AUDIO_UNREADABLE)
        part, length_ms = await in_thread(_cut, held, longest_ms, is_last)
        try:
            measured = await measure(part, start_ms)
        except HumeError as problem:
            if not joiner.run_ids:
                raise
            failure = problem
        else:
            end_ms = start_ms + length_ms
            following = joiner.add(measured, start_ms, end_ms, is_last=is_last)
            del held[: (following - start_ms) * BYTES_A_MS]
            start_ms = following
            continue
        raise _partial(joiner, failure) from failure
    return joiner.result()


def _partial(joiner: Joiner, failure: HumeError) -> PartialResultError:
    return PartialResultError(
        f"the recording was measured up to {joiner.end_ms / 1000:.1f} s and not further; "
        f"part {len(joiner.run_ids) + 1}: {failure.message}",
        result=joiner.result(),
        outcome_unknown=failure.outcome_unknown,
    )


def _cut(held: bytearray, longest_ms: int, is_last: bool) -> tuple[Part, int]:
    """Make the next part of what is held, and say how many milliseconds it has."""
    samples = bytes(held)
    length_ms = len(samples) // BYTES_A_MS
    if not is_last:
        length_ms = find_cut(samples, longest_ms)
        samples = samples[: length_ms * BYTES_A_MS]
    data = to_wav(samples)
    return Part("file", data, "part.wav", "audio/wav", len(data)), length_ms
