"""A bulk run into a folder: ledger and results side by side, in step.

`predict_into` runs `hume.batch.predict` with a ledger and writes every outcome once into the
files of the chosen formats, whatever stops the program and however often it is started again.
It draws nothing and prints nothing: the command line shows what it is told through a callback,
and so can anybody.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import AsyncIterable, Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import anyio
from attrs import frozen

from humeai_async._base.cancellation import in_thread
from humeai_async._base.unset import UNSET, Unset
from humeai_async.bulk.ledger import Ledger, Standing, State
from humeai_async.bulk.outcomes import BulkSource, Outcomes
from humeai_async.bulk.pipeline import SourceOutcome, is_open, keys_of
from humeai_async.bulk.progress import Progress, Track
from humeai_async.bulk.sinks import Sinks
from humeai_async.errors import SaveError
from humeai_async.http import codec
from humeai_async.resources.batch import Batch
from humeai_async.types.batch import InferenceRequest, Models, Transcription
from humeai_async.types.predictions.predictions import SourcePredictions

LEDGER = "ledger.db"
"""Name of the ledger in a run's folder."""

CHECKPOINT_SECONDS = 1.0
"""Seconds between two checkpoints; a crash makes the run fetch again what came since."""

WRITE_SECONDS = 0.1
"""Seconds that an outcome waits for others to be written with it, at most."""
WRITE_SIZE = 100
"""Outcomes that are enough to be written without waiting for more."""


@frozen
class Report:
    """How a run ended."""

    standing: Standing
    """Sources by state, jobs, and reasons of failures, over all starts of the run."""
    counts: Mapping[State, int]
    """Given sources by state; of all the run's sources, where they are not a list. Those that
    are neither arrived nor failed are gone on with at the next start."""
    outcomes: int
    """Outcomes of this start."""
    files: tuple[Path, ...]
    """Where the results are."""


async def predict_into(
    folder: str | os.PathLike[str],
    batch: Batch,
    sources: Iterable[BulkSource] | AsyncIterable[BulkSource],
    *,
    formats: Sequence[str] = ("jsonl",),
    models: Models | Mapping[str, Any] | None = None,
    transcription: Transcription | Mapping[str, Any] | Unset | None = UNSET,
    retry_failed: bool = False,
    job_size: int = 100,
    jobs_at_once: int = 32,
    timeout: float | None = None,
    on_start: Callable[[Mapping[State, int]], None] | None = None,
    on_outcome: Callable[[SourceOutcome], None] | None = None,
    on_progress: Callable[[Progress], None] | None = None,
) -> Report:
    """Predict sources into files, or go on with it.

    Args:
        folder: Where ledger and results are kept; made if it is not there.
        batch: `hume.batch`.
        sources: As for `hume.batch.predict`.
        formats: Any of `jsonl`, `csv` and `parquet`; the same at every start.
        models: As for `hume.batch.predict`; the same at every start.
        transcription: As for `hume.batch.predict`; the same at every start.
        retry_failed: Try those sources again that failed at an earlier start. Their new
            outcomes are added to the files.
        job_size: As for `hume.batch.predict`.
        jobs_at_once: As for `hume.batch.predict`.
        timeout: As for `hume.batch.predict`.
        on_start: Told the given sources by state, before the run goes on.
        on_outcome: Told each outcome, once it is written.
        on_progress: Told how far the run is: at the start, with each job that is at Hume, and
            whenever outcomes were written.

    Returns:
        How it ended. Sources that met an outage or a timeout are not written as failed but
        stay open: the next start goes on with them.

    Raises:
        InvalidArgumentError: `sources` is no list of sources.
        LedgerError: Another run has the folder, or it belongs to other settings.
        SaveError: The results cannot be written.
    """
    folder = Path(folder)
    track = Track(lambda: batch.pace, on_progress)
    request = InferenceRequest(models=models, transcription=transcription)
    configuration = f"{codec.encode(request).decode()} as {','.join(formats)}"
    await _make(folder)
    ledger = await Ledger.open(folder / LEDGER, configuration)
    with await _sinks(folder, formats, ledger) as sinks:
        # The ledger closes before the sinks do: its last checkpoint needs them.
        async with ledger:
            ledger.before_checkpoint = sinks.sync
            await ledger.checkpoint()
            keys = keys_of(sources) if isinstance(sources, Sequence) else None
            before = await _counts(ledger, keys)
            if on_start is not None:
                on_start(before)
            track.begin(before, None if keys is None else len(keys), retries=retry_failed)
            outcomes = batch.predict(
                sources,
                models=models,
                transcription=transcription,
                ledger=ledger,
                retry_failed=retry_failed,
                job_size=job_size,
                jobs_at_once=jobs_at_once,
                timeout=timeout,
                on_job=track.job,
            )
            writer = _Writer(sinks, ledger, track, on_outcome)
            async with outcomes:
                await writer.write_all(outcomes)
            ledger.before_checkpoint = None
            await in_thread(sinks.finish)
            return Report(
                standing=await ledger.standing(),
                counts=await _counts(ledger, keys),
                outcomes=writer.count,
                files=tuple(sinks.paths),
            )


