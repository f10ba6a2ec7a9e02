"""The plan of a run: its settings, and its sources cut into partitions, in the run's folder.

    into/_run/run.json          the settings, and the run's name
    into/_run/sources/00017     sources of a partition, one JSON line each
    into/_run/begun/00017       a worker has begun with it, and with which kind of ledger

What comes of them stands beside it (`results.py`), and what they may be billed (`budget.py`).

Sources may be signed URLs: the folder is as private as the list was, and nothing else holds them.
It knows no workers.
"""

from __future__ import annotations

import hashlib
import os
import uuid
from collections.abc import AsyncGenerator, AsyncIterable, Callable, Iterable, Mapping, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

from attrs import asdict, evolve, field

from humeai_async._base.cancellation import in_thread
from humeai_async._base.frozen import frozen
from humeai_async._base.unset import UNSET, Unset
from humeai_async._base.urls import repr_without_query, without_queries
from humeai_async.batch.bulk_jobs import identified
from humeai_async.bulk.ledger_records import key_of
from humeai_async.bulk.options import BulkOptions
from humeai_async.bulk.runs import LEDGER, PARTITIONS
from humeai_async.bulk.single_requests import key_of_digest
from humeai_async.bulk.work import REFUSED, local_ms
from humeai_async.distributed.store import IntoFolder, Store, open_store
from humeai_async.errors import DecodeError, LedgerError
from humeai_async.http import codec
from humeai_async.http.arguments import check_many, check_number
from humeai_async.types.batch import InferenceRequest, Models, Transcription
from humeai_async.types.sources import BulkSource, Text, name_of

if TYPE_CHECKING:
    from humeai_async.types.dicts import ModelsDict, TranscriptionDict

S = TypeVar("S")

VERSION = 1
"""Version of the folder's layout."""
PARTITION_SIZE = 1000
"""Sources in a partition, where no other number is given."""
MOST_IN_PARTITION = 100_000
"""Sources in a partition at most: its results are made again as a whole."""
SOURCES = "_run/sources"
"""Where the sources of partitions stand in a run's folder."""


@frozen(kw_only=True)
class RunPlan:
    """What was planned in a run's folder."""

    into: str = field(repr=repr_without_query)
    """The folder."""
    name: str
    """Name of the run, made by chance."""
    partitions: int
    """Partitions so far."""
    sources: int
    """Sources so far, each once."""


@frozen(kw_only=True)
class RunSettings:
    """What all partitions of a run have in common."""

    name: str
    request: Mapping[str, Any]
    """What results depend on besides the sources; models and transcription, say."""
    job_size: int
    created_ms: int
    """When the run was first planned, in milliseconds since 1970."""
    kind: str = "predictions"
    """Kind of the run's work, one of `kinds.KINDS`."""


@frozen
class PlannedSource:
    """A source in a partition of a plan, as text that can be written to a file."""

    kind: str
    text: str = field(repr=repr_without_query)
    reason: str = ""
    """Why it is refused without being sent."""
    failed_in: int | None = None
    """Number of the partition in which it failed and is planned once more."""
    digest: str = ""
    """SHA-256 of the file's content, where ledgers know a source by it."""
    paid_in: int | None = None
    """Number of the partition whose ledger has its result, which could not be read so far."""

    @property
    def key(self) -> bytes:
        """Digest by which ledgers and results know the source."""
        if self.kind == REFUSED:
            return key_of(REFUSED, self.text)
        if self.digest:
            return key_of_digest(self.digest)
        return identified(self.source()).key

    def source(self) -> BulkSource:
        """Return the source as the caller gave it."""
        if self.kind == "files":
            return Path(self.text)
        return self.text if self.kind == "urls" else Text(self.text)


def kind_as_given(source: object) -> str:
    """Return the kind of a planned source, by what `PlannedSource.source` makes of it."""
    if isinstance(source, os.PathLike):
        return "files"
    return "text" if isinstance(source, Text) else "urls"


