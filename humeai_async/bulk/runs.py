"""A bulk run into a folder: ledger and results side by side, in step.

`run_into` runs a pipeline with a ledger and writes every outcome once into the files of the
chosen formats, whatever stops the program and however often it is started again. It draws
nothing and prints nothing, and knows no kind of work.
"""

from __future__ import annotations

import functools
import time
from collections.abc import AsyncIterable, Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Generic, TypeVar

from attrs import evolve

from humeai_async._base.atomic_files import saving
from humeai_async._base.cancellation import in_thread, run_uncancelled, time_limit
from humeai_async._base.frozen import frozen
from humeai_async.bulk.ledger import Ledger
from humeai_async.bulk.ledger_records import RunStatus
from humeai_async.bulk.outcome import Outcome
from humeai_async.bulk.outcomes import Outcomes
from humeai_async.bulk.pipeline import Pipeline
from humeai_async.bulk.progress import Progress, Track
from humeai_async.bulk.sinks import PREDICTIONS, Layout, Sinks, check_formats
from humeai_async.bulk.states import State
from humeai_async.bulk.work import Pipes
from humeai_async.errors import LedgerError
from humeai_async.limiter.limiter import BucketState

S = TypeVar("S")
R = TypeVar("R")

LEDGER = "ledger.db"
"""Name of the ledger in a run's folder."""
PARTITIONS = "_run/run.json"
"""What a run over many workers has in its folder in place of a ledger."""

CHECKPOINT_SECONDS = 1.0
"""Seconds between two checkpoints; a crash makes the run fetch again what came since."""

WRITE_SECONDS = 0.1
"""Seconds that an outcome waits for others to be written with it, at most."""
WRITE_SIZE = 100
"""Outcomes that are enough to be written without waiting for more."""
WRITE_BYTES = 8_000_000
"""Bytes of their JSON that are enough for it."""
_IDENTIFIED = 1000
"""Sources that are looked at together before a run begins."""


@frozen(kw_only=True)
class Into(Generic[S, R]):
    """Where a run's outcomes go, and who is told of them."""

    folder: Path
    formats: tuple[str, ...]
    pace: Callable[[], BucketState]
    """Says how the limiter stands, for the progress."""
    score_bits: int = 32
    layout: Layout = PREDICTIONS
    on_outcome: Callable[[Outcome[S, R]], None] | None = None
    on_progress: Callable[[Progress], None] | None = None


@frozen
class Report:
    """How a bulk run into a folder ended, and which files it wrote."""

    status: RunStatus
    """Sources by state, jobs, and reasons of failures, over all starts of the run."""
    counts: Mapping[State, int]
    """Given sources by state; of all the run's sources, where they are not a list. Those that
    are planned or submitted are gone on with at the next start."""
    outcomes: int
    """Outcomes of this start."""
    files: tuple[Path, ...]
    """Where the results are, a path a format; Parquet is a folder of files."""


async def run_into(
    into: Into[S, R], sources: Iterable[S] | AsyncIterable[S], pipes: Pipes[S, R]
) -> Report:
    """Run sources into files, or go on with it.

    Raises:
        LedgerError: Another run has the folder, or it belongs to other settings.
        SaveError: The results cannot be written.
        MissingPackageError: A format needs a package that is not installed.
    """
    # Formats import their packages, which takes some tenths of a second.
    await in_thread(
        functools.partial(check_formats, score_bits=into.score_bits, layout=into.layout),
        into.formats,
    )
    track = Track(into.pace, lambda: pipes.patience.holdup, into.on_progress)
    pipes.patience.on_change = track.publish
    with saving(f"cannot write to {into.folder}"):
        await in_thread(functools.partial(into.folder.mkdir, parents=True, exist_ok=True))
    if await in_thread((into.folder / PARTITIONS).exists):
        raise LedgerError(
            f"{into.folder} belongs to a run over many workers: go on with it by what began it "
            "(predict_over, measure_over or decide_over), or use another folder"
        )
    configuration = configuration_of(pipes.kind.configuration, into.formats)
    ledger = await Ledger.open(into.folder / LEDGER, configuration)
    with await _sinks(into, ledger) as sinks:
        # The ledger closes before the sinks do: its last checkpoint needs them.
        async with ledger:
            ledger.before_checkpoint = sinks.sync
            await ledger.checkpoint()
            keys = await _keys(sources, pipes)
            before, total = await _counts(ledger, keys), None if keys is None else len(keys)
            track.begin(before, total, retries=pipes.options.retry_failed)
            pipes = evolve(pipes, ledger=ledger, on_submitted=_both(pipes.on_submitted, track))
            writer = _Writer(sinks, ledger, track, into.on_outcome)
            async with Outcomes(Pipeline(sources, pipes).run) as outcomes:
                await writer.write_all(outcomes)
            ledger.before_checkpoint = None
            await in_thread(sinks.finish)
            return Report(
                status=await ledger.status(),
                counts=await _counts(ledger, keys),
                outcomes=writer.count,
                files=tuple(sinks.paths),
            )


