"""A recording of any length, decided window by window.

It reads and converts as it goes, and holds a few windows in memory. `hume.decisions.over` calls it.
"""

from __future__ import annotations

from contextlib import aclosing
from typing import cast

import anyio

from humeai_async._base.cancellation import in_thread
from humeai_async.catalog import decisions as catalog
from humeai_async.decisions.timeline import Decide, DecisionWindow, Timeline, windows_of
from humeai_async.decisions.uploads import UNSUPPORTED, parts_of, read_clip, refuse
from humeai_async.errors import (
    HumeError,
    InvalidArgumentError,
    MissingPackageError,
    PartialResultError,
)
from humeai_async.http.endpoint import fill
from humeai_async.http.fatal_errors import is_fatal
from humeai_async.http.messages import Upload
from humeai_async.http.session import Session
from humeai_async.media.conversion import ConversionError, samples_of
from humeai_async.media.recordings import Recording
from humeai_async.media.wav import BYTES_A_MS, to_wav
from humeai_async.types.decisions import Decision
from humeai_async.types.questions import QuestionSet


async def decide_recording(
    recording: Recording,
    question_set: QuestionSet,
    decide: Decide,
    window_ms: int,
    hop_ms: int,
    *,
    concurrency: int,
) -> Timeline:
    """Put questions to a recording, window by window.

    Raises:
        InvalidArgumentError: It holds no sound that can be read, or too little.
        PartialResultError: It could not be decided to its end.
    """
    found: dict[int, DecisionWindow] = {}
    fatal: list[HumeError] = []
    slots = anyio.Semaphore(concurrency)

    async def decide_one(start_ms: int, samples: bytes) -> None:
        try:
            one = await decide(start_ms, samples)
        finally:
            slots.release()
        found[start_ms] = one
        if one.error is not None and is_fatal(one.error):
            fatal.append(one.error)

    reason = ""
    try:
        async with (
            aclosing(samples_of(recording)) as blocks,
            aclosing(windows_of(blocks, window_ms, hop_ms)) as windows,
            anyio.create_task_group() as tasks,
        ):
            try:
                async for start_ms, samples in windows:
                    await slots.acquire()
                    if fatal:
                        break  # but what is under way may be paid for, so it ends first
                    tasks.start_soon(decide_one, start_ms, samples)
            except ConversionError as problem:  # what is under way is paid for
                reason = str(problem)
    except* (MissingPackageError, InvalidArgumentError) as problems:
        fatal.append(cast("HumeError", problems.exceptions[0]))
    if not fatal and (reason or not found):
        fatal.append(refuse(reason or "the recording holds no sound", UNSUPPORTED))
    timeline = Timeline(tuple(found[at] for at in sorted(found)), question_set)
    if fatal and any(one.decision is not None for one in timeline):
        raise PartialResultError(
            f"the recording was decided in part: {fatal[0].message}", result=timeline
        ) from fatal[0]
    if fatal:
        raise fatal[0]
    return timeline


async def decide_window(
    session: Session, question_set: QuestionSet, start_ms: int, samples: bytes
) -> DecisionWindow:
    """Put questions to samples, which begin at a time of the recording or call."""
    end_ms = start_ms + len(samples) // BYTES_A_MS
    try:
        data = await in_thread(to_wav, samples)
        clip = await read_clip(Upload(data, "window.wav"))
        call = fill(catalog.DECISIONS_CREATE, parts=parts_of(question_set, clip))
        response = await session.call(call)
    except HumeError as problem:
        return DecisionWindow(start_ms, end_ms, error=problem)
    decision = Decision.read(response, question_set, seconds=clip.seconds, offset_ms=start_ms)
    return DecisionWindow(start_ms, end_ms, decision)