async def plan(
    into: IntoFolder,
    sources: Iterable[BulkSource] | AsyncIterable[BulkSource],
    *,
    models: Models | ModelsDict | None = None,
    transcription: Transcription | TranscriptionDict | Unset | None = UNSET,
    partition_size: int = PARTITION_SIZE,
    job_size: int | Unset = UNSET,
) -> RunPlan:
    """Cut sources into partitions and write them into the run's folder.

    Planned again with more sources, those that are new become further partitions; a source
    that is given twice goes in once. Costs no request.

    Args:
        into: The run's folder: a path that all workers have, or a URL that fsspec knows, such as
            `s3://bucket/run-7`. It holds the sources as they were given, signed URLs too.
        sources: URLs, texts and paths, as for `hume.batch.predict`. Paths must lead to the files
            on every worker.
        models: Models to run, such as `{"face": {}}`; the same at every start.
        transcription: Settings of the transcription; the same at every start.
        partition_size: Sources in a partition, 1 to 100,000. A partition that is cut off is
            fetched again as a whole, and one that is done is a file of its own.
        job_size: Sources in one job, 1 to 100; the same at every start.

    Returns:
        The plan.

    Raises:
        InvalidArgumentError: `sources` is no list of sources, or a setting is out of range.
        LedgerError: The folder belongs to a run with other settings.
        SaveError: The folder cannot be written to.
        ConfigurationError: `into` is no folder.
    """
    size = BulkOptions.of(None, job_size=job_size).job_size
    request = codec.encode_request(InferenceRequest(models=models, transcription=transcription))
    facts = {"request": codec.parse(request), "job_size": size}
    return await plan_run(open_store, into, sources, facts, _planned, partition_size)


async def plan_run(
    open_folder: Callable[[IntoFolder], Store],
    into: IntoFolder,
    sources: Iterable[S] | AsyncIterable[S],
    facts: Mapping[str, Any],
    planned_as: Callable[[S], PlannedSource],
    partition_size: int,
) -> RunPlan:
    """Cut sources of any kind of work into partitions.

    Args:
        open_folder: Opens the run's folder; called in a thread, as is `planned_as`.
        into: The run's folder.
        sources: Sources of the run.
        facts: `request`, `job_size` and `kind` of its settings.
        planned_as: Says how a source is written down.
        partition_size: Sources in a partition.
    """
    check_many("sources", sources)
    check_number("partition_size", partition_size, least=1, most=MOST_IN_PARTITION)
    store = await in_thread(open_folder, into)
    settings = await in_thread(_agree, store, facts)
    planning = await in_thread(_Planning, store)
    async with aclosing(_chunks(sources, partition_size)) as chunks:
        async for chunk in chunks:
            # Each is made in the thread, which may read a file for it.
            await in_thread(planning.add, map(planned_as, chunk), partition_size)
    await in_thread(planning.write_rest)
    return RunPlan(
        into=store.place,
        name=settings.name,
        partitions=planning.partitions,
        sources=planning.sources,
    )


def read_settings(store: Store) -> RunSettings:
    """Return the settings of the run in a folder.

    Raises:
        LedgerError: Nothing was planned there, or it cannot be read.
    """
    found = _settings(store)
    if found is None:
        raise LedgerError(f"{without_queries(store.place)} holds no run: plan one there first")
    return found


def planned(store: Store) -> list[int]:
    """Return the numbers of all partitions of a run."""
    return [int(name) for name in store.names(SOURCES) if name.isdecimal()]


def file_name(number: int) -> str:
    """Return how a partition's number stands in names of files."""
    return f"{number:05}"


def read_sources(store: Store, number: int) -> list[PlannedSource]:
    """Return the sources of a partition.

    Raises:
        LedgerError: They cannot be read.
    """
    content = store.read(f"{SOURCES}/{file_name(number)}")
    try:
        if content is not None:
            return [PlannedSource(*codec.parse(line)) for line in content.splitlines()]
    except (DecodeError, TypeError):
        pass
    place = without_queries(store.place)
    raise LedgerError(f"the sources of partition {number} in {place} cannot be read")


def digest_of(path: str | Path) -> str | None:
    """Return the SHA-256 of a file's content; `None` if it is not there. It blocks.

    Raises:
        OSError: It cannot be read.
    """
    try:
        with Path(path).open("rb") as opened:
            return hashlib.file_digest(opened, "sha256").hexdigest()
    except FileNotFoundError:
        return None


def _settings(store: Store) -> RunSettings | None:
    """Return what stands in a run's first file; `None` where there is none."""
    content = store.read(PARTITIONS)
    if content is None:
        return None
    try:
        facts: Any = codec.parse(content)
        if facts.pop("version") == VERSION:
            return RunSettings(**facts)
        problem = f"it is not of version {VERSION}, which this release reads"
    except (DecodeError, LookupError, AttributeError, TypeError) as failure:
        problem = str(failure)
    raise LedgerError(f"{without_queries(store.place)} holds no run that can be read: {problem}")