def configuration_of(work: str, formats: Sequence[str]) -> str:
    """Return what binds the ledger in a run's folder.

    Args:
        work: What the results depend on.
        formats: Formats of the files.
    """
    return f"{work} as {','.join(formats)}"


def _both(on_submitted: Callable[[str], object] | None, track: Track) -> Callable[[str], None]:
    def tell(work_id: str) -> None:
        if on_submitted is not None:
            on_submitted(work_id)
        track.count_job(work_id)

    return tell


async def _keys(sources: Iterable[S] | AsyncIterable[S], pipes: Pipes[S, R]) -> list[bytes] | None:
    """Return what stands for the sources in the ledger, each once; `None` if they are no list."""
    if not isinstance(sources, Sequence):
        return None
    keys: dict[bytes, None] = {}
    for start in range(0, len(sources), _IDENTIFIED):
        items = await pipes.kind.identify(sources[start : start + _IDENTIFIED])
        keys.update(dict.fromkeys(item.key for item in items))
    return list(keys)


async def _counts(ledger: Ledger, keys: Sequence[bytes] | None) -> Mapping[State, int]:
    return (await ledger.status()).counts if keys is None else await ledger.counts(keys)


async def _sinks(into: Into[S, R], ledger: Ledger) -> Sinks:
    try:
        positions = await ledger.positions()
        open_sinks = functools.partial(Sinks, score_bits=into.score_bits, layout=into.layout)
        return await in_thread(
            open_sinks, into.folder, into.formats, positions, discard=Sinks.close
        )
    except BaseException:
        await ledger.aclose()
        raise


class _Writer(Generic[S, R]):
    """Writes outcomes a few at a time, in step with the ledger.

    Whatever ends the run, the ledger is told of an outcome only together with the position of
    the files behind it: notes are put on disk at checkpoints, and no checkpoint is made
    without everything that is noted being written. What is begun is done before a cancellation
    takes effect, so that files, ledger and progress tell the same numbers.
    """

    def __init__(
        self,
        sinks: Sinks,
        ledger: Ledger,
        track: Track,
        on_outcome: Callable[[Outcome[S, R]], None] | None,
    ) -> None:
        self._sinks = sinks
        self._ledger = ledger
        self._track = track
        self._on_outcome = on_outcome
        self._waiting: list[Outcome[S, R]] = []
        self._next_checkpoint = time.monotonic() + CHECKPOINT_SECONDS
        self._is_cut_off = False
        """Whether a write has begun and not come to its end: then nothing more is written."""
        self.count = 0
        """Outcomes written."""

    async def write_all(self, outcomes: Outcomes[S, R]) -> None:
        """Write outcomes until there are no more."""
        try:
            while True:
                async with time_limit(WRITE_SECONDS if self._waiting else None) as limit:
                    found = await outcomes.next_batch(WRITE_SIZE, acks=False)
                    if not found:
                        break
                    self._waiting += found
                held = sum(one.size for one in self._waiting)
                if limit.expired() or len(self._waiting) >= WRITE_SIZE or held >= WRITE_BYTES:
                    await run_uncancelled(self._flush(outcomes))
        finally:
            if not self._is_cut_off:
                await run_uncancelled(self._finish(outcomes))

    async def _finish(self, outcomes: Outcomes[S, R]) -> None:
        await self._flush(outcomes)
        await self._ledger.checkpoint()

    async def _flush(self, outcomes: Outcomes[S, R]) -> None:
        """Write what waits, and make a checkpoint if one is due."""
        waiting, self._waiting = self._waiting, []
        self._is_cut_off = True
        try:
            written = await in_thread(lambda: [self._write_one(one) for one in waiting])
        except BaseException:
            # Not written, or in part: the next start cuts the files back to the last checkpoint
            # and fetches again what came after it.
            self._ledger.drop_notes()
            self._ledger.before_checkpoint = None
            raise
        outcomes.ack(written)
        self._is_cut_off = False
        self.count += len(written)
        for outcome in written:
            if self._on_outcome is not None:
                self._on_outcome(outcome)
        self._track.count_outcomes(written)
        if time.monotonic() >= self._next_checkpoint:
            await self._ledger.checkpoint()
            self._next_checkpoint = time.monotonic() + CHECKPOINT_SECONDS

    def _write_one(self, outcome: Outcome[S, R]) -> Outcome[S, R]:
        """Write an outcome, unless its source is still open: then a later one is written."""
        return outcome if outcome.is_open else self._sinks.write(outcome)
