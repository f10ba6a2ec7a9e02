"""The ledger of a partition: a file in the run's folder, or steps in Redis.

What was submitted stands in one of them alone, so a partition goes on with the kind of ledger that
it was begun with. It knows no sources and no results.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import asynccontextmanager
from typing import Any

from humeai_async._base.cancellation import in_thread
from humeai_async.bulk.ledger import Ledger, Memory
from humeai_async.bulk.ledger_records import Note
from humeai_async.distributed.kinds import KINDS
from humeai_async.distributed.plan import RunSettings, file_name
from humeai_async.distributed.redis_ledger import RedisLedger
from humeai_async.distributed.steps import SteppedLedger
from humeai_async.distributed.store import LocalStore, Store
from humeai_async.errors import ConfigurationError, LedgerError
from humeai_async.http import codec

_IN_REDIS, _IN_FILE = b"", b"file"
"""What stands in a run's folder of a partition that was begun with a kind of ledger."""
_PLANNER_SLACK_MS = 24 * 3600 * 1000
"""Milliseconds by which the clock of the machine that planned the run may be ahead. No worker knows
that clock, and jobs that seem older than the run would be submitted again."""


class PartitionLedger(Ledger):
    """A ledger of a partition, whose results count only as a whole.

    It notes no outcomes: a partition that is cut off has its jobs fetched again, all of them.
    """

    def note(self, notes: Iterable[Note]) -> None:
        """Ignore the notes: the results of a partition count only as a whole."""


class OpenedLedger:
    """A ledger of one partition, whatever it stands on.

    Args:
        ledger: The ledger.
        forget: Deletes what it holds, once the results are in place; a coroutine function.
    """

    def __init__(self, ledger: Memory, forget: Callable[[], Any]) -> None:
        self.ledger = ledger
        self.forget = forget


@asynccontextmanager
async def open_ledger(
    store: Store, settings: RunSettings, number: int, ledger: RedisLedger | None
) -> AsyncGenerator[OpenedLedger]:
    """Open the ledger of a partition.

    Args:
        store: The run's folder.
        settings: The run's settings.
        number: Number of the partition.
        ledger: Where steps are written down; a file in the run's folder where it is left out.

    Raises:
        LedgerError: Another worker has it, or the partition was begun with the other kind.
        ConfigurationError: An object store without a ledger.
    """
    if ledger is None:
        if not isinstance(store, LocalStore):
            raise ConfigurationError(
                "results in an object store need a ledger that all workers reach: give "
                "ledger=RedisLedger(...)"
            )
        if not KINDS[settings.kind].is_billed:
            await in_thread(_begin, store, number, _IN_FILE)
        path = store.folder / "_run" / "ledgers" / f"{file_name(number)}.db"
        await in_thread(lambda: path.parent.mkdir(parents=True, exist_ok=True))
        configuration = codec.encode(dict(settings.request)).decode()
        async with await PartitionLedger.open(path, configuration) as opened:

            async def forget_file() -> None:
                await in_thread(lambda: path.unlink(missing_ok=True))

            yield OpenedLedger(opened, forget_file)
        return
    has_begun = await in_thread(_begin, store, number, _IN_REDIS)
    async with ledger.connected() as connection:
        log = ledger.log(connection, settings.name, number)
        since = settings.created_ms - _PLANNER_SLACK_MS if has_begun else None
        started = await SteppedLedger.start(log, begun_since_ms=since)
        yield OpenedLedger(started, log.drop)


def _begin(store: Store, number: int, ledger: bytes) -> bool:
    """Note that a worker has begun with a kind of ledger; returns whether one had before.

    Raises:
        LedgerError: It had the other kind.
    """
    name = f"_run/begun/{file_name(number)}"
    if store.put_new(name, ledger):
        return False
    if store.read(name) == ledger:
        return True
    before, advice = "a RedisLedger", "give ledger=RedisLedger(...)"
    if ledger == _IN_REDIS:
        before, advice = "a ledger in the run's folder", "leave the ledger out"
    raise LedgerError(
        f"partition {number} was begun with {before}, where its jobs stand: {advice}, so that none "
        "is paid for twice"
    )