async def _counts(ledger: Ledger, keys: Sequence[bytes] | None) -> Mapping[State, int]:
    return (await ledger.standing()).counts if keys is None else await ledger.counts(keys)


async def _sinks(folder: Path, formats: Sequence[str], ledger: Ledger) -> Sinks:
    try:
        positions = await ledger.positions()
        return await in_thread(Sinks, folder, tuple(formats), positions, discard=Sinks.close)
    except BaseException:
        await ledger.aclose()
        raise


class _Writer:
    """Writes outcomes a few at a time, in step with the ledger.

    Whatever ends the run, the ledger is told of an outcome only together with the position of
    the files behind it: notes are put on disk at checkpoints, and no checkpoint is made
    without everything that is noted being written.
    """

    def __init__(
        self,
        sinks: Sinks,
        ledger: Ledger,
        track: Track,
        on_outcome: Callable[[SourceOutcome], None] | None,
    ) -> None:
        self._sinks = sinks
        self._ledger = ledger
        self._track = track
        self._on_outcome = on_outcome
        self._waiting: list[SourceOutcome] = []
        self._next_checkpoint = time.monotonic() + CHECKPOINT_SECONDS
        self._has_failed = False
        self.count = 0
        """Outcomes written."""

    async def write_all(self, outcomes: Outcomes[BulkSource, SourcePredictions]) -> None:
        """Write outcomes until there are no more."""
        try:
            while True:
                with anyio.move_on_after(WRITE_SECONDS if self._waiting else math.inf) as scope:
                    found = await outcomes.some(WRITE_SIZE)
                    if not found:
                        break
                    self._waiting += found
                if scope.cancelled_caught or len(self._waiting) >= WRITE_SIZE:
                    await self._flush(outcomes)
        finally:
            if not self._has_failed:
                with anyio.CancelScope(shield=True):
                    await self._flush(outcomes)
                    await self._ledger.checkpoint()

    async def _flush(self, outcomes: Outcomes[BulkSource, SourcePredictions]) -> None:
        """Write what waits, and make a checkpoint if one is due."""
        waiting, self._waiting = self._waiting, []
        self._has_failed = True
        with anyio.CancelScope(shield=True):
            waiting = await self._write(waiting)
            outcomes.taken()
        self._has_failed = False
        self.count += len(waiting)
        for outcome in waiting:
            if self._on_outcome is not None:
                self._on_outcome(outcome)
        self._track.outcomes(waiting)
        if time.monotonic() >= self._next_checkpoint:
            await self._ledger.checkpoint()
            self._next_checkpoint = time.monotonic() + CHECKPOINT_SECONDS

    async def _write(self, outcomes: list[SourceOutcome]) -> list[SourceOutcome]:
        try:
            return await in_thread(lambda: [self._write_one(o) for o in outcomes])
        except BaseException:
            # Not written, or in part: the next start cuts the files back to the last checkpoint
            # and fetches again what came after it.
            self._ledger.drop_notes()
            self._ledger.before_checkpoint = None
            raise

    def _write_one(self, outcome: SourceOutcome) -> SourceOutcome:
        """Write an outcome, unless its source is still open: then a later one is written."""
        return outcome if is_open(outcome) else cast("SourceOutcome", self._sinks.write(outcome))


async def _make(folder: Path) -> None:
    try:
        await in_thread(lambda: folder.mkdir(parents=True, exist_ok=True))
    except OSError as problem:
        reason = problem.strerror or type(problem).__name__
    else:
        return
    raise SaveError(f"cannot write to {folder}: {reason}")
