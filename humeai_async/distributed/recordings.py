"""Plans of runs over recordings and clips: measurements and decisions.

Sources are files that every worker has. Each is read once when it is planned, for the digest of
its content, by which it is known from then on: files of the same content are one source, whatever
partition they would be in.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterable, Iterable, Mapping
from pathlib import Path
from typing import Any, TypeAlias, cast

from humeai_async._base.urls import repr_without_query, without_queries
from humeai_async.bulk.work import REFUSED
from humeai_async.distributed.plan import PlannedSource, RunPlan, digest_of, plan_run
from humeai_async.distributed.store import IntoFolder, LocalStore, Store, open_store
from humeai_async.errors import ConfigurationError
from humeai_async.expression.limits import check_face, check_images, check_timer
from humeai_async.types.expression import FaceSettings
from humeai_async.types.questions import QuestionLike, QuestionSet

RecordingPath: TypeAlias = str | os.PathLike[str]
"""A file that every worker has."""

RECORDINGS_IN_PARTITION = 100
"""Recordings in a partition, where no other number is given."""


async def plan_measurements(
    into: IntoFolder,
    sources: Iterable[RecordingPath] | AsyncIterable[RecordingPath],
    *,
    measurement_timer_ms: int | None = None,
    face: FaceSettings | Mapping[str, Any] | None = None,
    images_per_request: int = 1,
    convert: bool = True,
    partition_size: int = RECORDINGS_IN_PARTITION,
) -> RunPlan:
    """Cut recordings and images that are to be measured into partitions, and write them down.

    Planned again with more of them, those that are new become further partitions. Costs no
    request; each file is read once.

    Args:
        into: The run's folder, a path that all workers have. Ledgers are kept in it, with the
            results that were paid for, until those are in place.
        sources: Paths of recordings of any length and of JPEG images, which lead to the files here
            and on every worker. Files of the same content are one source.
        measurement_timer_ms: As for `hume.expression.measure_many`; the same at every start.
        face: As for `hume.expression.measure_many`; the same at every start.
        images_per_request: As for `hume.expression.measure_many`, of the images of a partition; the
            same at every start.
        convert: As for `hume.expression.measure_many`; the same at every start.
        partition_size: Recordings in a partition, 1 to 100,000.

    Raises:
        InvalidArgumentError: `sources` is no list of paths, or a setting is out of range.
        LedgerError: The folder belongs to another run.
        SaveError: The folder cannot be written to.
        ConfigurationError: `into` is no folder of the file system.
    """
    check_timer(measurement_timer_ms)
    request: dict[str, Any] = {
        "measurement_timer_ms": measurement_timer_ms,
        "convert": bool(convert),
    }
    # Only what is not the usual: runs that were planned before there were images go on.
    if faces := check_face(face, is_session=True):
        request["face"] = faces
    if check_images(images_per_request) > 1:
        request["images_per_request"] = images_per_request
    facts = {"kind": "measurements", "request": request, "job_size": 1}
    return await plan_run(_open_shared, into, sources, facts, _planned, partition_size)


async def plan_decisions(
    into: IntoFolder,
    sources: Iterable[RecordingPath] | AsyncIterable[RecordingPath],
    questions: QuestionSet | Mapping[str, QuestionLike],
    *,
    context: str | None = None,
    convert: bool = True,
    partition_size: int = RECORDINGS_IN_PARTITION,
) -> RunPlan:
    """Cut clips that questions are put to into partitions, and write them into a folder.

    Planned again with more clips, those that are new become further partitions. Costs no
    request; each file is read once.

    Args:
        into: As for `plan_measurements`.
        sources: Paths of clips of 1 second to 5 minutes; else as for `plan_measurements`.
        questions: As for `hume.decisions.create_many`; the same at every start.
        context: As for `hume.decisions.create_many`; the same at every start.
        convert: As for `hume.decisions.create_many`; the same at every start.
        partition_size: Clips in a partition, 1 to 100,000.

    Raises:
        InvalidArgumentError: A question is none, or else as for `plan_measurements`.
        LedgerError: The folder belongs to another run.
        SaveError: The folder cannot be written to.
        ConfigurationError: `into` is no folder of the file system.
    """
    wire = QuestionSet.of(questions, context).to_wire()
    request = {"questions": wire, "convert": bool(convert)}
    facts = {"kind": "decisions", "request": request, "job_size": 1}
    return await plan_run(_open_shared, into, sources, facts, _planned, partition_size)


def _open_shared(into: IntoFolder) -> Store:
    """Open a folder that can hold ledgers.

    Raises:
        ConfigurationError: It is a place in an object store.
    """
    store = open_store(into)
    if not isinstance(store, LocalStore):
        raise ConfigurationError(
            "measurements and decisions keep their ledgers in the run's folder: use a path that "
            f"all workers have, not {without_queries(store.place)}"
        )
    return store


def _planned(source: object) -> PlannedSource:
    """Return a recording as it is written down, its content read for its digest."""
    try:
        given = os.fspath(cast("RecordingPath", source))
    except TypeError:
        given = None
    if not isinstance(given, str) or not given.isprintable():
        reason = "only files whose names are plain text can go to workers: give paths"
        return PlannedSource(REFUSED, repr_without_query(source)[:1000], reason)
    path = Path(given).absolute()
    if path.is_dir():
        return PlannedSource(REFUSED, given, "it is a folder: give the files in it")
    if path.exists() and not path.is_file():
        return PlannedSource(REFUSED, given, "it is no file that can be read twice")
    try:
        digest = digest_of(path)
    except OSError as problem:
        reason = f"it cannot be read: {problem.strerror or type(problem).__name__}"
        return PlannedSource(REFUSED, given, reason)
    if digest is None:
        return PlannedSource(REFUSED, given, "there is no such file")
    return PlannedSource("files", str(path), digest=digest)