def _agree(store: Store, facts: Mapping[str, Any]) -> RunSettings:
    """Write the settings down, or check that they are those of the run.

    Raises:
        LedgerError: They are others.
    """
    as_read = codec.parse(codec.encode(dict(facts)))
    wanted = RunSettings(name=uuid.uuid4().hex, created_ms=local_ms(), **as_read)
    content = codec.encode({"version": VERSION, **asdict(wanted)})
    if _settings(store) is None:
        if LEDGER in store.names(""):
            raise LedgerError(
                f"{without_queries(store.place)} belongs to a run of one process: go on with it by "
                "what began it (predict_into or write_to), or use another folder"
            )
        store.put_new(PARTITIONS, content)
    found = read_settings(store)
    if evolve(wanted, name=found.name, created_ms=found.created_ms) != found:
        raise LedgerError(
            f"{without_queries(store.place)} belongs to a run with other settings ({found.kind}, "
            f"{codec.encode(dict(found.request)).decode()}, {found.job_size} sources a job): use "
            "another folder"
        )
    return found


class _Planning:
    """Puts sources that are new into partitions.

    Args:
        store: The run's folder.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._known: set[bytes] = set()
        self._others: set[bytes] = set()
        """Keys of sources in partitions that others have written, or earlier starts."""
        self._numbers: set[int] = set()
        self._waiting: list[PlannedSource] = []
        self.sources = 0
        """Sources in all partitions that are written."""
        self._see_others()

    @property
    def partitions(self) -> int:
        """Partitions that are written."""
        return len(self._numbers)

    def add(self, sources: Iterable[PlannedSource], size: int) -> None:
        """Take sources in; a partition is written whenever there are enough."""
        for planned_one in sources:
            if (key := planned_one.key) not in self._known:
                self._known.add(key)
                self._waiting.append(planned_one)
        while len(self._waiting) >= size:
            full, self._waiting = self._waiting[:size], self._waiting[size:]
            self._write(full)

    def write_rest(self) -> None:
        """Write the last partition, which may be smaller."""
        full, self._waiting = self._waiting, []
        self._write(full)

    def _write(self, sources: Sequence[PlannedSource]) -> None:
        while sources := [one for one in sources if one.key not in self._others]:
            number = max(self._numbers, default=-1) + 1
            content = b"\n".join(line_of(one) for one in sources)
            if self._store.put_new(f"{SOURCES}/{file_name(number)}", content):
                self._numbers.add(number)
                self.sources += len(sources)
                return
            # Somebody else plans the same run: what is in there need not go in again.
            self._see_others()

    def _see_others(self) -> None:
        """Read the partitions that were not read yet."""
        for number in planned(self._store):
            if number not in self._numbers:
                sources = read_sources(self._store, number)
                self._numbers.add(number)
                self.sources += len(sources)
                self._others.update(one.key for one in sources)
        self._known |= self._others


def _planned(source: BulkSource) -> PlannedSource:
    """Return a source as it is written down."""
    item = identified(source)
    if item.kind == "files":
        path = str(Path(name_of(source)).absolute())
        if path.isprintable() and name_of(source) == os.fspath(cast("Path", source)):
            return PlannedSource("files", path)
        reason = "names of files that are no text cannot be planned"
        return PlannedSource(REFUSED, repr_without_query(source), reason)
    if item.problem is not None:
        return PlannedSource(REFUSED, repr_without_query(source)[:1000], item.problem.message)
    return PlannedSource(item.kind, name_of(source))


def line_of(source: PlannedSource) -> bytes:
    """Return a source as one line of JSON."""
    facts = [source.kind, source.text, source.reason, source.failed_in]
    if source.digest or source.paid_in is not None:
        facts.append(source.digest)
    if source.paid_in is not None:
        facts.append(source.paid_in)
    return codec.encode_line(facts)


async def _chunks(sources: Iterable[S] | AsyncIterable[S], size: int) -> AsyncGenerator[list[S]]:
    chunk: list[S] = []
    if isinstance(sources, AsyncIterable):
        async for source in sources:
            chunk.append(source)
            if len(chunk) >= size:
                yield chunk
                chunk = []
    else:
        for source in sources:
            chunk.append(source)
            if len(chunk) >= size:
                yield chunk
                chunk = []
    yield chunk
